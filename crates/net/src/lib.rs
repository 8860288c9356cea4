//! Listeners and the life of connections, for any router and with no idea of what travels.
//!
//! A stranger can cost the server only so much: connections are counted per address and in all, a head, a body and a
//! reader that is too slow ends the connection, and [`Budget`] bounds what an address may try before it signs in.
//! Upgraded connections (WebSocket) stay counted and keep the write timeout; their protocol is the door's business.

mod address;
mod body;
mod budget;
mod connection;
mod counters;
mod listener;
mod options;
mod stream;
mod upgrade;

pub use address::{ClientAddress, Network, NetworkError, client_address};
pub use body::BodyTimeout;
pub use budget::{Budget, Left};
pub use counters::Counters;
pub use listener::Listener;
pub use options::NetOptions;
pub use upgrade::{Upgraded, upgrade};
