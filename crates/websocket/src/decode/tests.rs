//! Frames of the standard, cuts, and what is forbidden.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1000;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A masked frame, as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    let start = frame.len();
    frame.extend(payload);
    unmask(&mut frame[start..], MASK);
    frame
}

/// What comes of bytes that come in these pieces, as text, and what ends it.
fn decoded(pieces: &[&[u8]]) -> (Vec<String>, Option<Violation>) {
    let mut decoder = Decoder::new(LIMIT);
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            let message = match decoder.find() {
                Ok(Some(found)) => decoder.message(&found).map(|message| format!("{message:?}")),
                Ok(None) => break,
                Err(violation) => Err(violation),
            };
            match message {
                Ok(message) => messages.push(message),
                Err(violation) => return (messages, Some(violation)),
            }
        }
    }
    (messages, None)
}

#[test]
fn the_examples_of_the_standard_are_read() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decoded(&[&hello]), (vec!["Text(\"Hello\")".to_owned()], None));
}

/// A client that always leaves the beginning of its next frame behind.
#[test]
fn the_room_of_a_long_message_is_not_kept_for_what_comes_after_it() {
    let mut decoder = Decoder::new(60_000);
    decoder.push(&[frame(0x82, &[7; 60_000]), vec![0x89]].concat());
    decoder.find().unwrap().expect("the long one");
    for _ in 0..3 {
        assert!(decoder.find().unwrap().is_none());
        // The rest of a ping, and the first byte of the next.
        decoder.push(&[0x80, 0, 0, 0, 0, 0x89]);
        assert!(decoder.buffer.capacity() <= 1024, "{}", decoder.buffer.capacity());
        assert_eq!(decoder.find().unwrap().map(|found| found.opcode), Some(Opcode::Ping));
    }
}

#[test]
fn messages_are_put_together_and_controls_come_between() {
    let bytes = [
        frame(0x01, "吃".as_bytes().split_at(1).0),
        frame(0x89, b"p"),
        frame(0x00, b""),
        frame(0x80, "吃".as_bytes().split_at(1).1),
        frame(0x82, &[1, 2]),
        frame(0x8a, b""),
        frame(0x88, &[0x03, 0xe8]),
    ]
    .concat();
    let expected = ["Ping([112])", "Text(\"吃\")", "Binary([1, 2])", "Pong", "Close(Some(1000))"];
    assert_eq!(decoded(&[&bytes]), (expected.map(str::to_owned).to_vec(), None));
}

#[test]
fn what_is_forbidden_is_refused() {
    let check = |bytes: &[u8], expect: &str| {
        let (_, violation) = decoded(&[bytes]);
        assert_eq!(violation.map(|violation| violation.to_string()).as_deref(), Some(expect), "{bytes:x?}");
    };
    let malformed = |why: &str| format!("a frame is not as it must be: {why}");
    check(&frame(0x83, b""), &malformed("its opcode is unknown"));
    check(&frame(0x8b, b""), &malformed("its opcode is unknown"));
    check(&frame(0xc1, b""), &malformed("it uses an extension"));
    check(&[0x81, 0x01, b'a'], &malformed("it is not masked"));
    check(&frame(0x09, b""), &malformed("a control frame is divided or too long"));
    check(&frame(0x89, &[0; 126]), &malformed("a control frame is divided or too long"));
    check(&frame(0x80, b""), &malformed("it continues nothing"));
    check(&[frame(0x01, b"a"), frame(0x81, b"b")].concat(), &malformed("a message begins within another"));
    check(&frame(0x88, &[3]), &malformed("a close code is one byte"));
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        check(&frame(0x88, &code.to_be_bytes()), &malformed("a close code may not be sent"));
    }
    check(&frame(0x88, &[0x03, 0xe8, 0xff]), "a text is not UTF-8");
    check(&frame(0x81, &[0xc3, 0x28]), "a text is not UTF-8");
    check(&frame(0x82, &[0; LIMIT + 1]), "a message is too large");
    check(&[frame(0x02, &[0; LIMIT]), frame(0x80, &[0])].concat(), "a message is too large");
    // Before a byte of it has come.
    check(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "a message is too large");
}

#[test]
fn an_idle_decoder_holds_nothing() {
    let mut decoder = Decoder::new(LIMIT);
    let bytes = [frame(0x01, &[b'a'; 500]), frame(0x80, &[b'b'; 500])].concat();
    for piece in bytes.chunks(100) {
        decoder.push(piece);
        while let Some(found) = decoder.find().unwrap() {
            assert!(matches!(decoder.message(&found), Ok(Message::Text(text)) if text.len() == LIMIT));
        }
    }
    assert_eq!((decoder.buffer.capacity(), decoder.assembling.is_none()), (0, true));
}

proptest! {
    /// However bytes are cut, the same comes of them; and of any bytes something comes.
    #[test]
    fn cuts_make_no_difference(frames in vec((any::<u8>(), vec(any::<u8>(), 0..300)), 0..8), cuts in vec(1_usize..50, 1..40)) {
        let bytes: Vec<u8> = frames.iter().flat_map(|(first, payload)| frame(first & 0x8f, payload)).collect();
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(decoded(&pieces), decoded(&[&bytes]));
    }
}
