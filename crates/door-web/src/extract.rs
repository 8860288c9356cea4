//! What handlers take out of a request, each with the failure that says what is wrong.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, RawPathParams, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use domain::Actor;
use engine::Allowance;
use http_body_util::{BodyExt, Limited};
use net::{BodyTimeout, Budget, ClientAddress, Left};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::Code;

use crate::door::{Context, Door};
use crate::failure::Failure;
use crate::json;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");
/// A body that is too large is still taken and thrown away up to this many bytes, so that its sender reads the answer.
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// And for no longer than this.
const DISCARD_TIME: Duration = Duration::from_secs(3);

/// Who asks: authenticated by bearer token and within the rate.
pub(crate) struct Caller(pub(crate) Actor);

impl FromRequestParts<Door> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Failure> {
        let token = bearer(&parts.headers).ok_or(Code::Unauthenticated)?;
        let actor = door.engine.authenticate(token).await?.actor;
        let allowance = door.engine.admit(&actor)?;
        if let Some(context) = parts.extensions.get::<Arc<Context>>() {
            context.allowance.get_or_init(|| allowance);
        }
        Ok(Self(actor))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A request that needs no token, within the budget of the client's address.
pub(crate) struct OpenRequest;

impl FromRequestParts<Door> for OpenRequest {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Failure> {
        take(&door.open_requests, parts).map(|()| Self)
    }
}

/// A registration or login within the budget of the client's address.
pub(crate) struct SignInTry;

impl FromRequestParts<Door> for SignInTry {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Failure> {
        take(&door.sign_ins, parts).map(|()| Self)
    }
}

/// A token refresh within the budget of the client's address.
pub(crate) struct RefreshTry;

impl FromRequestParts<Door> for RefreshTry {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Failure> {
        take(&door.refreshes, parts).map(|()| Self)
    }
}

fn take(budget: &Budget, parts: &Parts) -> Result<(), Failure> {
    let Some(client) = parts.extensions.get::<ClientAddress>() else { return Ok(()) };
    let left = budget.take(*client);
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    if let Some(context) = parts.extensions.get::<Arc<Context>>() {
        let Left { limit, remaining, reset, .. } = left;
        context.allowance.get_or_init(|| Allowance { limit, remaining, reset_ms: ms(reset) });
    }
    match left.refused {
        None => Ok(()),
        Some(wait) => Err(Failure::rate_limited(ms(wait))),
    }
}

/// The placeholders of the path.
pub(crate) struct Segments<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Door> for Segments<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Failure> {
        let rejection = match Path::<T>::from_request_parts(parts, door).await {
            Ok(Path(segments)) => return Ok(Self(segments)),
            Err(rejection) => rejection,
        };
        let names = RawPathParams::from_request_parts(parts, door).await;
        let names: Vec<&str> = names.iter().flatten().map(|(name, _)| name).collect();
        Err(path_failure(&rejection, &names))
    }
}

fn path_failure(rejection: &PathRejection, names: &[&str]) -> Failure {
    let PathRejection::FailedToDeserializePathParams(inner) = rejection else { return Code::NotFound.into() };
    match inner.kind() {
        ErrorKind::ParseErrorAtIndex { index, .. } => {
            Failure::field(names.get(*index).copied().unwrap_or("path"), "must be a whole number")
        }
        ErrorKind::InvalidUtf8InPathParam { key } => Failure::field(key.clone(), "must be UTF-8"),
        kind => Failure::field("path", kind.to_string()),
    }
}

/// The query of the URL.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Door> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Door) -> Result<Self, Failure> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(pairs).map(Self).map_err(|error| {
            let error = json::field_error(&error);
            Failure::field(error.field, error.message)
        })
    }
}

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Door> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Failure> {
        require_json(request.headers())?;
        let bytes = read(request, door.options.body_bytes_max).await?;
        json::parse(&bytes).map(Self)
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), Failure> {
    let essence = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = essence.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Code::UnsupportedMediaType.into()) }
}

/// A request that can carry the sender's own id for it.
pub(crate) trait Repeatable {
    fn client_id(&mut self) -> &mut Option<String>;
}

macro_rules! repeatable {
    ($($request:ty),* $(,)?) => {
        $(impl Repeatable for $request {
            fn client_id(&mut self) -> &mut Option<String> {
                &mut self.client_id
            }
        })*
    };
}

repeatable!(
    wire::CreateRoom,
    wire::UpdateRoom,
    wire::MemberRef,
    wire::SetLevel,
    wire::Plain,
    wire::SendMessage,
    wire::EditMessage,
    wire::DeleteMessage,
    wire::SetReactions,
);

/// A JSON body whose client id may come as `Idempotency-Key` instead.
pub(crate) struct Keyed<T>(pub(crate) T);

impl<T: DeserializeOwned + Repeatable> FromRequest<Door> for Keyed<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Failure> {
        let key = idempotency_key(request.headers())?;
        let Json(body) = Json::<T>::from_request(request, door).await?;
        with_key(body, key).map(Self)
    }
}

/// As [`Keyed`], but the body may be absent.
pub(crate) struct OptionalKeyed<T>(pub(crate) T);

impl<T: DeserializeOwned + Default + Repeatable> FromRequest<Door> for OptionalKeyed<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Failure> {
        let key = idempotency_key(request.headers())?;
        let has_type = request.headers().contains_key(CONTENT_TYPE).then(|| require_json(request.headers()));
        let bytes = read(request, door.options.body_bytes_max).await?;
        let body = if bytes.is_empty() {
            T::default()
        } else {
            has_type.unwrap_or(Err(Code::UnsupportedMediaType.into()))?;
            json::parse(&bytes)?
        };
        with_key(body, key).map(Self)
    }
}

/// A query whose client id may come as `Idempotency-Key` instead.
pub(crate) struct KeyedParams<T>(pub(crate) T);

impl<T: DeserializeOwned + Repeatable> FromRequestParts<Door> for KeyedParams<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Failure> {
        let Params(params) = Params::<T>::from_request_parts(parts, door).await?;
        with_key(params, idempotency_key(&parts.headers)?).map(Self)
    }
}

/// The key, bare or as the quoted string of the IETF draft.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Failure::field("Idempotency-Key", "must be ASCII"))?.trim();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    Ok(Some(bare.to_owned()))
}

fn with_key<T: Repeatable>(mut request: T, key: Option<String>) -> Result<T, Failure> {
    let client_id = request.client_id();
    match (&*client_id, key) {
        (_, None) => {}
        (Some(id), Some(key)) if *id != key => {
            return Err(Failure::field("client_id", "differs from the Idempotency-Key header"));
        }
        (_, Some(key)) => *client_id = Some(key),
    }
    Ok(request)
}

/// Reads a body up to a size; a length that says it is larger is believed, and nothing is read into memory.
async fn read(request: Request, bytes_max: usize) -> Result<Bytes, Failure> {
    let headers = request.headers();
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    // Who waits for "100 Continue" hasn't sent anything yet.
    let waits = headers.contains_key(EXPECT);
    let mut body = request.into_body();
    if length.is_some_and(|length| length > bytes_max) {
        if !waits {
            discard(body);
        }
        return Err(Code::PayloadTooLarge.into());
    }
    let mut bytes = BytesMut::with_capacity(length.unwrap_or_default());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| body_failure(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            discard(body);
            return Err(Code::PayloadTooLarge.into());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

fn body_failure(error: &(dyn Error + 'static)) -> Failure {
    let mut source = Some(error);
    while let Some(error) = source {
        if error.is::<BodyTimeout>() {
            return Code::RequestTimeout.into();
        }
        source = error.source();
    }
    Failure::detailed(Code::MalformedJson, "the body ended too early")
}

/// Closing with bytes unread resets the connection, and the sender would never see why.
fn discard(body: Body) {
    tokio::spawn(async move {
        let mut limited = Limited::new(body, DISCARDED_BYTES_MAX);
        let reading = async { while let Some(Ok(_)) = limited.frame().await {} };
        // However it ends, there is nothing more to do for this sender.
        let _ = tokio::time::timeout(DISCARD_TIME, reading).await;
    });
}

/// A JSON answer.
pub(crate) fn answer<T: Serialize>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut response = (status, bytes).into_response();
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            Failure::new(Code::Internal).into_response()
        }
    }
}

/// A JSON answer to a command, which says whether it is the answer to an earlier one.
pub(crate) fn repeatable_answer<T: Serialize>(status: StatusCode, body: &T, duplicate: bool) -> Response {
    let mut response = answer(status, body);
    if duplicate {
        response.headers_mut().insert(IDEMPOTENT_REPLAY, HeaderValue::from_static("true"));
    }
    response
}
