//! A link in our prose that points into the tree must point at something that is there.

use super::{Finding, SourceFile};

pub fn check(files: &[SourceFile]) -> Vec<Finding> {
    let pages = files.iter().filter(|file| file.extension() == "md");
    pages.flat_map(|page| check_page(page, files)).collect()
}

fn check_page(page: &SourceFile, files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_code = false;
    for (index, line) in page.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in link_targets(line) {
            if !exists(&page.path, target, files) {
                let message = format!("the link `{target}` leads nowhere");
                findings.push(Finding::error(&page.path, index + 1, message));
            }
        }
    }
    findings
}

/// The targets of the links `[text](target)` of a line that stay inside the tree.
fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    let after_text = line.split("](").skip(1);
    let targets = after_text.filter_map(|rest| rest.split([')', ' ']).next());
    targets.filter(|target| !target.is_empty() && !target.contains(':') && !target.starts_with(['#', '/']))
}

fn exists(page: &str, target: &str, files: &[SourceFile]) -> bool {
    let target = target.split('#').next().unwrap_or(target);
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." | "" => {}
            ".." => {
                if parts.pop().is_none() {
                    return false;
                }
            }
            name => parts.push(name),
        }
    }
    let path = parts.join("/");
    let folder = format!("{path}/");
    path.is_empty() || files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{assert_findings, files};

    #[track_caller]
    fn check_page_text(text: &str, expected: &[&str]) {
        let tree = files(&[("docs/a.md", text), ("docs/adr/0001.md", ""), ("README.md", "")]);
        assert_findings(check(&tree), expected);
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        check_page_text("[one](adr/0001.md#why) [two](../README.md) [three](adr/)", &[]);
        check_page_text("[web](https://example.org) [here](#part) [mail](mailto:a@example.org)", &[]);
        check_page_text("```\n[x](nowhere.md)\n```", &[]);
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        check_page_text("x\n[a](adr/0002.md)", &["docs/a.md:2: the link `adr/0002.md` leads nowhere"]);
        check_page_text("[a](../../x)", &["docs/a.md:1: the link `../../x` leads nowhere"]);
    }
}
