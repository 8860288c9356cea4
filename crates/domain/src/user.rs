//! Users and their devices.

use smol_str::SmolStr;

use crate::{DeviceId, Timestamp, UserId};

/// Kind of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserKind {
    /// A human being.
    Person,
    /// A program.
    Bot,
    /// A person without an account of their own.
    Guest,
}

/// A user of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id, immutable.
    pub id: UserId,
    /// Person, bot or guest.
    pub kind: UserKind,
    /// The name to show.
    pub display_name: SmolStr,
    /// Whether the user administers the server.
    pub admin: bool,
    /// Whether the account is closed: no login, no token is good.
    pub disabled: bool,
    /// When it was created.
    pub created_at: Timestamp,
}

/// One login of a user. A revoked device is gone from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The id, immutable.
    pub id: DeviceId,
    /// Whose.
    pub user: UserId,
    /// The name given at login.
    pub name: SmolStr,
    /// When it signed in.
    pub created_at: Timestamp,
    /// When its tokens were refreshed last.
    pub last_seen_at: Timestamp,
    /// Number of the refresh token that is good now; a smaller one that turns up was stolen or replayed.
    pub refresh_generation: u64,
}

/// A password as it is stored: an argon2id hash in PHC string format.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub SmolStr);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}
