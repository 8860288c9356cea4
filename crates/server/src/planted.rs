//! `starling-planted`: the same program, with one bug planted in it that the environment variable `STARLING_PLANTED_BUG` names.
//!
//! It is made for the tests of the history checker only, by the feature `planted-bugs`; see the crate `planted`. The modules
//! are those of `main.rs`.

mod admin;
mod calendar;
mod cli;
mod cli_reference;
mod commands;
mod data_folder;
mod demo;
mod logging;
mod metrics_page;
mod open_files;
mod program;
mod running;
mod serve;

use std::process::ExitCode;

use server::{config, language};

fn main() -> ExitCode {
    // A name that is wrong ends it here, before anything is touched.
    match planted::chosen() {
        Some(bug) => eprintln!("starling-planted: {}: {}", bug.name(), bug.words()),
        None => eprintln!("starling-planted: {} names no bug", planted::VARIABLE),
    }
    program::run()
}
