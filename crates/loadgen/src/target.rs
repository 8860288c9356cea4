//! The server under load: one that is started here, with people in it, or one that runs already.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::plan::{Protocol, Workload};

/// Longest wait for a server to be ready.
const PATIENCE: Duration = Duration::from_secs(120);
/// The clients are many and come from one address; limits of strangers are not what is measured here.
const LIMITS: &str = "--requests-per-second 1000000 --requests-burst 1000000 --sign-ins-per-minute 1000000 \
    --open-requests-per-second 1000000 --connections-per-address-max 100000 --access-token-seconds 86400 \
    --metrics-listen off --log-level warn --drain-spread-ms 0";

/// Which server.
#[derive(Debug, Args)]
pub struct Server {
    /// What it speaks
    #[arg(long, value_enum, default_value = "starling", global = true)]
    protocol: Protocol,
    /// A Starling to start, on data of its own that is thrown away afterwards
    #[arg(long, default_value = "target/release/starling", global = true)]
    binary: PathBuf,
    /// More arguments for it
    #[arg(long, default_value = "", allow_hyphen_values = true, global = true)]
    serve: String,
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

/// A server that runs.
#[derive(Debug)]
pub struct Target {
    pub protocol: Protocol,
    pub address: SocketAddr,
    pub processes: Vec<u32>,
    pub tokens: Option<PathBuf>,
    /// One that was started here, and its data.
    _started: Option<(Child, TempDir)>,
}

impl Server {
    /// Starts it, unless it runs.
    pub async fn target(&self, workload: &Workload) -> Result<Target> {
        if let Some(address) = self.address {
            ensure!(!self.process.is_empty(), "--address needs --process too, to tell what it costs");
            let (protocol, processes, tokens) = (self.protocol, self.process.clone(), self.tokens.clone());
            return Ok(Target { protocol, address, processes, tokens, _started: None });
        }
        let folder = tempfile::tempdir()?;
        let (data, tokens) = (folder.path().join("data"), folder.path().join("tokens"));
        self.seed(workload, &data, &tokens).await?;
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--data").arg(&data).args(["--listen", "127.0.0.1:0"]);
        command.args(LIMITS.split_whitespace()).args(self.serve.split_whitespace());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
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
        let processes = vec![child.id().context("the server has ended")?];
        Ok(Target {
            protocol: Protocol::Starling,
            address,
            processes,
            tokens: Some(tokens),
            _started: Some((child, folder)),
        })
    }

    async fn seed(&self, workload: &Workload, data: &Path, tokens: &Path) -> Result<()> {
        let messages = match workload {
            Workload::History(history) => history.messages,
            _ => 0,
        };
        let mut command = Command::new(&self.binary);
        command.arg("dev").arg("--seed-only").arg("--data").arg(data).arg("--tokens").arg(tokens);
        command.args(["--people", &workload.people().to_string(), "--messages", &messages.to_string()]);
        command.args(["--access-token-seconds", "86400", "--log-level", "warn"]);
        let seeded = command.stdin(Stdio::null()).stdout(Stdio::null()).status().await;
        let seeded = seeded.with_context(|| format!("start {}", self.binary.display()))?;
        ensure!(seeded.success(), "the server's data could not be made: {seeded}");
        Ok(())
    }
}
