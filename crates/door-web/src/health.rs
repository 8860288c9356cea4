//! Whether the process lives, and whether it can take requests: for supervisors and load balancers.

use axum::extract::State;
use wire::Code;

use crate::door::Door;
use crate::extract::OpenRequest;
use crate::failure::Failure;

/// The process answers.
pub(crate) async fn livez(_: OpenRequest) -> &'static str {
    "ok\n"
}

/// Requests can be served: the store answers, writes, and the server is not about to stop.
pub(crate) async fn readyz(State(door): State<Door>, _: OpenRequest) -> Result<&'static str, Failure> {
    if door.engine.is_draining() {
        return Err(Code::Draining.into());
    }
    if !door.engine.is_writable() {
        return Err(Code::StorageUnavailable.into());
    }
    if !door.readable.get(async { door.engine.health().await.readable }).await {
        return Err(Code::StorageUnavailable.into());
    }
    Ok("ok\n")
}
