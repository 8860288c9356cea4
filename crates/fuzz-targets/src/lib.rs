//! What the fuzzers run: a function for every parser of bytes that come from outside.
//!
//! Each target takes any bytes and panics when an invariant doesn't hold: nothing panics, what was read can be printed
//! and read again, errors are of the kinds that are promised. Two programs share them: libFuzzer, in the folder `fuzz`
//! (`make fuzz`), and the test of this crate, which runs each over its seeds, what was found before, and some thousands
//! of mutations that are the same every time.

mod config;
mod database;
mod door;
mod forwarded;
mod frame;
mod id;
pub mod mutation;
mod packed;
mod page_cursor;
mod people;
mod record;
mod rest;
mod rows;
mod token;
mod websocket;
mod websocket_frames;

/// A parser of outside bytes, and what must hold of it.
#[derive(Debug)]
pub struct Target {
    /// Its name: that of its folders under `fuzz/corpus` and `fuzz/regressions`, too.
    pub name: &'static str,
    /// Runs it over an input; panics if something doesn't hold.
    pub run: fn(&[u8]),
    /// Mutations that its test tries: more where one is cheap.
    pub mutations: u32,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "id", run: id::run, mutations: 20_000 },
    Target { name: "forwarded", run: forwarded::run, mutations: 20_000 },
    Target { name: "frame", run: frame::run, mutations: 10_000 },
    Target { name: "record", run: record::run, mutations: 20_000 },
    Target { name: "packed", run: packed::run, mutations: 20_000 },
    Target { name: "config", run: config::run, mutations: 2_000 },
    Target { name: "token", run: token::run, mutations: 3_000 },
    Target { name: "page_cursor", run: page_cursor::run, mutations: 3_000 },
    Target { name: "rest", run: rest::run, mutations: 4_000 },
    Target { name: "websocket_frames", run: websocket_frames::run, mutations: 20_000 },
    Target { name: "websocket", run: websocket::run, mutations: 2_000 },
    Target { name: "database_rows", run: database::run_rows, mutations: 150 },
    Target { name: "backup_file", run: database::run_file, mutations: 60 },
];

/// The target of a name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
