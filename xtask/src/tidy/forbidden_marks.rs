//! Marks that must not be in the tree: unfinished work, debugging left behind, tests that are switched off or that
//! sleep, and `unwrap` where a failure would need a reason.
//!
//! A sleep in a test waits for luck; a test waits for the thing itself. Simulations sleep in virtual time.

use super::{Finding, SourceFile};
use crate::rust_source::{RustSource, is_test_path};

/// In Rust code, wherever it stands.
const RUST_CODE: &[(&str, &str)] = &[
    ("todo!(", "unfinished work"),
    ("unimplemented!(", "unfinished work"),
    ("dbg!(", "debugging left behind"),
    ("#[ignore", "a test that is switched off"),
];

/// In Rust code outside of tests.
const RUST_PRODUCT: &[(&str, &str)] = &[(".unwrap()", "say why it holds with `expect`, or return the error")];

/// In Rust tests.
const RUST_TESTS: &[(&str, &str)] = &[
    ("thread::sleep", "a test must wait for the thing itself"),
    ("time::sleep", "a test must wait for the thing itself"),
];

/// In tests of the TypeScript packages.
const SCRIPT_TESTS: &[(&str, &str)] = &[
    (".only(", "switches the other tests off"),
    (".skip(", "a test that is switched off"),
    (".fixme(", "a test that is switched off"),
    (".waitForTimeout(", "a test must wait for the thing itself"),
];

/// In comments of Rust and anywhere in the other languages, as whole words.
const UNFINISHED_WORDS: &[&str] = &["TODO", "FIXME", "XXX"];

const SCRIPT_EXTENSIONS: &[&str] = &["ts", "tsx", "js", "mjs", "cjs", "jsx"];
const OTHER_CODE_EXTENSIONS: &[&str] = &["css", "html", "sql", "sh", "py", "toml", "yml", "yaml"];

pub fn check(files: &[SourceFile]) -> Vec<Finding> {
    files.iter().flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<Finding> {
    if file.is_rust() {
        return check_rust(file);
    }
    let is_script = SCRIPT_EXTENSIONS.contains(&file.extension());
    if !is_script && !OTHER_CODE_EXTENSIONS.contains(&file.extension()) && file.file_name() != "Makefile" {
        return Vec::new();
    }
    let marks = if is_script && is_script_test(&file.path) { SCRIPT_TESTS } else { &[] };
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        find_marks(file, index + 1, line, marks, &mut findings);
        find_unfinished(file, index + 1, line, &mut findings);
    }
    findings
}

fn check_rust(file: &SourceFile) -> Vec<Finding> {
    let source = RustSource::parse(&file.text, is_test_path(&file.path));
    let mut findings = Vec::new();
    for line in source.lines() {
        let by_place = match line.is_test {
            // There the time is virtual, and a sleep is a place in the schedule.
            true if file.path.contains("/tests/it/simulation/") => &[],
            true => RUST_TESTS,
            false => RUST_PRODUCT,
        };
        find_marks(file, line.number, line.code, RUST_CODE, &mut findings);
        find_marks(file, line.number, line.code, by_place, &mut findings);
        find_unfinished(file, line.number, line.comment, &mut findings);
    }
    findings
}

fn find_marks(file: &SourceFile, line: usize, text: &str, marks: &[(&str, &str)], findings: &mut Vec<Finding>) {
    for (mark, reason) in marks {
        let found = text.match_indices(mark).any(|(start, _)| {
            // `my_dbg!(` is not `dbg!(`; marks that begin with a sign need no such care.
            let begins_a_word = mark.starts_with(|letter: char| letter.is_alphanumeric());
            !begins_a_word || !text[..start].ends_with(is_word_letter)
        });
        if found {
            findings.push(Finding::error(&file.path, line, format!("`{mark}`: {reason}")));
        }
    }
}

fn find_unfinished(file: &SourceFile, line: usize, text: &str, findings: &mut Vec<Finding>) {
    for word in text.split(|letter: char| !is_word_letter(letter)) {
        if UNFINISHED_WORDS.contains(&word) {
            findings.push(Finding::error(&file.path, line, format!("`{word}`: unfinished work")));
        }
    }
}

fn is_word_letter(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn is_script_test(path: &str) -> bool {
    let in_test_folder = path.split('/').any(|part| matches!(part, "test" | "tests" | "e2e"));
    in_test_folder || path.contains(".test.") || path.contains(".spec.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{assert_findings, files};

    #[track_caller]
    fn check_one(path: &str, text: &str, expected: &[&str]) {
        assert_findings(check(&files(&[(path, text)])), expected);
    }

    #[test]
    fn marks_in_rust_code_are_found() {
        check_one("a.rs", "fn a() {\n  todo!()\n}", &["a.rs:2: `todo!(`"]);
        check_one("a.rs", "dbg!(x); unimplemented!()", &["a.rs:1: `dbg!(`", "a.rs:1: `unimplemented!(`"]);
        check_one("tests/it/a.rs", "#[ignore = \"slow\"]\nfn a() {}", &["tests/it/a.rs:1: `#[ignore`"]);
        check_one("a.rs", "// TODO: later\nlet x = 1;", &["a.rs:1: `TODO`"]);
    }

    #[test]
    fn strings_and_longer_words_pass() {
        check_one("a.rs", "let a = \"todo!( TODO .unwrap()\"; my_dbg!(a); // TODOS, XXXL", &[]);
        check_one("a.rs", "/// `x.unwrap()` would fail here.\nfn a() {}", &[]);
    }

    #[test]
    fn unwrap_is_for_tests_and_sleep_is_not() {
        check_one("a.rs", "fn a() { b().unwrap() }", &["a.rs:1: `.unwrap()`"]);
        check_one("a.rs", "#[cfg(test)]\nmod tests {\n  fn a() { b().unwrap() }\n}", &[]);
        check_one("a.rs", "#[cfg(test)]\nmod tests {}\nfn a() { b().unwrap() }", &["a.rs:3: `.unwrap()`"]);
        check_one("x/tests/it/a.rs", "fn a() { b().unwrap() }", &[]);
        check_one("x/tests/it/a.rs", "std::thread::sleep(t)", &["x/tests/it/a.rs:1: `thread::sleep`"]);
        check_one("a.rs", "#[test]\nfn a() { tokio::time::sleep(t) }", &["a.rs:2: `time::sleep`"]);
        check_one("a.rs", "fn a() { tokio::time::sleep(t) }", &[]);
        check_one("a/tests/it/simulation/b.rs", "fn a() { tokio::time::sleep(t) }", &[]);
    }

    #[test]
    fn marks_in_other_languages_are_found() {
        check_one("web/src/a.ts", "x // FIXME\n", &["web/src/a.ts:1: `FIXME`"]);
        check_one("web/e2e/a.ts", "test.only('x')", &["web/e2e/a.ts:1: `.only(`"]);
        check_one("web/e2e/a.ts", "await page.waitForTimeout(9)", &["web/e2e/a.ts:1: `.waitForTimeout(`"]);
        check_one("web/src/a.ts", "stream.skip(3)", &[]);
        check_one("Makefile", "# XXX\n", &["Makefile:1: `XXX`"]);
        check_one("docs/a.md", "We leave no TODO behind.", &[]);
    }
}
