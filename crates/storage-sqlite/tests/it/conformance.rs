//! The suite that every backend passes: with a memtable that is never full in it, with one in which nothing may wait, and
//! with one in which some rooms wait for their turn.

use std::sync::Arc;

use storage::Store;
use tempfile::TempDir;

use crate::world::{fresh, fresh_with};

/// A few messages.
const FEW_BYTES: usize = 4_000;

mod by_default {
    use super::*;

    async fn make() -> (Arc<dyn Store>, TempDir) {
        let (store, folder) = fresh();
        (store, folder)
    }

    storage::conformance!(make);
}

mod nothing_waits {
    use super::*;

    async fn make() -> (Arc<dyn Store>, TempDir) {
        let (store, folder) = fresh_with(0);
        (store, folder)
    }

    storage::conformance!(make);
}

mod rooms_take_turns {
    use super::*;

    async fn make() -> (Arc<dyn Store>, TempDir) {
        let (store, folder) = fresh_with(FEW_BYTES);
        (store, folder)
    }

    storage::conformance!(make);
}
