//! What we build on may be used under permissive terms: the crates of the lock file, and the npm packages that
//! reach a browser (packages that only build or test are not shipped and are left out).

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};

use super::{Finding, SourceFile};

const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

pub fn check(root: &Path, files: &[SourceFile]) -> Result<Vec<Finding>> {
    let metadata = cargo_metadata(root)?;
    let find = |path: &str| files.iter().find(|file| file.path == path);
    let mut findings = Vec::new();
    if let Some(lock) = find("Cargo.lock") {
        findings.extend(check_crates(&metadata, lock)?);
    }
    if let Some(lock) = find("package-lock.json") {
        findings.extend(check_npm(lock)?);
    }
    Ok(findings)
}

fn cargo_metadata(root: &Path) -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .context("run cargo metadata")?;
    let problem = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo metadata failed: {}", problem.trim());
    serde_json::from_slice(&output.stdout).context("read the answer of cargo metadata")
}

fn check_crates(metadata: &Value, lock: &SourceFile) -> Result<Vec<Finding>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().context("a package has a name")?;
        let line = lock.line_of(&format!("name = \"{name}\""));
        if let Err(problem) = judge(package["license"].as_str()) {
            findings.push(Finding::error(&lock.path, line, format!("crate `{name}`: {problem}")));
        }
    }
    Ok(findings)
}

fn check_npm(lock: &SourceFile) -> Result<Vec<Finding>> {
    let tree: Value = serde_json::from_str(&lock.text).context("package-lock.json is JSON")?;
    let packages = tree["packages"].as_object().context("package-lock.json lists packages")?;
    let mut findings = Vec::new();
    for (place, package) in packages {
        let is_ours = !place.contains("node_modules/") || package["link"] == Value::Bool(true);
        let is_shipped = package["dev"] != Value::Bool(true) && package["devOptional"] != Value::Bool(true);
        if is_ours || !is_shipped {
            continue;
        }
        if let Err(problem) = judge(package["license"].as_str()) {
            let line = lock.line_of(&format!("\"{place}\""));
            findings.push(Finding::error(&lock.path, line, format!("package `{place}`: {problem}")));
        }
    }
    Ok(findings)
}

/// Whether the terms are fine for us; if not, why.
fn judge(licence: Option<&str>) -> Result<(), String> {
    let licence = licence.ok_or("says no licence")?;
    // Older crates write `MIT/Apache-2.0`, which is no SPDX but clear.
    let expression = Expression::parse_mode(licence, ParseMode::LAX)
        .map_err(|error| format!("licence `{licence}` is not SPDX: {}", error.reason))?;
    if expression.evaluate(is_allowed) {
        return Ok(());
    }
    Err(format!("licence `{licence}` is not in the list of allowed ones"))
}

/// An exception (`Apache-2.0 WITH LLVM-exception`) only ever adds permissions, so it changes nothing.
fn is_allowed(required: &LicenseReq) -> bool {
    required.license.id().is_some_and(|id| ALLOWED.contains(&id.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{assert_findings, files};

    #[track_caller]
    fn check_licence(licence: &str, is_fine: bool) {
        assert_eq!(judge(Some(licence)).is_ok(), is_fine, "{licence}");
    }

    #[test]
    fn expressions_are_judged() {
        check_licence("MIT", true);
        check_licence("MIT OR GPL-3.0-only", true);
        check_licence("MIT AND GPL-3.0-only", false);
        check_licence("(MIT OR Apache-2.0) AND Unicode-3.0", true);
        check_licence("Apache-2.0 WITH LLVM-exception", true);
        check_licence("MIT/Apache-2.0", true);
        check_licence("AGPL-3.0-or-later", false);
        check_licence("LicenseRef-ours", false);
        check_licence("free as in bird", false);
        assert!(judge(None).is_err());
    }

    #[test]
    fn the_list_is_of_known_names() {
        for name in ALLOWED {
            assert!(spdx::license_id(name).is_some(), "{name}");
        }
    }

    #[test]
    fn crates_are_read_from_the_metadata() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "good", "license": "ISC" },
            { "name": "bad", "license": "GPL-2.0-only" },
            { "name": "silent", "license": null },
        ]});
        let lock = files(&[("Cargo.lock", "x\nname = \"bad\"\n\nname = \"silent\"\n")]).remove(0);
        let expected = ["Cargo.lock:2: crate `bad`", "Cargo.lock:4: crate `silent`: says no licence"];
        assert_findings(check_crates(&metadata, &lock).unwrap(), &expected);
    }

    #[test]
    fn only_npm_packages_that_are_shipped_count() {
        let text = r#"{ "packages": {
            "": { "name": "starling" },
            "node_modules/@starling/client": { "link": true },
            "node_modules/good": { "license": "MIT" },
            "node_modules/tool": { "license": "GPL-3.0-only", "dev": true },
            "node_modules/bad": { "license": "GPL-3.0-only" },
            "web": { "name": "web" }
        }}"#;
        let lock = files(&[("package-lock.json", text)]).remove(0);
        let expected = ["package-lock.json:6: package `node_modules/bad`"];
        assert_findings(check_npm(&lock).unwrap(), &expected);
    }
}
