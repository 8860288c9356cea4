//! Tokens: access tokens are JWTs (RFC 7519) signed by HMAC-SHA256 (RFC 7515, `HS256`), refresh tokens are opaque.
//!
//! Only one header is ever accepted, to the letter, so no algorithm can be confused with another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use domain::{Actor, AppId, DeviceId, Timestamp, UserId};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::EngineError;

/// Longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 1024;
/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
const REFRESH_PREFIX: &str = "sr_";

/// The claims of an access token: registered names of RFC 7519, and `app` and `dev` of our own.
#[derive(Serialize, Deserialize)]
struct Claims {
    app: String,
    sub: String,
    dev: String,
    /// Generation of the device's refresh token that came with it.
    #[serde(rename = "gen")]
    generation: u64,
    /// Issued at, in seconds.
    iat: i64,
    /// Ends at, in seconds.
    exp: i64,
}

/// What a refresh token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefreshClaims {
    pub(crate) app: AppId,
    pub(crate) device: DeviceId,
    pub(crate) generation: u64,
}

/// Makes and reads tokens.
#[derive(Clone)]
pub(crate) struct Tokens {
    /// With the key in it, which takes as long as a third of a token.
    keyed: Hmac<Sha256>,
}

impl Tokens {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { keyed: Hmac::new_from_slice(&key).expect("HMAC takes keys of any length") }
    }

    /// An access token and when it ends (whole seconds).
    pub(crate) fn access(&self, actor: &Actor, generation: u64, now: Timestamp, lasts_ms: i64) -> (String, Timestamp) {
        let exp = (now.0 + lasts_ms) / 1000;
        let claims = Claims {
            app: actor.app.to_string(),
            sub: actor.user.to_string(),
            dev: actor.device.to_string(),
            generation,
            iat: now.0 / 1000,
            exp,
        };
        let claims = serde_json::to_vec(&claims).expect("claims are strings and numbers");
        let signed = format!("{HEADER}.{}", BASE64.encode(claims));
        let signature = BASE64.encode(self.sign(b"access", signed.as_bytes()).finalize().into_bytes());
        (format!("{signed}.{signature}"), Timestamp(exp * 1000))
    }

    /// Who an access token is of, of which generation, and when it ends.
    pub(crate) fn read_access(&self, token: &str, now: Timestamp) -> Result<(Actor, u64, Timestamp), EngineError> {
        let bad = EngineError::Unauthenticated;
        if token.len() > TOKEN_BYTES_MAX {
            return Err(bad);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(bad.clone())?;
        let (header, claims) = signed.split_once('.').ok_or(bad.clone())?;
        if header != HEADER {
            return Err(bad);
        }
        let signature = BASE64.decode(signature).map_err(|_| bad.clone())?;
        self.sign(b"access", signed.as_bytes()).verify_slice(&signature).map_err(|_| bad.clone())?;
        let claims = BASE64.decode(claims).map_err(|_| bad.clone())?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| bad.clone())?;
        let ends = Timestamp(claims.exp.saturating_mul(1000));
        if ends <= now {
            return Err(EngineError::TokenExpired);
        }
        let actor = Actor {
            app: AppId::new(claims.app).map_err(|_| bad.clone())?,
            user: UserId::new(claims.sub).map_err(|_| bad.clone())?,
            device: DeviceId::new(claims.dev).map_err(|_| bad)?,
        };
        Ok((actor, claims.generation, ends))
    }

    /// The refresh token of a device's generation.
    pub(crate) fn refresh(&self, claims: &RefreshClaims) -> String {
        let plain = format!("{} {} {}", claims.app, claims.device, claims.generation);
        let signature = self.sign(b"refresh", plain.as_bytes()).finalize().into_bytes();
        format!("{REFRESH_PREFIX}{}.{}", BASE64.encode(plain), BASE64.encode(signature))
    }

    /// What a refresh token says, if it is one of ours.
    pub(crate) fn read_refresh(&self, token: &str) -> Option<RefreshClaims> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (plain, signature) = token.strip_prefix(REFRESH_PREFIX)?.split_once('.')?;
        let (plain, signature) = (BASE64.decode(plain).ok()?, BASE64.decode(signature).ok()?);
        self.sign(b"refresh", &plain).verify_slice(&signature).ok()?;
        let plain = String::from_utf8(plain).ok()?;
        let mut parts = plain.split(' ');
        Some(RefreshClaims {
            app: AppId::new(parts.next()?).ok()?,
            device: DeviceId::new(parts.next()?).ok()?,
            generation: parts.next()?.parse().ok()?,
        })
    }

    /// One key, but never one signature for two uses.
    fn sign(&self, usage: &[u8], bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        if usage != b"access" {
            mac.update(usage);
            mac.update(&[0]);
        }
        mac.update(bytes);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor() -> Actor {
        let (app, user) = (AppId::new("a").unwrap(), UserId::new("ann").unwrap());
        Actor { app, user, device: DeviceId::new("d1").unwrap() }
    }

    #[test]
    fn an_access_token_says_who_and_until_when() {
        let tokens = Tokens::new([7; 32]);
        let (token, ends) = tokens.access(&actor(), 3, Timestamp(1_000_500), 60_000);
        assert_eq!(ends, Timestamp(1_060_000));
        assert_eq!(tokens.read_access(&token, Timestamp(1_059_999)).unwrap(), (actor(), 3, ends));
        let expired = tokens.read_access(&token, Timestamp(1_060_000));
        assert!(matches!(expired, Err(EngineError::TokenExpired)));
        for bad in [format!("{token}x"), token.replacen('e', "f", 1), "a.b.c".into(), String::new()] {
            assert!(matches!(tokens.read_access(&bad, Timestamp(0)), Err(EngineError::Unauthenticated)), "{bad}");
        }
        let other = Tokens::new([8; 32]).read_access(&token, Timestamp(0));
        assert!(matches!(other, Err(EngineError::Unauthenticated)));
        // RFC 7518, 3.6: a token without a signature is no token.
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", token.split('.').nth(1).unwrap());
        assert!(tokens.read_access(&unsigned, Timestamp(0)).is_err());
    }

    #[test]
    fn a_refresh_token_names_device_and_generation() {
        let tokens = Tokens::new([7; 32]);
        let (app, device) = (AppId::new("a").unwrap(), DeviceId::new("d1").unwrap());
        let claims = RefreshClaims { app, device, generation: 3 };
        let token = tokens.refresh(&claims);
        assert_eq!(tokens.read_refresh(&token), Some(claims));
        assert_eq!(tokens.read_refresh(&token[..token.len() - 2]), None);
        assert_eq!(tokens.read_refresh("sr_x.y"), None);
    }
}
