//! Tests of the SQLite store from outside: the contract's suite, and what only a store on a disk must hold.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod backup;
mod conformance;

mod disk;
mod doctor;
mod files;
mod flips;

mod load;
mod redaction;
mod reopen;
mod story;
mod unsteady;
mod upgrade;
mod world;
