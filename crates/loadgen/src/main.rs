//! `starling-load`: drives a chat server with many connections, and tells how fast it is and what it costs.
//!
//! The driver and the server share the machine, so what the driver takes is told beside what the server takes. Latencies of a
//! workload with a rate count from when a message was due to be sent, so that a server that stands still does not hide it
//! (coordinated omission).

mod ask;
mod clock;
mod codec;
mod coordinator;
mod costs;
mod curves;
mod day;
mod link;
mod plan;
mod plot;
mod record;
mod seeds;
mod talk;
mod target;
mod worker;
mod workload;

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use tokio::select;
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};

use crate::coordinator::{Outcome, Shape};
use crate::curves::Curves;
use crate::seeds::{Seeded, Seeds};
use crate::target::{Program, Server};
use crate::workload::Workload;

/// Drives a chat server with many connections
#[derive(Debug, Parser)]
#[command(name = "starling-load", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs one workload
    Run(Box<Run>),
    /// Makes data for a server that is to be started on them later, by `run … --data`
    Seed(Seed),
    /// Measures and draws curves over sizes: what is not touched should cost nothing
    Curves(Curves),
    /// A process of a run; started by it
    #[command(hide = true)]
    Worker,
}

#[derive(Debug, clap::Args)]
struct Run {
    #[command(subcommand)]
    workload: Workload,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    shape: Shape,
    /// Writes the figures to a file
    #[arg(long, global = true)]
    json: Option<PathBuf>,
    /// Fails if something was refused, or has no answer in the end
    #[arg(long, global = true)]
    check: bool,
    /// Draws the latencies
    #[arg(long, global = true)]
    svg: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Seed {
    /// The folder
    #[arg(long)]
    data: PathBuf,
    #[command(flatten)]
    seeds: Seeds,
    #[command(flatten)]
    program: Program,
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Worker => worker::work(),
        Command::Run(run) => until_stopped(run_workload(&run)),
        Command::Curves(curves) => until_stopped(curves.run()),
        Command::Seed(Seed { data, seeds, program }) => {
            until_stopped(Seeded::at(&data).fill(&program.binary, &seeds, false))
        }
    }
}

/// Works to the end, or until somebody wants it to stop; then servers and data go as well.
fn until_stopped(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut terminated = signal(SignalKind::terminate())?;
        select! {
            done = work => done,
            interrupted = ctrl_c() => interrupted.map_err(Into::into).and_then(|()| bail!("interrupted")),
            _ = terminated.recv() => bail!("told to stop"),
        }
    })
}

async fn run_workload(run: &Run) -> Result<()> {
    let Run { workload, server, shape, json, check, svg } = run;
    let target = server.target(workload, shape.quiet).await?;
    let outcome = coordinator::run(&target, workload, shape).await?;
    let people = workload.people();
    let figures = json!({ "workload": workload, "protocol": target.protocol, "people": people,
        "figures": outcome.figures(people) });
    target.stop().await?;
    print(&figures["figures"], &outcome);
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_string_pretty(&figures)? + "\n")?;
    }
    if let Some(path) = svg {
        let mut lines = vec![("acknowledgements".to_owned(), outcome.record.acks.points())];
        if outcome.record.deliveries.count() > 0 {
            lines.push(("deliveries".to_owned(), outcome.record.deliveries.points()));
        }
        std::fs::write(path, plot::distribution("Latency", lines).svg())?;
    }
    let open = outcome.record.open();
    ensure!(!check || open == 0, "{open} refused or without an answer");
    Ok(())
}

fn print(figures: &Value, outcome: &Outcome) {
    let times = |name: &str, times: &record::Times| {
        if times.count() > 0 {
            let [p50, p90, p99, p999, longest] = [0.5, 0.9, 0.99, 0.999, 1.0].map(|share| times.at(share));
            println!("{name:14} p50 {p50:.0}  p90 {p90:.0}  p99 {p99:.0}  p99.9 {p999:.0}  max {longest:.0} µs");
        }
    };
    println!(
        "per second     sent {}  acknowledged {}  delivered {}   refused {}  unanswered {}",
        figures["sent_per_second"],
        figures["acked_per_second"],
        figures["delivered_per_second"],
        figures["refused"],
        figures["unanswered"]
    );
    times("acknowledged", &outcome.record.acks);
    times("delivered", &outcome.record.deliveries);
    for (operation, counts) in &outcome.record.operations {
        times(operation.name(), &counts.times);
    }
    println!(
        "processor      server {} %  driver {} %   server {} µs per message, {} per delivery",
        figures["server_cpu_percent"],
        figures["driver_cpu_percent"],
        figures["server_cpu_us_per_message"],
        figures["server_cpu_us_per_delivery"]
    );
    println!(
        "memory         server {} KiB before, {} connected, {} after; per connection {} bytes, {} in the end, sockets {} bytes",
        figures["server_kib_before"],
        figures["server_kib_idle"],
        figures["server_kib_after"],
        figures["server_bytes_per_connection"],
        figures["server_bytes_per_connection_after"],
        figures["socket_bytes_per_connection"]
    );
}
