//! Data folders that earlier builds wrote open by this one and are what they were, and go on from there.
//!
//! `tests/fixtures` has one folder for each layout that was ever written; its README says how they are made.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use domain::{Action, Seq};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use storage::conformance::world::say;
use storage::{Outcome, Store};
use storage_sqlite::{doctor, restore};
use tempfile::TempDir;

use crate::redaction::places_of;
use crate::story::{SECRET, read_all, told_in, world_of};
use crate::world::{crashed, fresh, open, send_as};

const TOLD: &str = "told.txt";
const PACKED: &str = ".gz";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn unpacked(fixture: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(fixture).unwrap().map(Result::unwrap) {
        if let Some(name) = file.file_name().to_str().unwrap().strip_suffix(PACKED) {
            let mut bytes = Vec::new();
            GzDecoder::new(std::fs::File::open(file.path()).unwrap()).read_to_end(&mut bytes).unwrap();
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
    }
    folder
}

/// Size of the pages, and whether they have checksums, as the file says.
fn layout_of(folder: &Path) -> (u16, bool) {
    let header = std::fs::read(folder.join("starling.db")).unwrap();
    (u16::from_be_bytes([header[16], header[17]]), header[20] == 4 && &header[68..72] == b"Strl")
}

async fn check(name: &str, layout: (u16, bool)) {
    let fixture = fixtures().join(name);
    let told = std::fs::read_to_string(fixture.join(TOLD)).unwrap();
    let folder = unpacked(&fixture);
    assert_eq!(layout_of(folder.path()), layout, "{name}");
    let store = open(folder.path());
    let found = read_all(&*store).await;
    for (found, expected) in found.iter().zip(told.lines()) {
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(found.len(), told.lines().count(), "{name}");
    assert_eq!(store.doctor().unwrap(), [], "{name}");

    // It goes on: what was answered is answered again, new things are written, and what is deleted is gone.
    let world = world_of(&store).await;
    assert!(matches!(send_as(&world, "c3", 3, "red").await, Outcome::Duplicate(_)), "{name}");
    assert!(matches!(send_as(&world, "new", 3, "red").await, Outcome::Done(_)), "{name}");
    let secret = world.entries("red", "ann").await.into_iter().find(|entry| format!("{entry:?}").contains(SECRET));
    let target = secret.expect("the story has a secret").event.seq;
    for n in 0..50 {
        world.act("ann", "long", say(&format!("new {n} {}", "z".repeat(n * 40)))).await;
    }
    let backup = folder.path().join("backup");
    store.backup(&backup).unwrap();
    world.act("ann", "red", Action::Redact { target, reason: None }).await;
    let head = world.room("long").await.head.seq;
    let after = read_all(&*store).await;
    let crash = crashed(folder.path());
    store.close().await;
    std::fs::remove_file(&backup).unwrap();
    assert_eq!(places_of(SECRET.as_bytes(), folder.path()), Vec::<String>::new(), "{name}");
    for folder in [folder.path(), crash.path()] {
        assert_eq!(doctor(folder).unwrap(), [], "{name}");
        let store = open(folder);
        assert_eq!(read_all(&*store).await, after, "{name}");
        assert_eq!(world_of(&store).await.room("long").await.head.seq, head, "{name}");
        store.close().await;
    }
    assert!(head > Seq(50));
    assert_eq!(layout_of(folder.path()), layout, "{name}: opening changes the layout");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_4096_bytes_without_checksums() {
    check("schema-1-pages-4096", (4096, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_2048_bytes_without_checksums() {
    check("schema-1-pages-2048", (2048, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_with_checksums_as_a_crash_left_them() {
    check("schema-1-crashed", (2048, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redo_log_as_a_crash_left_it() {
    check("schema-2-crashed", (2048, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_backups_are_restored() {
    for name in ["schema-1-pages-4096", "schema-1-pages-2048"] {
        let fixture = fixtures().join(name);
        // A folder that was closed holds what a backup holds.
        let (from, to) = (unpacked(&fixture), tempfile::tempdir().unwrap());
        restore(&from.path().join("starling.db"), to.path()).unwrap();
        let store = open(to.path());
        assert_eq!(store.doctor().unwrap(), [], "{name}");
        let found = read_all(&*store).await;
        let told = std::fs::read_to_string(fixture.join(TOLD)).unwrap();
        // All but the epoch.
        assert_eq!(found[1..], told.lines().skip(1).collect::<Vec<_>>(), "{name}");
        store.close().await;
    }
}

/// Writes a new fixture as this build writes its data, if it is asked for one: see the README beside them.
#[tokio::test(flavor = "multi_thread")]
async fn make_fixture() {
    let Ok(name) = std::env::var("STARLING_FIXTURE") else { return };
    let fixture = fixtures().join(&name);
    std::fs::create_dir(&fixture).expect("a fixture is never changed");
    let (store, folder) = fresh();
    // Half of the windows in rows, half in the journal's tail.
    told_in(store.clone()).await;
    store.close().await;
    let store = open(folder.path());
    let world = world_of(&store).await;
    for n in 13..15 {
        assert!(matches!(send_as(&world, &format!("c{n}"), n, "red").await, Outcome::Done(_)));
    }
    let told = read_all(&*store).await;
    let copy = crashed(folder.path());
    store.close().await;
    let from = if name.ends_with("crashed") { copy.path() } else { folder.path() };
    for name in ["starling.db", "starling.db-wal"] {
        let Ok(bytes) = std::fs::read(from.join(name)) else { continue };
        if bytes.is_empty() {
            continue;
        }
        let file = std::fs::File::create_new(fixture.join(format!("{name}{PACKED}"))).unwrap();
        let mut packed = GzEncoder::new(file, Compression::best());
        packed.write_all(&bytes).unwrap();
        packed.finish().unwrap();
    }
    std::fs::write(fixture.join(TOLD), told.join("\n") + "\n").unwrap();
}
