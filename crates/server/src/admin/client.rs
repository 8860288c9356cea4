//! The command line's end: over the socket when the server runs, straight on the store when it doesn't.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::socket::reachable;
use super::{
    AdminAnswer, AdminCommand, AdminContext, AdminRequest, AdminResponse, LINE_BYTES_MAX, PROTOCOL_VERSION, run,
};
use crate::config::Settings;
use crate::data_folder::{DataFolder, Missing, admin_socket};
use crate::running::{Running, open};

/// A command and where it goes.
pub struct AdminCall<'a> {
    pub settings: &'a Settings,
    pub command: AdminCommand,
    /// Whether a data folder without data is made; only commands that begin something do so.
    pub missing: Missing,
}

/// Carries a command out, by the running server if there is one.
pub async fn call(call: AdminCall<'_>) -> Result<AdminAnswer> {
    let AdminCall { settings, command, missing } = call;
    if let Some(stream) = connect(&admin_socket(&settings.data)).await? {
        return ask(stream, command).await;
    }
    let folder = DataFolder::lock(&settings.data, missing)?;
    let Running { engine, store } = open(&folder, settings).await?;
    let context = AdminContext { engine, store };
    let answer = run(&context, command).await;
    context.engine.stop().await;
    answer
}

/// `None` when nobody listens.
async fn connect(path: &Path) -> Result<Option<UnixStream>> {
    if !path.exists() {
        return Ok(None);
    }
    match UnixStream::connect(reachable(path)?.path()).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("connect to {}", path.display())),
    }
}

async fn ask(stream: UnixStream, command: AdminCommand) -> Result<AdminAnswer> {
    let (reader, mut writer) = stream.into_split();
    let mut line = serde_json::to_vec(&AdminRequest { version: PROTOCOL_VERSION, command })?;
    line.push(b'\n');
    writer.write_all(&line).await.context("send the command to the server")?;
    let mut answer = String::new();
    let mut reader = BufReader::new(reader.take(LINE_BYTES_MAX));
    reader.read_line(&mut answer).await.context("read the server's answer")?;
    if answer.is_empty() {
        bail!("the server went away before it answered / 服务器在应答之前已断开");
    }
    match serde_json::from_str(&answer).context("read the server's answer")? {
        AdminResponse::Answer(answer) => Ok(answer),
        AdminResponse::Error(error) => bail!(error),
    }
}
