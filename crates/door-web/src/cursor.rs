//! How far members have got in a room.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::{Action, Actor};
use engine::{GetRoom, RoomCursors};
use wire::{Code, CursorList, Cursors, MemberCursors, SetCursors};

use crate::convert::{from_wire, to_wire};
use crate::document::errors;
use crate::door::Door;
use crate::extract::{Caller, Json, Segments, answer};
use crate::failure::Failure;
use crate::room;

/// Cursors of the members
#[utoipa::path(get, path = "/v1/rooms/{room}/cursors", operation_id = "cursor.list", tag = "cursor",
    params(("room" = String, Path, description = "The room's id")),
    responses((status = 200, description = "By user id", body = CursorList)),
    extensions(("x-errors" = json!(errors(&[Code::UnknownRoom, Code::NotAMember])))))]
pub(crate) async fn get_cursors(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments(room): Segments<String>,
) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &list(&door, &actor, &room).await?))
}

/// Move the own cursors
///
/// They only move forward.
#[utoipa::path(put, path = "/v1/rooms/{room}/cursors", operation_id = "cursor.set", tag = "cursor",
    params(("room" = String, Path, description = "The room's id")),
    request_body(content = SetCursors, example = json!({"read": 12})),
    responses((status = 200, description = "Where they are now", body = Cursors)),
    extensions(("x-errors" = json!(errors(&[Code::UnknownRoom, Code::NotAMember])))))]
pub(crate) async fn put_cursors(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments(room): Segments<String>,
    Json(request): Json<SetCursors>,
) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &set(&door, &actor, &room, request).await?))
}

pub(crate) async fn list(door: &Door, actor: &Actor, room: &str) -> Result<CursorList, Failure> {
    let room = from_wire::room_id(room)?;
    let all = door.engine.query(actor, RoomCursors { room }).await?;
    let one = |(user, cursors): &(domain::UserId, domain::Cursors)| MemberCursors {
        user: user.to_string(),
        cursors: to_wire::cursors(cursors),
    };
    Ok(CursorList { cursors: all.iter().map(one).collect() })
}

pub(crate) async fn set(door: &Door, actor: &Actor, room: &str, request: SetCursors) -> Result<Cursors, Failure> {
    let room = from_wire::room_id(room)?;
    let SetCursors { delivered, read } = request;
    let action = Action::Cursors { delivered: delivered.map(from_wire::place), read: read.map(from_wire::place) };
    room::execute(door, actor, room.clone(), action, None).await?;
    let view = door.engine.query(actor, GetRoom { room }).await?;
    Ok(to_wire::cursors(&view.cursors))
}
