//! Reactions on messages.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::Action;
use wire::{Code, Receipt, SetReactions};

use crate::ask::Ask;
use crate::convert::from_wire;
use crate::document::errors;
use crate::door::Door;
use crate::extract::{Caller, Keyed, Segments, repeatable_answer};
use crate::failure::Failure;

/// Set the own reactions on a message
///
/// The whole set; an empty one takes all back.
#[utoipa::path(put, path = "/v1/rooms/{room}/messages/{seq}/reactions", operation_id = "reaction.set", tag = "reaction",
    params(("room" = String, Path, description = "The room's id"), ("seq" = u64, Path, description = "Seq of the message")),
    request_body(content = SetReactions, example = json!({"keys": ["👍"]})),
    responses((status = 200, description = "Where the change stands in the log", body = Receipt)),
    extensions(("x-errors" = json!(errors(&[
        Code::UnknownRoom, Code::NotAMember, Code::LevelTooLow, Code::UnknownMessage, Code::MessageDeleted, Code::TooManyReactions,
        Code::ClientIdReused])))))]
pub(crate) async fn put_reactions(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments((room, seq)): Segments<(String, u64)>,
    Keyed(request): Keyed<SetReactions>,
) -> Result<Response, Failure> {
    let receipt = set(&room, seq, request)?.execute(&door, &actor).await?;
    Ok(repeatable_answer(StatusCode::OK, &receipt, receipt.duplicate))
}

pub(crate) fn set(room: &str, seq: u64, request: SetReactions) -> Result<Ask, Failure> {
    let SetReactions { client_id, keys } = request;
    let action = Action::React { target: from_wire::message_seq(seq)?, keys: from_wire::reaction_keys(keys) };
    Ask::new(room, action, client_id.as_deref())
}
