//! What can be chosen when a database is opened. Durability can only be raised.

use std::path::PathBuf;
use std::time::Duration;

/// How far a commit must have come before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SynchronousCommit {
    /// It is on the disk of the primary and, where `synchronous_standby_names` is set, on those of the standbys.
    #[default]
    On,
    /// The standbys have also applied it, so that reads there see it.
    RemoteApply,
}

impl SynchronousCommit {
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::RemoteApply => "remote_apply",
        }
    }
}

/// Options of a store.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database`; several hosts, separated by commas, are tried in turn until one can be
    /// written to. With `?sslmode=require` the connection is encrypted and the server's certificate and name are checked.
    pub url: String,
    /// The same for standbys that pages of history may be read from.
    pub replica_urls: Vec<String>,
    /// Certificates that the server's must be signed by, as PEM; those of the system if absent.
    pub ca_file: Option<PathBuf>,
    /// How far a commit must have come before it is acknowledged.
    pub synchronous_commit: SynchronousCommit,
    /// Connections for reads, each to the primary and to each replica.
    pub read_connections: usize,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long one statement of a read may take.
    pub statement_timeout: Duration,
    /// How long a transaction that holds an app's head may keep the others waiting for its node: a node that is
    /// paused or cut off loses it after that.
    pub stalled_timeout: Duration,
    /// How long units wait for a server that can't be reached before they are refused, as long as nothing of them can
    /// have been written.
    pub patience: Duration,
    /// How long after something was deleted the old versions of its rows are taken away.
    pub sweep_pause: Duration,
}

impl PostgresOptions {
    /// The options for a URL that most need.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            replica_urls: Vec::new(),
            ca_file: None,
            synchronous_commit: SynchronousCommit::On,
            read_connections: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(20),
            stalled_timeout: Duration::from_secs(3),
            patience: Duration::from_secs(8),
            sweep_pause: Duration::from_secs(10),
        }
    }
}
