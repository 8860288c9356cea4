//! How connections come about, and what is demanded of a server.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, NoTls};

use crate::error::{Fault, OpenError};
use crate::options::PostgresOptions;
use crate::rows;
use crate::session::Session;
use crate::tls::Tls;

/// The oldest server that knows all that is asked of it. Tests run with 15.
const SERVER_VERSION_MIN: u32 = 14;
/// How long to wait for a lock that another node holds, in times of what a stalled one is given.
const LOCK_TIMEOUTS: u32 = 3;
/// How long to wait for other hosts once one has answered: a newer primary may be among them.
const OTHERS_WAIT: Duration = Duration::from_millis(500);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The committer's.
    Commit,
    /// The sweeper's.
    Sweep,
    /// Reads of the primary.
    Read,
    /// Reads of a standby.
    ReadReplica,
}

/// Makes connections of one purpose.
pub(crate) struct Connector {
    /// One for each host.
    hosts: Vec<Config>,
    tls: Option<Tls>,
    purpose: Purpose,
    settings: String,
    connect_timeout: Duration,
    /// The newest timeline that was seen: a primary of an older one has been replaced.
    timeline: Arc<AtomicU32>,
}

impl Connector {
    pub(crate) fn new(
        url: &str,
        purpose: Purpose,
        options: &PostgresOptions,
        timeline: Arc<AtomicU32>,
    ) -> Result<Self, OpenError> {
        let config: Config = url.parse().map_err(|error: tokio_postgres::Error| match error.into_source() {
            Some(source) => OpenError::Url(source.to_string()),
            None => OpenError::Url("it can't be read".into()),
        })?;
        if config.get_user().is_none() {
            return Err(OpenError::Url("it names no user".into()));
        }
        let hosts = each_host(&config, options.connect_timeout)?;
        let tls = match config.get_ssl_mode() {
            SslMode::Require => Some(Tls::new(options.ca_file.as_deref())?),
            // What is not demanded is not tried: a certificate that nobody checks protects from nobody.
            _ => None,
        };
        let settings = settings(purpose, options);
        Ok(Self { hosts, tls, purpose, settings, connect_timeout: options.connect_timeout, timeline })
    }

    /// A new connection to a server that is as it must be; if several are, to the one that was made the primary last.
    pub(crate) async fn connect(&self) -> Result<Session, OpenError> {
        let mut tries: FuturesUnordered<_> = self.hosts.iter().map(|host| self.connect_to(host)).collect();
        let mut best: Option<(u32, Session)> = None;
        let mut refusal: Option<OpenError> = None;
        loop {
            let next = match best {
                Some(_) => tokio::time::timeout(OTHERS_WAIT, tries.next()).await.unwrap_or(None),
                None => tries.next().await,
            };
            match next {
                None => break,
                Some(Ok(found)) => {
                    if best.as_ref().is_none_or(|best| best.0 < found.0) {
                        best = Some(found);
                    }
                }
                Some(Err(error)) => {
                    if refusal.as_ref().is_none_or(|refusal| weight(refusal) < weight(&error)) {
                        refusal = Some(error);
                    }
                }
            }
        }
        match best {
            Some((_, session)) => Ok(session),
            None => Err(refusal.unwrap_or_else(|| OpenError::Url("it names no host".into()))),
        }
    }

    async fn connect_to(&self, host: &Config) -> Result<(u32, Session), OpenError> {
        // The timeout of `host` is for the socket only.
        match tokio::time::timeout(self.connect_timeout * 2, self.connect_without_limit(host)).await {
            Ok(connected) => connected,
            Err(_) => Err(OpenError::Unreachable("it took too long".into())),
        }
    }

    async fn connect_without_limit(&self, host: &Config) -> Result<(u32, Session), OpenError> {
        let session = match &self.tls {
            Some(tls) => {
                let (client, connection) = host.connect(tls.clone()).await.map_err(|error| OpenError::of(&error))?;
                Session::new(client, connection)
            }
            None => {
                let (client, connection) = host.connect(NoTls).await.map_err(|error| OpenError::of(&error))?;
                Session::new(client, connection)
            }
        };
        let timeline = self.demand(&session).await?;
        session.script(&self.settings).await?;
        Ok((timeline, session))
    }

    /// Refuses a server that doesn't hold what an acknowledgement promises. Gives its timeline: how often the database has
    /// changed its primary.
    async fn demand(&self, session: &Session) -> Result<u32, OpenError> {
        let sql = "select current_setting('server_version_num')::integer / 10000, current_setting('server_encoding'),
            current_setting('fsync'), pg_is_in_recovery(), current_setting('transaction_read_only')";
        let row = session.query_opt(sql, &[]).await?;
        let row = row.ok_or_else(|| OpenError::Refused("it doesn't say what it is".into()))?;
        let found = u32::try_from(row.get::<_, i32>(0)).unwrap_or(0);
        if found < SERVER_VERSION_MIN {
            return Err(OpenError::OldServer { found, needed: SERVER_VERSION_MIN });
        }
        let encoding: String = row.get(1);
        if encoding != "UTF8" {
            return Err(OpenError::Encoding(encoding));
        }
        if self.purpose == Purpose::ReadReplica {
            return Ok(0);
        }
        if row.get::<_, String>(2) != "on" {
            return Err(OpenError::NotDurable("fsync is off".into()));
        }
        if row.get::<_, bool>(3) {
            return Err(OpenError::NotPrimary("it is a standby".into()));
        }
        if row.get::<_, String>(4) != "off" {
            return Err(OpenError::NotPrimary("its transactions are read-only".into()));
        }
        let timeline = timeline_of(session).await?;
        let newest = self.timeline.fetch_max(timeline, Ordering::SeqCst);
        if timeline < newest {
            return Err(OpenError::NotPrimary(format!("its timeline is {timeline}, and {newest} has replaced it")));
        }
        Ok(timeline)
    }
}

/// How often the database has changed its primary; 0 where the server doesn't tell, as services that only speak
/// PostgreSQL's protocol don't.
async fn timeline_of(session: &Session) -> Result<u32, Fault> {
    let sql = "select ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer";
    match session.query_opt(sql, &[]).await {
        Ok(row) => row.map_or(Ok(0), |row| Ok(u32::try_from(rows::get::<i32>(&row, 0)?).unwrap_or(0))),
        Err(fault) if fault.is_disconnect() => Err(fault),
        Err(_) => Ok(0),
    }
}

/// The same for each host alone.
fn each_host(config: &Config, connect_timeout: Duration) -> Result<Vec<Config>, OpenError> {
    let (names, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = names.len().max(addresses.len());
    if count == 0 {
        return Err(OpenError::Url("it names no host".into()));
    }
    if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len()
        || ports.len() > 1 && ports.len() != count
    {
        return Err(OpenError::Url("it names more of one thing than of another: hosts, addresses, ports".into()));
    }
    let one = |index: usize| {
        let mut host = Config::new();
        host.user(config.get_user().unwrap_or_default());
        if let Some(password) = config.get_password() {
            host.password(password);
        }
        if let Some(database) = config.get_dbname() {
            host.dbname(database);
        }
        if let Some(options) = config.get_options() {
            host.options(options);
        }
        host.application_name(config.get_application_name().unwrap_or("starling"));
        host.ssl_mode(config.get_ssl_mode()).ssl_negotiation(config.get_ssl_negotiation());
        host.channel_binding(config.get_channel_binding());
        match names.get(index) {
            Some(Host::Tcp(name)) => drop(host.host(name)),
            #[cfg(unix)]
            Some(Host::Unix(path)) => drop(host.host_path(path)),
            None => {}
        }
        if let Some(address) = addresses.get(index) {
            host.hostaddr(*address);
        }
        if let Some(port) = ports.get(index).or(ports.first()) {
            host.port(*port);
        }
        host.connect_timeout(connect_timeout);
        host.keepalives_idle(Duration::from_secs(10)).keepalives_interval(Duration::from_secs(3));
        host.keepalives_retries(3).tcp_user_timeout(Duration::from_secs(20));
        host
    };
    Ok((0..count).map(one).collect())
}

/// Of refusals by several hosts the one that says most is told.
fn weight(error: &OpenError) -> u8 {
    match error {
        OpenError::Unreachable(_) => 0,
        OpenError::NotPrimary(_) => 1,
        _ => 2,
    }
}

fn settings(purpose: Purpose, options: &PostgresOptions) -> String {
    let PostgresOptions { statement_timeout, stalled_timeout, synchronous_commit, .. } = options;
    let mut settings = String::new();
    let mut set = |name: &str, value: &str| {
        writeln!(settings, "set {name} = '{value}';").expect("a string can be written to");
    };
    // Every statement here looks rows up by keys. Plans are made once, for any arguments, and never from a guess that a
    // table is small: it may have been empty when the plan was made.
    for (name, value) in [("plan_cache_mode", "force_generic_plan"), ("jit", "off"), ("timezone", "UTC")] {
        set(name, value);
    }
    for name in ["enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_material"] {
        set(name, "off");
    }
    let milliseconds = |time: Duration| time.as_millis().max(1).to_string();
    match purpose {
        Purpose::Commit => {
            set("default_transaction_isolation", "read committed");
            set("synchronous_commit", synchronous_commit.setting());
            set("idle_in_transaction_session_timeout", &milliseconds(*stalled_timeout));
            set("lock_timeout", &milliseconds(*stalled_timeout * LOCK_TIMEOUTS));
            set("statement_timeout", &milliseconds((*statement_timeout).max(*stalled_timeout * (LOCK_TIMEOUTS + 1))));
        }
        Purpose::Sweep => set("lock_timeout", &milliseconds(*statement_timeout)),
        Purpose::Read | Purpose::ReadReplica => {
            set("default_transaction_read_only", "on");
            set("idle_in_transaction_session_timeout", &milliseconds(*statement_timeout));
            set("statement_timeout", &milliseconds(*statement_timeout));
        }
    }
    settings
}
