//! Tokens and the `Authorization` header. The first byte says what the rest is.

use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use engine::EngineError;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::door::{DEVICE_OF_ANN, Door, request};

/// The key with which every world of the testkit signs.
const TOKEN_KEY: [u8; 32] = [7; 32];
/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

pub(crate) fn run(bytes: &[u8]) {
    let Some((&what, rest)) = bytes.split_first() else { return };
    Door::run(async |door| match what {
        // Claims that somebody signed who has the key: what no stranger can make must still be read with care.
        b'a' => check_access(door, &signed_access(&door.fill_in(rest))).await,
        b'r' => check_refresh(door, &signed_refresh(&door.fill_in(rest))).await,
        // A header as it is.
        b'h' => check_header(door, rest).await,
        // A token as it is: nobody guesses a signature.
        _ => {
            let Ok(token) = std::str::from_utf8(rest) else { return };
            assert!(door.engine.authenticate(token).await.is_err());
            assert!(door.engine.refresh(token).await.is_err());
        }
    });
}

async fn check_access(door: &Door, token: &str) {
    match door.engine.authenticate(token).await {
        Ok(authenticated) => {
            assert!([DEVICE_OF_ANN, "d-bob"].contains(&authenticated.actor.device.as_str()));
            assert!(authenticated.expires_at > door.now());
        }
        Err(EngineError::Unauthenticated | EngineError::TokenExpired | EngineError::TokenRevoked) => {}
        Err(error) => panic!("not an answer to a bad access token: {error}"),
    }
}

async fn check_refresh(door: &Door, token: &str) {
    match door.engine.refresh(token).await {
        Ok(signed_in) => check_access(door, &signed_in.access_token).await,
        Err(EngineError::Unauthenticated | EngineError::TokenRevoked | EngineError::RefreshReused) => {}
        Err(error) => panic!("not an answer to a bad refresh token: {error}"),
    }
}

async fn check_header(door: &Door, value: &[u8]) {
    let mut request = request("GET", "/v1/me");
    let Ok(value) = door.fill_in(value).try_into() else { return };
    request.headers_mut().insert(AUTHORIZATION, value);
    let status = door.ask(request).await.status;
    assert!(status == StatusCode::OK || status == StatusCode::UNAUTHORIZED, "{status}");
}

/// An access token with these claims.
pub(crate) fn signed_access(claims: &[u8]) -> String {
    let signed = format!("{HEADER}.{}", BASE64.encode(claims));
    let signature = signature(&[signed.as_bytes()]);
    format!("{signed}.{signature}")
}

/// A refresh token that says this.
pub(crate) fn signed_refresh(plain: &[u8]) -> String {
    format!("sr_{}.{}", BASE64.encode(plain), signature(&[b"refresh\0", plain]))
}

fn signature(parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&TOKEN_KEY).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    BASE64.encode(mac.finalize().into_bytes())
}
