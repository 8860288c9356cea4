//! Wiping what SQLite leaves behind.
//!
//! `secure_delete` overwrites a deleted row where it lies. But when SQLite moves rows from a full page to another one, it
//! leaves the old bytes in the gap between the page's list of cells and its cells, where nothing ever reads them, and
//! they don't belong to any row that could be overwritten later. So after a redaction all pages are passed over and their
//! gaps filled with zeros, straight in the file, in slices: only when everything of the WAL is in the file, by the
//! thread that writes, after its page cache was dropped. To SQLite nothing changes: a gap is written before it is read. A
//! page that is wiped gets a new checksum, unless its old one says that it is damaged; then it is left to the doctor.
//!
//! The layout of pages: <https://www.sqlite.org/fileformat2.html#b_tree_pages>.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rusqlite::Connection;
use wal_buffer::pages::{self, HEADER_BYTES};

/// Pages that are read at once.
const CHUNK_PAGES: usize = 512;
/// Pages of a database up to which no page that is not part of a tree can look like one: the others begin with a page
/// number, whose first byte is smaller than any kind of tree page (2, 5, 10, 13).
const PAGES_MAX: u64 = 0x0200_0000;

/// A pass over all pages, in slices.
#[derive(Debug)]
pub(crate) struct Scrub {
    /// Never closed while connections are open: closing any handle of a file drops all its POSIX locks in the process.
    file: File,
    next_page: u64,
    due: bool,
    /// Something was redacted after the pass began.
    again: bool,
    checksums: Checksums,
}

/// What a pass does with the checksums of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checksums {
    /// Those that are wiped get new ones.
    OfWiped,
    /// All get new ones, since who wrote the file knew nothing of them.
    OfAll,
}

impl Scrub {
    pub(crate) fn open(database: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(database)?;
        Ok(Self { file, next_page: 0, due: false, again: false, checksums: Checksums::OfWiped })
    }

    /// Something was redacted.
    pub(crate) fn ask(&mut self) {
        self.again = self.due && self.next_page > 0;
        self.due = true;
    }

    pub(crate) fn is_due(&self) -> bool {
        self.due
    }

    /// Wipes the next pages. True if no page is left.
    pub(crate) fn step(&mut self, pages: u64) -> io::Result<bool> {
        let Some(layout) = Layout::read(&mut self.file)? else { return Ok(true) };
        let all = self.file.metadata()?.len() / layout.page_bytes as u64;
        if all > PAGES_MAX {
            tracing::warn!(pages = all, "the database is too large for its unused bytes to be wiped");
            self.due = false;
            return Ok(true);
        }
        let end = all.min(self.next_page + pages);
        while self.next_page < end {
            let count = (end - self.next_page).min(CHUNK_PAGES as u64);
            self.wipe_pages(layout, self.next_page, count as usize)?;
            self.next_page += count;
        }
        if end < all {
            return Ok(false);
        }
        self.file.sync_all()?;
        self.next_page = 0;
        self.due = std::mem::take(&mut self.again);
        Ok(!self.due)
    }

    fn wipe_pages(&mut self, Layout { page_bytes, checked }: Layout, first: u64, count: usize) -> io::Result<()> {
        let file = &mut self.file;
        let mut bytes = vec![0; count * page_bytes];
        file.seek(SeekFrom::Start(first * page_bytes as u64))?;
        file.read_exact(&mut bytes)?;
        for (index, page) in bytes.chunks_exact_mut(page_bytes).enumerate() {
            let at = first + index as u64;
            let number = at as u32 + 1;
            let seal_all = checked && self.checksums == Checksums::OfAll && !pages::is_blank(page);
            if checked && !seal_all && !pages::holds(page, number) {
                continue;
            }
            let wiped = wipe_gap(page, if at == 0 { HEADER_BYTES } else { 0 });
            if wiped || seal_all {
                if checked {
                    pages::seal(page, number);
                }
                file.seek(SeekFrom::Start(at * page_bytes as u64))?;
                file.write_all(page)?;
            }
        }
        Ok(())
    }
}

/// What the header of a file says of its pages.
#[derive(Debug, Clone, Copy)]
struct Layout {
    page_bytes: usize,
    /// Whether each has a checksum.
    checked: bool,
}

impl Layout {
    /// `None` if the file is empty still.
    fn read(file: &mut File) -> io::Result<Option<Self>> {
        if file.metadata()?.len() == 0 {
            return Ok(None);
        }
        let mut header = [0; HEADER_BYTES];
        file.seek(SeekFrom::Start(0))?;
        file.read_exact(&mut header)?;
        let page_bytes = pages::page_bytes(&header)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the file's header gives no page size"))?;
        Ok(Some(Self { page_bytes, checked: pages::are_checked(&header) }))
    }
}

/// Whether a pass was noted as due in the database.
pub(crate) fn is_noted(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).map(|version| version != 0)
}

/// Notes in the database whether a pass is due, so that a crash doesn't forget it.
pub(crate) fn note(db: &Connection, due: bool) -> rusqlite::Result<()> {
    db.execute_batch(&format!("PRAGMA user_version = {}", u8::from(due)))
}

/// Wipes a whole file that nobody else has open, and gives its pages their checksums if it is one that has them.
pub(crate) fn wipe_file(database: &Path) -> io::Result<()> {
    let mut scrub = Scrub { checksums: Checksums::OfAll, ..Scrub::open(database)? };
    while !scrub.step(PAGES_MAX)? {}
    Ok(())
}

/// Fills the gap of a tree page with zeros; true if there was something in it.
fn wipe_gap(page: &mut [u8], header: usize) -> bool {
    let header_bytes = match page.get(header) {
        Some(0x02 | 0x05) => 12,
        Some(0x0a | 0x0d) => 8,
        _ => return false,
    };
    let number = |at: usize| {
        page.get(header + at..header + at + 2).map_or(0, |two| usize::from(two[0]) << 8 | usize::from(two[1]))
    };
    let (cells, content) = (number(3), number(5));
    let gap = header + header_bytes + 2 * cells..content;
    // An odd header is for the doctor to find; here nothing is touched then.
    let Some(gap) = page.get_mut(gap) else { return false };
    let dirty = gap.iter().any(|byte| *byte != 0);
    gap.fill(0);
    dirty
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_BYTES: usize = 2048;

    #[test]
    fn only_the_gap_of_tree_pages_is_wiped() {
        let page = |kind: u8| {
            let mut page = vec![0xaa_u8; PAGE_BYTES];
            page[0] = kind;
            page[3..5].copy_from_slice(&10_u16.to_be_bytes());
            page[5..7].copy_from_slice(&1000_u16.to_be_bytes());
            page
        };
        for (kind, first) in [(0x0d, 28), (0x05, 32)] {
            let mut wiped = page(kind);
            assert!(wipe_gap(&mut wiped, 0));
            assert!(wiped[first..1000].iter().all(|byte| *byte == 0));
            assert_eq!((wiped[first - 1], wiped[1000]), (0xaa, 0xaa));
            assert!(!wipe_gap(&mut wiped, 0));
        }
        let mut other = page(0);
        assert!(!wipe_gap(&mut other, 0));
        assert_eq!(other, page(0));
        let mut odd = page(0x0d);
        odd[5..7].copy_from_slice(&5000_u16.to_be_bytes());
        let before = odd.clone();
        assert!(!wipe_gap(&mut odd, 0));
        assert_eq!(odd, before);
    }
}
