//! The domain of Starling: ids, users, rooms, members, events, and the rules by which they change.
//!
//! Pure: no I/O, no clock, no randomness, no protocol. Time, fresh ids and facts come in as arguments.
//!
//! * A *command* is checked by a `check_…` function against facts: `Ok(Changes)` is what one atomic commit writes,
//!   `Err(Refusal)` is the caller's fault.
//! * The store numbers the events of the changes (dense `seq` per room, one `commit` per app) and folds them into
//!   [`Room`], [`Member`] and [`Cursors`] by their `apply`, which can't fail.
//! * Checks read facts of a room *version*. The version grows only when facts that checks read change, so messages
//!   never disturb each other, and a commit whose version has moved is a conflict: load again, check again.

mod account;
mod actor;
mod app;
mod changes;
mod command;
mod content;
mod create;
mod cursor;
mod edit;
mod event;
mod fingerprint;
mod history;
mod id;
mod member;
mod membership;
mod message;
mod reaction;
mod redaction;
mod refusal;
mod room;
mod settings;
mod user;

pub use account::*;
pub use actor::*;
pub use app::*;
pub use changes::*;
pub use command::*;
pub use content::*;
pub use create::*;
pub use cursor::*;
pub use edit::*;
pub use event::*;
pub use history::*;
pub use id::*;
pub use member::*;
pub use membership::*;
pub use message::*;
pub use reaction::*;
pub use redaction::*;
pub use refusal::*;
pub use room::*;
pub use settings::*;
pub use user::*;
