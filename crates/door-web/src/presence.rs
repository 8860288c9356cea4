//! Who is there.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine::{PRESENCE_USERS_MAX, PresenceOf, PresenceView, Session};
use wire::{PresenceList, PresenceWatch};

use crate::convert::{from_wire, to_wire};
use crate::door::Door;
use crate::extract::{Caller, Json, answer};
use crate::failure::Failure;

/// Presence of users
///
/// Over REST nothing is watched: it is how it is now.
#[utoipa::path(post, path = "/v1/presence", operation_id = "presence.watch", tag = "presence",
    request_body(content = PresenceWatch, example = json!({"users": ["bob"]})),
    responses((status = 200, description = "Those who may be seen", body = PresenceList)))]
pub(crate) async fn post_presence(
    State(door): State<Door>,
    Caller(actor): Caller,
    Json(request): Json<PresenceWatch>,
) -> Result<Response, Failure> {
    let users = watched(&request)?;
    let views = door.engine.query(&actor, PresenceOf { users }).await?;
    Ok(answer(StatusCode::OK, &list(&views)))
}

/// Replaces what a session watches.
pub(crate) async fn watch(session: &Session, request: PresenceWatch) -> Result<PresenceList, Failure> {
    let views = session.watch_presence(watched(&request)?).await?;
    Ok(list(&views))
}

fn watched(request: &PresenceWatch) -> Result<Vec<domain::UserId>, Failure> {
    if request.users.len() > PRESENCE_USERS_MAX {
        return Err(Failure::field("users", format!("must have at most {PRESENCE_USERS_MAX} users")));
    }
    from_wire::user_ids("users", &request.users)
}

fn list(views: &[PresenceView]) -> PresenceList {
    PresenceList { presence: views.iter().map(to_wire::presence).collect() }
}
