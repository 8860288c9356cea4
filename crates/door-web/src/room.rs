//! Rooms: listing, creating, opening, changing, joining, leaving.

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use domain::{Action, Actor, Command, RoomId};
use engine::GetRoom;
use wire::{Code, CreateRoom, MemberState, OpenDirect, Plain, Receipt, Room, RoomPage, RoomRange, UpdateRoom};

use crate::ask::Ask;
use crate::convert::{from_wire, to_wire};
use crate::document::errors;
use crate::door::Door;
use crate::extract::{Caller, Json, Keyed, OptionalKeyed, Params, Segments, answer, repeatable_answer};
use crate::failure::Failure;

/// List the own rooms
///
/// A client that keeps a copy uses `GET /v1/sync` instead.
#[utoipa::path(get, path = "/v1/rooms", operation_id = "room.list", tag = "room", params(RoomRange),
    responses((status = 200, description = "A page of rooms", body = RoomPage)))]
pub(crate) async fn get_rooms(
    State(door): State<Door>,
    Caller(actor): Caller,
    Params(request): Params<RoomRange>,
) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &list(&door, &actor, &request).await?))
}

/// Create a group
///
/// The creator owns it; the members named are invited.
#[utoipa::path(post, path = "/v1/rooms", operation_id = "room.create", tag = "room",
    request_body(content = CreateRoom, example = json!({"settings": {"name": "Flock"}, "invite": ["bob"]})),
    responses((status = 201, description = "Created", body = Room)),
    extensions(("x-errors" = json!(errors(&[Code::RoomExists, Code::UnknownUser, Code::ClientIdReused])))))]
pub(crate) async fn post_room(
    State(door): State<Door>,
    Caller(actor): Caller,
    Keyed(request): Keyed<CreateRoom>,
) -> Result<Response, Failure> {
    let (room, duplicate) = create(&door, &actor, request).await?;
    let mut response = repeatable_answer(StatusCode::CREATED, &room, duplicate);
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/rooms/{}", room.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Open the direct room with a user
///
/// Finds it or creates it: there is one per pair.
#[utoipa::path(post, path = "/v1/rooms/direct", operation_id = "room.direct", tag = "room",
    request_body(content = OpenDirect, example = json!({"user": "bob"})),
    responses((status = 200, description = "The room", body = Room)),
    extensions(("x-errors" = json!(errors(&[Code::UnknownUser])))))]
pub(crate) async fn post_direct(
    State(door): State<Door>,
    Caller(actor): Caller,
    Json(request): Json<OpenDirect>,
) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &direct(&door, &actor, request).await?))
}

/// A room
#[utoipa::path(get, path = "/v1/rooms/{room}", operation_id = "room.get", tag = "room",
    params(("room" = String, Path, description = "The room's id")),
    responses((status = 200, description = "The room", body = Room)),
    extensions(("x-errors" = json!(errors(&[Code::UnknownRoom])))))]
pub(crate) async fn get_room(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments(room): Segments<String>,
) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &get(&door, &actor, &room).await?))
}

/// Change a room's settings
#[utoipa::path(patch, path = "/v1/rooms/{room}", operation_id = "room.update", tag = "room",
    params(("room" = String, Path, description = "The room's id")),
    request_body(content = UpdateRoom, example = json!({"settings": {"topic": "Where to fly next"}})),
    responses((status = 200, description = "Where the change stands in the log", body = Receipt)),
    extensions(("x-errors" = json!(errors(&[
        Code::UnknownRoom, Code::NotAMember, Code::LevelTooLow, Code::DirectRoomFixed, Code::ClientIdReused])))))]
pub(crate) async fn patch_room(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments(room): Segments<String>,
    Keyed(request): Keyed<UpdateRoom>,
) -> Result<Response, Failure> {
    let receipt = update(&room, request)?.execute(&door, &actor).await?;
    Ok(repeatable_answer(StatusCode::OK, &receipt, receipt.duplicate))
}

/// Join a room
///
/// By invitation, or where it is open.
#[utoipa::path(post, path = "/v1/rooms/{room}/join", operation_id = "room.join", tag = "room",
    params(("room" = String, Path, description = "The room's id")),
    request_body = Option<Plain>,
    responses((status = 200, description = "Where joining stands in the log", body = Receipt)),
    extensions(("x-errors" = json!(errors(&[
        Code::UnknownRoom, Code::NotInvited, Code::RoomFull, Code::ClientIdReused])))))]
pub(crate) async fn post_join(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments(room): Segments<String>,
    OptionalKeyed(request): OptionalKeyed<Plain>,
) -> Result<Response, Failure> {
    let receipt = join(&room, &request)?.execute(&door, &actor).await?;
    Ok(repeatable_answer(StatusCode::OK, &receipt, receipt.duplicate))
}

/// Leave a room
///
/// Also declines an invitation.
#[utoipa::path(post, path = "/v1/rooms/{room}/leave", operation_id = "room.leave", tag = "room",
    params(("room" = String, Path, description = "The room's id")),
    request_body = Option<Plain>,
    responses((status = 200, description = "Where leaving stands in the log", body = Receipt)),
    extensions(("x-errors" = json!(errors(&[
        Code::UnknownRoom, Code::NotAMember, Code::LastOwner, Code::DirectRoomFixed, Code::ClientIdReused])))))]
pub(crate) async fn post_leave(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments(room): Segments<String>,
    OptionalKeyed(request): OptionalKeyed<Plain>,
) -> Result<Response, Failure> {
    let receipt = leave(&room, &request)?.execute(&door, &actor).await?;
    Ok(repeatable_answer(StatusCode::OK, &receipt, receipt.duplicate))
}

pub(crate) async fn list(door: &Door, actor: &Actor, range: &RoomRange) -> Result<RoomPage, Failure> {
    let since = from_wire::rooms_after(range.cursor.as_deref())?;
    let view = door.engine.query(actor, engine::Sync { since }).await?;
    let is_left = |room: &Room| room.me.as_ref().is_some_and(|me| me.state == MemberState::Left);
    Ok(RoomPage {
        rooms: view.rooms.iter().map(to_wire::room).filter(|room| !is_left(room)).collect(),
        users: to_wire::users(&view.users),
        next: view.more.then(|| to_wire::rooms_cursor(view.commit)),
    })
}

/// Does something in a room.
pub(crate) async fn execute(
    door: &Door,
    actor: &Actor,
    room: RoomId,
    action: Action,
    client_id: Option<&str>,
) -> Result<engine::Receipt, Failure> {
    let client_id = from_wire::client_id(client_id)?;
    Ok(door.engine.execute(actor, Command { room, action }, client_id).await?)
}

async fn get_by_id(door: &Door, actor: &Actor, room: RoomId) -> Result<Room, Failure> {
    let view = door.engine.query(actor, GetRoom { room }).await?;
    Ok(to_wire::room(&view))
}

/// The room, and whether it was created by an earlier request of the same client id.
pub(crate) async fn create(door: &Door, actor: &Actor, request: CreateRoom) -> Result<(Room, bool), Failure> {
    let CreateRoom { client_id, id, settings, invite } = request;
    let room = match id {
        Some(id) => from_wire::new_room_id(&id)?,
        None => door.engine.fresh_room_id(),
    };
    let invite = from_wire::user_ids("invite", &invite)?;
    let action = Action::Create { settings: from_wire::settings(settings), invite };
    let receipt = execute(door, actor, room, action, client_id.as_deref()).await?;
    Ok((get_by_id(door, actor, receipt.room).await?, receipt.duplicate))
}

pub(crate) async fn direct(door: &Door, actor: &Actor, request: OpenDirect) -> Result<Room, Failure> {
    let user = from_wire::user_id(&request.user)?;
    let room = door.engine.fresh_room_id();
    let receipt = execute(door, actor, room, Action::Direct { user }, None).await?;
    get_by_id(door, actor, receipt.room).await
}

pub(crate) async fn get(door: &Door, actor: &Actor, room: &str) -> Result<Room, Failure> {
    get_by_id(door, actor, from_wire::room_id(room)?).await
}

pub(crate) fn update(room: &str, request: UpdateRoom) -> Result<Ask, Failure> {
    let action = Action::Settings(from_wire::settings(request.settings));
    Ask::new(room, action, request.client_id.as_deref())
}

pub(crate) fn join(room: &str, request: &Plain) -> Result<Ask, Failure> {
    Ask::new(room, Action::Join, request.client_id.as_deref())
}

pub(crate) fn leave(room: &str, request: &Plain) -> Result<Ask, Failure> {
    Ask::new(room, Action::Leave, request.client_id.as_deref())
}
