//! The store on SQLite: one file in a data folder, inside the server's process.
//!
//! * One thread writes, in groups of what waits, and answers when a group is durable (`synchronous=FULL`). See
//!   `docs/adr/0002` for the shape of the tables and why nothing is indexed per message.
//! * Messages and cursors go to a redo log first, and to their rooms later, many at once; readers see both as of one
//!   group. See `docs/adr/0012`.
//! * A few connections read, each call in one transaction, on tokio's blocking threads.
//! * The rules by which events change rooms, members and cursors are the domain's; no SQL here knows them.
//! * Each page of the file has a checksum, so that what has changed on the disk is an error and never an answer.
//! * [`SqliteStore::backup`], [`restore`], [`seal`] and [`doctor`] are for the operator.

mod backup;
mod cache;
mod connection;
mod doctor;
mod error;
mod key;
mod memtable;
mod options;
mod packed;
mod read;
mod redo;
mod repack;
mod rows;
mod schema;
mod scrub;
mod store;
mod view;
mod window;
mod writer;

pub use backup::{restore, seal};
pub use doctor::{Finding, Rule, doctor};
pub use error::OpenError;
pub use options::Options;
pub use repack::PackedList;
pub use store::SqliteStore;
