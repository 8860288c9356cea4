//! Checks of the file's pages: each has the checksum that it was written with, and the first says what SQLite wrote.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use rusqlite::Connection;

use super::{Findings, Rule};
use crate::error::Fault;

/// Pages that are told; whoever has so many needs a backup.
const PAGES_MAX: usize = 100;
/// The WAL: a header, then frames of a header and a page; see <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.
const WAL_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const WAL_PAGE_BYTES_AT: usize = 8;
const WAL_PAGE_BYTES_MAX: u32 = 65_536;
/// In the header: who may write the file, and who may read it. 1 without a WAL, 2 with one; SQLite takes anything above for a
/// file of its future that is not to be written, and its own check passes over that.
const VERSIONS_AT: std::ops::Range<usize> = 18..20;

pub(super) fn check(db: &Connection, findings: &mut Findings) -> Result<(), Fault> {
    if let Some(header) = wal_buffer::header(db)?
        && !matches!(header[VERSIONS_AT], [1, 1] | [2, 2])
    {
        let versions = &header[VERSIONS_AT];
        findings.add(Rule::Integrity, "the header", format_args!("has versions {versions:?}, so it can't be written"));
    }
    let mut broken = wal_buffer::broken_pages(db, PAGES_MAX)?;
    if !broken.is_empty()
        && let Some(database) = db.path()
    {
        // A crash may have cut off a page on its way from the WAL into the file, and then nobody reads it from the file.
        let newer = pages_of_wal(Path::new(&format!("{database}-wal"))).unwrap_or_default();
        broken.retain(|page| !newer.contains(page));
    }
    for page in broken {
        findings.add(Rule::Integrity, format_args!("page {page}"), "is not as it was written: its checksum is wrong");
    }
    Ok(())
}

/// The pages that stand in a WAL, if there is one.
fn pages_of_wal(path: &Path) -> std::io::Result<HashSet<u32>> {
    let mut pages = HashSet::new();
    let mut wal = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(pages),
        Err(error) => return Err(error),
    };
    let number = |bytes: &[u8]| bytes[..4].iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    let mut header = [0; WAL_HEADER_BYTES];
    if wal.read_exact(&mut header).is_err() {
        return Ok(pages);
    }
    let page_bytes = number(&header[WAL_PAGE_BYTES_AT..]);
    if page_bytes > WAL_PAGE_BYTES_MAX {
        return Ok(pages);
    }
    let mut page = vec![0; page_bytes as usize];
    let mut frame = [0; FRAME_HEADER_BYTES];
    while wal.read_exact(&mut frame).is_ok() && wal.read_exact(&mut page).is_ok() {
        pages.insert(number(&frame));
    }
    Ok(pages)
}
