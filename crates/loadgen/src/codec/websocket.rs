//! Frames of a WebSocket (RFC 6455), as far as Starling and the driver need them.

use anyhow::{Result, ensure};

const OPCODE_TEXT: u8 = 1;
const OPCODE_CLOSE: u8 = 8;
const OPCODE_PING: u8 = 9;
const OPCODE_PONG: u8 = 10;
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const LENGTH_16: usize = 126;
const LENGTH_64: usize = 127;
/// The key by which a client's payload is masked.
const MASK_BYTES: usize = 4;

/// What a server sends.
pub enum Frame<'a> {
    Text(&'a str),
    Ping(&'a [u8]),
    Close(&'a [u8]),
    Other,
}

/// Writes text as a client does.
pub fn put_text(text: &[u8], out: &mut Vec<u8>) {
    put_frame(OPCODE_TEXT, text, out);
}

/// Answers a ping.
pub fn put_pong(payload: &[u8], out: &mut Vec<u8>) {
    put_frame(OPCODE_PONG, payload, out);
}

/// Writes a frame as a client does, masked by a key of zeros, which leaves it as it is.
fn put_frame(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(FINAL | opcode);
    match payload.len() {
        length if length < LENGTH_16 => out.push(MASKED | length as u8),
        length => match u16::try_from(length) {
            Ok(short) => {
                out.push(MASKED | LENGTH_16 as u8);
                out.extend_from_slice(&short.to_be_bytes());
            }
            Err(_) => {
                out.push(MASKED | LENGTH_64 as u8);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        },
    }
    out.extend_from_slice(&[0; MASK_BYTES]);
    out.extend_from_slice(payload);
}

/// The first frame, if it is there as a whole, and its length. A server masks nothing and, this one, divides nothing.
pub fn take_frame(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    ensure!(first & FINAL != 0 && second & MASKED == 0, "a frame that is divided or masked");
    let (length, head) = match usize::from(*second) {
        LENGTH_16 => match rest.first_chunk::<2>() {
            Some(length) => (usize::from(u16::from_be_bytes(*length)), 4),
            None => return Ok(None),
        },
        LENGTH_64 => match rest.first_chunk::<8>() {
            Some(length) => (usize::try_from(u64::from_be_bytes(*length))?, 10),
            None => return Ok(None),
        },
        length => (length, 2),
    };
    let Some(payload) = bytes.get(head..head + length) else { return Ok(None) };
    let frame = match first & !FINAL {
        OPCODE_TEXT => Frame::Text(std::str::from_utf8(payload)?),
        OPCODE_PING => Frame::Ping(payload),
        OPCODE_CLOSE => Frame::Close(payload),
        _ => Frame::Other,
    };
    Ok(Some((frame, head + length)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Text as a server sends it.
    pub fn frame(text: &str) -> Vec<u8> {
        let mut bytes = vec![FINAL | OPCODE_TEXT];
        assert!(text.len() < 65_536);
        if text.len() < LENGTH_16 {
            bytes.push(text.len() as u8);
        } else {
            bytes.push(LENGTH_16 as u8);
            bytes.extend_from_slice(&(text.len() as u16).to_be_bytes());
        }
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    /// What a client wrote: the payloads of its frames.
    pub fn taken(mut bytes: &[u8]) -> Vec<&[u8]> {
        let mut payloads = Vec::new();
        while let [_, length, rest @ ..] = bytes {
            let (length, head) = match usize::from(length & !MASKED) {
                LENGTH_16 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), 4),
                length => (length, 2),
            };
            let start = head + MASK_BYTES;
            payloads.push(&bytes[start..start + length]);
            bytes = &bytes[start + length..];
        }
        payloads
    }

    #[test]
    fn long_frames_are_masked_with_their_length() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let mut out = Vec::new();
            put_frame(OPCODE_TEXT, &vec![b'x'; length], &mut out);
            let head = if length < 126 {
                2
            } else if length < 65_536 {
                4
            } else {
                10
            };
            assert_eq!(out.len(), head + 4 + length);
            assert_eq!(out[1] & MASKED, MASKED);
        }
    }
}
