//! What strikes the server.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use rand::RngExt;
use rand::rngs::StdRng;
use rustix::process::Signal;
use tokio::process::Command;
use tokio::time::sleep;

use crate::server::Server;

/// How long a stopped server stands still at most.
const STOPPED_MS_MAX: u64 = 3_000;

/// A fault.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing happens.
    None,
    /// The process is killed and started again.
    Kill,
    /// The process stands still for a while.
    Stop,
    /// A script does something. It is called with the number of the process and the data folder; if it has ended the
    /// process, the server is started again.
    Script(String),
}

impl Fault {
    /// The fault of a name.
    pub fn of(name: &str) -> anyhow::Result<Self> {
        Ok(match name {
            "none" => Fault::None,
            "kill" => Fault::Kill,
            "stop" => Fault::Stop,
            path if std::path::Path::new(path).is_file() => {
                Fault::Script(std::fs::canonicalize(path)?.to_string_lossy().into_owned())
            }
            other => bail!("there is no fault {other:?}"),
        })
    }

    /// Strikes, and sees that the server runs afterwards.
    pub async fn strike(&self, server: &mut Server, dice: &mut StdRng) -> anyhow::Result<()> {
        match self {
            Fault::None => {}
            Fault::Kill => server.kill().await?,
            Fault::Stop => {
                let time = Duration::from_millis(dice.random_range(1..STOPPED_MS_MAX));
                server.signal(Signal::STOP)?;
                sleep(time).await;
                server.signal(Signal::CONT)?;
            }
            Fault::Script(path) => {
                let process = server.process().context("the server does not run")?;
                let mut command = Command::new(path);
                command.arg(process.to_string()).arg(&server.data).stdin(Stdio::null());
                let status = command.status().await.with_context(|| path.clone())?;
                if !status.success() {
                    bail!("{path} ended with {status}");
                }
            }
        }
        server.revive().await
    }
}
