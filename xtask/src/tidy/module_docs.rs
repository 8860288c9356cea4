//! Every Rust file begins by saying what it is and why it is there.

use super::{Finding, SourceFile};

pub fn check(files: &[SourceFile]) -> Vec<Finding> {
    let silent = files.iter().filter(|file| file.is_rust() && !file.text.starts_with("//! "));
    silent.map(|file| Finding::error(&file.path, 1, "begins without `//!` docs")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{assert_findings, files};

    #[test]
    fn a_file_begins_with_its_docs() {
        let tree = files(&[("a.rs", "//! What a is.\n"), ("b.rs", "use a;\n"), ("c.rs", ""), ("d.ts", "x")]);
        assert_findings(check(&tree), &["b.rs:1: begins without", "c.rs:1: begins without"]);
    }
}
