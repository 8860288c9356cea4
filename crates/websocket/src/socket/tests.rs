//! A socket, with a client of another maker at its other end.

use std::future::poll_fn;

use tokio::io::{DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Other;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;

const LIMIT: usize = 100_000;

/// A socket, and a client of another maker at its other end.
async fn pair(bytes_between: usize) -> (Socket<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (ours, theirs) = duplex(bytes_between);
    (Socket::new(ours, LIMIT), WebSocketStream::from_raw_socket(theirs, Role::Client, None).await)
}

async fn received(socket: &mut Socket<DuplexStream>) -> String {
    poll_fn(|context| {
        let received = ready!(socket.poll_receive(context)).unwrap();
        Poll::Ready(received.map_or("gone".to_owned(), |message| match message {
            Message::Text(text) => text.to_owned(),
            other => format!("{other:?}"),
        }))
    })
    .await
}

#[tokio::test]
async fn what_one_side_sends_the_other_gets() {
    use futures_util::{SinkExt, StreamExt};

    // A small pipe: everything is written and read in pieces.
    for bytes_between in [64, 1 << 20] {
        let (mut socket, mut client) = pair(bytes_between).await;
        let texts: Vec<String> = (0..60).map(|n| "鸟".repeat(n * n)).collect();
        let sent = texts.clone();
        let client = tokio::spawn(async move {
            for text in &sent {
                client.send(Other::text(text.clone())).await.unwrap();
            }
            client.send(Other::Ping(b"yes"[..].into())).await.unwrap();
            let (mut got, mut code) = (Vec::new(), None);
            // It answers the close frame when it is asked for more.
            while let Some(Ok(message)) = client.next().await {
                match message {
                    Other::Text(text) => got.push(text.to_string()),
                    Other::Pong(_) | Other::Ping(_) => {}
                    Other::Close(frame) => code = frame.map(|frame| u16::from(frame.code)),
                    other => panic!("{other}"),
                }
            }
            (got, code)
        });
        for text in &texts {
            assert_eq!(received(&mut socket).await, *text);
        }
        assert_eq!(received(&mut socket).await, "Ping([121, 101, 115])");
        for text in &texts {
            socket.send(Frame::text(text));
        }
        socket.send(Frame::pong(b"yes"));
        socket.send(Frame::close(4400, "enough"));
        poll_fn(|context| socket.poll_flush(context)).await.unwrap();
        assert_eq!((socket.waiting(), socket.queue.capacity()), (0, 0));
        assert_eq!(received(&mut socket).await, "Close(Some(4400))");
        drop(socket);
        assert_eq!(client.await.unwrap(), (texts.clone(), Some(4400)));
    }
}
