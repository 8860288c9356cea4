//! Messages: sending, editing, deleting.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::Action;
use smol_str::SmolStr;
use wire::{Code, DeleteMessage, EditMessage, Receipt, SendMessage};

use crate::ask::Ask;
use crate::convert::from_wire;
use crate::document::errors;
use crate::door::Door;
use crate::extract::{Caller, Keyed, KeyedParams, Segments, repeatable_answer};
use crate::failure::Failure;

/// Send a message
///
/// Answered once it is durable. A repeat with the same client id is answered with the first one's receipt.
#[utoipa::path(post, path = "/v1/rooms/{room}/messages", operation_id = "message.send", tag = "message",
    params(("room" = String, Path, description = "The room's id")),
    request_body(content = SendMessage, example = json!({"client_id": "c-1", "content": {"type": "text", "text": "Hello!"}})),
    responses((status = 201, description = "Where the message stands in the log", body = Receipt)),
    extensions(("x-errors" = json!(errors(&[
        Code::UnknownRoom, Code::NotAMember, Code::LevelTooLow, Code::UnknownMessage, Code::ClientIdReused])))))]
pub(crate) async fn post_message(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments(room): Segments<String>,
    Keyed(request): Keyed<SendMessage>,
) -> Result<Response, Failure> {
    let receipt = send(&room, request)?.execute(&door, &actor).await?;
    Ok(repeatable_answer(StatusCode::CREATED, &receipt, receipt.duplicate))
}

/// Edit an own message
#[utoipa::path(put, path = "/v1/rooms/{room}/messages/{seq}", operation_id = "message.edit", tag = "message",
    params(("room" = String, Path, description = "The room's id"), ("seq" = u64, Path, description = "Seq of the message")),
    request_body(content = EditMessage, example = json!({"content": {"type": "text", "text": "Hello, all!"}})),
    responses((status = 200, description = "Where the edit stands in the log", body = Receipt)),
    extensions(("x-errors" = json!(errors(&[
        Code::UnknownRoom, Code::NotAMember, Code::LevelTooLow, Code::UnknownMessage, Code::MessageDeleted, Code::NotYourMessage,
        Code::ClientIdReused])))))]
pub(crate) async fn put_message(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments((room, seq)): Segments<(String, u64)>,
    Keyed(request): Keyed<EditMessage>,
) -> Result<Response, Failure> {
    let receipt = edit(&room, seq, request)?.execute(&door, &actor).await?;
    Ok(repeatable_answer(StatusCode::OK, &receipt, receipt.duplicate))
}

/// Delete a message
///
/// Its content is removed physically and everywhere; its seq stays.
#[utoipa::path(delete, path = "/v1/rooms/{room}/messages/{seq}", operation_id = "message.delete", tag = "message",
    params(("room" = String, Path, description = "The room's id"), ("seq" = u64, Path, description = "Seq of the message"), DeleteMessage),
    responses((status = 200, description = "Where the deletion stands in the log", body = Receipt)),
    extensions(("x-errors" = json!(errors(&[
        Code::UnknownRoom, Code::NotAMember, Code::LevelTooLow, Code::UnknownMessage, Code::ClientIdReused])))))]
pub(crate) async fn delete_message(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments((room, seq)): Segments<(String, u64)>,
    KeyedParams(request): KeyedParams<DeleteMessage>,
) -> Result<Response, Failure> {
    let receipt = delete(&room, seq, request)?.execute(&door, &actor).await?;
    Ok(repeatable_answer(StatusCode::OK, &receipt, receipt.duplicate))
}

pub(crate) fn send(room: &str, request: SendMessage) -> Result<Ask, Failure> {
    let SendMessage { client_id, content, reply_to } = request;
    let reply_to = reply_to.map(from_wire::message_seq).transpose()?;
    let action = Action::Send { content: from_wire::content(content)?, reply_to };
    Ask::new(room, action, client_id.as_deref())
}

pub(crate) fn edit(room: &str, seq: u64, request: EditMessage) -> Result<Ask, Failure> {
    let EditMessage { client_id, content } = request;
    let action = Action::Edit { target: from_wire::message_seq(seq)?, content: from_wire::content(content)? };
    Ask::new(room, action, client_id.as_deref())
}

pub(crate) fn delete(room: &str, seq: u64, request: DeleteMessage) -> Result<Ask, Failure> {
    let DeleteMessage { client_id, reason } = request;
    let action = Action::Redact { target: from_wire::message_seq(seq)?, reason: reason.map(SmolStr::from) };
    Ask::new(room, action, client_id.as_deref())
}
