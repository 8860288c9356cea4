//! The native wire: the JSON types of REST `/v1` and of the WebSocket `/v1/ws`.
//!
//! REST and WebSocket carry the same operations with the same types; the OpenAPI document, and through it the SDKs'
//! types, are generated from what stands here. This crate knows nothing of the engine: `door-web` converts by hand.
//!
//! Conventions: times are Unix milliseconds (`*_at`), sequence numbers count from 1 in their room, commits count from
//! 1 in their app, ids are strings, absent means default, unknown fields in requests are ignored.

mod account;
mod error;
mod event;
mod frame;
mod room;
pub mod schema;
mod statistics;
mod sync;

pub use account::*;
pub use error::*;
pub use event::*;
pub use frame::*;
pub use room::*;
pub use statistics::*;
pub use sync::*;
