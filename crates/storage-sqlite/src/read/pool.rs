//! A few connections that read, lent to blocking tasks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use storage::StoreError;
use tokio::sync::Semaphore;

use crate::connection::open_reader;
use crate::error::{Fault, OpenError};
use crate::memtable::Current;
use crate::view::{View, group_of};

/// Reading connections; more reads than connections wait.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: PathBuf,
    memtable: Arc<Current>,
    cache_kib: u32,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    /// Opens one connection at once, to see that it can be done, and the others when they are needed.
    pub(crate) fn open(
        database: PathBuf,
        memtable: Arc<Current>,
        cache_kib: u32,
        readers: usize,
    ) -> Result<Self, OpenError> {
        let first = open_reader(&database, cache_kib)?;
        let permits = Arc::new(Semaphore::new(readers.max(1)));
        Ok(Self { inner: Arc::new(Inner { database, memtable, cache_kib, idle: Mutex::new(vec![first]), permits }) })
    }

    /// Runs a read in one transaction, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(View<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let unavailable = |text: &str| StoreError::Unavailable(text.into());
        let permit = Arc::clone(&self.inner.permits).acquire_owned().await;
        let permit = permit.map_err(|_| unavailable("the store is closed"))?;
        let inner = Arc::clone(&self.inner);
        let task = tokio::task::spawn_blocking(move || {
            let db = inner.take()?;
            let result = read_in_transaction(&db, &inner.memtable, work);
            // A connection in the middle of something is not lent again.
            if db.is_autocommit() {
                inner.put(db);
            }
            drop(permit);
            result
        });
        let result = task.await.map_err(|_| unavailable("a read was cut off"))?;
        result.map_err(|fault| StoreError::from(&fault))
    }

    /// Closes the connections that nobody uses; later reads are unavailable.
    pub(crate) fn close(&self) {
        self.inner.permits.close();
        self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Inner {
    fn take(&self) -> Result<Connection, Fault> {
        if let Some(db) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(db);
        }
        match open_reader(&self.database, self.cache_kib) {
            Ok(db) => Ok(db),
            Err(OpenError::Sqlite(error)) => Err(Fault::Sqlite(error)),
            Err(_) => Err(Fault::Full("no connection to read with can be opened")),
        }
    }

    fn put(&self, db: Connection) {
        if !self.permits.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
        }
    }
}

fn read_in_transaction<T>(
    db: &Connection,
    current: &Current,
    work: impl FnOnce(View<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    loop {
        let pin = current.get().pin();
        db.prepare_cached("BEGIN")?.execute([])?;
        let as_of = group_of(db);
        // A memtable that is another one by now knows a group that failed, and by its number another one may go by now.
        if as_of.is_ok() && !current.is(pin.memtable()) {
            db.prepare_cached("COMMIT")?.execute([])?;
            continue;
        }
        let result = as_of.and_then(|as_of| work(View { db, fresh: pin.memtable(), as_of }));
        db.prepare_cached("COMMIT")?.execute([])?;
        return result;
    }
}
