//! Who types.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::Actor;
use wire::{Code, Nothing, SetTyping};

use crate::convert::from_wire;
use crate::document::errors;
use crate::door::Door;
use crate::extract::{Caller, Json, Segments};
use crate::failure::Failure;

/// Say that one is typing
///
/// Or has stopped. Never stored; it ends by itself after 6 s.
#[utoipa::path(post, path = "/v1/rooms/{room}/typing", operation_id = "typing.set", tag = "typing",
    params(("room" = String, Path, description = "The room's id")),
    request_body(content = SetTyping, example = json!({"typing": true})),
    responses((status = 204, description = "Told")),
    extensions(("x-errors" = json!(errors(&[Code::UnknownRoom, Code::NotAMember])))))]
pub(crate) async fn post_typing(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments(room): Segments<String>,
    Json(request): Json<SetTyping>,
) -> Result<Response, Failure> {
    set(&door, &actor, &room, request).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn set(door: &Door, actor: &Actor, room: &str, request: SetTyping) -> Result<Nothing, Failure> {
    door.engine.typing(actor, &from_wire::room_id(room)?, request.typing).await?;
    Ok(Nothing {})
}
