//! From bytes to messages, without I/O.

use std::ops::Range;

use thiserror::Error;

use crate::frame::Opcode;

/// Longest payload of a ping, pong or close, in bytes.
const CONTROL_BYTES_MAX: usize = 125;
const MASK_BYTES: usize = 4;
/// Room that is kept for the rest of a message that has come in part, in bytes.
const ROOM_KEPT_BYTES: usize = 4096;

/// Bytes that are no messages of a client. The connection can't go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Violation {
    /// A message longer than the limit.
    #[error("a message is too large")]
    TooLarge,
    /// A text that is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// A frame that the standard forbids.
    #[error("a frame is not as it must be: {0}")]
    Malformed(&'static str),
}

/// A message of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
    /// A ping, with what is to be sent back.
    Ping(&'a [u8]),
    /// A pong.
    Pong,
    /// The end, with the code if one is given.
    Close(Option<u16>),
}

/// A message that has come whole; [`Decoder::message`] gives it until the decoder is used again.
#[derive(Debug)]
pub struct Found {
    opcode: Opcode,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// One frame, where it came.
    Buffer(Range<usize>),
    /// Put together from several.
    Assembled,
}

/// Takes bytes as they come and finds messages in them. It holds what has not come whole, and nothing else.
#[derive(Debug)]
pub struct Decoder {
    message_bytes_max: usize,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are done with.
    done: usize,
    /// A message of which some frames have come; in a box, because hardly any client divides messages.
    assembling: Option<Box<Assembling>>,
}

#[derive(Debug)]
struct Assembling {
    opcode: Opcode,
    payload: Vec<u8>,
    whole: bool,
}

/// The head of a frame.
struct Head {
    is_final: bool,
    opcode: Opcode,
    mask: [u8; MASK_BYTES],
    payload: Range<usize>,
}

impl Decoder {
    /// A decoder of messages up to a length.
    pub fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, buffer: Vec::new(), done: 0, assembling: None }
    }

    /// Adds bytes that came. [`Decoder::find`] until it finds nothing, before more are added.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.done);
        self.done = 0;
        // The room of a long message is not kept for what comes after it.
        if self.buffer.capacity() > ROOM_KEPT_BYTES {
            self.buffer.shrink_to(self.buffer.len() + bytes.len());
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Finds the next message that has come whole.
    pub fn find(&mut self) -> Result<Option<Found>, Violation> {
        if self.assembling.as_ref().is_some_and(|assembling| assembling.whole) {
            self.assembling = None;
        }
        loop {
            if self.done == self.buffer.len() {
                // Nothing on its way: nothing held.
                (self.buffer, self.done) = (Vec::new(), 0);
                return Ok(None);
            }
            let Some(Head { is_final, opcode, mask, payload }) = self.head()? else { return Ok(None) };
            if self.buffer.len() < payload.end {
                return Ok(None);
            }
            self.done = payload.end;
            unmask(&mut self.buffer[payload.clone()], mask);
            if is_final && opcode != Opcode::Continuation {
                return Ok(Some(Found { opcode, place: Place::Buffer(payload) }));
            }
            let assembling = self
                .assembling
                .get_or_insert_with(|| Box::new(Assembling { opcode, payload: Vec::new(), whole: false }));
            assembling.payload.extend_from_slice(&self.buffer[payload]);
            assembling.whole = is_final;
            if is_final {
                return Ok(Some(Found { opcode: assembling.opcode, place: Place::Assembled }));
            }
        }
    }

    /// The message found last.
    pub fn message(&self, found: &Found) -> Result<Message<'_>, Violation> {
        let payload = match &found.place {
            Place::Buffer(range) => self.buffer.get(range.clone()).unwrap_or_default(),
            Place::Assembled => self.assembling.as_ref().map_or(&[][..], |assembling| &assembling.payload),
        };
        Ok(match found.opcode {
            Opcode::Text => Message::Text(utf8(payload)?),
            Opcode::Binary | Opcode::Continuation => Message::Binary(payload),
            Opcode::Ping => Message::Ping(payload),
            Opcode::Pong => Message::Pong,
            Opcode::Close => Message::Close(close_code(payload)?),
        })
    }

    /// The head of the next frame, if it is there whole. Whether it may come now is decided here.
    fn head(&self) -> Result<Option<Head>, Violation> {
        let bytes = &self.buffer[self.done..];
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let (is_final, reserved) = (first & 0x80 != 0, first & 0x70);
        let (masked, short) = (second & 0x80 != 0, usize::from(second & 0x7f));
        let Some(opcode) = Opcode::of(first & 0x0f) else { return Err(Violation::Malformed("its opcode is unknown")) };
        if reserved != 0 {
            return Err(Violation::Malformed("it uses an extension"));
        }
        if !masked {
            return Err(Violation::Malformed("it is not masked"));
        }
        if opcode.is_control() && (!is_final || short > CONTROL_BYTES_MAX) {
            return Err(Violation::Malformed("a control frame is divided or too long"));
        }
        let before = match (&self.assembling, opcode) {
            (None, Opcode::Continuation) => return Err(Violation::Malformed("it continues nothing")),
            (Some(_), Opcode::Text | Opcode::Binary) => {
                return Err(Violation::Malformed("a message begins within another"));
            }
            (Some(assembling), Opcode::Continuation) => assembling.payload.len(),
            _ => 0,
        };
        let (length, rest_of_head) = match short {
            126 => match rest {
                &[a, b, ..] => (u64::from(u16::from_be_bytes([a, b])), 2),
                _ => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(length) => (u64::from_be_bytes(*length), 8),
                None => return Ok(None),
            },
            short => (short as u64, 0),
        };
        let length = usize::try_from(length).map_err(|_| Violation::TooLarge)?;
        if length > self.message_bytes_max.saturating_sub(before) && !opcode.is_control() {
            return Err(Violation::TooLarge);
        }
        let Some(&mask) = rest.get(rest_of_head..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
        let start = self.done + 2 + rest_of_head + MASK_BYTES;
        Ok(Some(Head { is_final, opcode, mask, payload: start..start + length }))
    }
}

fn unmask(payload: &mut [u8], mask: [u8; MASK_BYTES]) {
    let (chunks, rest) = payload.as_chunks_mut::<MASK_BYTES>();
    for chunk in chunks {
        *chunk = (u32::from_ne_bytes(*chunk) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Violation> {
    std::str::from_utf8(bytes).map_err(|_| Violation::NotUtf8)
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    match payload {
        [] => Ok(None),
        [_] => Err(Violation::Malformed("a close code is one byte")),
        &[a, b, ref reason @ ..] => {
            utf8(reason)?;
            match u16::from_be_bytes([a, b]) {
                // Those of RFC 6455 and its registry that may be sent, and those of libraries and applications.
                code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(Some(code)),
                _ => Err(Violation::Malformed("a close code may not be sent")),
            }
        }
    }
}

#[cfg(test)]
mod tests;
