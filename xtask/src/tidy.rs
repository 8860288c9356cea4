//! The tidy checks: each rule of the house that a machine can hold, in a file of its own.
//!
//! A check is a pure function from the files of the tree to its findings, so that its tests are strings. Only
//! [`licences`] asks a tool (`cargo metadata`), and reads its answer in a pure function again. All findings are
//! printed, not only the first.

mod crate_arrows;
mod dependency_versions;
mod file_length;
mod file_names;
mod forbidden_marks;
mod licences;
mod machine_paths;
mod markdown_links;
mod module_docs;
mod translations;

use std::{fmt, fs, path::Path, process::ExitCode};

use anyhow::{Context, Result};
use ignore::WalkBuilder;

/// A file of the tree: everything that is not ignored by git and is text.
pub struct SourceFile {
    /// Relative to the root, with `/` between its parts.
    pub path: String,
    pub text: String,
}

/// What a check has to say about one line of one file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    pub severity: Severity,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Fails the run.
    Error,
    /// Is printed and fails nothing.
    Warning,
}

impl Finding {
    fn error(path: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, severity: Severity::Error, message: message.into() }
    }

    fn warning(path: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { severity: Severity::Warning, ..Finding::error(path, line, message) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(formatter, "{}:{}: {word}: {}", self.path, self.line, self.message)
    }
}

impl SourceFile {
    fn extension(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    fn is_rust(&self) -> bool {
        self.extension() == "rs"
    }

    /// The line, counted from 1, of the first occurrence of `needle`; 1 when there is none.
    fn line_of(&self, needle: &str) -> usize {
        self.text.find(needle).map_or(1, |byte| self.text[..byte].matches('\n').count() + 1)
    }

    /// Whether a program wrote the file. Such a file says so in one of its first lines: `@generated`, or "generated"
    /// and "do not edit" together.
    fn is_generated(&self) -> bool {
        const HEAD_LINES: usize = 8;
        self.text.lines().take(HEAD_LINES).any(|line| {
            let line = line.to_lowercase();
            line.contains("@generated") || line.contains("generated") && line.contains("do not edit")
        })
    }
}

/// Runs every check on the tree at `root` and prints what they found.
pub fn run(root: &Path) -> Result<ExitCode> {
    let files = load_files(root)?;
    let mut findings = check_files(&files);
    // A lock file that is not fresh must not hide what the other checks found.
    let licences = licences::check(root, &files);
    findings.extend(
        licences.unwrap_or_else(|error| {
            vec![Finding::error("Cargo.lock", 1, format!("licences can't be read: {error:#}"))]
        }),
    );
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    if errors > 0 {
        println!("tidy: {errors} errors in {} files read", files.len());
        return Ok(ExitCode::FAILURE);
    }
    println!("tidy: {} files read, no errors", files.len());
    Ok(ExitCode::SUCCESS)
}

fn check_files(files: &[SourceFile]) -> Vec<Finding> {
    let checks = [
        crate_arrows::check,
        dependency_versions::check,
        file_length::check,
        file_names::check,
        forbidden_marks::check,
        machine_paths::check,
        markdown_links::check,
        module_docs::check,
        translations::check,
    ];
    checks.iter().flat_map(|check| check(files)).collect()
}

/// Reads what git would track: hidden files too, ignored ones and git's own not.
pub fn load_files(root: &Path) -> Result<Vec<SourceFile>> {
    let walk = WalkBuilder::new(root)
        .hidden(false)
        .parents(false)
        .git_global(false)
        .require_git(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    let mut files = Vec::new();
    for entry in walk {
        let entry = entry.context("walk the tree")?;
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let bytes = fs::read(entry.path()).with_context(|| format!("read {}", entry.path().display()))?;
        // A picture has no text to check, but pages link to it.
        let text = String::from_utf8(bytes).unwrap_or_default();
        let relative = entry.path().strip_prefix(root).context("the walk stays under its root")?;
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        files.push(SourceFile { path: parts.join("/"), text });
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

/// What the checks' own tests share: files from strings, findings as short lines.
#[cfg(test)]
mod testing {
    use super::{Finding, Severity, SourceFile};

    pub fn files(pairs: &[(&str, &str)]) -> Vec<SourceFile> {
        let file = |(path, text): &(&str, &str)| SourceFile { path: (*path).to_owned(), text: (*text).to_owned() };
        pairs.iter().map(file).collect()
    }

    /// Compares findings with lines such as `a.rs:3: part of the message`.
    #[track_caller]
    pub fn assert_findings(mut found: Vec<Finding>, expected: &[&str]) {
        found.sort();
        let shown: Vec<String> = found
            .iter()
            .map(|finding| {
                let mark = match finding.severity {
                    Severity::Error => "",
                    Severity::Warning => "warning: ",
                };
                format!("{}:{}: {mark}{}", finding.path, finding.line, finding.message)
            })
            .collect();
        assert_eq!(shown.len(), expected.len(), "found {shown:#?}");
        for (shown, expected) in shown.iter().zip(expected) {
            let (place, message) = expected.split_once(": ").expect("an expectation has a place");
            assert!(
                shown.starts_with(&format!("{place}: ")) && shown.contains(message),
                "expected {expected:?}, found {shown:?}"
            );
        }
    }
}
