//! Event bodies and settings as the store keeps them. The first byte is the kind, the rest its JSON.

use storage::record::{decode, decode_settings, encode, encode_settings, event_kind, kind};

pub(crate) fn run(bytes: &[u8]) {
    let Some((&number, json)) = bytes.split_first() else { return };
    let Ok(json) = std::str::from_utf8(json) else { return };
    // Seeds are easier to read with a digit than with a control character.
    let number = if number.is_ascii_digit() { number - b'0' } else { number };
    match decode(number, json) {
        Ok(body) => {
            let (again, printed) = encode(&body);
            assert_eq!(again, number);
            assert_eq!(decode(again, &printed).expect("what was printed can be read"), body, "{printed}");
            assert_eq!(event_kind(number, Some(json)).expect("a body that can be read has a kind"), body.kind());
        }
        // Of most kinds the body doesn't matter, and is not read.
        Err(_) if (kind::CREATED..=kind::REACTION).contains(&number) => {}
        Err(_) => assert!(event_kind(number, Some(json)).is_err()),
    }
    if let Ok(settings) = decode_settings(json) {
        let printed = encode_settings(&settings);
        assert_eq!(decode_settings(&printed).expect("what was printed can be read"), settings, "{printed}");
    }
}
