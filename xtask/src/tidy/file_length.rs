//! No source file is so long that nobody reads it from top to bottom. There is no list of exceptions; only files
//! that a program wrote, and that say so in their head, are left out.

use super::{Finding, SourceFile};

const LINES_MAX: usize = 700;
const LINES_COMFORTABLE: usize = 500;
const SOURCE_EXTENSIONS: &[&str] = &["rs", "ts", "tsx", "js", "mjs", "cjs", "jsx", "css", "html", "sql", "sh", "py"];

pub fn check(files: &[SourceFile]) -> Vec<Finding> {
    files.iter().filter_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Option<Finding> {
    if !SOURCE_EXTENSIONS.contains(&file.extension()) || file.is_generated() {
        return None;
    }
    let lines = file.text.lines().count();
    if lines > LINES_MAX {
        let message = format!("{lines} lines, more than {LINES_MAX}: find the seam and split it");
        return Some(Finding::error(&file.path, LINES_MAX + 1, message));
    }
    if lines > LINES_COMFORTABLE {
        let message = format!("{lines} lines, more than {LINES_COMFORTABLE}: look for the seam");
        return Some(Finding::warning(&file.path, LINES_COMFORTABLE + 1, message));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{assert_findings, files};

    #[track_caller]
    fn check_lines(path: &str, head: &str, lines: usize, expected: &[&str]) {
        let text = head.to_owned() + &"x\n".repeat(lines);
        assert_findings(check(&files(&[(path, &text)])), expected);
    }

    #[test]
    fn length_is_judged_at_two_limits() {
        check_lines("a.rs", "", 500, &[]);
        check_lines("a.rs", "", 501, &["a.rs:501: warning: 501 lines"]);
        check_lines("a.ts", "", 700, &["a.ts:501: warning: 700 lines"]);
        check_lines("a.ts", "", 701, &["a.ts:701: 701 lines"]);
    }

    #[test]
    fn prose_and_generated_files_are_left_out() {
        check_lines("a.md", "", 2000, &[]);
        check_lines("a.ts", "// @generated from openapi.json\n", 2000, &[]);
        check_lines("a.ts", "// Generated from crates/wire; do not edit.\n", 2000, &[]);
        check_lines("a.ts", "// Reads what was generated.\n", 699, &["a.ts:501: warning: 700 lines"]);
    }
}
