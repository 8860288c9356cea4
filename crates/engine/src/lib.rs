//! The engine: everything a door can ask for, and the only place where it is decided.
//!
//! ```text
//! authenticate(token) → Actor      who asks
//! admit(actor)        → Allowance  whether they may ask now (rate limit)
//! execute(actor, command)          check against facts → one durable commit → receipt
//! lane(actor).submit(command)      the same, in the order of submission, without waiting for each receipt
//! query(actor, query)              what the actor may see
//! subscribe(actor)    → Session    what happens from now on
//! ```
//!
//! * Nothing is acknowledged that the store has not made durable.
//! * Permission is decided here and in `domain`, never in a door; every look-up starts from the actor's app.
//! * Fan-out follows the order of commits; a session that can't keep up loses its outbox and is told to resync.
//! * The engine knows no protocol: doors encode a [`Delivery`] once per wire format, and all sessions share the bytes.

mod accounts;
mod active;
mod authenticate;
mod clock;
mod engine;
mod error;
mod execute;
mod facts;
mod fanout;
mod follower;
mod heat;
mod lane;
mod options;
mod outbox;
mod password;
mod presence;
mod query;
mod rate;
mod session;
mod statistics;
mod token;
mod turns;
mod typing;
mod view;

pub use accounts::{Login, NewUser, Operator, PasswordChange, Register, ServerState, SignedIn};
pub use authenticate::Authenticated;
pub use clock::{Clock, SystemClock};
pub use engine::{Engine, Health};
pub use error::EngineError;
pub use execute::Receipt;
pub use lane::{Lane, Submitted};
pub use options::{EngineOptions, Secrets};
pub use outbox::{Delivery, EndReason, FORMATS_MAX, Flow, Format, Happening};
pub use presence::PRESENCE_USERS_MAX;
pub use query::*;
pub use rate::Allowance;
pub use session::Session;
pub use view::*;
