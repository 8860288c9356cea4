//! A page that exists in English and in Chinese has the same shape in both, so that neither falls behind unseen.

use super::{Finding, SourceFile};

const CHINESE_ENDING: &str = ".zh-CN.md";

/// Must exist in both languages; any other page may.
const TRANSLATED: &str = "README.md";

pub fn check(files: &[SourceFile]) -> Vec<Finding> {
    let find = |path: &str| files.iter().find(|file| file.path == path);
    let mut findings = Vec::new();
    if find(TRANSLATED).is_none() {
        findings.push(Finding::error(TRANSLATED, 1, "is missing"));
    }
    if find("README.zh-CN.md").is_none() {
        findings.push(Finding::error("README.zh-CN.md", 1, "is missing"));
    }
    for chinese in files {
        let Some(stem) = chinese.path.strip_suffix(CHINESE_ENDING) else {
            continue;
        };
        match find(&format!("{stem}.md")) {
            Some(english) => findings.extend(compare(english, chinese)),
            None => findings.push(Finding::error(&chinese.path, 1, "has no English page beside it")),
        }
    }
    findings
}

fn compare(english: &SourceFile, chinese: &SourceFile) -> Option<Finding> {
    let (ours, theirs) = (shape(&english.text), shape(&chinese.text));
    let first_difference = ours.iter().zip(&theirs).find(|(one, other)| one.mark != other.mark);
    let message = match first_difference {
        Some((one, other)) => {
            let (path, line) = (&english.path, one.line);
            let message = format!("`{}` stands where {path}:{line} has `{}`", other.mark, one.mark);
            return Some(Finding::error(&chinese.path, other.line, message));
        }
        None if ours.len() == theirs.len() => return None,
        None => format!("{} headings and code blocks, and {} has {}", theirs.len(), english.path, ours.len()),
    };
    Some(Finding::error(&chinese.path, 1, message))
}

/// A heading (`##`) or the opening of a code block (```` ```sh ````).
struct Landmark<'a> {
    line: usize,
    mark: &'a str,
}

fn shape(text: &str) -> Vec<Landmark<'_>> {
    let mut landmarks = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        if line.starts_with("```") {
            if !in_code {
                landmarks.push(Landmark { line: line_number, mark: line.trim_end() });
            }
            in_code = !in_code;
        } else if !in_code && line.starts_with('#') {
            let mark = line.split(' ').next().unwrap_or(line);
            landmarks.push(Landmark { line: line_number, mark });
        }
    }
    landmarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{assert_findings, files};

    #[track_caller]
    fn check_pair(english: &str, chinese: &str, expected: &[&str]) {
        assert_findings(check(&files(&[("README.md", english), ("README.zh-CN.md", chinese)])), expected);
    }

    #[test]
    fn the_same_shape_passes() {
        check_pair("# Bird\n```sh\n# make\n```\n## More\n", "# 鸟\n```sh\n# 构建\nmake\n```\n## 更多\n", &[]);
    }

    #[test]
    fn a_different_shape_is_found_at_its_line() {
        check_pair("# A\n## B\n", "# 甲\n", &["README.zh-CN.md:1: 1 headings and code blocks"]);
        check_pair("# A\n## B\n", "# 甲\n\n### 乙\n", &["README.zh-CN.md:3: `###` stands where README.md:2 has `##`"]);
        check_pair("```sh\n```", "```ts\n```", &["README.zh-CN.md:1: stands where README.md:1 has"]);
    }

    #[test]
    fn a_missing_page_is_found() {
        assert_findings(check(&files(&[("README.md", "")])), &["README.zh-CN.md:1: is missing"]);
        let tree = files(&[("README.md", ""), ("README.zh-CN.md", ""), ("docs/a.zh-CN.md", "")]);
        assert_findings(check(&tree), &["docs/a.zh-CN.md:1: has no English page"]);
    }
}
