//! The opaque cursors of pages, as they come and as what is inside of them.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

use crate::door::{Door, check_problem, request};

const LISTS: &[&str] = &["/v1/rooms?", "/v1/users?query=a&", "/v1/users?query=&", "/v1/rooms/flock/members?limit=1&"];

pub(crate) fn run(bytes: &[u8]) {
    let Some((&which, cursor)) = bytes.split_first() else { return };
    let cursor = match which {
        b'=' => percent_encoded(cursor),
        _ => BASE64.encode(cursor),
    };
    Door::run(async |door| {
        let bearer = format!("Bearer {}", door.access_token("ann"));
        let bearer = HeaderValue::try_from(bearer).expect("a token is ASCII");
        for list in LISTS {
            let mut request = request("GET", &format!("{list}cursor={cursor}"));
            request.headers_mut().insert(AUTHORIZATION, bearer.clone());
            let answer = door.ask(request).await;
            if answer.status != StatusCode::OK {
                let problem: wire::Problem = serde_json::from_slice(&answer.body).expect("a problem is JSON");
                check_problem(&problem, 422);
                assert_eq!(problem.errors.first().map(|error| error.field.as_str()), Some("cursor"), "{problem:?}");
            }
        }
    });
}

fn percent_encoded(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}
