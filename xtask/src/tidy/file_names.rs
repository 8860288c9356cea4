//! A name such as `helpers` says nothing and attracts everything; such files and folders are refused.

use super::{Finding, SourceFile};

const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "misc"];

pub fn check(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        for part in file.path.split('/') {
            let stem = part.split('.').next().unwrap_or(part).to_lowercase();
            if EMPTY_NAMES.contains(&stem.as_str()) {
                let message = format!("`{part}` says nothing: name it for what it holds");
                findings.push(Finding::error(&file.path, 1, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{assert_findings, files};

    #[test]
    fn empty_names_are_found_in_files_and_folders() {
        let tree = files(&[("a/utils.rs", ""), ("a/common/mod.rs", ""), ("web/src/Helpers.test.ts", "")]);
        let expected = [
            "a/common/mod.rs:1: `common` says nothing",
            "a/utils.rs:1: `utils.rs` says nothing",
            "web/src/Helpers.test.ts:1: `Helpers.test.ts` says nothing",
        ];
        assert_findings(check(&tree), &expected);
    }

    #[test]
    fn longer_names_pass() {
        assert_findings(check(&files(&[("a/common_room.rs", ""), ("a/outbox.rs", "")])), &[]);
    }
}
