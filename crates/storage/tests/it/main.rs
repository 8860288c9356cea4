//! The in-memory model passes the suite that every backend passes.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use domain::{App, AppId, AppSettings, DEFAULT_APP, Timestamp};
use storage::{Memory, Store};

async fn make() -> (Arc<dyn Store>, ()) {
    let id = AppId::new(DEFAULT_APP).unwrap();
    let app = App { id, settings: AppSettings::open("Starling"), created_at: Timestamp(0) };
    (Arc::new(Memory::new(app)), ())
}

storage::conformance!(make);
