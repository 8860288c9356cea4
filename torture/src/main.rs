//! Torture: black-box clients use a real server over its real wire while faults strike, write down all they do and see, and
//! [`testkit::history`] judges it afterwards.
//!
//! `starling-torture run` works in episodes. In each, devices of some users chat in new rooms of the same server; faults
//! strike; they stop; every device reads all there is; the server is stopped, its files are searched for what was deleted,
//! and `starling doctor` looks at them. `starling-torture check FILE` judges a history again that was written down.

mod answers;
mod crowd;
mod device;
mod episode;
mod faults;
mod flood;
mod large;
mod mutants;
mod rooms;
mod server;
mod session;
mod slow;
mod town;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use testkit::history::{self, History};

#[derive(Parser)]
#[command(about = "Uses a Starling server while faults strike, and checks that it kept every promise")]
struct Program {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// Run episodes against a server that is started here.
    Run(Run),
    /// Run episodes against a server that lies in one way at a time, and see that each lie is found.
    Mutants {
        #[command(flatten)]
        run: Run,
        /// Only these planted bugs.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
    },
    /// Let very many clients of a running server read slowly or never, while others chat.
    Slow(slow::Slow),
    /// Flood a running server with connections on which nobody signs in, while others chat.
    Flood(flood::Flood),
    /// Use the very large room of a running server.
    Large(large::Large),
    /// Make very many rooms in a running server, and use them.
    Rooms(rooms::Rooms),
    /// Check a history again.
    Check {
        /// A file that `run` wrote.
        file: PathBuf,
    },
}

/// What to run.
#[derive(Args, Clone)]
pub struct Run {
    /// The server's program.
    #[arg(long, default_value = "target/debug/starling")]
    pub binary: PathBuf,
    /// The server's data folder; a temporary one if not given.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// How long to go on, in seconds; an episode that has begun is finished.
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// How long the faults of one episode last, in seconds.
    #[arg(long, default_value_t = 15)]
    pub episode_seconds: u64,
    /// Go on until there were so many faults, however long it takes.
    #[arg(long, default_value_t = 0)]
    pub rounds: u32,
    /// Where all random choices begin; a new one each time if not given.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Users, with two devices each.
    #[arg(long, default_value_t = 8)]
    pub users: u32,
    /// Rooms of an episode.
    #[arg(long, default_value_t = 5)]
    pub rooms: u32,
    /// Operations per second that each device tries.
    #[arg(long, default_value_t = 25)]
    pub rate: u32,
    /// What strikes, one of these at a time: kill, stop, none, or the path of a script.
    #[arg(long, value_delimiter = ',', default_value = "kill")]
    pub faults: Vec<String>,
    /// Mean time between two faults, in milliseconds.
    #[arg(long, default_value_t = 1_500)]
    pub pause_ms: u64,
    /// More arguments of `starling serve`, separated by blanks.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub serve: String,
    /// Do not look at the files after each episode: they are gone or damaged on purpose.
    #[arg(long)]
    pub skip_files: bool,
    /// Write a summary as JSON here.
    #[arg(long)]
    pub summary: Option<PathBuf>,
    /// Write the history here if it breaks a promise.
    #[arg(long, default_value = "torture-history.json")]
    pub history: PathBuf,
    /// The bug that is at work in a server built with planted bugs.
    #[arg(skip)]
    pub planted: Option<String>,
    /// Say nothing.
    #[arg(skip)]
    pub quiet: bool,
}

fn main() -> ExitCode {
    let program = Program::parse();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be built");
    let result = match &program.command {
        What::Run(run) => runtime.block_on(episode::run(run)).map(|broken| broken.is_empty()),
        What::Mutants { run, only } => runtime.block_on(mutants::run(run, only)),
        What::Slow(slow) => runtime.block_on(slow::run(slow)),
        What::Flood(flood) => runtime.block_on(flood::run(flood)),
        What::Large(large) => runtime.block_on(large::run(large)),
        What::Rooms(rooms) => runtime.block_on(rooms::run(rooms)),
        What::Check { file } => check_file(file),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("torture could not be done: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn check_file(file: &PathBuf) -> anyhow::Result<bool> {
    let text = std::fs::read(file).with_context(|| format!("{}", file.display()))?;
    let history: History = serde_json::from_slice(&text)?;
    Ok(judge(&history, false).is_empty())
}

/// Says what a history breaks, and gives the names of the promises.
pub fn judge(history: &History, quiet: bool) -> BTreeSet<String> {
    /// So many findings of each kind are shown.
    const SHOWN: usize = 3;
    let violations = history::check(history);
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for violation in &violations {
        let count = names.entry(violation.invariant.to_string()).or_default();
        *count += 1;
        if *count <= SHOWN && !quiet {
            println!("BROKEN {}", history::excerpt(history, violation));
        }
    }
    names.into_keys().collect()
}
