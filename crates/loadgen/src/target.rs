//! The server under load: one that is started here, with people in it, or one that runs already.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::costs;
use crate::plan::Protocol;
use crate::seeds::{Seeded, Seeds};
use crate::workload::Workload;

/// Longest wait for a server to be ready.
const PATIENCE: Duration = Duration::from_secs(120);
/// The clients are many and come from one address; limits of strangers are not what is measured here.
const LIMITS: &str = "--requests-per-second 1000000 --requests-burst 1000000 --sign-ins-per-minute 1000000 \
    --open-requests-per-second 1000000 --connections-per-address-max 100000 --access-token-seconds 86400 \
    --metrics-listen off --log-level warn --drain-spread-ms 0";

/// A server that has been started may have some work of its own to do first; it is done when it takes so little of the
/// processor, and nobody waits for it longer than this.
const CALM_CPU_SECONDS: f64 = 0.015;
const CALM_EVERY: Duration = Duration::from_millis(400);
const CALM_PATIENCE: Duration = Duration::from_secs(120);

/// Which server.
#[derive(Debug, Args)]
pub struct Server {
    /// What it speaks
    #[arg(long, value_enum, default_value = "starling", global = true)]
    protocol: Protocol,
    #[command(flatten)]
    program: Program,
    /// A folder for its data that is kept, and used again if it has what is needed; else it is thrown away
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// Rooms of two people in which nothing happens, besides
    #[arg(long, default_value_t = 0, global = true)]
    idle_rooms: u64,
    /// Where a server runs already, instead; then --process too
    #[arg(long, global = true)]
    address: Option<SocketAddr>,
    /// The number of its process; several if it has several
    #[arg(long, value_delimiter = ',', global = true)]
    process: Vec<u32>,
    /// Tokens of its people, a line each: the name, a space, the token
    #[arg(long, global = true)]
    tokens: Option<PathBuf>,
}

/// A Starling that can be started.
#[derive(Debug, Clone, Args)]
pub struct Program {
    /// A Starling to start, on data of its own
    #[arg(long, default_value = "target/release/starling", global = true)]
    pub binary: PathBuf,
    /// More arguments for it
    #[arg(long, default_value = "", allow_hyphen_values = true, global = true)]
    serve: String,
}

/// A server that runs.
#[derive(Debug)]
pub struct Target {
    pub protocol: Protocol,
    pub address: SocketAddr,
    pub processes: Vec<u32>,
    pub tokens: Option<PathBuf>,
    /// One that was started here, and its data if they go with it.
    _started: Option<(Child, Option<TempDir>)>,
}

impl Server {
    /// Starts it with what the workload needs, unless it runs.
    pub async fn target(&self, workload: &Workload, quiet: bool) -> Result<Target> {
        if let Some(address) = self.address {
            ensure!(!self.process.is_empty(), "--address needs --process too, to tell what it costs");
            let (protocol, processes, tokens) = (self.protocol, self.process.clone(), self.tokens.clone());
            return Ok(Target { protocol, address, processes, tokens, _started: None });
        }
        let seeds = workload.seeds();
        let seeds = Seeds { rooms: seeds.rooms.max(self.idle_rooms), ..seeds };
        let temporary = if self.data.is_some() { None } else { Some(tempfile::tempdir()?) };
        let folder = self.data.as_deref().or(temporary.as_ref().map(TempDir::path)).context("one of them is there")?;
        let seeded = Seeded::at(folder);
        seeded.fill(&self.program.binary, &seeds, quiet).await?;
        let mut target = self.program.start(&seeded).await?;
        if let Some((_, folder)) = &mut target._started {
            *folder = temporary;
        }
        Ok(target)
    }
}

impl Program {
    /// Starts it on data that are there, and waits until it is ready and calm.
    pub async fn start(&self, seeded: &Seeded) -> Result<Target> {
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--data").arg(seeded.data()).args(["--listen", "127.0.0.1:0"]);
        command.args(LIMITS.split_whitespace()).args(self.serve.split_whitespace());
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
        let mut child = child.with_context(|| format!("start {}", self.binary.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("its output is piped")?).lines();
        let ready = async {
            loop {
                let line = lines.next_line().await?.context("the server ended before it was ready")?;
                if let Some(url) = line.strip_prefix("Starling is ready: ") {
                    let address = url.trim().trim_start_matches("http://").trim_end_matches('/').parse();
                    return address.with_context(|| format!("where it listens: {url}"));
                }
            }
        };
        let address = timeout(PATIENCE, ready).await.context("the server does not become ready")??;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let process = child.id().context("the server has ended")?;
        calm(process).await?;
        Ok(Target {
            protocol: Protocol::Starling,
            address,
            processes: vec![process],
            tokens: Some(seeded.tokens()),
            _started: Some((child, None)),
        })
    }
}

impl Target {
    /// Stops it, if it was started here, as an operator would.
    pub async fn stop(mut self) -> Result<()> {
        let Some((child, _)) = &mut self._started else { return Ok(()) };
        let process = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).context("the server has ended")?;
        kill_process(process, Signal::TERM).context("stop the server")?;
        timeout(PATIENCE, child.wait()).await.context("the server does not stop")??;
        Ok(())
    }
}

/// Waits until a server has nothing to do.
async fn calm(process: u32) -> Result<()> {
    let calm = async {
        loop {
            let before = costs::cpu_seconds(process)?;
            sleep(CALM_EVERY).await;
            if costs::cpu_seconds(process)? - before <= CALM_CPU_SECONDS {
                return anyhow::Ok(());
            }
        }
    };
    timeout(CALM_PATIENCE, calm).await.context("the server does not become calm")?
}
