//! The parts of a server without its doors: the store and the engine on it.

use std::sync::Arc;

use anyhow::{Context, Result};
use bus::LocalBus;
use engine::{Clock, Engine, SystemClock};
use storage_sqlite::SqliteStore;

use crate::config::Settings;
use crate::data_folder::DataFolder;

/// An engine and the store beneath it.
pub struct Running {
    pub engine: Engine,
    pub store: Arc<SqliteStore>,
}

/// Opens the store of a data folder and starts the engine on it.
pub async fn open(folder: &DataFolder, settings: &Settings) -> Result<Running> {
    open_at(folder, settings, Arc::new(SystemClock)).await
}

/// The same with a clock of one's own.
pub async fn open_at(folder: &DataFolder, settings: &Settings, clock: Arc<dyn Clock>) -> Result<Running> {
    let secrets = folder.secrets(settings.token_key_file.as_deref())?;
    let store = SqliteStore::open(folder.path(), storage_sqlite::Options::default());
    let store = Arc::new(store.await.with_context(|| format!("open the data in {}", folder.path().display()))?);
    let bus = Arc::new(LocalBus::default());
    let engine = Engine::start(settings.engine.clone(), secrets, store.clone(), bus, clock).await;
    Ok(Running { engine: engine.context("start the engine")?, store })
}
