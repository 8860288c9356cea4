//! Runs the examples of the documentation, because an example that nobody runs is wrong within a month.
//!
//! A code block that opens with ```` ```sh example ```` is run. All blocks of one page run in order in one shell that
//! stops at the first failure, beside a fresh server whose data lies in `data`. In the page an example names the
//! usual address, `127.0.0.1:8080`; here it meets the server wherever it listens. `starling` is on the path.

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::tidy;

const OPENING: &str = "```sh example";
const USUAL_ADDRESS: &str = "127.0.0.1:8080";
const SERVER_START_SECONDS_MAX: u64 = 30;

pub fn run(root: &Path, binary: &Path) -> Result<ExitCode> {
    let binary = binary.canonicalize().with_context(|| format!("find {}", binary.display()))?;
    let mut pages = 0;
    let mut failed = 0;
    for file in tidy::load_files(root)? {
        if !file.path.ends_with(".md") {
            continue;
        }
        let examples = examples(&file.text);
        if examples.is_empty() {
            continue;
        }
        pages += 1;
        match run_page(&examples, &binary) {
            Ok(()) => println!("{}: {} examples run", file.path, examples.len()),
            Err(problem) => {
                failed += 1;
                println!("{}:{}: {problem:#}", file.path, examples[0].line);
            }
        }
    }
    ensure!(pages > 0, "no page has a `sh example` block");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Debug, PartialEq, Eq)]
struct Example {
    /// Of the opening fence, counted from 1.
    line: usize,
    script: String,
}

fn examples(text: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut open: Option<Example> = None;
    for (index, line) in text.lines().enumerate() {
        if let Some(mut example) = open.take() {
            if line.trim_end() == "```" {
                found.push(example);
            } else {
                example.script.push_str(line);
                example.script.push('\n');
                open = Some(example);
            }
        } else if line.trim_end() == OPENING {
            open = Some(Example { line: index + 1, script: String::new() });
        }
    }
    found.extend(open);
    found
}

fn run_page(examples: &[Example], binary: &Path) -> Result<()> {
    let folder = tempfile::tempdir().context("make a folder for the page")?;
    let server = Server::start(binary, folder.path())?;
    let mut script = String::from("set -euo pipefail\n");
    for example in examples {
        script.push_str(&example.script.replace(USUAL_ADDRESS, &server.address));
    }
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PATH", path_with(binary)?)
        .stdin(Stdio::null())
        .output()
        .context("run bash")?;
    if output.status.success() {
        return Ok(());
    }
    bail!(
        "an example failed ({})\n--- script\n{script}--- output\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn path_with(binary: &Path) -> Result<OsString> {
    let folder = binary.parent().context("the binary lies in a folder")?;
    let rest = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_path_buf()).chain(env::split_paths(&rest));
    env::join_paths(folders).context("put the binary's folder on the path")
}

/// A server on a free port, with an empty store; it ends with this value.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(binary: &Path, folder: &Path) -> Result<Server> {
        let mut process = Command::new(binary)
            .args(["serve", "--data", "data", "--listen", "127.0.0.1:0"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        let output = process.stdout.take().context("the server's output is piped")?;
        let mut server = Server { process, address: String::new() };
        let (sender, receiver) = mpsc::channel();
        // The thread reads on after the address, so that the server never waits for a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(address) = address_in(&line) {
                    // Nobody listens after the first address.
                    let _ = sender.send(address.to_owned());
                }
            }
        });
        server.address = receiver
            .recv_timeout(Duration::from_secs(SERVER_START_SECONDS_MAX))
            .context("the server printed no address")?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself already; there is nothing to do about either.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The `host:port` of the first web address in a line.
fn address_in(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("http://")?;
    let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && !".:-[]".contains(letter));
    let address = &rest[..end.unwrap_or(rest.len())];
    address.contains(':').then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(usize, &str)]) {
        let found = examples(text);
        let shown: Vec<(usize, &str)> = found.iter().map(|example| (example.line, example.script.as_str())).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn only_marked_blocks_are_examples() {
        check("# A\n```sh\nrm x\n```\n```sh example\ncurl a\ncurl b\n```\n", &[(5, "curl a\ncurl b\n")]);
        check("```sh example\na\n```\nx\n```sh example\nb\n```", &[(1, "a\n"), (5, "b\n")]);
        check("```ts\nlet a\n```", &[]);
    }

    #[test]
    fn addresses_are_read_from_a_line() {
        assert_eq!(address_in("listening on http://127.0.0.1:4711/"), Some("127.0.0.1:4711"));
        assert_eq!(address_in("\u{1b}[1mhttp://[::1]:80\u{1b}[0m"), Some("[::1]:80"));
        assert_eq!(address_in("see http://example.org/"), None);
        assert_eq!(address_in("starting"), None);
    }
}
