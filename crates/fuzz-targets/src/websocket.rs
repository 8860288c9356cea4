//! A WebSocket in process. Each line of the input is a text frame, sent one after the other without waiting; a line that
//! begins with a zero byte is a binary frame, one that begins with 0x01 a ping. If the input begins with 0x02, the rest
//! is written as it is where frames are expected. `$ann` and the like become tokens.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::door::{Door, check_problem};

/// Bytes that may be on their way, in each direction.
const PIPE_BYTES: usize = 1024 * 1024;
/// Frames of an input that are sent.
const FRAMES_MAX: usize = 64;
/// Nothing more comes when nothing came for this long, by the clock of the world.
const SILENCE: Duration = Duration::from_secs(2);
const HANDSHAKE: &[u8] = b"GET /v1/ws HTTP/1.1\r\nhost: fuzzer\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// What the door closes with: by our own codes, or those of RFC 6455, 7.4.1.
const CLOSE_CODES: &[u16] =
    &[1000, 1002, 1007, 1009, 1012, wire::CLOSE_PROTOCOL, wire::CLOSE_UNAUTHENTICATED, wire::CLOSE_TOO_FAST];

pub(crate) fn run(bytes: &[u8]) {
    Door::run(async |door| {
        let mut stream = shake_hands(door).await;
        if let Some(raw) = bytes.strip_prefix(b"\x02") {
            // The door may hang up before all is written.
            let _ = stream.write_all(raw).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            return;
        }
        let (mut sink, mut frames) = WebSocketStream::from_raw_socket(stream, Role::Client, None).await.split();
        let mut asked = 0;
        for line in bytes.split(|byte| *byte == b'\n').take(FRAMES_MAX) {
            let message = match line.split_first() {
                Some((0, rest)) => Message::Binary(rest.to_vec().into()),
                Some((1, rest)) => Message::Ping(rest[..rest.len().min(125)].to_vec().into()),
                _ => match String::from_utf8(door.fill_in(line)) {
                    Ok(text) => Message::Text(text.into()),
                    Err(_) => continue,
                },
            };
            asked += u32::from(message.is_text());
            if sink.send(message).await.is_err() {
                break;
            }
        }
        let mut answered = 0;
        loop {
            let message = match timeout(SILENCE, frames.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(_)) | None) => break,
                // All is answered that will be. A second close is refused by our own side of the stream.
                Err(_) => match sink.close().await {
                    Ok(()) => continue,
                    Err(_) => break,
                },
            };
            match message {
                Message::Text(text) => answered += u32::from(check_frame(&text)),
                Message::Close(Some(close)) => assert!(CLOSE_CODES.contains(&close.code.into()), "{close:?}"),
                Message::Binary(_) => panic!("the door sends no binary frames"),
                Message::Close(None) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        assert!(answered <= asked, "{answered} answers to {asked} requests");
    });
}

/// Checks a frame of the door's; tells whether it is an answer.
fn check_frame(text: &str) -> bool {
    let value: Value = serde_json::from_str(text).expect("frames are JSON");
    if value.get("push").is_some() {
        let push: wire::Push = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(serde_json::to_value(&push).expect("pushes have string keys only"), value);
        return false;
    }
    let wire::Response { result, error, .. } =
        serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(result.is_some() != error.is_some(), "exactly one of them: {text}");
    if let Some(problem) = error {
        check_problem(&problem, problem.status);
        assert!(problem.status < 500, "{problem:?}");
    }
    true
}

async fn shake_hands(door: &Door) -> DuplexStream {
    let (mut client, server) = tokio::io::duplex(PIPE_BYTES);
    let service = TowerToHyperService::new(door.router.clone());
    let connection = http1::Builder::new().serve_connection(TokioIo::new(server), service).with_upgrades();
    tokio::spawn(connection);
    client.write_all(HANDSHAKE).await.expect("the door listens");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.expect("the door answers"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    client
}
