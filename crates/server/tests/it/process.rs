//! Starting the binary, talking to it, ending it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::post;

/// Longest wait for anything that a process must do.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const PASSWORD: &str = "correct horse battery";

/// The binary with a clean environment.
pub fn starling(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_starling"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STARLING_")) {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C").args(arguments);
    command
}

/// What a command that ends by itself has said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// What went wrong, in a command that must fail with code 1.
    #[track_caller]
    pub fn failed(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        self.err
    }
}

/// Runs a command to its end, with `input` as its standard input.
pub fn run(arguments: &[&str], input: &str) -> Said {
    let mut command = starling(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A server; it ends with this value.
pub struct Server {
    pub url: String,
    child: Child,
    lines: Receiver<String>,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Serves a data folder on a free port without metrics.
    pub fn start(data: &Path) -> Self {
        Self::start_with(&["serve", "--metrics-listen", "off", "--data", data.to_str().unwrap()])
    }

    pub fn start_with(arguments: &[&str]) -> Self {
        Self::start_command(starling(arguments))
    }

    /// Serves with limits that a shell sets first.
    pub fn start_limited(limits: &str, arguments: &[&str]) -> Self {
        let binary = starling(arguments);
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")])
            .arg(binary.get_program())
            .args(binary.get_args());
        for (name, value) in binary.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Self::start_command(command)
    }

    fn start_command(mut command: Command) -> Self {
        command.args(["--listen", "127.0.0.1:0", "--log-format", "json"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let log = Arc::<Mutex<String>>::default();
        let (mut err, written) = (child.stderr.take().unwrap(), log.clone());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = err.read(&mut bytes) {
                written.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        let mut server = Self { url: String::new(), child, lines, log };
        server.url = server.line("Starling is ready: ");
        server
    }

    /// Waits for a line that begins so, and gives the rest of it.
    #[track_caller]
    pub fn line(&self, beginning: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with(beginning) => return line[beginning.len()..].to_owned(),
                Ok(_) => {}
                Err(error) => panic!("no line {beginning:?}: {error}; the log: {}", self.log.lock().unwrap()),
            }
        }
    }

    /// What is on standard output until now and until the process is gone.
    pub fn rest(&self) -> String {
        self.lines.try_iter().collect::<Vec<_>>().join("\n")
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log has a line with this in it, and gives the line.
    #[track_caller]
    pub fn logged(&self, part: &str) -> String {
        let started = Instant::now();
        loop {
            // Only whole lines: the last one may still be on its way.
            if let Some((whole, _)) = self.log().rsplit_once('\n')
                && let Some(line) = whole.lines().find(|line| line.contains(part))
            {
                return line.to_owned();
            }
            assert!(started.elapsed() < PATIENCE, "no {part} in the log: {}", self.log());
            thread::yield_now();
        }
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end of the process.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "it does not end; the log: {}", self.log());
            thread::yield_now();
        }
    }

    /// Ends it in order.
    #[track_caller]
    pub fn stop(mut self) {
        self.signal("TERM");
        assert!(self.wait().success(), "{}", self.log());
    }

    /// Registers a user and gives the access token.
    #[track_caller]
    pub fn register(&self, id: &str) -> String {
        let session = post(&self.url, "", "/v1/auth/register", &json!({ "id": id, "password": PASSWORD }));
        token(&session)
    }

    /// Signs a user in and gives the access token.
    #[track_caller]
    pub fn login(&self, id: &str) -> String {
        token(&post(&self.url, "", "/v1/auth/login", &json!({ "id": id, "password": PASSWORD })))
    }
}

pub fn token(session: &Value) -> String {
    session["access_token"].as_str().unwrap().to_owned()
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
