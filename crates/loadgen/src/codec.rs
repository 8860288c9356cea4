//! What the driver needs to know of a protocol: bytes out, bytes in, and nothing of sockets.
//!
//! One link drives them all, so the figures of two servers differ by the servers and their protocols, not by the driver.

pub mod mqtt;
pub mod starling;
mod websocket;
mod xml;
pub mod xmpp;

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// A person of the load, by number; what they are called, each protocol has its own rules for.
pub type Person = u32;

/// Groups from this number on are rooms that the server was started with: `starling dev --messages` makes them.
pub const STORED: u32 = 1 << 31;
/// The group of very many that the server was started with: `starling dev --members` makes it.
pub const CROWD: u32 = u32::MAX;

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum To {
    /// To one person.
    Person(Person),
    /// To all members of a group.
    Group(u32),
}

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The connection can be used.
    Ready,
    /// What was asked under this number is done; a message is durable now, as far as the protocol and the server say so.
    Done(u64),
    /// It was refused, and why.
    Refused(u64, String),
    /// Somebody's message, the sender's own too if the protocol sends it back.
    Message(&'a str),
}

/// One connection's side of a protocol.
pub trait Codec: Send {
    /// Begins, as soon as there is a connection.
    fn open(&mut self, out: &mut Vec<u8>);

    /// Whoever makes a group asks for it before others join.
    fn make(&mut self, group: u32, out: &mut Vec<u8>) -> u64;

    /// Asks to be able to send to somebody, or to be in a group and get its messages.
    fn join(&mut self, to: To, out: &mut Vec<u8>) -> u64;

    /// Whether one stays in a group when the connection ends, and need not join again.
    fn stays(&self) -> bool {
        false
    }

    /// Sends a message where one has joined.
    fn send(&mut self, to: To, text: &str, out: &mut Vec<u8>) -> Result<u64>;

    /// Asks something that only some protocols know: for a list of changes, or for a page of history.
    fn ask(&mut self, question: &Question, out: &mut Vec<u8>) -> Result<u64> {
        let _ = out;
        anyhow::bail!("the protocol does not know {question:?}")
    }

    /// Up to where the server has told what happened: what to say when coming back.
    fn known(&self) -> Option<u64> {
        None
    }

    /// A connection of the same person and device that goes on where this one ends, if the protocol can do that.
    fn again(&self) -> Option<Box<dyn Codec>> {
        None
    }

    /// Reads what has come, and gives how many bytes of it were whole frames. What is to be sent at once goes to `out`.
    fn read(&mut self, bytes: &[u8], out: &mut Vec<u8>, see: &mut dyn FnMut(Event<'_>)) -> Result<usize>;
}

/// Something to ask a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What has changed since then?
    Sync { since: u64 },
    /// A page of history; the newest one, unless it says before what.
    History { of: To, before: Option<u64>, limit: u32 },
    /// Everything there has been read.
    Read { of: To },
    /// One is typing there.
    Typing { to: To },
}
