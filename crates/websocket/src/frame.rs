//! Frames to be sent: whole messages, header and all, as bytes that any number of connections share.

use std::convert::Infallible;

use bytes::Bytes;

/// The longest header of a frame that is not masked, in bytes.
const HEADER_BYTES_MAX: usize = 10;
/// Longest reason of a close frame, in bytes (RFC 6455, 5.5 and 5.5.1).
pub const CLOSE_REASON_BYTES_MAX: usize = 123;

/// Room for most answers, header and all.
const SHORT_BYTES: usize = 128;

const FINAL: u8 = 0x80;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

impl Opcode {
    pub(crate) fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    pub(crate) fn is_control(self) -> bool {
        self as u8 >= Self::Close as u8
    }
}

/// A frame as it is sent. Clones share its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::of(Opcode::Text, text.as_bytes())
    }

    /// A text message that is written in its place. What `write` appends must be UTF-8.
    pub fn write_text<E>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Self, E> {
        Self::write(Opcode::Text, write)
    }

    /// A ping without a payload.
    pub fn ping() -> Self {
        Self(Bytes::from_static(&[FINAL | Opcode::Ping as u8, 0]))
    }

    /// The answer to a ping.
    pub fn pong(payload: &[u8]) -> Self {
        Self::of(Opcode::Pong, payload)
    }

    /// A close frame. Of the reason, what is longer than [`CLOSE_REASON_BYTES_MAX`] is left out.
    pub fn close(code: u16, reason: &str) -> Self {
        let reason = &reason[..reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX)];
        Self::of(Opcode::Close, &[&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// A close frame that says nothing.
    pub fn close_silently() -> Self {
        Self(Bytes::from_static(&[FINAL | Opcode::Close as u8, 0]))
    }

    /// A frame of bytes that [`Frame::into_bytes`] gave.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Its bytes, header and all.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Its bytes, header and all.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn of(opcode: Opcode, payload: &[u8]) -> Self {
        let Ok(frame) = Self::write::<Infallible>(opcode, |frame| {
            frame.reserve_exact(payload.len());
            frame.extend_from_slice(payload);
            Ok(())
        });
        frame
    }

    fn write<E>(opcode: Opcode, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Self, E> {
        // The payload's length is known after it; its header is put right before it.
        let mut frame = Vec::with_capacity(SHORT_BYTES);
        frame.extend_from_slice(&[0; HEADER_BYTES_MAX]);
        write(&mut frame)?;
        let length = frame.len() - HEADER_BYTES_MAX;
        let mut header = [0; HEADER_BYTES_MAX];
        header[0] = FINAL | opcode as u8;
        let header = match length {
            0..=125 => {
                header[1] = length as u8;
                &header[..2]
            }
            126..=0xffff => {
                header[1] = 126;
                header[2..4].copy_from_slice(&(length as u16).to_be_bytes());
                &header[..4]
            }
            _ => {
                header[1] = 127;
                header[2..10].copy_from_slice(&(length as u64).to_be_bytes());
                &header[..10]
            }
        };
        let start = HEADER_BYTES_MAX - header.len();
        frame[start..HEADER_BYTES_MAX].copy_from_slice(header);
        Ok(Self(Bytes::from(frame).slice(start..)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455, 5.7, and the borders of the three forms of a length.
    #[test]
    fn frames_are_as_the_standard_writes_them() {
        let check = |frame: Frame, header: &[u8], payload: &[u8]| {
            assert_eq!(frame.as_bytes()[..header.len()], *header);
            assert_eq!(frame.as_bytes()[header.len()..], *payload);
        };
        check(Frame::text("Hello"), &[0x81, 0x05], b"Hello");
        check(Frame::pong(b"Hello"), &[0x8a, 0x05], b"Hello");
        check(Frame::ping(), &[0x89, 0x00], b"");
        check(Frame::close(1000, "bye"), &[0x88, 0x05, 0x03, 0xe8], b"bye");
        check(Frame::close_silently(), &[0x88, 0x00], b"");
        check(Frame::of(Opcode::Binary, &[7; 125]), &[0x82, 125], &[7; 125]);
        check(Frame::of(Opcode::Binary, &[7; 126]), &[0x82, 126, 0, 126], &[7; 126]);
        check(Frame::of(Opcode::Binary, &[7; 256]), &[0x82, 126, 1, 0], &[7; 256]);
        check(Frame::of(Opcode::Binary, &[7; 65_535]), &[0x82, 126, 255, 255], &[7; 65_535]);
        check(Frame::of(Opcode::Binary, &[7; 65_536]), &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], &[7; 65_536]);
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let frame = Frame::close(4400, &"理由".repeat(40));
        assert_eq!(frame.as_bytes()[1], 2 + 123);
        assert!(std::str::from_utf8(&frame.as_bytes()[4..]).is_ok());
    }
}
