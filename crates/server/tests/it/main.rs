//! The real binary, from outside: processes, signals, sockets, files.

#![expect(clippy::unwrap_used, reason = "a test that can't go on shall panic")]

mod admin;
mod backup;
mod config;
mod demo;
mod http;
mod log;
mod process;
mod reference;
mod serve;
mod socket;
