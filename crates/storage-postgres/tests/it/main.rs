//! Tests of the PostgreSQL store from outside, on real servers: the contract's suite, several nodes, servers that fail.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod cluster;
mod conformance;
mod failover;
mod failures;
mod legible;
mod load;
mod nodes;
mod opening;
mod plans;
mod proxy;
mod redaction;
