//! Whether a text is a good value for an option, and which name was probably meant by a wrong one.

use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;

use super::table::Kind;
use crate::language::Language;

/// Why a value is not good, in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    pub en: String,
    pub zh: String,
}

impl Objection {
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }

    pub fn r#in(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Chinese => &self.zh,
        }
    }
}

impl Kind {
    /// Whether `text` may stand in an option of this kind.
    pub fn check(&self, text: &str) -> Result<(), Objection> {
        let good = match self {
            Kind::Path => !text.is_empty(),
            Kind::OptionalPath => true,
            Kind::Address => text.parse::<SocketAddr>().is_ok(),
            Kind::AddressOrOff => text == "off" || text.parse::<SocketAddr>().is_ok(),
            Kind::OptionalOrigin => text.is_empty() || is_origin(text),
            Kind::Origins => text.is_empty() || text.split(',').all(|part| is_origin(part.trim())),
            Kind::Networks => {
                text.is_empty() || text.split(',').all(|part| part.trim().parse::<net::Network>().is_ok())
            }
            Kind::Number { min, max } => text.parse::<u64>().is_ok_and(|number| (*min..=*max).contains(&number)),
            Kind::Choice(words) => words.contains(&text),
            Kind::LogFilter => !text.is_empty() && EnvFilter::try_new(text).is_ok(),
        };
        if good { Ok(()) } else { Err(self.expectation()) }
    }

    /// What must stand there.
    pub fn expectation(&self) -> Objection {
        match self {
            Kind::Path | Kind::OptionalPath => Objection::new("must be a path", "必须是路径"),
            Kind::Address => {
                Objection::new("must be an address such as 127.0.0.1:8080", "必须是地址,例如 127.0.0.1:8080")
            }
            Kind::AddressOrOff => Objection::new(
                "must be an address such as 127.0.0.1:9464, or off",
                "必须是地址(例如 127.0.0.1:9464)或 off",
            ),
            Kind::OptionalOrigin => Objection::new(
                "must be empty or like https://chat.example.org, without a path",
                "必须为空,或形如 https://chat.example.org(不含路径)",
            ),
            Kind::Origins => Objection::new(
                "must be empty or origins like https://app.example.org, separated by commas",
                "必须为空,或以逗号分隔的来源(例如 https://app.example.org)",
            ),
            Kind::Networks => Objection::new(
                "must be empty or networks like 10.0.0.0/8, separated by commas",
                "必须为空,或以逗号分隔的网段(例如 10.0.0.0/8)",
            ),
            Kind::Number { min, max } => Objection::new(
                format!("must be a whole number from {min} to {max}"),
                format!("必须是 {min} 到 {max} 之间的整数"),
            ),
            Kind::Choice(words) => Objection::new(
                format!("must be one of: {}", words.join(", ")),
                format!("必须是以下之一:{}", words.join("、")),
            ),
            Kind::LogFilter => Objection::new(
                "must be a log level (error, warn, info, debug, trace) or a filter such as warn,engine=debug",
                "必须是日志级别(error、warn、info、debug、trace)或过滤规则,例如 warn,engine=debug",
            ),
        }
    }
}

fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|host| {
        !host.is_empty() && host.chars().all(|letter| letter.is_ascii_alphanumeric() || ".:-[]".contains(letter))
    })
}

/// The name nearest to a wrong one, if it is near enough to have been meant.
pub fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase().replace('-', "_");
    let judged = names.map(|name| {
        // A beginning is a good guess however much is missing: `token_key` means `token_key_file`.
        let begins = wrong.len() >= 4 && (name.starts_with(&wrong) || wrong.starts_with(name));
        (if begins { 1 } else { edit_distance(&wrong, name) }, name)
    });
    let (distance, name) = judged.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + wrong.chars().count() / 5).then_some(name)
}

/// Letters to insert, delete, replace or swap with their neighbour until one word is the other.
fn edit_distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    // Each row begins as the distance to nothing; the first one is the distance from nothing.
    let mut rows: Vec<Vec<usize>> = (0..=left.len()).map(|row| vec![row; right.len() + 1]).collect();
    rows[0] = (0..=right.len()).collect();
    for row in 1..=left.len() {
        for column in 1..=right.len() {
            let replaced = rows[row - 1][column - 1] + usize::from(left[row - 1] != right[column - 1]);
            let mut best = replaced.min(rows[row - 1][column] + 1).min(rows[row][column - 1] + 1);
            let swapped =
                row > 1 && column > 1 && left[row - 1] == right[column - 2] && left[row - 2] == right[column - 1];
            if swapped {
                best = best.min(rows[row - 2][column - 2] + 1);
            }
            rows[row][column] = best;
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(kind.check(text), Ok(()), "{text:?}");
        }
        for text in bad {
            assert!(kind.check(text).is_err(), "{text:?} passed as {kind:?}");
        }
    }

    #[test]
    fn values_are_checked_by_kind() {
        check(Kind::Path, &["./data", "/x"], &[""]);
        check(Kind::Address, &["127.0.0.1:0", "[::1]:80"], &["", "8080", "localhost:80", "1.2.3.4", "1.2.3.4:99999"]);
        check(Kind::AddressOrOff, &["off", "0.0.0.0:1"], &["", "on"]);
        check(
            Kind::OptionalOrigin,
            &["", "https://a.example", "http://[::1]:80"],
            &["a.example", "https://a/b", "https://"],
        );
        check(Kind::Origins, &["", "https://a", "https://a, http://b:1"], &["a", "https://a,", "*"]);
        check(Kind::Networks, &["", "10.0.0.0/8", "127.0.0.1/32, ::1/128"], &["x", "10.0.0.0/99", "10.0.0.0/8,"]);
        check(Kind::Number { min: 1, max: 9 }, &["1", "9"], &["0", "10", "-1", "1.5", "", "x", "99999999999999999999"]);
        check(Kind::Choice(&["text", "json"]), &["text"], &["", "TEXT", "xml"]);
        check(Kind::LogFilter, &["info", "warn,engine=debug"], &["", "engine=loud"]);
    }

    #[test]
    fn a_wrong_name_gets_a_hint_only_when_one_is_near() {
        let names = ["listen", "data", "metrics_listen", "token_key_file", "log_level"];
        let check = |wrong, hint| assert_eq!(nearest(wrong, names.into_iter()), hint, "{wrong}");
        check("listne", Some("listen"));
        check("lisen", Some("listen"));
        check("log-level", Some("log_level"));
        check("token_key", Some("token_key_file"));
        check("metric_listen", Some("metrics_listen"));
        check("bin", None);
        check("colour", None);
    }
}
