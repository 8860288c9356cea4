//! The SQLite store: durable appends, pages of history, a sync with nothing new, opening, size.
//!
//! `STARLING_BENCH_MESSAGES` (default 1,000,000) says how many messages the store has when reads are measured, and
//! `STARLING_BENCH_DIR` where it is built (default: a temporary folder).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use domain::{CommitNumber, Seq, SeqRange};
use serde_json::{Value, json};
use storage::{Outcome, Store};
use storage_sqlite::{Options, SqliteStore};

use crate::bare::Bare;
use crate::costs::Costs;
use crate::sample::{Dice, Sample};
use crate::town::{READER_ROOMS, ROOMS, Town};

/// Units on the way at the same time, and how many messages are sent so. While one half is being written the other
/// gathers, so a commit holds about half of them: 1, 16.
const RATES: [(usize, u64); 2] = [(1, 10_000), (32, 80_000)];
/// As many units on the way that a commit holds 256.
const MANY: usize = 512;
/// With so many the store and its bound are measured in turns, so that both see the same machine.
const TURNS: usize = 8;
/// Messages, and rows of the bound, in one turn.
const TURN_MESSAGES: u64 = 40_000;
/// Rows of the bound that share a transaction.
const BARE_ROWS: u64 = 256;
const MESSAGES_DEFAULT: u64 = 1_000_000;
/// After this long the store has given back what it can.
const IDLE: Duration = Duration::from_millis(2_500);
const PAGE: u64 = 50;
const READS: usize = 5_000;
const RESULTS: &str = "bench/results/store.json";

/// Measures everything, prints it and writes it down.
pub fn measure() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be built");
    let variable = |name: &str| std::env::var(name).ok();
    let messages = variable("STARLING_BENCH_MESSAGES").and_then(|text| text.parse().ok()).unwrap_or(MESSAGES_DEFAULT);
    let temporary = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = variable("STARLING_BENCH_DIR").map_or_else(|| temporary.path().join("data"), Into::into);
    let results = runtime.block_on(run(&folder, messages));
    let text = serde_json::to_string_pretty(&results).expect("it is JSON");
    match std::fs::write(RESULTS, text + "\n") {
        Ok(()) => println!("written to {RESULTS}"),
        Err(error) => eprintln!("{RESULTS}: {error}"),
    }
}

async fn run(folder: &Path, messages: u64) -> Value {
    let options =
        Options { secure_delete: std::env::var_os("STARLING_BENCH_FAST_DELETE").is_none(), ..Options::default() };
    let town = Arc::new(Town::new());
    let opened = SqliteStore::open(folder, &options).expect("the store opens");
    let mut store: Arc<dyn Store> = Arc::new(opened);
    let mut feed = store.feed().expect("nobody has taken the feed");
    let reader = tokio::spawn(async move { while feed.recv().await.is_some() {} });
    town.build(&store).await;
    store.close().await;
    let empty_bytes = bytes_of(folder);
    store = Arc::new(SqliteStore::open(folder, &options).expect("the store opens"));
    let _ = reader.await;

    let mut sent: u64 = 0;
    let mut appends = Vec::new();
    println!(
        "durable appends ({ROOMS} rooms, 180 bytes)\n  at once      per second   p50 µs     p99 µs     max ms     group      CPU µs     bytes"
    );
    for (clients, count) in RATES {
        appends.push(rate(&town, &store, clients, sent, count.min(messages - sent)).await);
        sent += count.min(messages - sent);
    }
    let bare_folder = folder.with_extension("bare");
    let mut bare = Bare::new(&bare_folder, ROOMS);
    let (mut rates, mut bounds, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // The first turn of each fills its caches and is not counted.
    for turn in 0..=TURNS {
        let count = TURN_MESSAGES.min(messages - sent);
        let row = rate(&town, &store, MANY, sent, count).await;
        sent += count;
        let (bound, cpu) = bare.append(TURN_MESSAGES, BARE_ROWS);
        println!("  bound: SQLite alone, {BARE_ROWS} rows per commit: {bound:.0} per second, {cpu:.1} µs of CPU each");
        if turn > 0 && count == TURN_MESSAGES {
            let rate = row["per_second"].as_f64().unwrap_or(0.0);
            rates.push(rate);
            bounds.push(bound);
            ratios.push(rate / bound);
        }
        appends.push(row);
    }
    drop(bare);
    let _ = std::fs::remove_dir_all(&bare_folder);
    let [many, bound, ratio] = [&mut rates, &mut bounds, &mut ratios].map(|figures| middle(figures));
    let best = rates.last().copied().unwrap_or(0.0);
    println!(
        "  {MANY} at once, middle of {} turns: {many:.0} per second (best {best:.0}); bound {bound:.0}; ratio {ratio:.2}",
        rates.len()
    );
    let (rest_rate, _) = append(&town, &store, MANY, sent, messages - sent).await;
    println!("  {MANY} up to {messages} messages: {rest_rate:.0} per second");

    let history = history(&town, &store, messages).await;
    let sync = sync(&town, &store).await;
    println!("at {messages} messages               p50 µs     p99 µs");
    let mut reads = serde_json::Map::new();
    for (name, sample) in [("history_page_of_50", history)].into_iter().chain(sync) {
        println!("  {name:<30} {:<10.0} {:.0}", sample.micros(50), sample.micros(99));
        reads.insert(name.into(), json!({ "p50_us": sample.micros(50).round(), "p99_us": sample.micros(99).round() }));
    }
    let busy = resident_mib();
    tokio::time::sleep(IDLE).await;
    let resident = resident_mib();

    let crash = folder.with_extension("crash");
    copy(folder, &crash);
    let open_after_crash_ms = open_time(&crash, &options).await;
    let _ = std::fs::remove_dir_all(&crash);
    let start = Instant::now();
    store.close().await;
    let close_ms = start.elapsed().as_secs_f64() * 1e3;
    drop(store);
    let open_ms = open_time(folder, &options).await;
    let bytes_per_message = (bytes_of(folder) - empty_bytes) as f64 / messages as f64;
    println!(
        "open {open_ms:.1} ms, after a crash {open_after_crash_ms:.1} ms, close {close_ms:.0} ms\n\
         {bytes_per_message:.0} bytes per message, {busy:.0} MiB resident after all of this, {resident:.0} MiB when idle"
    );
    json!({
        "messages": messages, "rooms": ROOMS, "appends": appends, "appends_long_run_per_second": rest_rate.round(),
        "many_per_second": many.round(), "many_best_per_second": best.round(), "bound_per_second": bound.round(),
        "ratio_to_bound_percent": (ratio * 100.0).round(),
        "reads": reads, "open_ms": open_ms.round(), "open_after_crash_ms": open_after_crash_ms.round(),
        "close_ms": close_ms.round(), "bytes_per_message": bytes_per_message.round(),
        "resident_mib": busy.round(), "resident_idle_mib": resident.round(),
    })
}

/// Sends `count` messages, `clients` at a time, and tells how it went.
pub async fn rate(town: &Arc<Town>, store: &Arc<dyn Store>, clients: usize, sent: u64, count: u64) -> Value {
    let (head, before) = (store.head(&town.app).await.expect("the store reads"), Costs::now());
    let (rate, sample) = append(town, store, clients, sent, count).await;
    let commits = store.head(&town.app).await.expect("the store reads").0 - head.0;
    let (cpu, written) = Costs::now().since(&before, count);
    let group = count as f64 / commits.max(1) as f64;
    let (p50, p99, longest) = (sample.micros(50), sample.micros(99), sample.micros(100) / 1e3);
    println!(
        "  {clients:<12} {rate:<12.0} {p50:<10.0} {p99:<10.0} {longest:<10.0} {group:<10.1} {cpu:<10.1} {written:.0}"
    );
    json!({ "at_once": clients, "per_second": rate.round(), "p50_us": p50.round(), "p99_us": p99.round(),
        "max_ms": longest.round(), "messages_per_commit": group.round(), "cpu_us_per_message": cpu.round(),
        "bytes_written_per_message": written.round() })
}

/// The figure in the middle; sorts them.
pub fn middle(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

/// Sends `count` messages, `clients` at a time, and gives the messages per second and how long each took.
pub async fn append(town: &Arc<Town>, store: &Arc<dyn Store>, clients: usize, sent: u64, count: u64) -> (f64, Sample) {
    let next = Arc::new(AtomicU64::new(sent));
    let end = sent + count;
    let start = Instant::now();
    let mut working = tokio::task::JoinSet::new();
    for client in 0..clients {
        let (town, store, next) = (Arc::clone(town), Arc::clone(store), Arc::clone(&next));
        working.spawn(async move {
            let mut dice = Dice::new(client as u64 + sent + 1);
            let mut times = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return times;
                }
                // The rooms of the reader stay silent: others chat.
                let room = READER_ROOMS + dice.below(ROOMS - READER_ROOMS);
                let start = Instant::now();
                let outcome = store.commit(town.message(room, number)).await.expect("the store works");
                times.push(start.elapsed());
                assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
            }
        });
    }
    let times = working.join_all().await.concat();
    (count as f64 / start.elapsed().as_secs_f64(), Sample::new(times))
}

pub async fn history(town: &Town, store: &Arc<dyn Store>, messages: u64) -> Sample {
    let mut dice = Dice::new(7);
    let mut times = Vec::new();
    let mean = messages / (ROOMS - READER_ROOMS) as u64;
    for _ in 0..READS {
        let room = READER_ROOMS + dice.below(ROOMS - READER_ROOMS);
        let first = 1 + dice.below(mean.saturating_sub(PAGE).max(1) as usize) as u64;
        let range = SeqRange { first: Seq(first), last: Seq(first + PAGE - 1) };
        let viewer = &town.users[town.writer_of(room)];
        let start = Instant::now();
        let (entries, _) =
            store.entries(&town.app, &town.rooms[room], &[range], Some(viewer)).await.expect("the store reads");
        times.push(start.elapsed());
        assert!(entries.len() as u64 <= PAGE);
    }
    Sample::new(times)
}

pub async fn sync(town: &Town, store: &Arc<dyn Store>) -> [(&'static str, Sample); 3] {
    let head = store.head(&town.app).await.expect("the store reads");
    let mut samples = Vec::new();
    for (commits, reads) in [(10, READS), (200, READS / 5), (head.0 / 2, READS / 25)] {
        let since = CommitNumber(head.0.saturating_sub(commits));
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..reads {
            let start = Instant::now();
            let changed = store.changed_rooms(&town.app, &town.reader, since, 100).await.expect("the store reads");
            times.push(start.elapsed());
            assert!(changed.rooms.is_empty());
        }
        samples.push(Sample::new(times));
    }
    let names = ["sync_nothing_new_10_commits", "sync_nothing_new_200_commits", "sync_nothing_new_half_of_all"];
    let mut samples = samples.into_iter();
    names.map(|name| (name, samples.next().unwrap_or(Sample::new(Vec::new()))))
}

async fn open_time(folder: &Path, options: &Options) -> f64 {
    let start = Instant::now();
    let store = SqliteStore::open(folder, options).expect("the store opens");
    let time = start.elapsed().as_secs_f64() * 1e3;
    store.close().await;
    time
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for file in std::fs::read_dir(from).expect("the folder can be read").flatten() {
        // The index of the WAL is made anew after a crash.
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(file.path(), to.join(file.file_name())).expect("a file can be copied");
        }
    }
}

fn bytes_of(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).expect("the folder can be read").flatten();
    files.filter_map(|file| file.metadata().ok()).map(|data| data.len()).sum()
}

/// Memory of this process, in MiB.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
