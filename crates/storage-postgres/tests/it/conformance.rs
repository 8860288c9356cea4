//! The suite that every backend passes.

use std::sync::Arc;

use storage::Store;

use crate::cluster::{Database, shared};

async fn make() -> (Arc<dyn Store>, Database) {
    let database = shared().database().await;
    (database.open().await, database)
}

storage::conformance!(make);
