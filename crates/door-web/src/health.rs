//! Whether the process lives, and whether it can take requests: for supervisors and load balancers.

use axum::extract::State;
use wire::Code;

use crate::door::Door;
use crate::failure::Failure;

/// The process answers.
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

/// Requests can be served: the store answers and the server is not about to stop.
pub(crate) async fn readyz(State(door): State<Door>) -> Result<&'static str, Failure> {
    let health = door.engine.health().await;
    if health.draining {
        return Err(Code::Draining.into());
    }
    if !health.readable {
        return Err(Code::StorageUnavailable.into());
    }
    Ok("ok\n")
}
