//! Writing frames: responses straight to bytes, without a tree of values between.

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use serde::Serialize;
use wire::{Code, Problem};

use crate::door::Context;
use crate::failure::Failure;

#[derive(Serialize)]
struct Success<'a, T> {
    id: u64,
    result: &'a T,
}

#[derive(Serialize)]
struct Failed<'a> {
    id: u64,
    error: &'a Problem,
}

/// The response to a request.
pub(super) fn response<T: Serialize>(context: &Context, id: u64, result: &Result<T, Failure>) -> Utf8Bytes {
    match result {
        Ok(result) => match serde_json::to_vec(&Success { id, result }) {
            Ok(bytes) => text(bytes),
            Err(error) => {
                tracing::error!(%error, "an answer could not be written as JSON");
                failed(context, id, &Code::Internal.into())
            }
        },
        Err(failure) => failed(context, id, failure),
    }
}

/// The response to a request that failed. The connection's name and the request's id name it in the log.
pub(super) fn failed(context: &Context, id: u64, failure: &Failure) -> Utf8Bytes {
    let request_id = format!("{}.{id}", context.request_id);
    failure.log(&request_id);
    let error = &failure.problem(&request_id, context.language);
    text(serde_json::to_vec(&Failed { id, error }).expect("a problem is strings and numbers"))
}

pub(super) fn text(json: Vec<u8>) -> Utf8Bytes {
    Utf8Bytes::try_from(Bytes::from(json)).expect("serde_json writes UTF-8")
}
