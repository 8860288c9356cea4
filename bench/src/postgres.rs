//! The PostgreSQL store against what the same server reaches with an equal insert by `pgbench`, in the same run.
//!
//! The server is a fresh one from Debian's packages in a temporary folder, with its defaults but for memory; `fsync` is on. Both
//! sides have 512 clients, each of which sends its next message when the last one is committed. They take turns, so that
//! both see the same machine. `STARLING_BENCH_TURNS` (default 5) says how many turns are counted, and
//! `STARLING_BENCH_NODES` (default 1) on how many nodes the store's clients are.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use storage::Store;
use storage_postgres::{PostgresOptions, PostgresStore};

use crate::store::{append, history, middle, rate, sync};
use crate::town::{ROOMS, TEXT_BYTES, Town};

const CLIENTS: usize = 512;
const TURNS_DEFAULT: usize = 5;
/// Messages in one turn of the store, and how long a turn of pgbench is.
const TURN_MESSAGES: u64 = 60_000;
const TURN_SECONDS: u32 = 5;
/// Units on the way at the same time in the smaller measurements, and how many messages are sent so.
const RATES: [(usize, u64); 2] = [(1, 2_000), (32, 20_000)];
const SERVER: &str = "crates/storage-postgres/tests/it/cluster.sh";
const RESULTS: &str = "bench/results/postgres.json";

/// What one gives a server that is to do something; all else is as it comes.
const SETTINGS: [&str; 2] = ["shared_buffers = '1GB'", "max_wal_size = '4GB'"];

/// A table like that of the events, and the insert of one message.
const TABLE: &str = "create table message (room bigint not null, seq bigint not null default nextval('message_seq'),
    commit bigint not null default 0, at timestamptz not null default now(), number bigint not null default 0,
    kind smallint not null default 4, sender text not null, client_id text not null, body json not null,
    primary key (room, seq))";
const INSERT: &str = "insert into message (room, sender, client_id, body) values
    (:room, 'user' || :room % 1000, 'c-' || :number, json_build_object('text', repeat('x', :bytes)))";

/// Measures everything, prints it and writes it down.
pub fn measure() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be built");
    let results = runtime.block_on(run());
    let text = serde_json::to_string_pretty(&results).expect("it is JSON");
    match std::fs::write(RESULTS, text + "\n") {
        Ok(()) => println!("written to {RESULTS}"),
        Err(error) => eprintln!("{RESULTS}: {error}"),
    }
}

fn variable(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

async fn run() -> Value {
    let server = Server::start();
    let (turns, nodes) = (variable("STARLING_BENCH_TURNS", TURNS_DEFAULT), variable("STARLING_BENCH_NODES", 1));
    server.psql("create sequence message_seq cache 1");
    server.psql(TABLE);
    let town = Arc::new(Town::new());
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    for _ in 0..nodes.max(1) {
        let options = PostgresOptions::new(server.url());
        stores.push(Arc::new(PostgresStore::open(options).await.expect("the database opens")));
    }
    for store in &stores {
        let mut feed = store.feed().expect("nobody has taken the feed");
        tokio::spawn(async move { while feed.recv().await.is_some() {} });
    }
    town.build(&stores[0]).await;
    println!(
        "durable appends ({ROOMS} rooms, {TEXT_BYTES} bytes, {nodes} nodes)\n  at once      per second   p50 µs     p99 µs     max ms     group      CPU µs     bytes"
    );
    let (mut sent, mut appends) = (0, Vec::new());
    for (clients, count) in RATES {
        appends.push(rate(&town, &stores[0], clients, sent, count).await);
        sent += count;
    }
    let (mut rates, mut bounds, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // The first turn of each fills its caches and is not counted.
    for turn in 0..=turns {
        let (figure, row) = if let [store] = &stores[..] {
            let row = rate(&town, store, CLIENTS, sent, TURN_MESSAGES).await;
            (row["per_second"].as_f64().unwrap_or(0.0), row)
        } else {
            let figure = together(&town, &stores, sent).await;
            println!("  {CLIENTS} on {nodes} nodes: {figure:.0} per second");
            (figure, json!({ "at_once": CLIENTS, "nodes": nodes, "per_second": figure.round() }))
        };
        sent += TURN_MESSAGES;
        let (bound, latency) = server.pgbench();
        println!("  pgbench with {CLIENTS} clients: {bound:.0} per second, {latency:.1} ms each");
        if turn > 0 {
            rates.push(figure);
            bounds.push(bound);
            ratios.push(figure / bound);
        }
        appends.push(row);
    }
    let history = history(&town, &stores[0], sent).await;
    let sync = sync(&town, &stores[0]).await;
    println!("at {sent} messages                 p50 µs     p99 µs");
    let mut reads = serde_json::Map::new();
    for (name, sample) in [("history_page_of_50", history)].into_iter().chain(sync) {
        println!("  {name:<30} {:<10.0} {:.0}", sample.micros(50), sample.micros(99));
        reads.insert(name.into(), json!({ "p50_us": sample.micros(50).round(), "p99_us": sample.micros(99).round() }));
    }
    for store in &stores {
        store.close().await;
    }
    let [many, bound, ratio] = [&mut rates, &mut bounds, &mut ratios].map(|figures| middle(figures));
    println!("  middle of {turns} turns: {many:.0} per second; pgbench {bound:.0}; ratio {ratio:.2}");
    json!({
        "rooms": ROOMS, "text_bytes": TEXT_BYTES, "clients": CLIENTS, "nodes": nodes, "turns": turns, "appends": appends,
        "per_second": many.round(), "pgbench_per_second": bound.round(), "reads": reads,
        "ratio_to_pgbench_percent": (ratio * 100.0).round(),
    })
}

/// The clients spread over several nodes.
async fn together(town: &Arc<Town>, stores: &[Arc<dyn Store>], sent: u64) -> f64 {
    let share = TURN_MESSAGES / stores.len() as u64;
    let mut working = tokio::task::JoinSet::new();
    let start = std::time::Instant::now();
    for (index, store) in stores.iter().enumerate() {
        let (town, store, from) = (Arc::clone(town), Arc::clone(store), sent + index as u64 * share);
        let clients = CLIENTS / stores.len();
        working.spawn(async move { append(&town, &store, clients, from, share).await.0 });
    }
    let count = stores.len() as u64 * share;
    working.join_all().await;
    count as f64 / start.elapsed().as_secs_f64()
}

/// A server in a temporary folder; it ends with this.
struct Server {
    folder: tempfile::TempDir,
    port: u16,
    control: Option<(ChildStdin, BufReader<ChildStdout>)>,
    script: Child,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let data = folder.path().join("server");
        std::fs::create_dir(&data).expect("a folder can be made");
        make_passable(folder.path());
        let free = || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map(|at| at.port());
        let port = free().expect("there is a free port");
        let mut script = Command::new("bash")
            .arg(SERVER)
            .arg(&data)
            .args([port.to_string(), "0".to_owned()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash is there, and this is run from the top of the repository");
        let stdin = script.stdin.take().expect("it is piped");
        let stdout = BufReader::new(script.stdout.take().expect("it is piped"));
        let mut server = Self { folder, port, control: Some((stdin, stdout)), script };
        for setting in SETTINGS {
            server.tell(&format!("setting {setting}"));
        }
        server.tell("start");
        server
    }

    fn tell(&mut self, command: &str) {
        let Some((stdin, stdout)) = &mut self.control else { return };
        writeln!(stdin, "{command}").expect("the script listens");
        let mut answer = String::new();
        stdout.read_line(&mut answer).expect("the script answers");
        assert_eq!(answer.trim(), "0", "PostgreSQL could not be started; are Debian's packages installed?");
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn psql(&self, sql: &str) {
        let status = Command::new("psql").args(["--quiet", "--command", sql, &self.url()]).status();
        assert!(status.is_ok_and(|status| status.success()), "{sql}");
    }

    /// Inserts per second, and milliseconds of each.
    fn pgbench(&self) -> (f64, f64) {
        let file = self.folder.path().join("insert.sql");
        let script = format!(
            "\\set room random(1, {ROOMS})\n\\set number random(1, 1000000000)\n\\set bytes {TEXT_BYTES}\n{INSERT};\n"
        );
        std::fs::write(&file, script).expect("a file can be written");
        let output = Command::new(pgbench())
            .args(["--no-vacuum", "--protocol", "prepared", "--jobs", "2", "--client", &CLIENTS.to_string()])
            .args(["--time", &TURN_SECONDS.to_string(), "--file"])
            .arg(&file)
            .arg(self.url())
            .output()
            .expect("pgbench is there");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let figure = |line: &str| {
            let line = text.lines().find_map(|found| found.strip_prefix(line));
            line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok())
        };
        let tps = figure("tps = ").unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
        (tps, figure("latency average = ").unwrap_or(0.0))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.control.take();
        // The folder is removed in any case.
        let _ = self.script.wait();
    }
}

fn pgbench() -> std::path::PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let programs = versions.map(|version| version.path().join("bin/pgbench")).filter(|program| program.exists());
    programs.max().unwrap_or_else(|| "pgbench".into())
}

/// So that the server's own user reaches its folder in it.
fn make_passable(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(folder, permissions).expect("the folder is ours");
}
