//! Writing responses: straight to the bytes of a frame, without a tree of values between.

use serde::Serialize;
use websocket::Frame;
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
pub(super) fn response<T: Serialize>(context: &Context, id: u64, result: &Result<T, Failure>) -> Frame {
    match result {
        Ok(result) => {
            let written = Frame::write_text(|out| serde_json::to_writer(out, &Success { id, result }));
            written.unwrap_or_else(|error| {
                tracing::error!(%error, "an answer could not be written as JSON");
                failed(context, id, &Code::Internal.into())
            })
        }
        Err(failure) => failed(context, id, failure),
    }
}

/// The response to a request that failed. The connection's name and the request's id name it in the log.
pub(super) fn failed(context: &Context, id: u64, failure: &Failure) -> Frame {
    let request_id = format!("{}.{id}", context.request_id);
    failure.log(&request_id);
    let error = &failure.problem(&request_id, context.language);
    Frame::write_text(|out| serde_json::to_writer(out, &Failed { id, error }))
        .expect("a problem is strings and numbers")
}
