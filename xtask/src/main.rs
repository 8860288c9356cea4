//! `cargo xtask`: the chores of the repository that need more than a line of shell.
//!
//! `tidy` holds the written rules against the tree, because a rule that nothing checks is fiction; `docs-examples`
//! runs the shell examples of the documentation against a real server. Neither knows anything of chat.

mod docs_examples;
mod rust_source;
mod tidy;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
usage: cargo xtask <command>

  tidy                            check the tree against the rules of the house; list every finding
  docs-examples --starling FILE   run the `sh example` blocks of the documentation against that binary
";

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["tidy"] => tidy::run(&repository_root()?),
        ["docs-examples", "--starling", binary] => docs_examples::run(&repository_root()?, Path::new(binary)),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("no such command: `{}`\n\n{USAGE}", words.join(" ")),
    }
}

fn repository_root() -> Result<PathBuf> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the xtask crate lies in a folder of the repository")?;
    Ok(root.to_path_buf())
}
