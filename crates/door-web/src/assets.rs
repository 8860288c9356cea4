//! The web client, embedded in the binary.

use std::collections::HashMap;
use std::io::Write;
use std::sync::OnceLock;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;
use wire::Code;

use crate::door::Door;
use crate::extract::OpenRequest;
use crate::failure::Failure;

const INDEX: &str = "index.html";
/// The build gives files under this folder names that change with their content.
const HASHED: &str = "assets/";
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// Smaller files don't gain by compression.
const COMPRESSED_BYTES_MIN: usize = 1024;

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Starling</title>\
    <h1>Starling</h1><p>The server runs, but its web client was not built into it. Run <code>make build-web</code> and build the \
    server again.</p><p lang=\"zh-CN\">服务器正在运行，但未包含网页客户端。请运行 <code>make build-web</code>，然后重新构建服务器。</p>\
    <p><a href=\"/v1/docs\">API</a></p></html>\n";

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/dist"]
#[allow_missing = true]
struct Dist;

/// The files by path.
pub(crate) struct Assets(HashMap<String, Asset>);

struct Asset {
    bytes: Bytes,
    /// Made when it is first asked for; `None` if it is not worth it.
    compressed: OnceLock<Option<Bytes>>,
    content_type: HeaderValue,
    etag: HeaderValue,
    hashed: bool,
}

impl Assets {
    pub(crate) fn load() -> Self {
        let asset = |path: std::borrow::Cow<'static, str>| {
            let file = Dist::get(&path)?;
            let bytes = match file.data {
                std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
            };
            let hash: String = file.metadata.sha256_hash()[..12].iter().map(|byte| format!("{byte:02x}")).collect();
            let asset = Asset {
                bytes,
                compressed: OnceLock::new(),
                content_type: content_type(file.metadata.mimetype()),
                etag: HeaderValue::from_str(&format!("\"{hash}\"")).ok()?,
                hashed: path.starts_with(HASHED),
            };
            Some((path.into_owned(), asset))
        };
        Self(Dist::iter().filter_map(asset).collect())
    }
}

fn content_type(mime: &str) -> HeaderValue {
    let is_text = mime.starts_with("text/") || mime == "application/javascript";
    let full = if is_text { format!("{mime}; charset=utf-8") } else { mime.to_owned() };
    HeaderValue::from_str(&full).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

impl Asset {
    fn compressed(&self) -> Option<&Bytes> {
        self.compressed.get_or_init(|| gzip(&self.bytes)).as_ref()
    }

    fn respond(&self, headers: &HeaderMap) -> Response {
        let mut answer = HeaderMap::new();
        answer.insert(CONTENT_TYPE, self.content_type.clone());
        answer.insert(CACHE_CONTROL, if self.hashed { FOREVER } else { REVALIDATE });
        answer.insert(ETAG, self.etag.clone());
        answer.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if mentions(headers, &IF_NONE_MATCH, self.etag.to_str().unwrap_or_default()) {
            return (StatusCode::NOT_MODIFIED, answer).into_response();
        }
        if mentions(headers, &ACCEPT_ENCODING, "gzip")
            && let Some(compressed) = self.compressed()
        {
            answer.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            return (answer, compressed.clone()).into_response();
        }
        (answer, self.bytes.clone()).into_response()
    }
}

fn mentions(headers: &HeaderMap, name: &HeaderName, text: &str) -> bool {
    headers.get_all(name).iter().any(|value| value.to_str().is_ok_and(|value| value.contains(text)))
}

fn gzip(bytes: &Bytes) -> Option<Bytes> {
    if bytes.len() < COMPRESSED_BYTES_MIN {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).ok()?;
    let compressed = encoder.finish().ok()?;
    (compressed.len() < bytes.len()).then(|| compressed.into())
}

/// Everything that is no route: a file, or the page of the web client, which knows its own paths.
pub(crate) async fn serve(State(door): State<Door>, _: OpenRequest, request: Request) -> Result<Response, Failure> {
    let path = request.uri().path().trim_start_matches('/');
    if path == "v1" || path.starts_with("v1/") {
        return Err(Code::NotFound.into());
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let headers = request.headers();
    if let Some(asset) = door.assets.0.get(path) {
        return if is_read { Ok(asset.respond(headers)) } else { Err(Code::MethodNotAllowed.into()) };
    }
    if !is_read || !(path.is_empty() || mentions(headers, &ACCEPT, "text/html")) {
        return Err(Code::NotFound.into());
    }
    Ok(match door.assets.0.get(INDEX) {
        Some(index) => index.respond(headers),
        None => Html(NOT_BUILT).into_response(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_cached_and_compressed() {
        let asset = |hashed: bool, bytes: usize| Asset {
            bytes: vec![b'x'; bytes].into(),
            compressed: OnceLock::new(),
            content_type: content_type("text/css"),
            etag: HeaderValue::from_static("\"abc\""),
            hashed,
        };
        let check = |asset: &Asset, headers: &[(HeaderName, &'static str)], expect: (u16, &str, Option<&str>)| {
            let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
            let response = asset.respond(&headers);
            let header = |name: HeaderName| response.headers().get(name).map(|value| value.to_str().unwrap());
            let caching = header(CACHE_CONTROL).unwrap();
            assert_eq!((response.status().as_u16(), caching, header(CONTENT_ENCODING)), expect);
            assert_eq!((header(ETAG), header(CONTENT_TYPE)), (Some("\"abc\""), Some("text/css; charset=utf-8")));
        };
        let forever = "public, max-age=31536000, immutable";
        check(&asset(true, 5000), &[], (200, forever, None));
        check(&asset(false, 5000), &[(ACCEPT_ENCODING, "br, gzip")], (200, "no-cache", Some("gzip")));
        check(&asset(false, 100), &[(ACCEPT_ENCODING, "gzip")], (200, "no-cache", None));
        check(&asset(true, 5000), &[(IF_NONE_MATCH, "\"xyz\", \"abc\"")], (304, forever, None));
        check(&asset(true, 5000), &[(IF_NONE_MATCH, "\"xyz\"")], (200, forever, None));
    }
}
