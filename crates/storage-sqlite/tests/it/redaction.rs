//! Redacted text is in no byte of the data folder once it is closed, wherever it was stored in between.

use std::path::Path;

use domain::{Action, Content, Seq};
use storage::Store;
use storage::conformance::world::say;

use crate::world::{fresh, lively};

/// Stands in redacted texts only.
const CANARY: &str = "canary-5d1e77";
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
    assert_eq!(places_of(CANARY, folder.path()), Vec::<String>::new());
}

/// Where a text stands in the files of a folder.
fn places_of(text: &str, folder: &Path) -> Vec<String> {
    let mut places = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let bytes = std::fs::read(file.path()).unwrap();
        let found = bytes.windows(text.len()).enumerate().filter(|(_, window)| *window == text.as_bytes());
        places.extend(found.map(|(at, _)| format!("{} at byte {at} (page {})", file.path().display(), at / 4096 + 1)));
    }
    places
}
