//! What anyone may know of the server, and the list of error codes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine::HISTORY_EVENTS_MAX;
use serde::Serialize;
use utoipa::ToSchema;
use wire::{Code, Limits, ServerInfo};

use crate::door::Door;
use crate::extract::{OpenRequest, answer};
use crate::failure::Failure;

/// An error code.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorInfo {
    /// The code, as in `Problem.code`.
    #[schema(value_type = wire::schema::ErrorCode)]
    code: &'static str,
    /// HTTP status.
    status: u16,
    /// Whether the same request may succeed later.
    retryable: bool,
    /// Title in English.
    en: &'static str,
    /// Title in Chinese.
    zh: &'static str,
}

/// All error codes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorList {
    /// In no order to rely on.
    errors: Vec<ErrorInfo>,
}

/// About the server
///
/// Its version, limits, and whether one can register.
#[utoipa::path(get, path = "/v1/server", operation_id = "server.get", tag = "server", security(()),
    responses((status = 200, description = "The server", body = ServerInfo)))]
pub(crate) async fn get_server(State(door): State<Door>, _: OpenRequest) -> Result<Response, Failure> {
    let asking = async { Ok(door.engine.server_state().await?.registration_open) };
    let registration_open = door.registration_open.get(asking).await?;
    let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let info = ServerInfo {
        server: "starling".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        epoch: door.engine.epoch().to_string(),
        registration_open,
        needs_setup: door.engine.setup_token().is_some(),
        limits: Limits {
            text_bytes_max: size(domain::TEXT_BYTES_MAX),
            data_bytes_max: size(domain::DATA_BYTES_MAX),
            frame_bytes_max: size(door.options.frame_bytes_max),
            body_bytes_max: size(door.options.body_bytes_max),
            page_events_max: size(HISTORY_EVENTS_MAX),
            receipts_members_max: domain::RECEIPTS_MEMBERS_MAX,
        },
    };
    Ok(answer(StatusCode::OK, &info))
}

/// List the error codes
#[utoipa::path(get, path = "/v1/errors", operation_id = "error.list", tag = "server", security(()),
    responses((status = 200, description = "Every code, in English and Chinese", body = ErrorList)))]
pub(crate) async fn get_errors(_: OpenRequest) -> Response {
    let info = |code: &Code| {
        let wire::CodeInfo { code, status, retryable, en, zh } = code.info();
        ErrorInfo { code, status, retryable, en, zh }
    };
    answer(StatusCode::OK, &ErrorList { errors: Code::ALL.iter().map(info).collect() })
}
