//! Tests of the SQLite store from outside: the contract's suite, and what only a store on a disk must hold.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod conformance;
mod world;
