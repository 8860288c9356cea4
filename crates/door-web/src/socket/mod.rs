//! The WebSocket `/v1/ws`: the same operations as REST, and what happens elsewhere, on one connection.

mod closing;
mod commands;
mod connection;
mod dispatch;
mod handshake;
mod in_flight;
mod meters;
mod pace;
mod read;
mod write;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::SEC_WEBSOCKET_VERSION;
use axum::response::{IntoResponse, Response};
use net::Upgraded as Stream;
use websocket::{Handshake, HandshakeError, Socket};
use wire::Code;

use crate::document::errors;
use crate::door::{Context, Door};
use crate::failure::Failure;
use crate::origin;

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
    mut request: Request,
) -> Result<Response, Failure> {
    let handshake = match Handshake::read(request.version(), request.method(), request.headers()) {
        Ok(handshake) => handshake,
        Err(error) => {
            let mut response = Failure::detailed(Code::InvalidRequest, error.to_string()).into_response();
            if error == HandshakeError::Version {
                // RFC 6455, 4.4: says which version would do.
                response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            return Ok(response);
        }
    };
    if !origin::may_connect(request.headers(), &door.options.allowed_origins) {
        return Err(Failure::field("Origin", "is not allowed to connect"));
    }
    if door.engine.is_draining() {
        return Err(Code::Draining.into());
    }
    let upgrading = net::upgrade(&mut request);
    tokio::spawn(async move {
        match upgrading.await {
            Ok(stream) => {
                let socket = Socket::new(stream, door.options.frame_bytes_max);
                connection::serve(door, context, socket).await;
            }
            Err(error) => tracing::debug!(request_id = context.request_id, %error, "a WebSocket was not begun"),
        }
    });
    Ok(handshake.answer().into_response())
}

/// Reads a frame; tells whether it is a command.
pub(crate) fn reads_command(text: &str) -> bool {
    matches!(read::frame(text).operation.map(dispatch::sort), Ok(dispatch::Sorted::Command(Ok(_))))
}
