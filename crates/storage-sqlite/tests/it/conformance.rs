//! The suite that every backend passes.

use std::sync::Arc;

use storage::Store;
use storage_sqlite::{Options, SqliteStore};
use tempfile::TempDir;

async fn make() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path(), &Options::default()).unwrap();
    (Arc::new(store), folder)
}

storage::conformance!(make);
