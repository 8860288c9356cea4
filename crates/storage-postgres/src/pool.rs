//! Connections for reads: so many and no more, made when they are needed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::connect::Connector;
use crate::error::Fault;
use crate::session::Session;

/// How long a read waits for a connection.
const WAIT: Duration = Duration::from_secs(10);
/// Tries of a read whose connection turns out to be gone.
pub(crate) const TRIES: usize = 3;

/// A pool of connections of one purpose.
pub(crate) struct Pool {
    connector: Connector,
    idle: Mutex<Vec<Session>>,
    places: Semaphore,
}

impl Pool {
    pub(crate) fn new(connector: Connector, connections: usize) -> Self {
        Self { connector, idle: Mutex::default(), places: Semaphore::new(connections.max(1)) }
    }

    /// A connection, for one read.
    pub(crate) async fn lease(&self) -> Result<Lease<'_>, Fault> {
        let place = match tokio::time::timeout(WAIT, self.places.acquire()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(Fault::Full("the store is closed")),
            Err(_) => return Err(Fault::Busy("all connections are busy")),
        };
        let idle = loop {
            // The one that was used last: what is not needed stays idle, and is not kept once it has ended.
            match self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
                Some(session) if session.is_closed() => {}
                idle => break idle,
            }
        };
        let session = match idle {
            Some(session) => session,
            None => self.connector.connect().await?,
        };
        Ok(Lease { pool: self, session, _place: place })
    }

    /// Lets nobody have a connection any more.
    pub(crate) fn close(&self) {
        self.places.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A connection on loan. If this is dropped without [`Lease::settle`], the connection ends: a read was given up in the
/// middle of something.
pub(crate) struct Lease<'a> {
    pool: &'a Pool,
    pub(crate) session: Session,
    _place: SemaphorePermit<'a>,
}

impl Lease<'_> {
    /// Gives the connection back for the next one.
    pub(crate) fn settle(self) {
        if !self.session.is_closed() && !self.pool.places.is_closed() {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.session);
        }
    }
}

/// Reads on a connection of a pool, again on another one if the first turns out to be gone. What is read twice does no harm.
macro_rules! read {
    ($pool:expr, $session:ident => $work:expr) => {{
        let mut tries = 1;
        loop {
            let fault = match $pool.lease().await {
                Ok(lease) => {
                    let $session = &lease.session;
                    match $work.await {
                        Ok(answer) => {
                            lease.settle();
                            break Ok(answer);
                        }
                        // In a transaction that has failed nothing else can be done.
                        Err(fault) => fault,
                    }
                }
                Err(fault) => break Err(::storage::StoreError::from(&fault)),
            };
            if !fault.is_disconnect() || tries == $crate::pool::TRIES {
                break Err(::storage::StoreError::from(&fault));
            }
            tries += 1;
        }
    }};
}
pub(crate) use read;
