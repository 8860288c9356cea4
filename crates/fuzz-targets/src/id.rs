//! Ids, networks and places in lists: texts that stand in paths, bodies and options.

use domain::{AppId, CLIENT_ID_BYTES_MAX, ClientId, DeviceId, ID_BYTES_MAX, IdError, RoomId, UserId};
use net::Network;
use storage::UserPlace;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    macro_rules! check_id {
        ($id:ident, $bytes_max:ident) => {
            match $id::new(text) {
                Ok(id) => {
                    assert_eq!((id.as_str(), id.to_string().as_str()), (text, text));
                    assert_eq!($id::new(id.as_str()), Ok(id));
                    assert!((1..=$bytes_max).contains(&text.len()));
                }
                Err(IdError::Empty) => assert!(text.is_empty()),
                Err(IdError::TooLong) => assert!(text.len() > $bytes_max),
                Err(IdError::Character) => assert!((1..=$bytes_max).contains(&text.len())),
            }
        };
    }
    check_id!(AppId, ID_BYTES_MAX);
    check_id!(UserId, ID_BYTES_MAX);
    check_id!(DeviceId, ID_BYTES_MAX);
    check_id!(RoomId, ID_BYTES_MAX);
    check_id!(ClientId, CLIENT_ID_BYTES_MAX);
    // What may be an id of a user may be one of a client, too: its alphabet is the wider one.
    assert!(UserId::new(text).is_err() || ClientId::new(text).is_ok());

    if let Ok(network) = text.parse::<Network>() {
        let address = text.split('/').next().unwrap_or_default();
        let address = address.parse().expect("a network begins with an address");
        assert!(network.contains(address), "a network holds the address that it was written with");
    }
    if let Some(place) = UserPlace::parse(text) {
        assert_eq!(UserPlace::parse(&place.to_string()), Some(place));
    }
}
