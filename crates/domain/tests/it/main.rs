//! The domain from outside: who may do what, why not, and the laws that hold whatever is done.

#![allow(clippy::unwrap_used, reason = "tests")]

mod facts;
mod laws;
mod limits;
mod log;
mod permissions;
mod refusals;
