//! A run: starts the workers, keeps them in step, looks at what the server costs, and adds up what they tell.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::{now, wait_until};
use crate::costs;
use crate::day::Operation;
use crate::plan::Plan;
use crate::record::{Counts, Record};
use crate::target::Target;
use crate::worker::{Tells, Told};
use crate::workload::Workload;

const NANOS: f64 = 1e9;
/// Between telling the workers and their beginning.
const LEAD_NANOS: u64 = 300_000_000;

/// How often processor time is looked at when nobody knows when it ends.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long and how wide.
#[derive(Debug, Clone, Args)]
pub struct Shape {
    /// Processes that share the people; each has a connection for each of its people, 20,000 at most
    #[arg(long, default_value_t = 1, global = true)]
    pub workers: u32,
    /// Seconds before the measured time
    #[arg(long, default_value_t = 3.0, global = true)]
    pub warm_up: f64,
    /// Seconds of the measured time; syncs, history and storms take as long as they take
    #[arg(long, default_value_t = 10.0, global = true)]
    pub seconds: f64,
    /// Seconds in which memory is left alone before it is looked at
    #[arg(long, default_value_t = 3.0, global = true)]
    pub settle: f64,
    /// Says nothing on the way
    #[arg(long, global = true)]
    pub quiet: bool,
}

/// What a run came to.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub seconds: f64,
    pub record: Record,
    /// Seconds of processor time in the measured time: of the server, and of the driver.
    pub server_cpu: f64,
    pub driver_cpu: f64,
    /// Resident memory of the server: before there was a connection, with all of them idle, and in the end.
    pub server_kib: [u64; 3],
    /// What the kernel keeps for the sockets of both sides: before, and with all of them idle.
    pub socket_kib: [u64; 2],
}

struct Worker {
    child: Child,
    input: ChildStdin,
}

impl Worker {
    async fn tell(&mut self, what: &Told) -> Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.input.write_all(&line).await?;
        Ok(self.input.flush().await?)
    }
}

/// What the workers have told, by worker.
struct Ear(mpsc::Receiver<(usize, Result<Tells>)>);

impl Ear {
    /// Waits until all have told the same.
    async fn all(&mut self, workers: usize, is_it: impl Fn(&Tells) -> bool) -> Result<()> {
        let mut missing = workers;
        while missing > 0 {
            let (worker, told) = self.0.recv().await.context("the workers have ended")?;
            let told = told.with_context(|| format!("worker {worker}"))?;
            if is_it(&told) {
                missing -= 1;
            }
        }
        Ok(())
    }
}

/// Runs a workload against a server.
pub async fn run(target: &Target, workload: &Workload, shape: &Shape) -> Result<Outcome> {
    let cpu = |processes: &[u32]| processes.iter().map(|process| costs::cpu_seconds(*process)).sum::<Result<f64>>();
    let resident = || target.processes.iter().map(|process| costs::resident_kib(*process)).sum::<Result<u64>>();
    let before = (resident()?, costs::socket_kib()?);
    let (mut workers, mut ear, _tasks) = start(target, workload, shape).await?;
    let count = workers.len();
    ear.all(count, |told| matches!(told, Tells::Made)).await?;
    for worker in &mut workers {
        worker.tell(&Told::Join).await?;
    }
    ear.all(count, |told| matches!(told, Tells::Ready)).await?;
    say(shape, &format!("{} people are there", workload.people()));
    tokio::time::sleep(Duration::from_secs_f64(shape.settle)).await;
    let idle = (resident()?, costs::socket_kib()?);

    let begins = now() + LEAD_NANOS;
    let ends_by_itself = workload.ends_by_itself();
    let from = begins + if ends_by_itself { 0 } else { (shape.warm_up * NANOS) as u64 };
    let to = from + (shape.seconds * NANOS) as u64;
    for worker in &mut workers {
        worker.tell(&Told::Go { from, to }).await?;
    }
    let drivers: Vec<u32> = workers.iter().filter_map(|worker| worker.child.id()).collect();
    let processes = target.processes.clone();
    let (end, mut ended) = watch::channel(false);
    let measured = tokio::spawn(async move {
        wait_until(from).await;
        let start = (now(), cpu(&processes)?, cpu(&drivers)?);
        // The driver's processes end at some time; then the last look that succeeded counts.
        let mut driver = start.2;
        while ends_by_itself && !*ended.borrow_and_update() {
            driver = cpu(&drivers).unwrap_or(driver);
            // Nothing is lost if it is time for another look.
            let _ = timeout(LOOK_EVERY, ended.changed()).await;
        }
        if !ends_by_itself {
            wait_until(to).await;
            driver = cpu(&drivers).unwrap_or(driver);
        }
        anyhow::Ok(((now() - start.0) as f64 / NANOS, cpu(&processes)? - start.1, driver - start.2))
    });
    let record = gather(&mut ear, count, shape, from).await?;
    end.send_replace(true);
    let in_the_end = resident()?;
    let (seconds, server_cpu, driver_cpu) = measured.await??;
    Ok(Outcome {
        seconds,
        record,
        server_cpu,
        driver_cpu,
        server_kib: [before.0, idle.0, in_the_end],
        socket_kib: [before.1, idle.1],
    })
}

async fn start(target: &Target, workload: &Workload, shape: &Shape) -> Result<(Vec<Worker>, Ear, JoinSet<()>)> {
    let (tells, ear) = mpsc::channel(1024);
    let (mut workers, mut tasks) = (Vec::new(), JoinSet::new());
    let run = format!("{:x}", now());
    for number in 0..shape.workers.max(1) {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("worker").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("its output is piped")?).lines();
        let input = child.stdin.take().context("its input is piped")?;
        let mut worker = Worker { child, input };
        let plan = Plan {
            workload: workload.clone(),
            protocol: target.protocol,
            address: target.address,
            tokens: target.tokens.clone(),
            worker: number,
            workers: shape.workers.max(1),
            run: run.clone(),
        };
        worker.tell(&Told::Plan(Box::new(plan))).await?;
        workers.push(worker);
        let tells = tells.clone();
        tasks.spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let told = serde_json::from_str(&line).context("what it says is no line of ours");
                if tells.send((number as usize, told)).await.is_err() {
                    return;
                }
            }
            // If it has told its result, nobody listens any more.
            let _ = tells.send((number as usize, Err(anyhow::anyhow!("it has ended")))).await;
        });
    }
    Ok((workers, Ear(ear), tasks))
}

async fn gather(ear: &mut Ear, count: usize, shape: &Shape, from: u64) -> Result<Record> {
    let (mut sum, mut missing) = (Record::default(), vec![true; count]);
    let mut progress = vec![(0, 0); count];
    let mut told_at = (now().max(from), 0, 0);
    while missing.contains(&true) {
        let (worker, told) = ear.0.recv().await.context("the workers have ended")?;
        match told {
            Ok(Tells::Progress { acked, delivered }) => progress[worker] = (acked, delivered),
            Ok(Tells::Result(record)) => {
                sum.merge(&record);
                missing[worker] = false;
            }
            Ok(Tells::Made | Tells::Ready) => bail!("worker {worker} is out of step"),
            Err(error) if missing[worker] => return Err(error.context(format!("worker {worker}"))),
            Err(_) => {}
        }
        let (acked, delivered) = progress.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let seconds = (now().saturating_sub(told_at.0)) as f64 / NANOS;
        if seconds >= 1.0 && (acked, delivered) != (told_at.1, told_at.2) {
            let rate = |count: u64, before: u64| count.saturating_sub(before) as f64 / seconds;
            let (acks, deliveries) = (rate(acked, told_at.1), rate(delivered, told_at.2));
            say(shape, &format!("{acks:.0} acknowledged, {deliveries:.0} delivered per second"));
            told_at = (now(), acked, delivered);
        }
    }
    Ok(sum)
}

fn say(shape: &Shape, text: &str) {
    if !shape.quiet {
        eprintln!("  {text}");
    }
}

impl Outcome {
    /// All figures, in the units that their names say.
    pub fn figures(&self, people: u32) -> Value {
        let Outcome { seconds, record, server_cpu, driver_cpu, server_kib, socket_kib } = self;
        let per = |cpu: f64, count: u64| (cpu * 1e6 / count.max(1) as f64 * 10.0).round() / 10.0;
        let each = |kib: u64| (kib as f64 * 1024.0 / f64::from(people.max(1))).round();
        let mut figures = json!({
            "seconds": (seconds * 10.0).round() / 10.0,
            "sent_per_second": (record.sent as f64 / seconds).round(),
            "acked_per_second": (record.acked as f64 / seconds).round(),
            "delivered_per_second": (record.delivered as f64 / seconds).round(),
            "refused": record.refused,
            "unanswered": record.sent.saturating_sub(record.acked + record.refused),
            "acks": record.acks.summary(),
            "deliveries": record.deliveries.summary(),
            "server_cpu_percent": (server_cpu / seconds * 100.0).round(),
            "driver_cpu_percent": (driver_cpu / seconds * 100.0).round(),
            "server_cpu_us_per_message": per(*server_cpu, record.acked),
            "server_cpu_us_per_delivery": per(*server_cpu, record.delivered),
            "driver_cpu_us_per_delivery": per(*driver_cpu, record.delivered),
            "server_kib_before": server_kib[0], "server_kib_idle": server_kib[1], "server_kib_after": server_kib[2],
            "server_bytes_per_connection": each(server_kib[1].saturating_sub(server_kib[0])),
            // An allocator gives back what the handshakes took only after a while.
            "server_bytes_per_connection_after": each(server_kib[2].saturating_sub(server_kib[0])),
            "socket_bytes_per_connection": each(socket_kib[1].saturating_sub(socket_kib[0])),
        });
        if !record.operations.is_empty() {
            let done = record.operations.values().map(|counts| counts.done).sum();
            figures["server_cpu_us_per_operation"] = json!(per(*server_cpu, done));
            let name = |operation: &Operation| operation.name().replace(' ', "_");
            let operations = record.operations.iter().map(|(operation, counts)| {
                let Counts { sent, done, refused, times } = counts;
                let mut told = times.summary();
                told["per_second"] = json!((*done as f64 / seconds * 10.0).round() / 10.0);
                told["refused"] = json!(refused);
                told["unanswered"] = json!(sent.saturating_sub(done + refused));
                (name(operation), told)
            });
            figures["operations"] = operations.collect();
        }
        figures
    }
}
