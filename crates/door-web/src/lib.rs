//! The native door: REST under `/v1`, the WebSocket `/v1/ws`, their documents, and the web client.
//!
//! It translates and decides nothing. A feature has one file, in which its REST handlers and its WebSocket operations
//! share one function; `convert` is the only place where wire and domain meet; `failure.rs` is the only place where an
//! error gets its code. Permission, limits of content and rates are the engine's.

mod account;
mod ask;
mod assets;
mod convert;
#[doc(hidden)]
pub mod counted;
mod cursor;
mod device;
mod docs;
mod document;
mod door;
mod event;
mod extract;
mod failure;
mod guard;
mod health;
mod json;
mod language;
mod member;
mod message;
mod options;
mod origin;
mod presence;
mod reaction;
mod recent;
mod room;
mod router;
mod server;
mod socket;
mod statistics;
mod sync;
mod typing;
mod user;

pub use document::document;
pub use options::DoorOptions;
pub use router::router;
