//! A reader of Rust source that tells code from comments and tests from the rest, and nothing more.
//!
//! The checks look for marks such as a forbidden macro. Looking in the raw text would find them in strings and in
//! comments too, so the text is split into two views of the same length: in `code` every comment and literal is
//! blank, in `comments` everything else is. Lines and columns stay where they were.

/// One Rust file, split into its two views.
pub struct RustSource {
    code: String,
    comments: String,
    /// For each line, whether it belongs to test code.
    test_lines: Vec<bool>,
}

/// One line of a file, numbered from 1.
pub struct Line<'a> {
    pub number: usize,
    pub code: &'a str,
    pub comment: &'a str,
    pub is_test: bool,
}

impl RustSource {
    /// `whole_file_is_test` says that the file's place (a `tests` folder) already makes it a test.
    pub fn parse(text: &str, whole_file_is_test: bool) -> RustSource {
        let (code, comments) = split_views(text);
        let test_lines = if whole_file_is_test || code.contains("#![cfg(test)]") {
            vec![true; code.lines().count()]
        } else {
            find_test_lines(&code)
        };
        RustSource { code, comments, test_lines }
    }

    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let pairs = self.code.lines().zip(self.comments.lines());
        pairs.zip(&self.test_lines).enumerate().map(|(index, ((code, comment), is_test))| Line {
            number: index + 1,
            code,
            comment,
            is_test: *is_test,
        })
    }
}

/// Whether a file is a test by its place alone; a conformance suite is one that other crates can run.
pub fn is_test_path(path: &str) -> bool {
    let mut parts = path.split('/').rev();
    let file = parts.next().unwrap_or(path);
    let is_test_file = file.ends_with("_tests.rs") || ["tests.rs", "conformance.rs"].contains(&file);
    is_test_file || parts.any(|folder| folder == "tests" || folder == "conformance")
}

fn split_views(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let mut code = blank(bytes);
    let mut comments = blank(bytes);
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = if rest.starts_with(b"//") {
            let end = at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            comments[at..end].copy_from_slice(&bytes[at..end]);
            end
        } else if rest.starts_with(b"/*") {
            let end = at + block_comment_length(rest);
            comments[at..end].copy_from_slice(&bytes[at..end]);
            end
        } else if let Some(length) = literal_length(bytes, at) {
            at + length
        } else {
            code[at] = bytes[at];
            at + 1
        };
        at = end;
    }
    let to_text = |view| String::from_utf8(view).expect("views hold or blank whole characters");
    (to_text(code), to_text(comments))
}

/// The same number of bytes, all spaces but for the line ends.
fn blank(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }).collect()
}

/// Block comments nest in Rust.
fn block_comment_length(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of the string or character literal that begins at `at`, if one does.
fn literal_length(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let follows_a_word = at > 0 && is_word_byte(bytes[at - 1]);
    match rest[0] {
        b'"' => Some(quoted_length(rest)),
        b'\'' => character_length(rest),
        b'r' | b'b' | b'c' if !follows_a_word => {
            let prefix = rest.iter().take_while(|byte| matches!(byte, b'r' | b'b' | b'c')).count();
            let after = &rest[prefix..];
            if prefix > 2 {
                return None;
            }
            if rest[..prefix].contains(&b'r') {
                return raw_length(after).map(|length| prefix + length);
            }
            match after.first()? {
                b'"' => Some(prefix + quoted_length(after)),
                b'\'' if rest[0] == b'b' => character_length(after).map(|length| prefix + length),
                _ => None,
            }
        }
        _ => None,
    }
}

fn quoted_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_length(rest: &[u8]) -> Option<usize> {
    let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
    if rest.get(hashes) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.extend(std::iter::repeat_n(b'#', hashes));
    let body = &rest[hashes + 1..];
    let close = body.windows(end.len()).position(|window| window == end);
    Some(close.map_or(rest.len(), |close| hashes + 1 + close + end.len()))
}

/// A character literal closes at once or begins with an escape; anything else is a lifetime.
fn character_length(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        let close = rest.iter().skip(3).position(|byte| *byte == b'\'')?;
        return Some(3 + close + 1);
    }
    let text = String::from_utf8_lossy(&rest[1..rest.len().min(6)]);
    let width = text.chars().next()?.len_utf8();
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Marks the lines of every item that stands under `#[cfg(test)]`, `#[test]` or a `#[…::test]`.
fn find_test_lines(code: &str) -> Vec<bool> {
    let mut is_test = vec![false; code.lines().count()];
    let line_of = |byte: usize| code[..byte].matches('\n').count();
    for (start, _) in code.match_indices("#[") {
        let Some(end) = bracket_end(code, start + 1) else {
            continue;
        };
        if names_a_test(&code[start + 2..end]) {
            let item_end = item_end(code, end + 1);
            let last = line_of(item_end).min(is_test.len().saturating_sub(1));
            is_test[line_of(start)..=last].fill(true);
        }
    }
    is_test
}

fn names_a_test(attribute: &str) -> bool {
    let attribute = attribute.trim();
    if let Some(condition) = attribute.strip_prefix("cfg") {
        let words: Vec<&str> = condition.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
        return words.contains(&"test") && !words.contains(&"not");
    }
    let path = attribute.split('(').next().unwrap_or(attribute).trim();
    path == "test" || path.ends_with("::test")
}

/// The place of the bracket that closes the one at `open`.
fn bracket_end(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (offset, byte) in code.as_bytes()[open..].iter().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(open + offset);
                }
            }
            _ => {}
        }
    }
    None
}

/// Where the item that begins at `from` ends: at its closing brace, or at its semicolon when it has no braces.
fn item_end(code: &str, from: usize) -> usize {
    let mut braces = 0_usize;
    let mut others = 0_usize;
    for (offset, byte) in code.as_bytes()[from..].iter().enumerate() {
        match byte {
            b'{' => braces += 1,
            b'}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 && others == 0 {
                    return from + offset;
                }
            }
            b'(' | b'[' => others += 1,
            b')' | b']' => others = others.saturating_sub(1),
            b';' if braces == 0 && others == 0 => return from + offset,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_code(text: &str, expected: &str) {
        let source = RustSource::parse(text, false);
        let lines: Vec<String> =
            source.lines().map(|line| line.code.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines.join("\n"), expected);
    }

    #[track_caller]
    fn check_tests(text: &str, expected: &[usize]) {
        let source = RustSource::parse(text, false);
        let found: Vec<usize> = source.lines().filter(|line| line.is_test).map(|line| line.number).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        check_code("a // b\nc", "a\nc");
        check_code("a /* b /* c */ d\n */ e", "a\ne");
        check_code(r#"a("b \" c", 'd', '\'', '\u{1F600}', b'x', b"y", c"z")"#, "a( , , , , , , )");
        check_code("let s = r#\"a \" b\"#; t", "let s = ; t");
        check_code("let s = br##\"a \"# b\n\"##; t", "let s =\n; t");
        check_code("fn f<'a>(x: &'a str) -> r#type {}", "fn f<'a>(x: &'a str) -> r#type {}");
        check_code("'鸟' + \"// 鸟\" + bird", "+ + bird");
    }

    #[test]
    fn comments_keep_their_text() {
        let source = RustSource::parse("a(\"// no\"); // yes\n/* and\nthis */ b", false);
        let comments: Vec<&str> = source.lines().map(|line| line.comment.trim()).collect();
        assert_eq!(comments, ["// yes", "/* and", "this */"]);
    }

    #[test]
    fn items_under_a_test_attribute_are_tests() {
        check_tests("fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}", &[2, 3, 4, 5]);
        check_tests("#[cfg(test)]\nmod tests;\nfn a() {}", &[1, 2]);
        check_tests("#[cfg(not(test))]\nfn a() {}", &[]);
        check_tests("#[cfg(all(test, unix))]\nfn a() {}\nfn b() {}", &[1, 2]);
        check_tests("#[tokio::test(start_paused = true)]\nasync fn a() {\n}\nfn b() {}", &[1, 2, 3]);
        check_tests("#[test]\n#[should_panic]\nfn a(x: [u8; 2]) {\n}\nfn b() {}", &[1, 2, 3, 4]);
        check_tests("#[derive(Debug)]\nstruct Test;", &[]);
    }

    #[test]
    fn places_that_make_a_test() {
        for path in [
            "crates/e/tests/it/main.rs",
            "crates/a/src/tests.rs",
            "crates/a/src/x_tests.rs",
            "crates/s/src/conformance/log.rs",
        ] {
            assert!(is_test_path(path), "{path}");
        }
        for path in ["crates/engine/src/lib.rs", "crates/testkit/src/lib.rs", "xtask/src/tidy.rs"] {
            assert!(!is_test_path(path), "{path}");
        }
    }
}
