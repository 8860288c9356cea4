//! Catching up.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::Actor;
use wire::{SyncAnswer, SyncRequest};

use crate::convert::{from_wire, to_wire};
use crate::door::Door;
use crate::extract::{Caller, Params, answer};
use crate::failure::Failure;

/// What changed since a commit
#[utoipa::path(get, path = "/v1/sync", operation_id = "sync", tag = "sync", params(SyncRequest),
    responses((status = 200, description = "What changed", body = SyncAnswer)))]
pub(crate) async fn get_sync(
    State(door): State<Door>,
    Caller(actor): Caller,
    Params(request): Params<SyncRequest>,
) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &sync(&door, &actor, request).await?))
}

pub(crate) async fn sync(door: &Door, actor: &Actor, request: SyncRequest) -> Result<SyncAnswer, Failure> {
    let view = door.engine.query(actor, engine::Sync { since: from_wire::commit(request.since) }).await?;
    Ok(to_wire::sync(&view, &door.engine.epoch()))
}
