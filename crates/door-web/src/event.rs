//! Reading a room's log.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::Actor;
use engine::{HISTORY_EVENTS_MAX, History};
use wire::{Code, EventPage, EventRange};

use crate::convert::{from_wire, to_wire};
use crate::document::errors;
use crate::door::Door;
use crate::extract::{Caller, Params, Segments, answer};
use crate::failure::Failure;

/// Events in a page, if the asker doesn't say.
const PAGE_DEFAULT: usize = 50;

/// Read a room's log
///
/// The newest events, or those before, after or around a seq.
#[utoipa::path(get, path = "/v1/rooms/{room}/events", operation_id = "event.list", tag = "event",
    params(("room" = String, Path, description = "The room's id"), EventRange),
    responses((status = 200, description = "A page, ascending by seq", body = EventPage)),
    extensions(("x-errors" = json!(errors(&[Code::UnknownRoom, Code::NotAMember])))))]
pub(crate) async fn get_events(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments(room): Segments<String>,
    Params(request): Params<EventRange>,
) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &list(&door, &actor, &room, &request).await?))
}

pub(crate) async fn list(door: &Door, actor: &Actor, room: &str, range: &EventRange) -> Result<EventPage, Failure> {
    let room = from_wire::room_id(room)?;
    let limit = from_wire::limit(range.limit, PAGE_DEFAULT, HISTORY_EVENTS_MAX)?;
    let view = door.engine.query(actor, History { room, cut: from_wire::cut(range)?, limit }).await?;
    Ok(to_wire::history(&view))
}
