//! Reads: each function answers one method of the port on a connection that is in a read transaction.

pub(crate) mod accounts;
pub(crate) mod changed;
pub(crate) mod entries;
pub(crate) mod journal;
pub(crate) mod pool;
pub(crate) mod rooms;
