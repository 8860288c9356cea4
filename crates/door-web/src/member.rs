//! Members of rooms: listing, inviting, removing, levels.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::{Action, Actor, Level};
use engine::{MEMBERS_PAGE_MAX, Members};
use wire::{Code, MemberPage, MemberRange, MemberRef, Plain, Receipt, SetLevel};

use crate::ask::Ask;
use crate::convert::{from_wire, to_wire};
use crate::document::errors;
use crate::door::Door;
use crate::extract::{Caller, Keyed, OptionalKeyed, Params, Segments, answer, repeatable_answer};
use crate::failure::Failure;

/// Members in a page, if the asker doesn't say.
const PAGE_DEFAULT: usize = 100;

/// List members
#[utoipa::path(get, path = "/v1/rooms/{room}/members", operation_id = "member.list", tag = "member",
    params(("room" = String, Path, description = "The room's id"), MemberRange),
    responses((status = 200, description = "A page of members", body = MemberPage)),
    extensions(("x-errors" = json!(errors(&[Code::UnknownRoom, Code::NotAMember])))))]
pub(crate) async fn get_members(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments(room): Segments<String>,
    Params(request): Params<MemberRange>,
) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &list(&door, &actor, &room, request).await?))
}

/// Invite a user
#[utoipa::path(post, path = "/v1/rooms/{room}/members", operation_id = "member.invite", tag = "member",
    params(("room" = String, Path, description = "The room's id")),
    request_body(content = MemberRef, example = json!({"user": "bob"})),
    responses((status = 200, description = "Where the invitation stands in the log", body = Receipt)),
    extensions(("x-errors" = json!(errors(&[
        Code::UnknownRoom, Code::UnknownUser, Code::NotAMember, Code::LevelTooLow, Code::AlreadyMember, Code::RoomFull,
        Code::DirectRoomFixed, Code::ClientIdReused])))))]
pub(crate) async fn post_member(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments(room): Segments<String>,
    Keyed(request): Keyed<MemberRef>,
) -> Result<Response, Failure> {
    let receipt = invite(&room, &request)?.execute(&door, &actor).await?;
    Ok(repeatable_answer(StatusCode::OK, &receipt, receipt.duplicate))
}

/// Set a member's level
#[utoipa::path(patch, path = "/v1/rooms/{room}/members/{user}", operation_id = "member.level", tag = "member",
    params(("room" = String, Path, description = "The room's id"), ("user" = String, Path, description = "The member's user id")),
    request_body(content = SetLevel, example = json!({"level": 50})),
    responses((status = 200, description = "Where the change stands in the log", body = Receipt)),
    extensions(("x-errors" = json!(errors(&[
        Code::UnknownRoom, Code::UnknownUser, Code::NotAMember, Code::LevelTooLow, Code::LastOwner, Code::DirectRoomFixed,
        Code::ClientIdReused])))))]
pub(crate) async fn patch_member(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments((room, user)): Segments<(String, String)>,
    Keyed(request): Keyed<SetLevel>,
) -> Result<Response, Failure> {
    let receipt = set_level(&room, &user, &request)?.execute(&door, &actor).await?;
    Ok(repeatable_answer(StatusCode::OK, &receipt, receipt.duplicate))
}

/// Remove a member
///
/// Also takes an invitation back.
#[utoipa::path(delete, path = "/v1/rooms/{room}/members/{user}", operation_id = "member.remove", tag = "member",
    params(("room" = String, Path, description = "The room's id"), ("user" = String, Path, description = "The member's user id")),
    responses((status = 200, description = "Where the removal stands in the log", body = Receipt)),
    extensions(("x-errors" = json!(errors(&[
        Code::UnknownRoom, Code::UnknownUser, Code::NotAMember, Code::LevelTooLow, Code::DirectRoomFixed, Code::ClientIdReused])))))]
pub(crate) async fn delete_member(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments((room, user)): Segments<(String, String)>,
    OptionalKeyed(request): OptionalKeyed<Plain>,
) -> Result<Response, Failure> {
    let receipt = remove(&room, &user, &request)?.execute(&door, &actor).await?;
    Ok(repeatable_answer(StatusCode::OK, &receipt, receipt.duplicate))
}

pub(crate) async fn list(door: &Door, actor: &Actor, room: &str, range: MemberRange) -> Result<MemberPage, Failure> {
    let room = from_wire::room_id(room)?;
    let limit = from_wire::limit(range.limit, PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
    let after = from_wire::page_after(range.cursor.as_deref())?;
    let page = door.engine.query(actor, Members { room, after, limit }).await?;
    let next = page.next.as_ref().map(to_wire::page_cursor);
    Ok(MemberPage { members: page.items.iter().map(to_wire::member).collect(), next })
}

pub(crate) fn invite(room: &str, request: &MemberRef) -> Result<Ask, Failure> {
    let user = from_wire::user_id(&request.user)?;
    Ask::new(room, Action::Invite { user }, request.client_id.as_deref())
}

pub(crate) fn remove(room: &str, user: &str, request: &Plain) -> Result<Ask, Failure> {
    let user = from_wire::user_id(user)?;
    Ask::new(room, Action::Remove { user }, request.client_id.as_deref())
}

pub(crate) fn set_level(room: &str, user: &str, request: &SetLevel) -> Result<Ask, Failure> {
    let action = Action::SetLevel { user: from_wire::user_id(user)?, level: Level(request.level) };
    Ask::new(room, action, request.client_id.as_deref())
}
