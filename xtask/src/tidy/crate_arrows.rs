//! Which of our crates may depend on which. The layers hold only as long as their Cargo.toml files say so.
//!
//! [`ARROWS`] is the whole rule. A new crate needs a row here, and a new arrow is a decision to write down in
//! `docs/adr/`.

use super::{Finding, SourceFile};

/// Each crate, and those of ours that it may use.
#[rustfmt::skip]
const ARROWS: &[(&str, &[&str])] = &[
    ("domain",         &[]),
    ("storage",        &["domain"]),
    ("wal-buffer",     &[]),
    ("planted",        &[]),
    ("seldom",         &[]),
    ("storage-postgres", &["domain", "seldom", "storage"]),
    ("storage-sqlite", &["domain", "planted", "seldom", "storage", "wal-buffer"]),
    ("bus",            &["domain"]),
    ("engine",         &["bus", "domain", "planted", "seldom", "storage"]),
    ("wire",           &[]),
    ("net",            &[]),
    ("websocket",      &[]),
    ("door-web",       &["domain", "engine", "net", "planted", "seldom", "websocket", "wire"]),
    ("server",         EVERYTHING_SHIPPED),
    ("testkit",        &["bus", "domain", "engine", "storage", "storage-sqlite"]),
    ("starling-bench", &["testkit", "bus", "domain", "door-web", "engine", "net", "server", "storage",
                         "storage-postgres", "storage-sqlite", "wire"]),
    ("fuzz-targets",   &["testkit", "bus", "domain", "door-web", "engine", "net", "server", "storage",
                         "storage-sqlite", "websocket", "wire"]),
    ("starling-fuzz",  &["fuzz-targets"]),
    ("starling-torture", &["testkit", "wire"]),
    ("loadgen",        &["wire"]),
    ("xtask",          &[]),
];

#[rustfmt::skip]
const EVERYTHING_SHIPPED: &[&str] =
    &["bus", "domain", "door-web", "engine", "net", "planted", "storage", "storage-sqlite", "websocket", "wire"];

/// Tests of any crate may use these too.
const FOR_TESTS: &[&str] = &["bus", "storage", "testkit"];

pub fn check(files: &[SourceFile]) -> Vec<Finding> {
    let manifests = files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    manifests.flat_map(check_manifest).collect()
}

fn check_manifest(file: &SourceFile) -> Vec<Finding> {
    let manifest = match file.text.parse::<toml::Table>() {
        Ok(manifest) => manifest,
        Err(error) => {
            return vec![Finding::error(&file.path, 1, format!("is not TOML: {}", error.message()))];
        }
    };
    let package = manifest.get("package").and_then(|package| package.get("name"));
    let Some(name) = package.and_then(toml::Value::as_str) else {
        return vec![Finding::error(&file.path, 1, "names no package")];
    };
    let Some((_, allowed)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
        let line = file.line_of("name");
        let message = format!("crate `{name}` has no row in the table of crate arrows");
        return vec![Finding::error(&file.path, line, message)];
    };
    let mut findings = Vec::new();
    for dependency in dependencies(&manifest) {
        let is_ours = ARROWS.iter().any(|(crate_name, _)| *crate_name == dependency.name);
        let is_allowed = allowed.contains(&dependency.name.as_str())
            // A crate that names itself turns on a feature of its own for its tests.
            || dependency.is_for_tests && (dependency.name == name || FOR_TESTS.contains(&dependency.name.as_str()));
        if is_ours && !is_allowed {
            let line = file.line_of(&format!("\n{}", dependency.name)) + 1;
            let message = format!(
                "`{name}` may not use `{}`: the arrow is not in xtask/src/tidy/crate_arrows.rs",
                dependency.name
            );
            findings.push(Finding::error(&file.path, line.min(file.text.lines().count()), message));
        }
    }
    findings
}

/// One dependency of a manifest, wherever it is listed.
pub struct Dependency {
    /// The package's own name, whatever the manifest calls it.
    pub name: String,
    pub is_for_tests: bool,
    pub value: toml::Value,
}

/// All dependencies of a manifest: normal, for builds, for tests, and those of single platforms.
pub fn dependencies(manifest: &toml::Table) -> Vec<Dependency> {
    let platforms = manifest.get("target").and_then(toml::Value::as_table);
    let platform_tables = platforms.into_iter().flat_map(|table| table.values()).filter_map(toml::Value::as_table);
    let mut found = Vec::new();
    for table in std::iter::once(manifest).chain(platform_tables) {
        for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
            let listed = table.get(kind).and_then(toml::Value::as_table);
            for (key, value) in listed.into_iter().flatten() {
                let renamed = value.get("package").and_then(toml::Value::as_str);
                found.push(Dependency {
                    name: renamed.unwrap_or(key).to_owned(),
                    is_for_tests: kind == "dev-dependencies",
                    value: value.clone(),
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{assert_findings, files};

    #[track_caller]
    fn check_one(manifest: &str, expected: &[&str]) {
        assert_findings(check(&files(&[("crates/x/Cargo.toml", manifest)])), expected);
    }

    #[test]
    fn arrows_of_the_table_pass() {
        check_one("[package]\nname = \"storage\"\n[dependencies]\ndomain.workspace = true\n", &[]);
        check_one("[package]\nname = \"domain\"\n[dev-dependencies]\ntestkit.workspace = true\n", &[]);
        check_one("[package]\nname = \"storage\"\n[dev-dependencies]\nstorage.workspace = true\n", &[]);
        check_one("[package]\nname = \"net\"\n[dependencies]\ntokio.workspace = true\n", &[]);
    }

    #[test]
    fn other_arrows_are_found_wherever_they_hide() {
        check_one(
            "[package]\nname = \"domain\"\n[dependencies]\nengine.workspace = true\n",
            &["crates/x/Cargo.toml:4: `domain` may not use `engine`"],
        );
        check_one(
            "[package]\nname = \"domain\"\n[dependencies]\ntestkit.workspace = true\n",
            &["crates/x/Cargo.toml:4: `domain` may not use `testkit`"],
        );
        check_one(
            "[package]\nname = \"wire\"\n[target.'cfg(unix)'.build-dependencies]\nx = { package = \"net\" }\n",
            &["crates/x/Cargo.toml:2: `wire` may not use `net`"],
        );
    }

    #[test]
    fn a_crate_needs_a_row() {
        check_one("[package]\nname = \"nest\"\n", &["crates/x/Cargo.toml:2: crate `nest` has no row"]);
        check_one("[package\n", &["crates/x/Cargo.toml:1: is not TOML"]);
    }

    #[test]
    fn the_table_has_no_circle() {
        fn reaches(from: &str, to: &str) -> bool {
            let row = ARROWS.iter().find(|(name, _)| *name == from);
            let (_, uses) = row.unwrap_or_else(|| panic!("`{from}` has a row"));
            uses.iter().any(|used| *used == to || reaches(used, to))
        }
        for (name, _) in ARROWS {
            assert!(!reaches(name, name), "`{name}` depends on itself");
        }
    }
}
