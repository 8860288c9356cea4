//! Backups while the store serves, and their way back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::Seq;
use storage::conformance::world::{range, room, user};
use storage::{Outcome, Store};
use storage_sqlite::{OpenError, SqliteStore, doctor, restore};

use crate::world::{fresh, lively, open, send_as, told};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_a_prefix() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writing = {
        let (world, stop) = (world.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                assert!(matches!(send_as(&world, &format!("c{sent}"), sent, "red").await, Outcome::Done(_)));
                sent += 1;
            }
        })
    };
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("backup.db");
    let backing_up = {
        let (store, file) = (store.clone(), file.clone());
        tokio::task::spawn_blocking(move || store.backup(&file))
    };
    backing_up.await.unwrap().unwrap();
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();

    let restored_folder = outside.path().join("restored");
    restore(&file, &restored_folder).unwrap();
    assert_eq!(doctor(&restored_folder).unwrap(), []);
    let restored = open(&restored_folder);
    let all = |store: Arc<SqliteStore>| {
        let app = world.app.clone();
        async move { store.entries(&app, &room("red"), &[range(1, Seq::MAX.0)], Some(&user("ann"))).await.unwrap() }
    };
    let ((prefix, _), (whole, _)) = (all(restored.clone()).await, all(store.clone()).await);
    assert!(prefix.len() <= whole.len() && prefix.len() >= 10);
    assert_eq!(prefix, whole[..prefix.len()]);
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_overwritten() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("backup.db");
    store.backup(&file).unwrap();
    assert!(matches!(store.backup(&file), Err(OpenError::NotEmpty)));
    assert!(matches!(restore(&file, folder.path()), Err(OpenError::Locked)));
    let before = told(&*store, &world.app).await;
    store.close().await;
    assert!(matches!(restore(&file, folder.path()), Err(OpenError::NotEmpty)));
    assert!(matches!(restore(&outside.path().join("absent.db"), &outside.path().join("x")), Err(OpenError::Missing)));
    let restored = outside.path().join("restored");
    restore(&file, &restored).unwrap();
    let reopened = open(&restored);
    assert_eq!(told(&*reopened, &world.app).await, before);
    reopened.close().await;
    // The same content, but what comes after it is another history.
    let again = outside.path().join("again");
    restore(&file, &again).unwrap();
    let new = outside.path().join("new");
    let mut epochs = Vec::new();
    for folder in [folder.path(), &restored, &again, &new, folder.path()] {
        let store = open(folder);
        epochs.push(store.epoch().await.unwrap());
        store.close().await;
    }
    assert_eq!(epochs.pop().as_ref(), epochs.first(), "opening changes nothing");
    assert_eq!(epochs.iter().collect::<BTreeSet<_>>().len(), epochs.len(), "{epochs:?}");
    let left: Vec<_> = std::fs::read_dir(outside.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_str().unwrap().contains("partial")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_not_restored() {
    let (store, _folder) = fresh();
    lively(store.clone()).await;
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("backup.db");
    store.backup(&file).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2 / 2048 * 2048;
    bytes[middle..].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let restored = outside.path().join("restored");
    assert!(restore(&file, &restored).is_err());
    assert!(!restored.join("starling.db").exists());
}
