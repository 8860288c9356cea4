//! The parts of a server without its doors: the store and the engine on it.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bus::LocalBus;
use domain::{AccountChange, App, AppId, AppSettings};
use engine::{Clock, Engine, SystemClock};
use storage::{Outcome, Store, Unit, Work};
use storage_sqlite::SqliteStore;

use crate::config::Settings;
use crate::data_folder::DataFolder;

/// The name that the default app has at first.
const DEFAULT_APP_NAME: &str = "Starling";

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
    let store = SqliteStore::open(folder.path(), &settings.store);
    let store = Arc::new(store.with_context(|| format!("open the data in {}", folder.path().display()))?);
    make_default_app(&*store, &settings.engine.default_app, &*clock).await?;
    let bus = Arc::new(LocalBus::default());
    let engine = Engine::start(settings.engine.clone(), secrets, store.clone(), bus, clock).await;
    Ok(Running { engine: engine.context("start the engine")?, store })
}

/// A fresh store has no app yet, and everything happens in one.
async fn make_default_app(store: &dyn Store, id: &AppId, clock: &dyn Clock) -> Result<()> {
    if store.apps().await.context("read the apps")?.iter().any(|app| app.id == *id) {
        return Ok(());
    }
    let app = App { id: id.clone(), settings: AppSettings::open(DEFAULT_APP_NAME), created_at: clock.now() };
    let unit = Unit { app: id.clone(), at: clock.now(), work: Work::Account(vec![AccountChange::CreateApp(app)]) };
    let outcome = store.commit(unit).await.context("make the default app")?;
    ensure!(matches!(outcome, Outcome::Done(_)), "the default app can't be made: {outcome:?}");
    Ok(())
}
