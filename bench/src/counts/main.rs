//! `starling-counts`: how many instructions an operation takes, guarded against growth.
//!
//! Seconds say more about the machine of the moment than about the code; instructions hardly depend on it. So each
//! operation of [`operations::OPERATIONS`] is done many times by the real code under valgrind's callgrind, which counts the
//! instructions of all threads outside the kernel between two [`marks`], and [`judge`] compares that with what
//! `bench/counts.json` says.
//!
//! `scripts/counts` builds it and starts it.

mod judge;
mod marks;
mod operations;
mod socket;
mod world;

use std::process::ExitCode;

/// The allocator that the server has.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "usage: starling-counts [--accept] [operation…]   counts, and compares with bench/counts.json
       starling-counts run OPERATION TIMES         does an operation so many times, to be watched by a tool";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["run", name, times] => run(name, times),
        ["--help" | "-h" | "run", ..] => Err(USAGE.to_owned()),
        ["--accept", names @ ..] => judge::judge(names, judge::Verdict::Accept),
        names => judge::judge(names, judge::Verdict::Compare),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, times: &str) -> Result<(), String> {
    let operation = operations::find(name)?;
    let times = times.parse().map_err(|_| USAGE.to_owned())?;
    // One thread for all tasks, so that they take the same turns each time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on((operation.run)(times));
    // What ending takes belongs to no operation, and closing a store takes long.
    std::process::exit(0);
}
