//! One connection of a device: frames out, frames in.

use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use wire::{Connect, Connected, Operation, Problem, Push, Request, Response};

/// Longest wait for an answer; then it is unknown. Longer than a server stands still.
const PATIENCE: Duration = Duration::from_secs(40);

/// A frame from the server.
#[derive(Debug)]
pub enum Frame {
    Response(Response),
    Push(Push),
}

/// Why a connection could not be made.
#[derive(Debug)]
pub enum Failure {
    /// The server is not there, or went away.
    Gone,
    /// It refuses the token.
    Refused,
}

/// An open WebSocket, connected as a device.
#[derive(Debug)]
pub struct Session {
    socket: WebSocketStream<TcpStream>,
    next_id: u64,
}

impl Session {
    /// Connects. With `since`, the answer tells what changed.
    pub async fn open(address: &str, token: &str, since: u64) -> Result<(Self, Connected), Failure> {
        let made = timeout(PATIENCE, async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (socket, _) = tokio_tungstenite::client_async(format!("ws://{address}/v1/ws"), stream).await?;
            anyhow::Ok(Session { socket, next_id: 1 })
        });
        let Ok(Ok(mut session)) = made.await else { return Err(Failure::Gone) };
        let connect = Operation::Connect(Connect { token: token.to_owned(), since: Some(since) });
        match session.ask::<Connected>(connect).await {
            Ok(Ok(connected)) => Ok((session, connected)),
            Ok(Err(problem)) if problem.status == 401 => Err(Failure::Refused),
            Ok(Err(_)) | Err(_) => Err(Failure::Gone),
        }
    }

    /// Sends an operation, and gives the id under which it is answered.
    pub async fn send(&mut self, operation: Operation) -> anyhow::Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        let text = serde_json::to_string(&Request { id, operation })?;
        timeout(PATIENCE, self.socket.send(Message::text(text))).await.context("sending takes too long")??;
        Ok(id)
    }

    /// The next frame; an error when the connection has ended.
    pub async fn next(&mut self) -> anyhow::Result<Frame> {
        loop {
            let message = self.socket.next().await.context("the connection has ended")??;
            match message {
                Message::Text(text) => {
                    let value: Value = serde_json::from_str(&text)?;
                    return Ok(if value.get("push").is_some() {
                        Frame::Push(serde_json::from_value(value)?)
                    } else {
                        Frame::Response(serde_json::from_value(value)?)
                    });
                }
                Message::Close(_) => bail!("the server closed the connection"),
                _ => {}
            }
        }
    }

    /// Asks and waits for the answer; pushes that come meanwhile are dropped.
    pub async fn ask<T: DeserializeOwned>(&mut self, operation: Operation) -> anyhow::Result<Result<T, Problem>> {
        let id = self.send(operation).await?;
        let answer = async {
            loop {
                if let Frame::Response(response) = self.next().await?
                    && response.id == id
                {
                    return anyhow::Ok(response);
                }
            }
        };
        let response = timeout(PATIENCE, answer).await.context("no answer")??;
        Ok(match response.error {
            Some(problem) => Err(problem),
            None => Ok(serde_json::from_value(response.result.unwrap_or_default())?),
        })
    }
}

/// What signing in gives.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub token: String,
    pub device: String,
}

/// Registers a user, or signs in if there is one already.
pub async fn sign_in(address: &str, user: &str) -> anyhow::Result<SignedIn> {
    let body = json!({ "id": user, "password": "correct horse battery staple" });
    let session = match post(address, "/v1/auth/login", &body).await? {
        (200..=299, session) => session,
        (401, _) => match post(address, "/v1/auth/register", &body).await? {
            (200..=299, session) => session,
            (status, answer) => bail!("registering {user}: {status} {answer}"),
        },
        (status, answer) => bail!("signing in as {user}: {status} {answer}"),
    };
    let session: wire::Session = serde_json::from_value(session)?;
    Ok(SignedIn { token: session.access_token, device: session.device.id })
}

/// Posts JSON, and gives the status and the JSON of the answer.
async fn post(address: &str, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = timeout(PATIENCE, async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::Ok(answer)
    });
    let answer = answer.await.context("no answer")??;
    let (head, body) = answer.split_once("\r\n\r\n").context("not an HTTP answer")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
    Ok((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}
