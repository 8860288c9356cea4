//! Configuration errors as the operator sees them, and where values come from.

use std::path::Path;

use serde_json::Value;

use crate::process::{run, starling};

#[track_caller]
fn check_error(file: &str, arguments: &[&str], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("starling.toml");
    std::fs::write(&path, file).unwrap();
    let data = folder.path().to_str().unwrap();
    for command in [&["config", "check"][..], &["serve"], &["dev", "--seed-only"]] {
        let said = run(&[command, arguments, &["--data", data]].concat(), "").failed();
        assert!(said.contains(expected), "{said}");
        assert!(!folder.path().join("starling.db").exists());
    }
}

#[test]
fn each_error_says_what_and_where() {
    check_error("listne = 'x'", &[], "starling.toml: listne: unknown key; did you mean `listen`?");
    check_error("token_key = 'hunter2'", &[], "did you mean `token_key_file`?");
    check_error("listen = 8080", &[], "starling.toml: listen: must be an address such as 127.0.0.1:8080");
    check_error("\n\nlisten = [", &[], "starling.toml:3: is not TOML");
    check_error("data = 'x'", &[], "can't be set by the file inside the data folder");
    check_error("", &["--requests-burst", "none"], "--requests-burst: must be a whole number from 1 to 1000000");
    check_error("", &["--config", "nowhere.toml"], "nowhere.toml: can't be read");
    check_error("log_format = 'xml'", &["--log-level", "loud=3=4"], "log_format: must be one of: text, json");
}

#[test]
fn a_key_that_is_no_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "hunter2").unwrap();
    let data = folder.path().join("data");
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        data.to_str().unwrap(),
        "--token-key-file",
        key.to_str().unwrap(),
    ];
    let said = run(&arguments, "").failed();
    assert!(said.contains("does not hold a key of 32 bytes in base64") && !said.contains("hunter2"), "{said}");
}

#[test]
fn show_tells_where_each_value_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my.toml");
    std::fs::write(&file, "log_format = 'json'\nrequests_burst = 7\n").unwrap();
    let output = starling(&["config", "show", "--json", "--requests-burst", "9"])
        .env("STARLING_CONFIG", &file)
        .env("STARLING_LISTEN", "127.0.0.1:1")
        .output()
        .unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let check = |name: &str, value: &str, origin: &str| {
        assert_eq!((shown[name]["value"].as_str(), shown[name]["origin"].as_str()), (Some(value), Some(origin)));
    };
    check("listen", "127.0.0.1:1", "STARLING_LISTEN");
    check("log_format", "json", file.to_str().unwrap());
    check("requests_burst", "9", "--requests-burst");
    check("data", "./data", "default");
    assert!(run(&["config", "show"], "").ok().starts_with("OPTION"));
}

#[test]
fn errors_speak_the_operators_language() {
    let output = starling(&["config", "check", "--listen", "x"]).env("LC_ALL", "zh_CN.UTF-8").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("必须是地址"));
    assert!(!Path::new("data").exists());
}
