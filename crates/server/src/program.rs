//! The program from its arguments to its exit code, which the binaries `starling` and `starling-planted` share.

use std::process::ExitCode;

use clap::Parser;

use crate::{cli, commands};

/// Each password that is hashed takes 19 MiB for a moment. The allocator of glibc keeps such blocks in the arenas of
/// its threads (755 MB after 60 logins at once); this one gives them back within ten seconds, by threads of its own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Does what the command line asks.
pub fn run() -> ExitCode {
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("starling: can't start its threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(commands::run(cli));
    // What may still run (a password being hashed, say) has nobody left to answer.
    runtime.shutdown_background();
    result.unwrap_or_else(|error| {
        eprintln!("starling: {error:#}");
        ExitCode::FAILURE
    })
}
