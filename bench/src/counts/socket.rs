//! The server's door on the loopback, and the smallest client of it that there can be: its instructions are counted too.

use std::net::SocketAddr;

use engine::Engine;
use net::{Listener, NetOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::door_options;

/// Bytes that are read at once.
const READ_BYTES: usize = 16 * 1024;
/// A text frame that is whole (RFC 6455, section 5.2).
const TEXT_FRAME: u8 = 0x81;

/// Serves the native door; gives its address.
pub async fn serve(engine: &Engine) -> SocketAddr {
    let options = NetOptions { connections_per_address_max: usize::MAX, ..NetOptions::default() };
    let listener = Listener::bind("127.0.0.1:0", options).await.expect("the loopback is there");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(listener.serve(door_web::router(engine.clone(), door_options()), std::future::pending()));
    address
}

/// A WebSocket.
pub struct Socket {
    stream: TcpStream,
    /// What was read, and how much of it was given out.
    bytes: Vec<u8>,
    taken: usize,
}

impl Socket {
    /// Connects and says who it is.
    pub async fn connect(address: SocketAddr, token: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("it is TCP");
        let upgrade = format!(
            "GET /v1/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(upgrade.as_bytes()).await.expect("the server lives");
        let mut socket = Self { stream, bytes: Vec::with_capacity(READ_BYTES), taken: 0 };
        while !socket.bytes.ends_with(b"\r\n\r\n") {
            socket.fill().await;
        }
        assert!(socket.bytes.starts_with(b"HTTP/1.1 101"), "{:?}", String::from_utf8_lossy(&socket.bytes));
        socket.taken = socket.bytes.len();
        socket.send(&format!(r#"{{"id":1,"op":"connect","params":{{"token":"{token}"}}}}"#)).await;
        socket.read(br#"{"id":1,"result":"#).await;
        socket
    }

    /// Sends a text frame, masked with zeros.
    pub async fn send(&mut self, text: &str) {
        let mut frame = Vec::with_capacity(text.len() + 8);
        frame.push(TEXT_FRAME);
        match u16::try_from(text.len()).expect("short texts only") {
            short @ 0..126 => frame.push(0x80 | short as u8),
            long => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&long.to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        self.stream.write_all(&frame).await.expect("the server lives");
    }

    /// Reads the next frame, which begins like this; gives its length.
    pub async fn read(&mut self, begin: &[u8]) -> usize {
        loop {
            if let Some((head, length)) = frame(&self.bytes[self.taken..])
                && self.bytes.len() - self.taken >= head + length
            {
                let text = &self.bytes[self.taken + head..self.taken + head + length];
                assert!(text.starts_with(begin), "{}", String::from_utf8_lossy(text));
                self.taken += head + length;
                return length;
            }
            self.fill().await;
        }
    }

    async fn fill(&mut self) {
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        }
        self.bytes.reserve(READ_BYTES);
        let read = self.stream.read_buf(&mut self.bytes).await.expect("the server lives");
        assert!(read > 0, "the server has closed the connection");
    }
}

/// The lengths of a frame's head and of its text, if they are there.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (first, rest) = bytes.split_first()?;
    assert_eq!(*first, TEXT_FRAME, "text frames that are whole, only");
    match rest.first()? {
        126 => Some((4, u16::from_be_bytes(rest.get(1..3)?.try_into().ok()?).into())),
        127 => Some((10, usize::try_from(u64::from_be_bytes(rest.get(1..9)?.try_into().ok()?)).ok()?)),
        short => Some((2, usize::from(*short))),
    }
}
