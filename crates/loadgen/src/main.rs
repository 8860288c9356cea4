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
mod link;
mod plan;
mod plot;
mod record;
mod talk;
mod target;
mod worker;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use serde_json::{Value, json};

use crate::coordinator::{Outcome, Shape};
use crate::plan::Workload;
use crate::target::Server;

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
    /// Draws the latencies
    #[arg(long, global = true)]
    svg: Option<PathBuf>,
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Worker => worker::work(),
        Command::Run(run) => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run_workload(&run))
        }
    }
}

async fn run_workload(run: &Run) -> Result<()> {
    let Run { workload, server, shape, json, svg } = run;
    let target = server.target(workload).await?;
    let outcome = coordinator::run(&target, workload, shape).await?;
    let people = workload.people();
    let figures = json!({ "workload": workload, "protocol": target.protocol, "people": people,
        "figures": outcome.figures(people) });
    print(&figures["figures"], &outcome);
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_string_pretty(&figures)? + "\n")?;
    }
    if let Some(path) = svg {
        let mut lines = vec![("acknowledgements".to_owned(), outcome.record.acks.points())];
        if outcome.record.deliveries.count() > 0 {
            lines.push(("deliveries".to_owned(), outcome.record.deliveries.points()));
        }
        std::fs::write(path, plot::draw("latency", &lines))?;
    }
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
    println!(
        "processor      server {} %  driver {} %   server {} µs per message, {} per delivery",
        figures["server_cpu_percent"],
        figures["driver_cpu_percent"],
        figures["server_cpu_us_per_message"],
        figures["server_cpu_us_per_delivery"]
    );
    println!(
        "memory         server {} KiB before, {} connected, {} after; per connection {} bytes, sockets {} bytes",
        figures["server_kib_before"],
        figures["server_kib_idle"],
        figures["server_kib_after"],
        figures["server_bytes_per_connection"],
        figures["socket_bytes_per_connection"]
    );
}
