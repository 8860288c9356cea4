//! A checksum at the end of each page of a database, so that a byte that has changed on the disk is noticed and never
//! served.
//!
//! SQLite leaves the last bytes of each page alone if it is told so when the file is made. They hold the CRC-32 (that of
//! zlib) of the rest of the page and of the page's number, so that a page at the wrong place is noticed too. A file says
//! that its pages have one in two ways: by how many bytes are left alone, and by an application id. Older files say neither
//! and are read as they are. A page of nothing but zeros has none: SQLite makes room in the file without writing it.
//!
//! The fields of the header: <https://www.sqlite.org/fileformat2.html#the_database_header>.

/// Bytes at the end of each page that hold its checksum.
pub const CHECKSUM_BYTES: usize = 4;
/// The application id of files whose pages have one: "Strl".
pub const APPLICATION_ID: u32 = 0x5374_726c;

/// Bytes of the header with which a file begins.
pub const HEADER_BYTES: usize = 100;
const PAGE_BYTES_AT: usize = 16;
const RESERVED_AT: usize = 20;
const APPLICATION_ID_AT: usize = 68;

/// Smallest page of SQLite, in bytes.
const PAGE_BYTES_MIN: usize = 512;
/// Largest page of SQLite, in bytes.
const PAGE_BYTES_MAX: usize = 65_536;

/// Whether the pages of a file that begins so have checksums. One of the two signs is enough, since the other may be what
/// has changed; the first page doesn't hold then.
pub fn are_checked(header: &[u8]) -> bool {
    header.get(RESERVED_AT).is_some_and(|reserved| usize::from(*reserved) == CHECKSUM_BYTES)
        || header.get(APPLICATION_ID_AT..).is_some_and(|rest| rest.starts_with(&APPLICATION_ID.to_be_bytes()))
}

/// Size of the pages of a file that begins so, in bytes.
pub fn page_bytes(header: &[u8]) -> Option<usize> {
    let size = header.get(PAGE_BYTES_AT..PAGE_BYTES_AT + 2)?;
    match u16::from_be_bytes([size[0], size[1]]) {
        1 => Some(PAGE_BYTES_MAX),
        size => Some(usize::from(size)).filter(|size| size.is_power_of_two() && *size >= PAGE_BYTES_MIN),
    }
}

/// Writes the checksum of a page into it. The first page has number 1.
pub fn seal(page: &mut [u8], number: u32) {
    let (rest, sum) = page.split_at_mut(page.len() - CHECKSUM_BYTES);
    sum.copy_from_slice(&checksum(rest, number));
}

/// Whether a page is as it was sealed, or was never written.
pub fn holds(page: &[u8], number: u32) -> bool {
    let (rest, sum) = page.split_at(page.len() - CHECKSUM_BYTES);
    checksum(rest, number) == sum || is_blank(page)
}

/// Whether a page was never written.
pub fn is_blank(page: &[u8]) -> bool {
    page.iter().all(|byte| *byte == 0)
}

fn checksum(rest: &[u8], number: u32) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(rest);
    hasher.update(&number.to_be_bytes());
    hasher.finalize().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_where_and_as_it_was_sealed() {
        let mut page: Vec<u8> = (0..2048).map(|n| (n % 251) as u8).collect();
        seal(&mut page, 7);
        assert!(holds(&page, 7));
        assert!(!holds(&page, 8));
        for at in 0..page.len() {
            for change in [1, 0x80, 0xff] {
                page[at] ^= change;
                assert!(!holds(&page, 7), "byte {at}");
                page[at] ^= change;
            }
        }
        assert!(holds(&[0; 512], 1) && is_blank(&[0; 512]));
    }

    #[test]
    fn a_header_says_so_in_two_ways() {
        let mut header = [0; HEADER_BYTES];
        assert!(!are_checked(&header) && !are_checked(&[]));
        header[RESERVED_AT] = CHECKSUM_BYTES as u8;
        assert!(are_checked(&header));
        header[RESERVED_AT] = 0;
        header[APPLICATION_ID_AT..APPLICATION_ID_AT + 4].copy_from_slice(b"Strl");
        assert!(are_checked(&header));
        for (bytes, size) in [([0x08, 0], Some(2048)), ([0, 1], Some(65_536)), ([0x0c, 0], None), ([0, 0x10], None)] {
            header[PAGE_BYTES_AT..PAGE_BYTES_AT + 2].copy_from_slice(&bytes);
            assert_eq!(page_bytes(&header), size);
        }
    }
}
