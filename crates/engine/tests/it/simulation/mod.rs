//! Deterministic simulation: the engine over the memory store and the bus of one process, under virtual time, with faults
//! and a schedule that are all thrown by the dice of one seed.
//!
//! People with several devices each chat through a store that is slow, fails before and after it has written, and tells
//! its feed late; the engine is killed and restarted under them. A ledger sees every commit as it is written, and holds
//! every answer and every push against it; at the end all devices must show the same, and it must be what was committed.
//!
//! The same seed is the same run, to the last step. A run that fails prints its seed:
//!
//! ```text
//! STARLING_SIM_SEED=4711 cargo nextest run -p engine simulation --no-capture    one run, with its trace
//! STARLING_SIM_SEEDS=100000 cargo nextest run -p engine simulation              so many runs
//! STARLING_SIM_FIRST=5000                                                       from this seed on
//! ```
//!
//! What is not simulated: real threads (one thread runs everything, in an order ruled by the seed), and what the engine
//! does by the real clock, which is the patience with conflicts, rate limits and the age of idle rooms; they are set so
//! that they never or always strike.

mod answers;
mod check;
mod dice;
mod faults;
mod heard;
mod ledger;
mod person;
mod plan;
mod replica;
mod world;

use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use self::world::{Course, run};

/// Seeds that are run when nothing else is said.
const SEEDS: u64 = 1000;
/// Seeds that are run twice to see that they are the same run.
const SEEDS_TWICE: u64 = 40;
/// Seeds beyond those that have found something. What they do changes with the code; they cost little.
const FOUND: [u64; 4] = [3497, 29_058, 44_649, 70_730];
/// Virtual time in which every run must have ended; longer means that somebody waits for ever.
const RUN_VIRTUAL: Duration = Duration::from_secs(3600);

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// Runs a seed on a runtime of its own.
fn simulate(seed: u64, print: bool) -> Course {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime can be made");
    let course = runtime.block_on(async { tokio::time::timeout(RUN_VIRTUAL, run(seed, print)).await });
    let stuck = || Course { hash: 0, wrong: vec!["the run never ends".into()], commits: 0, steps: 0, faults: 0 };
    course.unwrap_or_else(|_| stuck())
}

/// Runs a seed; if it fails, all that is needed to see the run again.
fn check(seed: u64, print: bool) -> Result<Course, String> {
    let wrong = match std::panic::catch_unwind(AssertUnwindSafe(|| simulate(seed, print))) {
        Ok(course) if course.wrong.is_empty() => return Ok(course),
        Ok(course) => course.wrong.join("\n"),
        Err(_) => "the run panicked".to_owned(),
    };
    Err(format!(
        "seed {seed} fails:\n{wrong}\n\nto see it again, with its trace:\n    \
         STARLING_SIM_SEED={seed} cargo nextest run -p engine simulation::everything_holds --no-capture\n"
    ))
}

#[test]
fn everything_holds_under_every_seed() {
    if let Some(seed) = number("STARLING_SIM_SEED") {
        let Course { hash, commits, steps, faults, .. } =
            check(seed, true).unwrap_or_else(|failure| panic!("{failure}"));
        println!("seed {seed}: {commits} commits, {steps} steps, {faults} faults, hash {hash:016x}");
        return;
    }
    let first = number("STARLING_SIM_FIRST").unwrap_or(0);
    let end = first + number("STARLING_SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(first);
    let totals = Mutex::new((0, 0, 0));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return Ok(());
            }
            // The others stop as well.
            let course = check(seed, false).inspect_err(|_| next.store(end, Ordering::Relaxed))?;
            let mut totals = totals.lock().expect("nobody panics");
            *totals = (totals.0 + course.commits, totals.1 + course.steps, totals.2 + course.faults);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("panics of runs are caught")).collect()
    });
    if let Some(failure) = results.into_iter().find_map(Result::err) {
        panic!("{failure}");
    }
    let (commits, steps, faults) = *totals.lock().expect("nobody panics");
    println!("seeds {first} to {end}: {commits} commits, {steps} steps, {faults} faults");
}

#[test]
fn what_was_found_is_mended() {
    for seed in FOUND {
        check(seed, false).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..SEEDS_TWICE {
        let (one, other) = (simulate(seed, false), simulate(seed, false));
        assert_eq!((one.hash, one.steps), (other.hash, other.steps), "seed {seed} is not the same run twice");
    }
}
