//! What can be chosen when a data folder is opened. Durability can't.

/// Options of a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// Reads that run at the same time, each on a connection of its own.
    pub readers: usize,
    /// Page cache of the writing connection, in KiB.
    pub writer_cache_kib: u32,
    /// Page cache of each reading connection, in KiB.
    pub reader_cache_kib: u32,
    /// What may wait in memory, committed, to be written to its place in the database, in bytes, about.
    pub memtable_bytes: usize,
    /// Whether what is deleted is overwritten in the database file, so that redacted text is physically gone. Only a
    /// measurement of its cost has a reason to switch it off.
    pub secure_delete: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 4,
            writer_cache_kib: 16 * 1024,
            reader_cache_kib: 2 * 1024,
            memtable_bytes: 16 * 1024 * 1024,
            secure_delete: true,
        }
    }
}
