//! Paths of the machine that somebody happened to work on must not be in the tree: they are true nowhere else.

use super::{Finding, SourceFile};

/// Folders at the root of a file system where checkouts and homes lie. Put together from parts, because this file
/// is in the tree too.
const MACHINE_FOLDERS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

pub fn check(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        for (index, line) in file.text.lines().enumerate() {
            for folder in MACHINE_FOLDERS {
                if contains_root_folder(line, folder) {
                    let message = format!("`{folder}…` is a path of one machine");
                    findings.push(Finding::error(&file.path, index + 1, message));
                }
            }
        }
    }
    findings
}

/// Whether `line` has `folder` at the root, and not as the tail of a longer path.
fn contains_root_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let is_root = before.is_none_or(|letter| !letter.is_alphanumeric() && !"._-/~}*)".contains(letter));
        let after = line[start + folder.len()..].chars().next();
        is_root && after.is_some_and(|letter| letter.is_alphanumeric() || letter == '.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{assert_findings, files};

    #[track_caller]
    fn check_line(line: &str, expected: &[&str]) {
        assert_findings(check(&files(&[("a.md", line)])), expected);
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        check_line(concat!("cd /wo", "rk/main"), &["a.md:1: is a path of one machine"]);
        check_line(concat!("x = \"/ro", "ot/.cargo\""), &["a.md:1: is a path of one machine"]);
        check_line(concat!("(/ho", "me/bob)"), &["a.md:1: is a path of one machine"]);
    }

    #[test]
    fn other_paths_pass() {
        check_line(concat!("src/wo", "rk/main.ts"), &[]);
        check_line(concat!("https://example.org/ho", "me/page"), &[]);
        check_line("/var/lib/starling", &[]);
    }
}
