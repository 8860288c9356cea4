//! The reference pages are those that the program writes.

use std::path::Path;

use crate::process::run;

#[track_caller]
fn check(page: &str, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(file);
    let fresh = run(&["config", "reference", page], "").ok();
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        fresh == committed,
        "docs/reference/{file} is not fresh: starling config reference {page} > docs/reference/{file}"
    );
}

#[test]
fn the_configuration_page_is_fresh() {
    check("configuration", "configuration.md");
}

#[test]
fn the_command_line_page_is_fresh() {
    check("cli", "cli.md");
}
