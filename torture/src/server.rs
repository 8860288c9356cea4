//! The server under torture: a child process that is started, struck, and started again on the same port.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Run;

/// Longest wait for a start or an orderly end.
const PATIENCE: Duration = Duration::from_secs(60);
/// The clients are many, come from one address and come back at once; that is not what limits are to be tried by here.
const LIMITS: &str = "--requests-per-second 100000 --requests-burst 100000 --password-attempts-per-minute 100000 \
                      --sign-ins-per-minute 100000 --open-requests-per-second 100000 --connections-per-address-max 10000 \
                      --access-token-seconds 86400 --sessions-per-user-max 1000 --shutdown-ms-max 5000 --drain-spread-ms 100";

/// What may wait in the store's memtable, in KiB, from one start to the next: all that is said in an episode, some of it, nothing.
const MEMTABLES_KIB: [&str; 3] = ["16384", "32", "0"];

/// A server and its data.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    /// Its data folder.
    pub data: PathBuf,
    arguments: Vec<String>,
    port: u16,
    starts: usize,
    child: Option<Child>,
    /// The bug that is at work in a server built with planted bugs.
    planted: Option<String>,
}

impl Server {
    /// A server that is not started yet.
    pub fn new(run: &Run, data: &Path) -> anyhow::Result<Self> {
        let binary = run.binary.canonicalize().with_context(|| format!("{}", run.binary.display()))?;
        // A port that is free now; the server takes it again after each start.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let arguments = LIMITS.split_whitespace().chain(run.serve.split_whitespace()).map(str::to_owned).collect();
        Ok(Self {
            binary,
            data: data.to_owned(),
            arguments,
            port,
            starts: 0,
            child: None,
            planted: run.planted.clone(),
        })
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The number of its process, if there is one.
    pub fn process(&self) -> Option<u32> {
        self.child.as_ref()?.id()
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--data").arg(&self.data).args(["--listen", &self.address()]);
        command.args(["--metrics-listen", "off", "--log-level", "error"]).args(&self.arguments);
        command.args(["--store-memtable-kib", MEMTABLES_KIB[self.starts % MEMTABLES_KIB.len()]]);
        self.starts += 1;
        if let Some(bug) = &self.planted {
            command.env("STARLING_PLANTED_BUG", bug).stderr(Stdio::null());
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let out = child.stdout.take().context("its output is piped")?;
        let mut lines = BufReader::new(out).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await? {
                if line.starts_with("Starling is ready: ") {
                    return anyhow::Ok(true);
                }
            }
            Ok(false)
        };
        let ready = timeout(PATIENCE, ready).await.context("the server does not become ready")??;
        if !ready {
            bail!("the server ended before it was ready: {}", child.wait().await?);
        }
        // What it says later is of no interest, but somebody must read it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.child = Some(child);
        Ok(())
    }

    /// Starts it again if it is gone.
    pub async fn revive(&mut self) -> anyhow::Result<()> {
        let gone = match &mut self.child {
            Some(child) => child.try_wait()?.is_some(),
            None => true,
        };
        if gone { self.start().await } else { Ok(()) }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let process = self.process().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        kill_process(process.context("the server does not run")?, signal)?;
        Ok(())
    }

    /// Kills it at once.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Ends it in order.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let mut child = self.child.take().context("the server does not run")?;
        let status = timeout(PATIENCE, child.wait()).await.context("the server does not end")??;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }

    /// What `starling doctor` says of the data; an error if it finds something.
    pub async fn doctor(&self) -> anyhow::Result<()> {
        let output = Command::new(&self.binary).arg("doctor").arg("--data").arg(&self.data).output().await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            bail!("doctor: {said}");
        }
        Ok(())
    }
}
