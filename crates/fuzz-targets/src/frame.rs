//! The JSON types of the wire by themselves: request frames, what a server sends, and the bodies that are REST's alone.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) fn run(bytes: &[u8]) {
    check::<wire::Request>(bytes);
    check::<wire::Response>(bytes);
    check::<wire::Push>(bytes);
    check::<wire::Problem>(bytes);
    check::<wire::RegisterRequest>(bytes);
    check::<wire::LoginRequest>(bytes);
    check::<wire::RefreshRequest>(bytes);
    check::<wire::SendMessage>(bytes);
    check::<wire::CreateRoom>(bytes);
    check::<wire::SyncAnswer>(bytes);
    check::<wire::EventPage>(bytes);
}

/// What could be read is printed and read again, and is the same.
fn check<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else { return };
    let printed = serde_json::to_string(&read).expect("wire types have string keys only");
    let again = serde_json::from_str::<T>(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert_eq!(serde_json::to_string(&again).expect("wire types have string keys only"), printed);
}
