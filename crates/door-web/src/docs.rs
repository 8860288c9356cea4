//! `/v1/openapi.json`, and `/v1/docs`: a page of it, made on the server from the document itself.

mod page;

use std::sync::OnceLock;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use crate::door::Door;
use crate::extract::{OpenRequest, Params};
use crate::language::Language;

const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// The documents, made when they are first asked for.
pub(crate) struct Docs {
    document: Value,
    json: OnceLock<Bytes>,
    english: OnceLock<Bytes>,
    chinese: OnceLock<Bytes>,
}

impl Docs {
    pub(crate) fn new(document: Value) -> Self {
        Self { document, json: OnceLock::new(), english: OnceLock::new(), chinese: OnceLock::new() }
    }

    fn json(&self) -> Bytes {
        self.json.get_or_init(|| self.document.to_string().into()).clone()
    }

    fn html(&self, language: Language) -> Bytes {
        let cell = match language {
            Language::English => &self.english,
            Language::Chinese => &self.chinese,
        };
        cell.get_or_init(|| page::render(&self.document, language).into()).clone()
    }
}

/// In which language.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DocsRange {
    /// `en` or `zh`; by `Accept-Language` when absent.
    lang: Option<String>,
}

/// This document
#[utoipa::path(get, path = "/v1/openapi.json", operation_id = "document.get", tag = "server", security(()),
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object)))]
pub(crate) async fn get_openapi(State(door): State<Door>, _: OpenRequest) -> Response {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json")), (CACHE_CONTROL, REVALIDATE)];
    (headers, door.docs.json()).into_response()
}

/// This document as a page
#[utoipa::path(get, path = "/v1/docs", operation_id = "document.page", tag = "server", security(()), params(DocsRange),
    responses((status = 200, description = "HTML", content_type = "text/html", body = String)))]
pub(crate) async fn get_docs(
    State(door): State<Door>,
    _: OpenRequest,
    headers: HeaderMap,
    Params(range): Params<DocsRange>,
) -> Response {
    let language = match range.lang.as_deref() {
        Some("zh") => Language::Chinese,
        Some("en") => Language::English,
        _ => Language::of(&headers),
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, REVALIDATE),
        (VARY, HeaderValue::from_static("accept-language")),
    ];
    (headers, door.docs.html(language)).into_response()
}

pub(crate) async fn get_style(_: OpenRequest) -> Response {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")), (CACHE_CONTROL, REVALIDATE)];
    (headers, include_str!("docs/style.css")).into_response()
}
