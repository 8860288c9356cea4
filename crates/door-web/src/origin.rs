//! Which pages may call: the server's own, and those of the origins an operator lists.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method};

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, accept-language, idempotency-key");
const RESPONSE_HEADERS: HeaderValue =
    HeaderValue::from_static("x-request-id, ratelimit, ratelimit-policy, retry-after, idempotent-replay, location");
/// How long a browser may keep the answer to a preflight, in seconds.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("7200");

/// The request's origin, if it is on the list.
pub(crate) fn listed(headers: &HeaderMap, allowed: &[String]) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    allowed.iter().any(|listed| listed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

/// Whether a page may open a WebSocket: it is the server's own or listed. What names no origin is no browser.
pub(crate) fn may_connect(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    (host.is_some() && own == host) || listed(headers, allowed).is_some()
}

/// Whether this is the question that a browser asks before a request from another origin.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Headers of an answer to a request that may come from another origin.
pub(crate) fn allow(response: &mut HeaderMap, origin: Option<HeaderValue>, preflight: bool) {
    response.append(VARY, HeaderValue::from_static("origin"));
    let Some(origin) = origin else { return };
    response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if preflight {
        response.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        response.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        response.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
    } else {
        response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
    }
}
