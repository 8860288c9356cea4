//! The suite that every backend passes.

use std::sync::Arc;

use storage::Store;

use crate::cluster::{Database, emptied};

async fn make() -> (Arc<dyn Store>, Database) {
    let database = emptied().await;
    (database.open().await, database)
}

storage::conformance!(make);
