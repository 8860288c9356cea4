//! The configuration file and the environment. Up to the first zero byte the input is the file, after it come lines
//! `NAME=value` of the environment.

use std::collections::BTreeMap;
use std::path::Path;

use server::config::{Configuration, Sources};
use server::language::Language;

pub(crate) fn run(bytes: &[u8]) {
    let (file, environment) = match bytes.iter().position(|byte| *byte == 0) {
        Some(zero) => (&bytes[..zero], &bytes[zero + 1..]),
        None => (bytes, &[][..]),
    };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("fuzzed.toml");
    std::fs::write(&path, file).expect("a temporary file can be written");
    let environment = String::from_utf8_lossy(environment);
    let environment = environment.lines().filter_map(|line| line.split_once('='));
    // It would name another file of this machine.
    let environment = environment.filter(|(name, _)| *name != "STARLING_CONFIG");
    let environment: BTreeMap<_, _> = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    match load(&path, environment.clone(), Language::English) {
        Ok(loaded) => {
            // Whatever passed the checks has a value of its type.
            let settings = format!("{:?}", loaded.settings());
            std::fs::write(&path, printed(&loaded)).expect("a temporary file can be written");
            let again = load(&path, BTreeMap::new(), Language::English).expect("what was accepted is accepted again");
            assert_eq!(texts(&again), texts(&loaded));
            let metrics_chosen = "metrics_listen_chosen: true";
            let of_defaults = settings.replace("metrics_listen_chosen: false", metrics_chosen);
            assert_eq!(format!("{:?}", again.settings()), of_defaults);
        }
        Err(message) => {
            assert!(message.lines().count() > 1, "a refusal says what is wrong: {message}");
            let chinese = load(&path, environment, Language::Chinese).expect_err("the language refuses nothing");
            assert_eq!(chinese.lines().count(), message.lines().count());
        }
    }
}

fn load(file: &Path, environment: BTreeMap<String, String>, language: Language) -> Result<Configuration, String> {
    let sources = Sources { file: Some(file.to_path_buf()), environment, ..Sources::default() };
    Configuration::load(&sources, language).map_err(|error| error.to_string())
}

fn texts(configuration: &Configuration) -> Vec<(&str, &str)> {
    configuration.values().iter().map(|value| (value.definition.name, value.text.as_str())).collect()
}

/// All values as a file.
fn printed(configuration: &Configuration) -> String {
    let entry = |(name, text): (&str, &str)| (name.to_owned(), toml::Value::from(text));
    texts(configuration).into_iter().map(entry).collect::<toml::Table>().to_string()
}
