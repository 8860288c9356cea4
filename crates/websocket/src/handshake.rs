//! The HTTP request that asks for a WebSocket, and its answer (RFC 6455, 4.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, Method, StatusCode, Version};
use sha1::{Digest, Sha1};
use thiserror::Error;

/// What a key is hashed with (RFC 6455, 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Length of a key before it is encoded, in bytes.
const KEY_BYTES: usize = 16;

/// Why a request is not one for a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// HTTP before 1.1.
    #[error("HTTP must be 1.1")]
    Http,
    /// Not GET.
    #[error("the method must be GET")]
    Method,
    /// No `Connection: upgrade`.
    #[error("`Connection` must be `upgrade`")]
    Connection,
    /// No `Upgrade: websocket`.
    #[error("`Upgrade` must be `websocket`")]
    Upgrade,
    /// Another version than 13.
    #[error("`Sec-WebSocket-Version` must be `13`")]
    Version,
    /// No key, or none of 16 bytes.
    #[error("`Sec-WebSocket-Key` must be 16 bytes in base64")]
    Key,
}

/// A request for a WebSocket that is as it must be.
#[derive(Debug, Clone)]
pub struct Handshake {
    accept: HeaderValue,
}

impl Handshake {
    /// Reads a request's head.
    pub fn read(version: Version, method: &Method, headers: &HeaderMap) -> Result<Self, HandshakeError> {
        if version < Version::HTTP_11 {
            return Err(HandshakeError::Http);
        }
        if method != Method::GET {
            return Err(HandshakeError::Method);
        }
        if !lists(headers, &CONNECTION, "upgrade") {
            return Err(HandshakeError::Connection);
        }
        if !lists(headers, &UPGRADE, "websocket") {
            return Err(HandshakeError::Upgrade);
        }
        if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(HandshakeError::Version);
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(HandshakeError::Key)?.as_bytes();
        if STANDARD.decode(key).map_or(true, |key| key.len() != KEY_BYTES) {
            return Err(HandshakeError::Key);
        }
        Ok(Self { accept: accept(key) })
    }

    /// The answer: status and headers.
    pub fn answer(self) -> (StatusCode, [(HeaderName, HeaderValue); 3]) {
        let headers = [
            (CONNECTION, HeaderValue::from_static("upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_ACCEPT, self.accept),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers)
    }
}

fn accept(key: &[u8]) -> HeaderValue {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    HeaderValue::try_from(STANDARD.encode(digest)).expect("base64 is visible ASCII")
}

/// Whether a header, a list of words, has this one.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455, 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn headers(changed: &[(&'static str, &'static str)]) -> HeaderMap {
        let usual = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in usual.iter().chain(changed) {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_key_is_answered_as_the_standard_does() {
        let handshake = Handshake::read(Version::HTTP_11, &Method::GET, &headers(&[])).unwrap();
        assert_eq!(handshake.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |method: &Method, changed: &[(&'static str, &'static str)], expect: HandshakeError| {
            assert_eq!(Handshake::read(Version::HTTP_11, method, &headers(changed)).unwrap_err(), expect);
        };
        assert_eq!(Handshake::read(Version::HTTP_10, &Method::GET, &headers(&[])).unwrap_err(), HandshakeError::Http);
        check(&Method::POST, &[], HandshakeError::Method);
        check(&Method::GET, &[("connection", "close")], HandshakeError::Connection);
        check(&Method::GET, &[("upgrade", "h2c")], HandshakeError::Upgrade);
        check(&Method::GET, &[("sec-websocket-version", "8")], HandshakeError::Version);
        check(&Method::GET, &[("sec-websocket-key", "short")], HandshakeError::Key);
    }
}
