//! Finding users.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::Actor;
use engine::{SearchUsers, USERS_PAGE_MAX, Users};
use wire::{Code, User, UserPage, UserSearch};

use crate::convert::{from_wire, to_wire};
use crate::document::errors;
use crate::door::Door;
use crate::extract::{Caller, Params, Segments, answer};
use crate::failure::Failure;

/// Users in a page, if the asker doesn't say.
const PAGE_DEFAULT: usize = 20;

/// Find users
///
/// By ids, or by the beginning of an id or of a word of a display name.
#[utoipa::path(get, path = "/v1/users", operation_id = "user.search", tag = "user", params(UserSearch),
    responses((status = 200, description = "A page of users", body = UserPage)),
    extensions(("x-errors" = json!(errors(&[Code::DirectoryClosed])))))]
pub(crate) async fn get_users(
    State(door): State<Door>,
    Caller(actor): Caller,
    Params(request): Params<UserSearch>,
) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &search(&door, &actor, request).await?))
}

/// A user
#[utoipa::path(get, path = "/v1/users/{user}", operation_id = "user.get", tag = "user",
    params(("user" = String, Path, description = "The user's id")),
    responses((status = 200, description = "The profile", body = User)),
    extensions(("x-errors" = json!(errors(&[Code::UnknownUser])))))]
pub(crate) async fn get_user(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments(user): Segments<String>,
) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &get(&door, &actor, &user).await?))
}

pub(crate) async fn get(door: &Door, actor: &Actor, user: &str) -> Result<User, Failure> {
    let ids = vec![from_wire::user_id(user)?];
    let found = door.engine.query(actor, Users { ids }).await?.pop().ok_or(Code::UnknownUser)?;
    Ok(to_wire::user(&found))
}

pub(crate) async fn search(door: &Door, actor: &Actor, request: UserSearch) -> Result<UserPage, Failure> {
    let UserSearch { ids, query, limit, cursor } = request;
    match (ids, query) {
        (Some(_), Some(_)) => Err(Failure::field("ids", "excludes query")),
        (Some(ids), None) => {
            let texts: Vec<&str> = ids.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
            let ids = from_wire::user_ids("ids", &texts)?;
            let found = door.engine.query(actor, Users { ids }).await?;
            Ok(UserPage { users: to_wire::users(&found), next: None })
        }
        (None, query) => {
            let limit = from_wire::limit(limit, PAGE_DEFAULT, USERS_PAGE_MAX)?;
            let after = from_wire::users_after(cursor.as_deref())?;
            let query = query.unwrap_or_default();
            let page = door.engine.query(actor, SearchUsers { query, after, limit }).await?;
            let next = page.next.as_ref().map(to_wire::users_cursor);
            Ok(UserPage { users: to_wire::users(&page.items), next })
        }
    }
}
