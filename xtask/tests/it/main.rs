//! Holds the tidy checks against this very repository, so that `cargo test` alone keeps it tidy.

use std::process::Command;

#[test]
fn the_repository_is_tidy() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("tidy").output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn an_unknown_command_is_refused_with_the_usage() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("sing").output().unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("no such command: `sing`"), "{message}");
    assert!(message.contains("usage: cargo xtask"), "{message}");
}
