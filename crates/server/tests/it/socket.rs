//! As much of a WebSocket client as the tests need: short text frames.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::process::PATIENCE;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;

/// An open WebSocket.
pub struct Socket(TcpStream);

impl Socket {
    /// Connects to `/v1/ws` and shakes hands.
    pub fn open(base: &str) -> Self {
        let host = base.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "GET /v1/ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    /// Sends a text frame. The mask is zero, which the standard allows and which changes nothing.
    pub fn send(&mut self, value: &Value) {
        let text = value.to_string();
        let mut frame = vec![0x80 | TEXT, 0x80 | 126];
        frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.0.write_all(&frame).unwrap();
    }

    /// The next text frame; `None` when the server has closed.
    pub fn receive(&mut self) -> Option<Value> {
        loop {
            let mut head = [0; 2];
            self.0.read_exact(&mut head).ok()?;
            let length = match head[1] {
                126 => {
                    let mut length = [0; 2];
                    self.0.read_exact(&mut length).ok()?;
                    usize::from(u16::from_be_bytes(length))
                }
                127 => panic!("no frame of these tests is that long"),
                length => usize::from(length),
            };
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).ok()?;
            match head[0] & 15 {
                TEXT => return Some(serde_json::from_slice(&body).unwrap()),
                CLOSE => return None,
                _ => {}
            }
        }
    }
}
