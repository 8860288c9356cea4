//! WebSocket (RFC 6455), the server's side: the handshake, frames without I/O, and a connection that holds no buffer while
//! nothing is on its way.
//!
//! Bytes are read into a buffer of the thread and copied only when a message has not come whole; frames to be sent are
//! shared as bytes, with their header, by all connections that send them. No extensions (so no compression), no TLS: the
//! stream below does that.

mod decode;
mod frame;
mod handshake;
mod socket;

pub use decode::{Decoder, Found, Message, Violation};
pub use frame::{CLOSE_REASON_BYTES_MAX, Frame};
pub use handshake::{Handshake, HandshakeError};
pub use socket::{ReceiveError, Socket};
