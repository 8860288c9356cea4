//! A WebSocket client that keeps responses and pushes apart.

use std::collections::VecDeque;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::http::PATIENCE;

pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    next_id: u64,
    pushes: VecDeque<Value>,
}

/// What came: a frame, or the close code at the end.
#[derive(Debug, PartialEq)]
pub enum Came {
    Frame(Value),
    Closed(Option<u16>),
}

impl Socket {
    /// Opens a connection; nothing is sent yet.
    pub async fn open(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        let (stream, _) = tokio_tungstenite::client_async(format!("ws://{address}/v1/ws"), tcp).await.unwrap();
        Self { stream, next_id: 1, pushes: VecDeque::new() }
    }

    /// Opens a connection and connects.
    pub async fn connect(address: SocketAddr, token: &str) -> Self {
        let mut socket = Self::open(address).await;
        socket.ask("connect", json!({"token": token})).await.expect("connected");
        socket
    }

    pub async fn send_text(&mut self, text: impl Into<String>) {
        self.stream.send(Message::Text(text.into().into())).await.unwrap();
    }

    pub async fn send_message(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// Sends bytes as they are.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).await.unwrap();
    }

    /// Sends bytes as they are, as often as they are taken.
    pub async fn flood(&mut self, bytes: &[u8]) {
        while self.stream.get_mut().write_all(bytes).await.is_ok() {}
    }

    /// Sends nothing more, and reads to the end, whatever comes.
    pub async fn gone(mut self) {
        self.stream.get_mut().shutdown().await.unwrap();
        let reading = async { while let Some(Ok(_)) = self.stream.next().await {} };
        timeout(PATIENCE, reading).await.expect("an end in time");
    }

    /// Sends a request without waiting; gives its id.
    pub async fn send(&mut self, op: &str, params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send_text(json!({"id": id, "op": op, "params": params}).to_string()).await;
        id
    }

    /// The next frame, of whatever kind.
    pub async fn next(&mut self) -> Came {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("a frame in time") {
                Some(Ok(Message::Text(text))) => return Came::Frame(serde_json::from_str(text.as_str()).unwrap()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => return Came::Closed(frame.map(|frame| frame.code.into())),
                Some(Ok(other)) => panic!("an unexpected frame: {other:?}"),
                Some(Err(_)) | None => return Came::Closed(None),
            }
        }
    }

    /// The response to a request; pushes that come before it are kept.
    pub async fn response(&mut self, id: u64) -> Result<Value, Value> {
        loop {
            match self.next().await {
                Came::Frame(frame) if frame["push"].is_string() => self.pushes.push_back(frame),
                Came::Frame(frame) => {
                    assert_eq!(frame["id"], id, "{frame}");
                    return if frame["error"].is_null() {
                        Ok(frame["result"].clone())
                    } else {
                        Err(frame["error"].clone())
                    };
                }
                Came::Closed(code) => panic!("closed with {code:?} before the response"),
            }
        }
    }

    pub async fn ask(&mut self, op: &str, params: Value) -> Result<Value, Value> {
        let id = self.send(op, params).await;
        self.response(id).await
    }

    /// The first push that the test waits for; others are thrown away.
    pub async fn push(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = match self.pushes.pop_front() {
                Some(frame) => frame,
                None => match self.next().await {
                    Came::Frame(frame) => frame,
                    Came::Closed(code) => panic!("closed with {code:?} before the push"),
                },
            };
            if frame["push"].is_string() && wanted(&frame) {
                return frame;
            }
        }
    }

    /// Everything that was pushed so far and not waited for, as text.
    pub fn pushed(&self) -> String {
        self.pushes.iter().map(Value::to_string).collect()
    }

    /// The close code, after whatever frames come before it.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Came::Closed(code) = self.next().await {
                return code;
            }
        }
    }
}
