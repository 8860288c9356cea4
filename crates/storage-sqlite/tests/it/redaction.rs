//! Redacted text is in no byte of the data folder once it is closed, wherever it was stored in between.

use std::path::Path;

use domain::{Action, Content, Seq};
use storage::conformance::world::say;
use storage::{Outcome, Store};
use storage_sqlite::doctor;

use crate::world::{crashed, fresh, lively, on, open, send_as};

/// Stands in redacted texts only.
const CANARY: &str = "canary-5d1e77";
/// The fingerprint of a redacted message.
const HASH: u64 = 0x5d1e_77ca_11ab_1e55;
/// Messages, enough for many pages that are split and joined.
const MESSAGES: usize = 600;

#[tokio::test(flavor = "multi_thread")]
async fn redacted_text_is_nowhere() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let mut redacted = Vec::new();
    for n in 0..MESSAGES {
        // In two rooms, so that pages of one grow in the middle of the table.
        let name = ["red", "pair"][n % 2];
        let filler = "x".repeat(n * 7 % 300);
        let secret = n % 5 == 0;
        let text = if secret { format!("{filler} {CANARY} {filler}") } else { format!("{filler} {n}") };
        let actor = "ann";
        let sent = world.act(actor, name, say(&text)).await.seq;
        if secret {
            if n % 2 == 0 {
                let content = Content::plain(format!("{CANARY} again, {}", "y".repeat(n * 13 % 500)));
                world.act(actor, name, Action::Edit { target: sent, content }).await;
            }
            redacted.push((name, sent));
        }
    }
    for (name, seq) in redacted {
        world.act("ann", name, Action::Redact { target: seq, reason: None }).await;
    }
    let (entry, _) = (world.entry("red", Seq(5), "ann").await, ());
    assert!(entry.event.body.is_message());
    store.close().await;
    assert_eq!(places_of(CANARY.as_bytes(), folder.path()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_hash_of_redacted_text_is_kept() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let Outcome::Done(sent) = send_as(&world, "secret", HASH, "red").await else { panic!("it is new") };
    send_as(&world, "other", 7, "red").await;
    // The window is in its rows then, which must be written anew.
    store.close().await;
    let store = open(folder.path());
    let world = on(&world, &store);
    world.act("ann", "red", Action::Redact { target: sent.seq, reason: None }).await;
    let after_crash = crashed(folder.path());
    store.close().await;
    for folder in [folder.path(), after_crash.path()] {
        let store = open(folder);
        let world = on(&world, &store);
        for fingerprint in [HASH, HASH + 1] {
            assert_eq!(send_as(&world, "secret", fingerprint, "red").await, Outcome::Duplicate(sent.clone()));
        }
        assert_eq!(send_as(&world, "other", 8, "red").await, Outcome::ClientIdReused);
        store.close().await;
        for bytes in [HASH.to_be_bytes(), HASH.to_le_bytes()] {
            assert_eq!(places_of(&bytes, folder), Vec::<String>::new());
        }
        assert_eq!(doctor(folder).unwrap(), []);
    }
}

/// Where some bytes stand in the files of a folder.
pub fn places_of(text: &[u8], folder: &Path) -> Vec<String> {
    let mut places = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let bytes = std::fs::read(file.path()).unwrap();
        let found = bytes.windows(text.len()).enumerate().filter(|(_, window)| *window == text);
        places.extend(found.map(|(at, _)| format!("{} at byte {at} (page {})", file.path().display(), at / 2048 + 1)));
    }
    places
}
