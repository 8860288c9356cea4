//! A REST request in process: a line `METHOD /path?query`, lines of headers, an empty line, the body. `$ann` and the like
//! become tokens.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};

use crate::door::Door;

pub(crate) fn run(bytes: &[u8]) {
    let (head, body) = match bytes.windows(2).position(|two| two == b"\n\n") {
        Some(end) => (&bytes[..end], &bytes[end + 2..]),
        None => (bytes, &[][..]),
    };
    if read(head, Body::empty(), <[u8]>::to_vec).is_none() {
        return;
    }
    Door::run(async |door| {
        let body = Body::from(door.fill_in(body));
        if let Some(request) = read(head, body, |value| door.fill_in(value)) {
            door.ask(request).await;
        }
    });
}

/// The request, if HTTP itself doesn't refuse it.
fn read(head: &[u8], body: Body, fill_in: impl Fn(&[u8]) -> Vec<u8>) -> Option<Request<Body>> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = lines.next()?;
    let space = line.iter().position(|byte| *byte == b' ')?;
    let (method, uri) = (Method::from_bytes(&line[..space]).ok()?, Uri::try_from(&line[space + 1..]).ok()?);
    let mut request = Request::builder().method(method).uri(uri).body(body).ok()?;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::try_from(fill_in(line[colon + 1..].trim_ascii())).ok()?;
        request.headers_mut().append(name, value);
    }
    Some(request)
}
