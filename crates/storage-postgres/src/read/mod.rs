//! Reads. Each is of one moment: a single statement, or statements in a transaction that sees one snapshot.

pub(crate) mod accounts;
pub(crate) mod changed;
pub(crate) mod entries;
pub(crate) mod journal;
pub(crate) mod rooms;

/// Begins a transaction whose statements all see the same.
pub(crate) const BEGIN: &str = "begin isolation level repeatable read, read only";
/// Ends it.
pub(crate) const END: &str = "commit";
