//! Reading JSON so that a mistake is named: not JSON at all (`malformed_json`), or a wrong field (`invalid_request`).

use serde::Deserialize;
use serde::de::IgnoredAny;
use wire::{Code, FieldError, TextContent};

use crate::failure::Failure;

/// Deepest nesting of a request, the same as serde_json's own limit.
const DEPTH_MAX: usize = 128;

/// Reads one JSON object.
pub(crate) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("the body is not UTF-8"))?;
    if too_deep(text) {
        return Err(malformed(format!("nested deeper than {DEPTH_MAX}")));
    }
    if !text.trim_start().starts_with('{') {
        return Err(explain(text, None));
    }
    serde_json::from_str(text).map_err(|_| {
        // Only a mistake is worth the price of knowing where it is.
        let mut deserializer = serde_json::Deserializer::from_str(text);
        explain(text, serde_path_to_error::deserialize::<_, T>(&mut deserializer).err())
    })
}

fn malformed(detail: impl Into<String>) -> Failure {
    Failure::detailed(Code::MalformedJson, detail)
}

/// A wrong type stops the reader early, so whether the text is JSON at all is asked once more.
fn explain(text: &str, error: Option<serde_path_to_error::Error<serde_json::Error>>) -> Failure {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return malformed(error.to_string());
    }
    if !text.trim_start().starts_with('{') {
        return Failure::field("", "must be an object");
    }
    let Some(error) = error else { return malformed("the text goes on after the end of the JSON") };
    let FieldError { field, message } = field_error(&error);
    match inside_content(text, &field) {
        Some(inner) => Failure::field(format!("{field}.{}", inner.field), inner.message),
        None => Failure::field(field, message),
    }
}

/// A field that is missing or of the wrong type.
pub(crate) fn field_error<E: std::fmt::Display>(error: &serde_path_to_error::Error<E>) -> FieldError {
    let path = error.path().to_string();
    let path = if path == "." { String::new() } else { path };
    // serde_json appends where in the text it was.
    let message = error.inner().to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    match message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(name) if path.is_empty() => FieldError { field: name.to_owned(), message: "is missing".to_owned() },
        Some(name) => FieldError { field: format!("{path}.{name}"), message: "is missing".to_owned() },
        None => FieldError { field: path, message: message.to_owned() },
    }
}

/// serde reads enums tagged inside from a buffer, in which it loses the path; this finds it again.
fn inside_content(text: &str, field: &str) -> Option<FieldError> {
    if field != "content" {
        return None;
    }
    let body: serde_json::Value = serde_json::from_str(text).ok()?;
    let content = body.get("content")?;
    if content.get("type")?.as_str()? != "text" {
        return None;
    }
    serde_path_to_error::deserialize::<_, TextContent>(content).err().map(|error| field_error(&error))
}

fn too_deep(text: &str) -> bool {
    // Where there are so few brackets, nothing is so deep; counting them takes a fraction of following them.
    if brackets(text) <= DEPTH_MAX {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// How many brackets open, in strings too.
fn brackets(text: &str) -> usize {
    // Pieces whose sum is a byte's, so that many bytes are looked at by one instruction.
    let pieces = text.as_bytes().chunks(usize::from(u8::MAX));
    pieces.map(|piece| usize::from(piece.iter().map(|byte| u8::from(matches!(byte, b'{' | b'['))).sum::<u8>())).sum()
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use wire::{SendMessage, SetLevel};

    use super::*;

    fn check<T: DeserializeOwned>(body: &[u8], expect: (&str, &str)) {
        let failure = parse::<T>(body).err().expect("the body is wrong");
        let field = failure.errors.first().map_or("", |error| error.field.as_str());
        assert_eq!((failure.code.info().code, field), expect, "{:?}", failure.detail);
    }

    #[test]
    fn mistakes_are_named() {
        check::<SetLevel>(b"", ("malformed_json", ""));
        check::<SetLevel>(b"{", ("malformed_json", ""));
        check::<SetLevel>(b"{\"level\": 1} x", ("malformed_json", ""));
        check::<SetLevel>(b"{\"level\": 1}{}", ("malformed_json", ""));
        check::<SetLevel>(b"{\"level\": \"x\", nonsense", ("malformed_json", ""));
        check::<SetLevel>(b"{\"level\": 1, \"x\": \"\xff\"}", ("malformed_json", ""));
        check::<SetLevel>("[".repeat(129).as_bytes(), ("malformed_json", ""));
        check::<SetLevel>(format!("{{\"x\": {}", "[".repeat(128)).as_bytes(), ("malformed_json", ""));
        let deepest = format!("{{\"level\": 5, \"x\": {}{}}}", "[".repeat(127), "]".repeat(127));
        assert_eq!(parse::<SetLevel>(deepest.as_bytes()).unwrap().level, 5);
        let in_a_string = format!("{{\"level\": 5, \"x\": \"{}\"}}", "[{".repeat(1000));
        assert_eq!(parse::<SetLevel>(in_a_string.as_bytes()).unwrap().level, 5);
        check::<SetLevel>(b"[null, 1]", ("invalid_request", ""));
        check::<SetLevel>(b"{}", ("invalid_request", "level"));
        check::<SetLevel>(b"{\"level\": \"x\"}", ("invalid_request", "level"));
        check::<SetLevel>(b"{\"level\": 256}", ("invalid_request", "level"));
        check::<SendMessage>(b"{\"content\": {\"type\": \"text\"}}", ("invalid_request", "content.text"));
        check::<SendMessage>(b"{\"content\": {\"type\": \"text\", \"text\": 5}}", ("invalid_request", "content.text"));
        check::<SendMessage>(
            b"{\"content\": {\"type\": \"text\", \"text\": \"a\", \"mentions\": [\"a\", 5]}}",
            ("invalid_request", "content.mentions[1]"),
        );
        check::<SendMessage>(b"{\"content\": {\"type\": \"song\"}}", ("invalid_request", "content.type"));
        assert_eq!(parse::<SetLevel>(b" {\"level\": 5, \"later\": [[\"[{\\\"\"]]} ").unwrap().level, 5);
    }
}
