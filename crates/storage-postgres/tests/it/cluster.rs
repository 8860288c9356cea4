//! Servers for tests: each in a temporary folder, on ports of its own, and gone when the tests are.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use storage::Store;
use storage_postgres::{PostgresOptions, PostgresStore};
use tokio::sync::{MutexGuard, OnceCell};
use tokio_postgres::{Client, NoTls};

/// A server, and maybe a standby of it.
pub struct Cluster {
    pub folder: PathBuf,
    pub port: u16,
    pub standby_port: u16,
    control: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
    script: Child,
    databases: AtomicU32,
    template: OnceCell<String>,
    /// Databases that tests of the suite have had.
    used: Mutex<Vec<String>>,
}

/// The server that most tests share.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

/// A server that tests may stop, change and start again, one at a time; they leave it as it was.
pub async fn unsteady() -> MutexGuard<'static, Arc<Cluster>> {
    static UNSTEADY: OnceCell<tokio::sync::Mutex<Arc<Cluster>>> = OnceCell::const_new();
    let start = || async { tokio::sync::Mutex::new(Arc::new(Cluster::start())) };
    UNSTEADY.get_or_init(start).await.lock().await
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Cluster {
    /// A server of its own.
    pub fn start() -> Self {
        let cluster = Self::stopped();
        cluster.tell("start");
        cluster
    }

    /// One that has not been started.
    pub fn stopped() -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let (port, standby_port) = (free_port(), free_port());
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/cluster.sh");
        let mut script = Command::new("bash")
            .arg(program)
            .arg(&folder)
            .args([port.to_string(), standby_port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let control = (script.stdin.take().unwrap(), BufReader::new(script.stdout.take().unwrap()));
        Self {
            folder,
            port,
            standby_port,
            control: Mutex::new(Some(control)),
            script,
            databases: AtomicU32::new(0),
            template: OnceCell::new(),
            used: Mutex::default(),
        }
    }

    /// Has something done, and waits for it.
    pub fn tell(&self, command: &str) {
        let mut control = self.control.lock().unwrap();
        let control = control.as_mut().unwrap();
        writeln!(control.0, "{command}").unwrap();
        let mut answer = String::new();
        control.1.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), "0", "{command}");
    }

    /// The same without holding up the tests' runtime.
    pub async fn tell_on(self: &Arc<Self>, command: &'static str) {
        let cluster = Arc::clone(self);
        tokio::task::spawn_blocking(move || cluster.tell(command)).await.unwrap();
    }

    /// The URL of a database on the first server and the standby.
    pub fn both_url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/{database}", self.port, self.standby_port)
    }

    /// The URL of a database on the standby.
    pub fn standby_url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.standby_port)
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// A connection past the store.
    pub async fn client(&self, database: &str) -> Client {
        client(&self.url(database)).await
    }

    /// A new database, still empty.
    pub async fn empty_database(&self) -> Database {
        self.new_database("template0").await
    }

    /// A new database with the tables of a store.
    pub async fn database(&self) -> Database {
        let template = self.template.get_or_init(|| async {
            let database = self.empty_database().await;
            database.open().await.close().await;
            // Nobody may be connected to what is copied.
            let client = self.client("postgres").await;
            let connected = "select 1 from pg_stat_activity where datname = $1";
            while !client.query(connected, &[&database.name]).await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            database.name.clone()
        });
        self.new_database(template.await).await
    }

    async fn new_database(&self, template: &str) -> Database {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let create = format!("create database {name} template {template}");
        self.client("postgres").await.batch_execute(&create).await.unwrap();
        Database { url: self.url(&name), name, goes_back: false }
    }
}

/// A database of the shared server with the tables of a store and nothing in them. Making one takes half a second, so those
/// that others have done with are emptied.
pub async fn emptied() -> Database {
    let cluster = shared();
    let used = cluster.used.lock().unwrap().pop();
    let Some(name) = used else {
        let mut database = cluster.database().await;
        database.goes_back = true;
        return database;
    };
    let admin = cluster.client("postgres").await;
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
    while !admin.query(end, &[&name]).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let empty = "do $$ declare part text; begin
        for part in select oid::regclass from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
            and relname not in ('migration', 'store') loop execute 'delete from ' || part; end loop; end $$";
    cluster.client(&name).await.batch_execute(empty).await.unwrap();
    Database { url: cluster.url(&name), name, goes_back: true }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The script ends when nobody can tell it anything any more.
        self.control.lock().unwrap().take();
        self.script.wait().unwrap();
    }
}

/// A connection past the store.
pub async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A database of a test.
pub struct Database {
    pub url: String,
    pub name: String,
    goes_back: bool,
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.goes_back {
            shared().used.lock().unwrap().push(std::mem::take(&mut self.name));
        }
    }
}

impl Database {
    /// A node on it.
    pub async fn open(&self) -> Arc<PostgresStore> {
        Arc::new(PostgresStore::open(self.options()).await.unwrap())
    }

    pub fn options(&self) -> PostgresOptions {
        PostgresOptions { read_connections: 4, ..PostgresOptions::new(&self.url) }
    }
}
