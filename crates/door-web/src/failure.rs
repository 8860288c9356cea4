//! Why a request failed, and the one table from the engine's errors to the wire's codes.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::Refusal;
use engine::EngineError;
use seldom::Seldom;
use wire::{Code, FieldError, Problem};

use crate::language::Language;

/// Why a request failed. As a response it has no body yet: the guard, which knows the request's id and language, writes it.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) detail: Option<String>,
    pub(crate) retry_after_ms: Option<u64>,
    pub(crate) errors: Vec<FieldError>,
}

impl Failure {
    pub(crate) fn new(code: Code) -> Self {
        Self { code, detail: None, retry_after_ms: None, errors: Vec::new() }
    }

    pub(crate) fn detailed(code: Code, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(code) }
    }

    /// A field that is wrong.
    pub(crate) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let error = FieldError { field: field.into(), message: message.into() };
        let detail = format!("{} {}", error.field, error.message);
        Self { errors: vec![error], ..Self::detailed(Code::InvalidRequest, detail) }
    }

    pub(crate) fn rate_limited(retry_after_ms: u64) -> Self {
        Self { retry_after_ms: Some(retry_after_ms), ..Self::new(Code::RateLimited) }
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.info().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Tells the log of a failure that is not the client's. A mistake of ours is told each time; what fails for everybody as
    /// long as it lasts, seldom.
    pub(crate) fn log(&self, request_id: &str) {
        static FAILED: Seldom = Seldom::new();
        let code = self.code.info().code;
        if !self.status().is_server_error() {
            tracing::debug!(request_id, code, "request refused");
        } else if self.code == Code::Internal {
            tracing::warn!(request_id, code, "request failed");
        } else if let Some(left_out) = FAILED.due() {
            tracing::warn!(request_id, code, left_out, "request failed");
        }
    }

    /// The failure as it goes out.
    pub(crate) fn problem(&self, request_id: &str, language: Language) -> Problem {
        let info = self.code.info();
        Problem {
            kind: format!("urn:starling:error:{}", info.code),
            code: info.code.to_owned(),
            status: info.status,
            title: language.pick(info.en, info.zh).to_owned(),
            detail: self.detail.clone(),
            retryable: info.retryable,
            retry_after_ms: self.retry_after_ms,
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
        }
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::Invalid { field, problem } => return Failure::field(field, problem),
            Refusal::UnknownRoom => Code::UnknownRoom,
            Refusal::UnknownUser => Code::UnknownUser,
            Refusal::UnknownMessage => Code::UnknownMessage,
            Refusal::MessageDeleted => Code::MessageDeleted,
            Refusal::RoomExists => Code::RoomExists,
            Refusal::RoomFull => Code::RoomFull,
            Refusal::NotAMember => Code::NotAMember,
            Refusal::NotInvited => Code::NotInvited,
            Refusal::AlreadyMember => Code::AlreadyMember,
            Refusal::LevelTooLow => Code::LevelTooLow,
            Refusal::NotYourMessage => Code::NotYourMessage,
            Refusal::LastOwner => Code::LastOwner,
            Refusal::DirectRoomFixed => Code::DirectRoomFixed,
            Refusal::TooManyReactions => Code::TooManyReactions,
            Refusal::ClientIdReused => Code::ClientIdReused,
        };
        code.into()
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let code = match error {
            EngineError::Refused(refusal) => return refusal.into(),
            EngineError::Invalid { field, problem } => return Failure::field(field, problem),
            EngineError::RateLimited { retry_after_ms } => return Failure::rate_limited(retry_after_ms),
            EngineError::Unauthenticated => Code::Unauthenticated,
            EngineError::TokenExpired => Code::TokenExpired,
            EngineError::TokenRevoked => Code::TokenRevoked,
            EngineError::RefreshReused => Code::RefreshReused,
            EngineError::WrongCredentials => Code::WrongCredentials,
            EngineError::UserDisabled => Code::UserDisabled,
            EngineError::RegistrationClosed => Code::RegistrationClosed,
            EngineError::SetupTokenInvalid => Code::SetupTokenInvalid,
            EngineError::DirectoryClosed => Code::DirectoryClosed,
            EngineError::UserExists => Code::UserExists,
            EngineError::UnknownApp => Code::UnknownApp,
            EngineError::UnknownDevice => Code::UnknownDevice,
            EngineError::AdminOnly => Code::AdminOnly,
            EngineError::Overloaded => Code::Overloaded,
            EngineError::Draining => Code::Draining,
            // What the store said is in the log; it is nothing for strangers.
            EngineError::Unavailable(_) => Code::StorageUnavailable,
        };
        code.into()
    }
}
