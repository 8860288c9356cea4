//! WebSocket frames by themselves: whatever comes, and however it is cut, the same messages come of it.

use websocket::{Decoder, Message, Violation};

/// Longest message that the target takes, in bytes.
const MESSAGE_BYTES_MAX: usize = 300;

/// The first byte says how the rest is cut.
pub(crate) fn run(bytes: &[u8]) {
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let whole = decoded([bytes].into_iter());
    let pieces = decoded(bytes.chunks(usize::from(cut).max(1)));
    assert_eq!(pieces, whole);
}

/// What the messages say, and what ended them.
fn decoded<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<String>, Option<Violation>) {
    let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            let found = match decoder.find() {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(violation) => return (messages, Some(violation)),
            };
            match decoder.message(&found) {
                Ok(message) => {
                    assert!(length(&message) <= MESSAGE_BYTES_MAX);
                    messages.push(format!("{message:?}"));
                }
                Err(violation) => return (messages, Some(violation)),
            }
        }
    }
    (messages, None)
}

fn length(message: &Message<'_>) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) => bytes.len(),
        Message::Pong | Message::Close(_) => 0,
    }
}
