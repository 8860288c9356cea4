//! Configuration: built-in defaults, then the file, then the environment, then flags; the later wins. Each value
//! remembers where it came from, and all that is wrong is told at once.

mod check;
mod reference;
mod settings;
pub mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub use check::Objection;
pub use reference::reference;
pub use settings::Settings;

use self::check::nearest;
use self::table::{Definition, OPTIONS, VARIABLE_PREFIX, find};
use crate::language::Language;

/// The file that is read from the data folder when no other is named.
pub const FILE_NAME: &str = "starling.toml";
/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    Variable(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Variable(name) => f.write_str(name),
            Origin::Flag(flag) => write!(f, "--{flag}"),
        }
    }
}

/// One option with its value.
#[derive(Debug, Clone)]
pub struct Value {
    pub definition: &'static Definition,
    pub text: String,
    pub origin: Origin,
}

/// What the outside says: flags as (name of the option, value), and the environment.
#[derive(Debug, Default)]
pub struct Sources {
    /// `--config`.
    pub file: Option<PathBuf>,
    pub flags: Vec<(&'static str, String)>,
    pub environment: BTreeMap<String, String>,
}

/// Everything that is wrong with a configuration.
#[derive(Debug)]
pub struct ConfigError {
    problems: Vec<(String, Objection)>,
    language: Language,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.language {
            Language::English => "the configuration is not good",
            Language::Chinese => "配置有误",
        })?;
        for (place, objection) in &self.problems {
            write!(f, "\n  {place}: {}", objection.r#in(self.language))?;
        }
        Ok(())
    }
}

/// All options with their values, checked.
#[derive(Debug, Clone)]
pub struct Configuration {
    values: Vec<Value>,
}

impl Configuration {
    /// Puts the sources together and checks every value.
    pub fn load(sources: &Sources, language: Language) -> Result<Self, ConfigError> {
        let mut loading = Loading { values: defaults(), problems: Vec::new() };
        loading.outer_layers(sources);
        // The data folder, which the outer layers may have moved, may hold the file.
        let folder = PathBuf::from(&loading.values[0].text);
        let file = sources.file.clone().or_else(|| sources.environment.get("STARLING_CONFIG").map(PathBuf::from));
        loading.values = defaults();
        match file {
            Some(file) => loading.file(&file, None),
            None => {
                let file = folder.join(FILE_NAME);
                if file.exists() {
                    loading.file(&file, Some(&folder));
                }
            }
        }
        // The outer layers are read a second time, over the file; their problems are known already.
        let problems = loading.problems.len();
        loading.outer_layers(sources);
        loading.problems.truncate(problems);
        loading.check_values();
        if loading.problems.is_empty() {
            Ok(Self { values: loading.values })
        } else {
            Err(ConfigError { problems: loading.problems, language })
        }
    }

    /// All values, in the order of the table.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The value of an option.
    fn text(&self, name: &str) -> &str {
        &self.value(name).text
    }

    /// The option with its value.
    pub fn value(&self, name: &str) -> &Value {
        let value = self.values.iter().find(|value| value.definition.name == name);
        value.expect("only names of the table are asked for")
    }

    /// The values with their types.
    pub fn settings(&self) -> Settings {
        Settings::of(self)
    }
}

fn defaults() -> Vec<Value> {
    let value = |definition: &'static Definition| Value {
        definition,
        text: definition.default.to_owned(),
        origin: Origin::Default,
    };
    OPTIONS.iter().map(value).collect()
}

struct Loading {
    values: Vec<Value>,
    problems: Vec<(String, Objection)>,
}

impl Loading {
    fn set(&mut self, name: &str, text: String, origin: Origin) {
        if let Some(value) = self.values.iter_mut().find(|value| value.definition.name == name) {
            value.text = text;
            value.origin = origin;
        }
    }

    fn object(&mut self, place: impl fmt::Display, en: impl Into<String>, zh: impl Into<String>) {
        self.problems.push((place.to_string(), Objection::new(en, zh)));
    }

    fn outer_layers(&mut self, sources: &Sources) {
        for (variable, text) in &sources.environment {
            let Some(rest) = variable.strip_prefix(VARIABLE_PREFIX) else { continue };
            let name = rest.to_lowercase();
            if find(&name).is_some() {
                self.set(&name, text.clone(), Origin::Variable(variable.clone()));
            } else if name != "config"
                && let Some(meant) = nearest(&name, names())
            {
                // Other programs may have variables of this prefix, so only what looks like a slip is an error.
                let meant = format!("{VARIABLE_PREFIX}{}", meant.to_uppercase());
                self.object(
                    variable,
                    format!("unknown variable; did you mean {meant}?"),
                    format!("未知的环境变量;是否想写 {meant}?"),
                );
            }
        }
        for (name, text) in &sources.flags {
            self.set(name, text.clone(), Origin::Flag(name.replace('_', "-")));
        }
    }

    /// `folder` is given when the file was found in the data folder.
    fn file(&mut self, path: &Path, folder: Option<&Path>) {
        let shown = path.display().to_string();
        let length = std::fs::metadata(path).map(|metadata| metadata.len());
        if length.is_ok_and(|length| length > FILE_BYTES_MAX) {
            let (en, zh) = ("has more than", "文件过大,超过");
            return self.object(shown, format!("{en} {FILE_BYTES_MAX} bytes"), format!("{zh} {FILE_BYTES_MAX} 字节"));
        }
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.object(shown, format!("can't be read: {error}"), format!("无法读取:{error}")),
        };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                // Not the whole error, which quotes the line: a secret may stand there by mistake.
                let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
                let message = error.message();
                return self.object(
                    format!("{shown}:{line}"),
                    format!("is not TOML: {message}"),
                    format!("不是有效的 TOML:{message}"),
                );
            }
        };
        for (key, value) in &table {
            self.entry(path, folder, key, value);
        }
    }

    fn entry(&mut self, path: &Path, folder: Option<&Path>, key: &str, value: &toml::Value) {
        let place = format!("{}: {key}", path.display());
        let Some(definition) = find(key) else {
            let (en, zh) = match nearest(key, names()) {
                Some(meant) => {
                    (format!("unknown key; did you mean `{meant}`?"), format!("未知的键;是否想写 `{meant}`?"))
                }
                None => (
                    "unknown key; `starling config show` lists all".to_owned(),
                    "未知的键;`starling config show` 会列出所有键".to_owned(),
                ),
            };
            return self.object(place, en, zh);
        };
        if folder.is_some() && definition.name == "data" {
            return self.object(
                place,
                "can't be set by the file inside the data folder",
                "不能由数据目录中的配置文件设置",
            );
        }
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Array(items) if items.iter().all(toml::Value::is_str) => {
                items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(",")
            }
            _ => {
                let expectation = definition.kind.expectation();
                return self.object(place, expectation.en, expectation.zh);
            }
        };
        self.set(definition.name, text, Origin::File(path.to_path_buf()));
    }

    fn check_values(&mut self) {
        for value in &self.values {
            if let Err(objection) = value.definition.kind.check(&value.text) {
                let place = match &value.origin {
                    Origin::File(path) => format!("{}: {}", path.display(), value.definition.name),
                    origin => origin.to_string(),
                };
                self.problems.push((place, objection));
            }
        }
        let text = |name: &str| self.values.iter().find(|value| value.definition.name == name).map(|value| &value.text);
        let (listen, metrics) = (text("listen"), text("metrics_listen"));
        if listen == metrics && listen.is_some_and(|address| !address.ends_with(":0")) {
            self.object("metrics_listen", "must not be the same address as listen", "不能与 listen 使用同一地址");
        }
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().map(|definition| definition.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Configuration, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.toml");
        std::fs::write(&path, file).unwrap();
        let sources = Sources {
            file: Some(path),
            flags: flags.iter().map(|(name, text)| (*name, (*text).to_owned())).collect(),
            environment: environment.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        };
        let folder = format!("{}/", folder.path().display());
        Configuration::load(&sources, Language::English).map_err(|error| error.to_string().replace(&folder, ""))
    }

    #[track_caller]
    fn check_error(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)], expected: &str) {
        let error = load(file, environment, flags).expect_err("it must be refused");
        let lines: Vec<&str> = error.lines().skip(1).map(str::trim).collect();
        assert_eq!(lines.join("\n"), expected);
    }

    #[test]
    fn later_layers_win_and_say_so() {
        let file = "listen = '0.0.0.0:1'\nrequests_burst = 7\nallowed_origins = ['https://a', 'https://b']";
        let loaded = load(file, &[("STARLING_LISTEN", "0.0.0.0:2"), ("HOME", "x")], &[]).unwrap();
        assert_eq!(loaded.text("listen"), "0.0.0.0:2");
        assert_eq!(loaded.value("listen").origin.to_string(), "STARLING_LISTEN");
        assert!(matches!(loaded.value("requests_burst").origin, Origin::File(_)));
        assert_eq!(loaded.settings().door.allowed_origins, ["https://a", "https://b"]);
        assert_eq!(loaded.value("data").origin, Origin::Default);
        let loaded = load(file, &[("STARLING_LISTEN", "0.0.0.0:2")], &[("listen", "0.0.0.0:3")]).unwrap();
        assert_eq!(
            (loaded.text("listen"), loaded.value("listen").origin.to_string()),
            ("0.0.0.0:3", "--listen".into())
        );
    }

    #[test]
    fn each_error_has_its_message() {
        check_error("listne = 'x'", &[], &[], "test.toml: listne: unknown key; did you mean `listen`?");
        check_error("colour = 1", &[], &[], "test.toml: colour: unknown key; `starling config show` lists all");
        check_error(
            "requests_burst = 0\nlog_format = 'xml'",
            &[],
            &[],
            "test.toml: log_format: must be one of: text, json\n\
             test.toml: requests_burst: must be a whole number from 1 to 1000000",
        );
        check_error("listen = true", &[], &[], "test.toml: listen: must be an address such as 127.0.0.1:8080");
        check_error(
            "\nlisten = ",
            &[],
            &[],
            "test.toml:2: is not TOML: string values must be quoted, expected literal string",
        );
        check_error(
            "",
            &[("STARLING_LISTN", "x")],
            &[],
            "STARLING_LISTN: unknown variable; did you mean STARLING_LISTEN?",
        );
        check_error("", &[("STARLING_LISTEN", "x")], &[], "STARLING_LISTEN: must be an address such as 127.0.0.1:8080");
        check_error("", &[], &[("listen", "x")], "--listen: must be an address such as 127.0.0.1:8080");
        check_error("", &[], &[("listen", "127.0.0.1:9464")], "metrics_listen: must not be the same address as listen");
    }

    #[test]
    fn the_data_folder_may_hold_the_file_but_not_move_itself() {
        let folder = tempfile::tempdir().unwrap();
        let load = |text: &str| {
            std::fs::write(folder.path().join(FILE_NAME), text).unwrap();
            let flags = vec![("data", folder.path().display().to_string())];
            Configuration::load(&Sources { flags, ..Sources::default() }, Language::Chinese)
        };
        assert_eq!(load("log_format = 'json'").unwrap().text("log_format"), "json");
        let error = load("data = 'elsewhere'").unwrap_err().to_string();
        assert!(error.contains("不能由数据目录中的配置文件设置"), "{error}");
    }

    #[test]
    fn other_programs_variables_pass() {
        assert!(load("", &[("STARLING_BIN", "x"), ("STARLING_CONFIG_EXTRA_COLOUR", "y")], &[]).is_ok());
    }
}
