//! `starling`: the server and its tools in one binary.
//!
//! It puts the parts together and knows none of their inside: configuration, the data folder and its lock, the engine on
//! the SQLite store, the native door, the admin socket, metrics, signals.

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
    program::run()
}
