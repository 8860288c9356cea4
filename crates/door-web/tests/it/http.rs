//! An HTTP client as small as can be: what it sends is what the test says, byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No answer takes longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {} {}", self.status, String::from_utf8_lossy(&self.body));
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The JSON of an answer that must be a success.
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The code of an answer that must be a problem of the right form.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{} {}", self.status, self.text());
        assert!(self.header("x-request-id").is_some());
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{problem}");
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"), "{problem}");
        check_problem(&problem)
    }
}

/// The form of every problem; gives its code.
pub fn check_problem(problem: &Value) -> String {
    let code = problem["code"].as_str().unwrap_or_else(|| panic!("no code: {problem}"));
    let known = wire::Code::ALL.iter().map(|code| code.info()).find(|info| info.code == code);
    let known = known.unwrap_or_else(|| panic!("not on the list: {problem}"));
    assert_eq!(problem["type"], format!("urn:starling:error:{code}"));
    assert_eq!(problem["status"], known.status);
    assert_eq!(problem["title"], known.en);
    assert_eq!(problem["retryable"], known.retryable);
    assert!(problem["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{problem}");
    let has_errors = problem["errors"]
        .as_array()
        .is_some_and(|errors| errors.iter().all(|error| error["field"].is_string() && error["message"].is_string()));
    assert!(problem["errors"].is_null() || has_errors, "{problem}");
    assert_eq!(problem["retry_after_ms"].is_u64(), code == "rate_limited", "{problem}");
    code.to_owned()
}

/// Sends a head and a body, and reads the answer to the end of the connection.
pub async fn request(address: SocketAddr, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut head = format!("{line} HTTP/1.1\r\nhost: {address}\r\n");
    if headers.iter().all(|(name, _)| *name != "connection") {
        head.push_str("connection: close\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body).await.unwrap();
    read_answer(&mut socket).await
}

/// Reads an answer up to the end of the connection.
pub async fn read_answer(socket: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut bytes)).await.expect("an answer in time").unwrap();
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_owned(), value.to_owned())
    };
    Answer { status, headers: lines.map(header).collect(), body: bytes[end + 4..].to_vec() }
}
