//! The outermost layer: request ids, problems, panics, headers, the log and the measures of every request.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engine::Allowance;
use futures_util::FutureExt;
use tracing::Instrument;
use wire::Code;

use crate::door::{Context, Door};
use crate::failure::Failure;
use crate::language::Language;
use crate::origin;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Wraps every request.
pub(crate) async fn guard(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let is_api = request.uri().path().starts_with("/v1/");
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let host = request.headers().get(HOST).cloned();
    let allowed_origin = origin::listed(request.headers(), &door.options.allowed_origins);
    let is_preflight = origin::is_preflight(&method, request.headers());
    let context = Arc::new(Context {
        request_id: door.next_request_id(),
        language: Language::of(request.headers()),
        allowance: OnceLock::new(),
    });
    request.extensions_mut().insert(context.clone());

    let span = tracing::info_span!("request", id = %context.request_id);
    let mut response = if is_preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let answered = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
        answered.unwrap_or_else(|panic| span.in_scope(|| from_panic(&*panic)))
    };
    response = with_problem(response, &context);

    let status = response.status();
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(allowance) = context.allowance.get() {
        rate_headers(headers, allowance);
    }
    if is_api {
        origin::allow(headers, allowed_origin, is_preflight);
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    security_headers(headers, host.as_ref());

    let route = route.unwrap_or_else(|| "other".to_owned());
    let elapsed = started.elapsed();
    span.in_scope(|| {
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(%method, route, status = status.as_u16(), elapsed_us, "answered");
    });
    metrics::counter!("starling_http_requests_total", "method" => method_label(method.as_str()), "route" => route.clone(),
        "status" => status.as_u16().to_string())
    .increment(1);
    metrics::histogram!("starling_http_request_seconds", "route" => route).record(elapsed.as_secs_f64());
    response
}

/// A method that nobody knows must not become a label of its own.
fn method_label(method: &str) -> &'static str {
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}

fn from_panic(panic: &(dyn Any + Send)) -> Response {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = message.unwrap_or("of another type"), "a handler panicked");
    Failure::new(Code::Internal).into_response()
}

/// Gives every error the one form, also those that the HTTP library made.
fn with_problem(mut response: Response, context: &Context) -> Response {
    let failure = match response.extensions_mut().remove::<Failure>() {
        Some(failure) => failure,
        None => match code_of_status(response.status()) {
            Some(code) => code.into(),
            None => return response,
        },
    };
    failure.log(&context.request_id);
    let problem = failure.problem(&context.request_id, context.language);
    let body = serde_json::to_vec(&problem).expect("a problem is strings and numbers");
    let allow = response.headers_mut().remove(ALLOW);
    let mut response = (failure.status(), Body::from(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PROBLEM_JSON);
    headers.remove(CONTENT_LENGTH);
    if let Some(allow) = allow {
        headers.insert(ALLOW, allow);
    }
    if failure.status() == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(wait_ms) = failure.retry_after_ms {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1000).max(1)));
    }
    response
}

fn code_of_status(status: StatusCode) -> Option<Code> {
    match status.as_u16() {
        0..400 => None,
        404 => Some(Code::NotFound),
        405 => Some(Code::MethodNotAllowed),
        408 => Some(Code::RequestTimeout),
        413 => Some(Code::PayloadTooLarge),
        415 => Some(Code::UnsupportedMediaType),
        400..500 => Some(Code::InvalidRequest),
        _ => Some(Code::Internal),
    }
}

/// <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>
fn rate_headers(headers: &mut HeaderMap, allowance: &Allowance) {
    let policy = format!("\"requests\";q={}", allowance.limit);
    let state = format!("\"requests\";r={};t={}", allowance.remaining, allowance.reset_ms.div_ceil(1000));
    for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

fn security_headers(headers: &mut HeaderMap, host: Option<&HeaderValue>) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("permissions-policy", HeaderValue::from_static("camera=(), geolocation=(), microphone=()"));
    headers.insert(CONTENT_SECURITY_POLICY, content_security_policy(host));
}

/// Older browsers don't count WebSockets to the same host as `'self'`, so the host is named, if it looks like one.
fn content_security_policy(host: Option<&HeaderValue>) -> HeaderValue {
    let is_host = |host: &&str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    let sockets = match host.and_then(|host| host.to_str().ok()).filter(is_host) {
        Some(host) => format!(" ws://{host} wss://{host}"),
        None => String::new(),
    };
    let policy = format!(
        "default-src 'self'; connect-src 'self'{sockets}; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; \
         frame-ancestors 'none'; form-action 'self'"
    );
    HeaderValue::from_str(&policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'self'"))
}
