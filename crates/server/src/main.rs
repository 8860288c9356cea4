//! `starling`: the server and its tools in one binary.
//!
//! It puts the parts together and knows none of their inside: configuration, the data folder and its lock, the engine on
//! the SQLite store, the native door, the admin socket, metrics, signals.

mod admin;
mod calendar;
mod cli;
mod cli_reference;
mod commands;
mod config;
mod data_folder;
mod demo;
mod language;
mod logging;
mod metrics_page;
mod open_files;
mod running;
mod serve;

use std::process::ExitCode;

use clap::Parser;

/// Each password that is hashed takes 19 MiB for a moment. The allocator of glibc keeps such blocks in the arenas of
/// its threads (755 MB after 60 logins at once); this one gives them back within ten seconds, by threads of its own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
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
