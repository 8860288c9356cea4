//! Measurements of Starling's parts: `cargo run --release -p starling-bench -- store`.
//!
//! Each measurement prints a table and writes the same numbers to `bench/results/`.

mod bare;
mod costs;
mod postgres;
mod sample;
mod store;
mod town;

use std::process::ExitCode;

/// The allocator that the server has.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("store") | None => store::measure(),
        Some("postgres") => postgres::measure(),
        Some(_) => {
            eprintln!("usage: starling-bench [store|postgres]");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
