//! The OpenAPI document: what the handlers say of themselves, and what holds for all of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use wire::Code;

use crate::router;

/// Where a handler lists the codes of its own.
const ERRORS: &str = "x-errors";

/// Any request may fail so.
const ALWAYS: &[Code] =
    &[Code::RateLimited, Code::Overloaded, Code::StorageUnavailable, Code::Draining, Code::Internal];
/// Requests that need a token may fail so.
const WITH_TOKEN: &[Code] = &[Code::Unauthenticated, Code::TokenExpired, Code::TokenRevoked, Code::UserDisabled];
/// Requests with a body may fail so.
const WITH_BODY: &[Code] = &[
    Code::MalformedJson,
    Code::InvalidRequest,
    Code::UnsupportedMediaType,
    Code::PayloadTooLarge,
    Code::RequestTimeout,
];

const DESCRIPTION: &str = "REST over JSON, and once signed in the same operations with pushed events over the WebSocket `/v1/ws`.\n\n\
    Times are Unix milliseconds. In a room every event has a sequence number `seq`, dense from 1; in an app every commit has a \
    number. Absent means default, and unknown fields are ignored.\n\n\
    Errors are problem details (RFC 9457) with a stable `code`. Commands can be repeated safely with the same `Idempotency-Key` \
    header (or `client_id` in the body): the answer is the first one's, with `Idempotent-Replay: true`. Answers say in \
    `RateLimit` what is left (of the user's rate, or of the client address's where no token is needed); `Retry-After` says when \
    to try again.

\
    Over the WebSocket stand all operations but those before a connection (`auth.register`, `auth.login`, `auth.refresh`) and \
    those about the server (`server.get`, `error.list`, this document).";

const TAGS: &[(&str, &str)] = &[
    ("account", "Registering, signing in, the own profile"),
    ("device", "The own devices"),
    ("user", "Finding users"),
    ("sync", "Catching up with what has changed"),
    ("room", "Rooms: direct and groups"),
    ("member", "Members of rooms"),
    ("event", "The log of a room"),
    ("message", "Sending, editing, deleting messages"),
    ("reaction", "Reactions on messages"),
    ("cursor", "How far members have got"),
    ("typing", "Who types"),
    ("presence", "Who is there"),
    ("server", "About the server"),
    ("websocket", "The WebSocket"),
];

/// The OpenAPI 3.1 document of the door.
pub fn document() -> Value {
    finish(router::api().into_openapi())
}

/// Codes as they stand on the wire, for a handler's `x-errors`.
pub(crate) fn errors(codes: &[Code]) -> Vec<&'static str> {
    codes.iter().map(|code| code.info().code).collect()
}

/// The document before any route: what it is about, and all schemas of the wire.
pub(crate) fn base() -> OpenApi {
    let license = LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Starling")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license))
        .build();
    let tags = TAGS.iter().map(|(name, text)| TagBuilder::new().name(*name).description(Some(*text)).build());
    OpenApiBuilder::new().info(info).tags(Some(tags)).components(Some(wire::schema::components())).build()
}

/// Adds what holds for all operations: security, and the problems of each.
pub(crate) fn finish(described: OpenApi) -> Value {
    let mut document = serde_json::to_value(described).expect("an OpenAPI document is JSON");
    document["servers"] = json!([{"url": "/"}]);
    document["security"] = json!([{"bearer": []}]);
    document["components"]["securitySchemes"] =
        json!({"bearer": {"type": "http", "scheme": "bearer", "description": "The access token of a device"}});
    document["components"]["schemas"]["Problem"]["example"] = example_problem();
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        if let Some(operation) = operation.as_object_mut().filter(|operation| operation.contains_key("responses")) {
            describe_errors(operation);
        }
    }
    document
}

fn example_problem() -> Value {
    json!({
        "type": "urn:starling:error:invalid_request", "code": "invalid_request", "status": 422,
        "title": Code::InvalidRequest.info().en, "detail": "content.text must not be empty", "retryable": false,
        "request_id": "5f2c9a01-1b", "errors": [{"field": "content.text", "message": "must not be empty"}],
    })
}

fn describe_errors(operation: &mut Map<String, Value>) {
    let is_open = operation.get("security").is_some_and(|security| *security == json!([{}]) || *security == json!([]));
    if is_open {
        operation.insert("security".to_owned(), json!([]));
    }
    let mut codes: Vec<Code> = ALWAYS.to_vec();
    if !is_open {
        codes.extend(WITH_TOKEN);
    }
    if operation.contains_key("requestBody") {
        codes.extend(WITH_BODY);
    } else if operation.contains_key("parameters") || !is_open {
        codes.push(Code::InvalidRequest);
    }
    let own: Vec<String> =
        operation.remove(ERRORS).and_then(|own| serde_json::from_value(own).ok()).unwrap_or_default();
    codes.extend(Code::ALL.iter().filter(|code| own.iter().any(|own| own == code.info().code)));

    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        let of_status = by_status.entry(code.info().status).or_default();
        if !of_status.contains(&code) {
            of_status.push(code);
        }
    }
    for (status, codes) in by_status {
        let lines: Vec<String> =
            codes.iter().map(|code| format!("- `{}`: {}", code.info().code, code.info().en)).collect();
        let mut response = json!({
            "description": lines.join("\n"),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            "x-codes": errors(&codes),
        });
        if codes.contains(&Code::RateLimited) {
            response["headers"] =
                json!({"Retry-After": {"description": "Seconds until the next try", "schema": {"type": "integer"}}});
        }
        operation["responses"][status.to_string()] = response;
    }
}
