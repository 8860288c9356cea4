//! The store port: what the engine asks of a database, in the domain's words.
//!
//! Contract for every backend, held by the suite in `conformance` (a feature, for tests):
//!
//! * A unit is written whole or not at all, and is answered only once it is durable.
//! * The store numbers: events of a room get dense seqs, and each group of units that is written together gets one commit
//!   number of its app, so that commits form one order. Who reads commit N sees everything up to N.
//! * What is derived from events (rooms, members, cursors) is derived by the domain's `apply`, in the same commit.
//! * The feed gives every commit of this process, in order, after it is durable and not later than its answer.
//!
//! The crate also holds the in-memory [`Memory`] model, the oracle of the conformance suite, and [`record`], the JSON
//! form in which backends keep event bodies.

#[cfg(feature = "conformance")]
pub mod conformance;
mod memory;
mod port;
pub mod record;
mod window;
pub mod words;

pub use memory::Memory;
pub use port::*;
pub use window::{FINGERPRINT_FORGOTTEN, Remembered, Window};
