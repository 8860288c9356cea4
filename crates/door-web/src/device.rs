//! The own devices.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::Actor;
use wire::{Code, DeviceList, Nothing};

use crate::convert::{from_wire, to_wire};
use crate::document::errors;
use crate::door::Door;
use crate::extract::{Caller, Segments, answer};
use crate::failure::Failure;

/// List the own devices
#[utoipa::path(get, path = "/v1/devices", operation_id = "device.list", tag = "device",
    responses((status = 200, description = "Newest first", body = DeviceList)))]
pub(crate) async fn get_devices(State(door): State<Door>, Caller(actor): Caller) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &list(&door, &actor).await?))
}

/// Revoke an own device
///
/// Its tokens are dead and its connections end within a second.
#[utoipa::path(delete, path = "/v1/devices/{device}", operation_id = "device.revoke", tag = "device",
    params(("device" = String, Path, description = "The device's id")),
    responses((status = 204, description = "Revoked")),
    extensions(("x-errors" = json!(errors(&[Code::UnknownDevice])))))]
pub(crate) async fn delete_device(
    State(door): State<Door>,
    Caller(actor): Caller,
    Segments(device): Segments<String>,
) -> Result<Response, Failure> {
    revoke(&door, &actor, &device).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn list(door: &Door, actor: &Actor) -> Result<DeviceList, Failure> {
    let devices = door.engine.query(actor, engine::Devices).await?;
    Ok(DeviceList { devices: devices.iter().map(|device| to_wire::device(device, &actor.device)).collect() })
}

pub(crate) async fn revoke(door: &Door, actor: &Actor, device: &str) -> Result<Nothing, Failure> {
    door.engine.revoke_device(actor, &from_wire::device_id(device)?).await?;
    Ok(Nothing {})
}
