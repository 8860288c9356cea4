//! What can go wrong, as far as a door tells it apart.

use domain::Refusal;
use seldom::Seldom;
use storage::StoreError;
use thiserror::Error;

/// Why the engine did not do what was asked. Except after [`EngineError::Unavailable`], nothing has changed.
#[derive(Debug, Clone, Error)]
pub enum EngineError {
    /// The caller's fault.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A query or account field breaks a limit or a form.
    #[error("{field} {problem}")]
    Invalid {
        /// Path of the field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The token is not one of ours.
    #[error("not authenticated")]
    Unauthenticated,
    /// The token has ended.
    #[error("the token has expired")]
    TokenExpired,
    /// The token's device was revoked.
    #[error("the device is revoked")]
    TokenRevoked,
    /// A refresh token came a second time; its device is revoked.
    #[error("the refresh token was used before")]
    RefreshReused,
    /// No such user or another password.
    #[error("wrong user or password")]
    WrongCredentials,
    /// The account is closed.
    #[error("the account is disabled")]
    UserDisabled,
    /// The app takes no registrations.
    #[error("registration is closed")]
    RegistrationClosed,
    /// The setup token is not, or no longer, the right one.
    #[error("the setup token is not valid")]
    SetupTokenInvalid,
    /// The app's users can't be searched.
    #[error("the directory is closed")]
    DirectoryClosed,
    /// The user id is taken.
    #[error("the user id is taken")]
    UserExists,
    /// There is no such app.
    #[error("no such app")]
    UnknownApp,
    /// There is no such device of the actor.
    #[error("no such device")]
    UnknownDevice,
    /// Only administrators may.
    #[error("administrators only")]
    AdminOnly,
    /// Too many requests.
    #[error("rate limited")]
    RateLimited {
        /// When the next one is allowed.
        retry_after_ms: u64,
    },
    /// Too much is waiting.
    #[error("overloaded")]
    Overloaded,
    /// The server is about to stop.
    #[error("draining")]
    Draining,
    /// The store can't write or read at the moment. A command's outcome is unknown: repeat it with the same client id.
    #[error("the store is unavailable")]
    Unavailable(#[source] StoreError),
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        // On a full disk this is every command.
        static FAILED: Seldom = Seldom::new();
        if let Some(left_out) = FAILED.due() {
            tracing::error!(%error, left_out, "store failed");
        }
        EngineError::Unavailable(error)
    }
}
