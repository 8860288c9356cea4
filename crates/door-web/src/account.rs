//! Accounts: registering, signing in and out, the own profile and password.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::Actor;
use engine::{Login, Register};
use wire::Code;
use wire::{LoginRequest, Me, Nothing, PasswordChange, ProfileUpdate, RefreshRequest, RegisterRequest, Session};

use crate::convert::to_wire;
use crate::document::errors;
use crate::door::Door;
use crate::extract::{Caller, Json, RefreshTry, SignInTry, answer};
use crate::failure::Failure;

/// Register
///
/// Creates a user and signs its first device in.
#[utoipa::path(post, path = "/v1/auth/register", operation_id = "auth.register", tag = "account", security(()),
    request_body(content = RegisterRequest, example = json!({"id": "ann", "password": "correct horse", "display_name": "Ann"})),
    responses((status = 201, description = "Registered and signed in", body = Session)),
    extensions(("x-errors" = json!(errors(&[Code::UserExists, Code::RegistrationClosed, Code::SetupTokenInvalid, Code::UnknownApp])))))]
pub(crate) async fn register(
    State(door): State<Door>,
    _: SignInTry,
    Json(request): Json<RegisterRequest>,
) -> Result<Response, Failure> {
    let RegisterRequest { app, id, password, display_name, device_name, setup_token } = request;
    let register = Register { app, id, password, display_name, device_name, setup_token };
    let signed_in = door.engine.register(register).await?;
    Ok(answer(StatusCode::CREATED, &to_wire::session(signed_in)))
}

/// Sign in
///
/// Signs a new device in by password.
#[utoipa::path(post, path = "/v1/auth/login", operation_id = "auth.login", tag = "account", security(()),
    request_body(content = LoginRequest, example = json!({"id": "ann", "password": "correct horse", "device_name": "Firefox on Linux"})),
    responses((status = 200, description = "Signed in", body = Session)),
    extensions(("x-errors" = json!(errors(&[Code::WrongCredentials, Code::UserDisabled, Code::UnknownApp])))))]
pub(crate) async fn login(
    State(door): State<Door>,
    _: SignInTry,
    Json(request): Json<LoginRequest>,
) -> Result<Response, Failure> {
    let LoginRequest { app, id, password, device_name } = request;
    let signed_in = door.engine.login(Login { app, id, password, device_name }).await?;
    Ok(answer(StatusCode::OK, &to_wire::session(signed_in)))
}

/// Refresh tokens
///
/// Exchanges a refresh token for a new pair of tokens. Each works once; a second use revokes the device.
#[utoipa::path(post, path = "/v1/auth/refresh", operation_id = "auth.refresh", tag = "account", security(()),
    request_body = RefreshRequest,
    responses((status = 200, description = "New tokens", body = Session)),
    extensions(("x-errors" = json!(errors(&[Code::Unauthenticated, Code::TokenRevoked, Code::RefreshReused, Code::UserDisabled])))))]
pub(crate) async fn refresh(
    State(door): State<Door>,
    _: RefreshTry,
    Json(request): Json<RefreshRequest>,
) -> Result<Response, Failure> {
    let signed_in = door.engine.refresh(&request.refresh_token).await?;
    Ok(answer(StatusCode::OK, &to_wire::session(signed_in)))
}

/// Sign out
///
/// Revokes the device that asks; its connections end at once.
#[utoipa::path(post, path = "/v1/auth/logout", operation_id = "auth.logout", tag = "account",
    responses((status = 204, description = "Signed out")))]
pub(crate) async fn logout(State(door): State<Door>, Caller(actor): Caller) -> Result<Response, Failure> {
    door.engine.logout(&actor).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Change the password
#[utoipa::path(post, path = "/v1/auth/password", operation_id = "auth.password", tag = "account",
    request_body = PasswordChange,
    responses((status = 204, description = "Changed")),
    extensions(("x-errors" = json!(errors(&[Code::WrongCredentials])))))]
pub(crate) async fn change_password(
    State(door): State<Door>,
    Caller(actor): Caller,
    Json(request): Json<PasswordChange>,
) -> Result<Response, Failure> {
    set_password(&door, &actor, request).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The own account
#[utoipa::path(get, path = "/v1/me", operation_id = "me.get", tag = "account",
    responses((status = 200, description = "The account", body = Me)))]
pub(crate) async fn get_me(State(door): State<Door>, Caller(actor): Caller) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &me(&door, &actor).await?))
}

/// Change the own profile
#[utoipa::path(patch, path = "/v1/me", operation_id = "me.update", tag = "account",
    request_body(content = ProfileUpdate, example = json!({"display_name": "Ann B."})),
    responses((status = 200, description = "The account as it is now", body = Me)))]
pub(crate) async fn patch_me(
    State(door): State<Door>,
    Caller(actor): Caller,
    Json(request): Json<ProfileUpdate>,
) -> Result<Response, Failure> {
    Ok(answer(StatusCode::OK, &update(&door, &actor, request).await?))
}

pub(crate) async fn set_password(door: &Door, actor: &Actor, request: PasswordChange) -> Result<Nothing, Failure> {
    let PasswordChange { current_password, new_password, revoke_other_devices } = request;
    let change = engine::PasswordChange { current: current_password, new: new_password, revoke_other_devices };
    door.engine.change_password(actor, change).await?;
    Ok(Nothing {})
}

pub(crate) async fn me(door: &Door, actor: &Actor) -> Result<Me, Failure> {
    let view = door.engine.query(actor, engine::Me).await?;
    Ok(to_wire::me(&view, actor))
}

pub(crate) async fn update(door: &Door, actor: &Actor, request: ProfileUpdate) -> Result<Me, Failure> {
    door.engine.update_profile(actor, request.display_name).await?;
    me(door, actor).await
}
