//! Versions and paths of dependencies stand in the root manifest only, so that two crates can't disagree.

use super::{Finding, SourceFile, crate_arrows::dependencies};

pub fn check(files: &[SourceFile]) -> Vec<Finding> {
    let members = files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    members.flat_map(check_manifest).collect()
}

fn check_manifest(file: &SourceFile) -> Vec<Finding> {
    // A manifest that can't be read is a finding of the crate arrows already.
    let Ok(manifest) = file.text.parse::<toml::Table>() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for dependency in dependencies(&manifest) {
        let is_inherited = dependency.value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
        if !is_inherited {
            let message = format!(
                "`{}` must say `workspace = true`; its version belongs to [workspace.dependencies]",
                dependency.name
            );
            findings.push(Finding::error(&file.path, file.line_of(&dependency.name), message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::{assert_findings, files};

    #[test]
    fn members_inherit() {
        let manifest = "[dependencies]\na.workspace = true\nb = { workspace = true, features = [\"x\"] }\n";
        assert_findings(check(&files(&[("crates/x/Cargo.toml", manifest)])), &[]);
        let root = "[workspace.dependencies]\na = \"1\"\n";
        assert_findings(check(&files(&[("Cargo.toml", root)])), &[]);
    }

    #[test]
    fn a_version_or_a_path_in_a_member_is_found() {
        let manifest = "[dependencies]\na = \"1\"\n[dev-dependencies]\nb = { path = \"../b\" }\n";
        let expected = ["xtask/Cargo.toml:2: `a` must say", "xtask/Cargo.toml:4: `b` must say"];
        assert_findings(check(&files(&[("xtask/Cargo.toml", manifest)])), &expected);
    }
}
