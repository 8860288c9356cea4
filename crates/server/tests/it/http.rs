//! As much of an HTTP client as the tests need: one request per connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// An answer: its status and its body, as JSON if it is.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of a request that must have worked.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.json()
    }

    /// The status and code of a request that must have failed.
    pub fn problem(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// Asks; an error when the server is not there or goes away before it has answered.
pub fn try_ask(base: &str, token: &str, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<Answer> {
    let host = base.strip_prefix("http://").expect("an http URL");
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let authorization = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         {authorization}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    if length.is_some_and(|length: usize| body.len() < length) {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Answer { status, body: body.to_owned() })
}

/// Asks a server that must be there.
#[track_caller]
pub fn ask(base: &str, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
    try_ask(base, token, method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

#[track_caller]
pub fn get(base: &str, token: &str, path: &str) -> Value {
    ask(base, token, "GET", path, None).ok()
}

#[track_caller]
pub fn post(base: &str, token: &str, path: &str, body: &Value) -> Value {
    ask(base, token, "POST", path, Some(body)).ok()
}
