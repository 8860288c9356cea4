//! The WebSocket `/v1/ws`: the same operations as REST, and what happens elsewhere, on one connection.

mod commands;
mod connection;
mod dispatch;
mod handshake;
mod pace;
mod read;
mod write;

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::HeaderMap;
use axum::response::Response;
use wire::Code;

use crate::document::errors;
use crate::door::{Context, Door};
use crate::failure::Failure;
use crate::origin;

/// Bytes read from a socket at once: an idle connection holds a buffer of this size.
const READ_BUFFER_BYTES: usize = 2048;
/// Bytes gathered before they are written: what waits goes out in pieces of this size.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;

/// Connect by WebSocket
///
/// One JSON object per text frame. A client sends `Request` frames and gets a `Response` for each; what happens elsewhere
/// comes as `Push` frames. The first request must be `connect`, within 10 seconds. Operations are those of `Operation`; they
/// mean the same as the REST calls of the same name and fail with the same problems. Commands to one room are carried out in
/// the order in which they were sent. Close codes: 4401 the token is missing, has ended or was revoked; 4400 a frame was too
/// large, binary, or too many were malformed; 4429 too fast for too long, too many pings, or too many sessions; 1012 the server restarts.
#[utoipa::path(get, path = "/v1/ws", operation_id = "socket", tag = "websocket", security(()),
    responses((status = 101, description = "The connection is a WebSocket from here on")),
    extensions(("x-errors" = json!(errors(&[Code::InvalidRequest])))))]
pub(crate) async fn get_socket(
    State(door): State<Door>,
    Extension(context): Extension<Arc<Context>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let upgrade = upgrade.map_err(|rejection| Failure::detailed(Code::InvalidRequest, rejection.body_text()))?;
    if !origin::may_connect(&headers, &door.options.allowed_origins) {
        return Err(Failure::field("Origin", "is not allowed to connect"));
    }
    if door.engine.is_draining() {
        return Err(Code::Draining.into());
    }
    let frame_bytes_max = door.options.frame_bytes_max;
    Ok(upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(frame_bytes_max)
        .max_frame_size(frame_bytes_max)
        .on_upgrade(move |socket| connection::serve(door, context, socket)))
}
