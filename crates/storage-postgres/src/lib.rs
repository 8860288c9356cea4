//! The store on PostgreSQL, for several nodes: the tables are the truth, and no node keeps anything that another could
//! change.
//!
//! * One task per node writes, in groups of what waits, in one transaction of two round trips. It takes the heads of the
//!   apps first, so that the commits of all nodes form one order per app. See `docs/adr/0013`.
//! * A few connections read. Pages of history may come from standbys, never older than what this node has told.
//! * The rules by which events change rooms, members and cursors are the domain's; no SQL here knows them.
//! * The tables can be read by a person: `select * from conversation`, and every column has a comment.
//! * Acknowledged means committed with `synchronous_commit` on at least; servers that can't hold that are refused.

mod commit;
mod connect;
mod error;
mod key;
mod options;
mod pool;
mod read;
mod rows;
mod schema;
mod session;
mod store;
mod sweep;
mod tls;

pub use error::OpenError;
pub use options::{PostgresOptions, SynchronousCommit};
pub use store::PostgresStore;
