//! Accounts: registering, signing in, devices, profiles.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Creates a user and signs its first device in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RegisterRequest {
    /// The app to register in; absent means the server's default app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The user's id, for ever: `[a-z0-9._=-]{1,64}`.
    pub id: String,
    /// 8 to 256 bytes of UTF-8.
    pub password: String,
    /// What others see, 1 to 128 characters; absent means the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What the user's device list shows, at most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// The one-time token printed by a fresh server: makes this user its administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup_token: Option<String>,
}

/// Signs a device in by password.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LoginRequest {
    /// The app; absent means the server's default app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The user's id.
    pub id: String,
    /// The user's password.
    pub password: String,
    /// What the user's device list shows, at most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
}

/// Exchanges a refresh token for a new pair. Each refresh token works once; reuse of an old one revokes the device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RefreshRequest {
    /// The refresh token of the last answer.
    pub refresh_token: String,
}

/// A signed-in device and its tokens.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Who is signed in.
    pub user: User,
    /// The device that was signed in.
    pub device: Device,
    /// Bearer token for `Authorization` and for the WebSocket's `connect`.
    pub access_token: String,
    /// When the access token ends.
    pub access_expires_at: i64,
    /// Works once, for `/v1/auth/refresh`.
    pub refresh_token: String,
}

/// Changes the own password.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PasswordChange {
    /// The password until now.
    pub current_password: String,
    /// The password from now on, 8 to 256 bytes.
    pub new_password: String,
    /// Whether all other devices are revoked; true when absent.
    #[serde(default = "default_true")]
    pub revoke_other_devices: bool,
}

fn default_true() -> bool {
    true
}

/// Kind of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserKind {
    /// A human being.
    Person,
    /// A program.
    Bot,
    /// A person without an account of their own.
    Guest,
}

/// What everybody in the app may see of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// The id, immutable.
    pub id: String,
    /// The name to show.
    pub display_name: String,
    /// Person, bot or guest.
    pub kind: UserKind,
}

/// The own account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// What others see.
    #[serde(flatten)]
    pub user: User,
    /// The app the account lives in.
    pub app: String,
    /// Whether this user administers the server.
    pub admin: bool,
    /// When the account was created.
    pub created_at: i64,
    /// The device that asks.
    pub device: Device,
}

/// Changes the own profile; absent fields stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ProfileUpdate {
    /// The name to show, 1 to 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// One login of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// The id, immutable.
    pub id: String,
    /// The name given at login.
    pub name: String,
    /// When it signed in.
    pub created_at: i64,
    /// When it last refreshed its tokens.
    pub last_seen_at: i64,
    /// Whether it is the device that asks.
    pub current: bool,
}

/// The own devices.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceList {
    /// Newest first; revoked ones are gone.
    pub devices: Vec<Device>,
}

/// Finds users of the app: by ids, or by the beginning of id or display name.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UserSearch {
    /// Ids, separated by commas, at most 100. Excludes `query`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<String>,
    /// Beginning of the id or of a word of the display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// At most this many, 1 to 100; 20 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of users.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UserPage {
    /// By the word that was found, then by id; all users by id.
    pub users: Vec<User>,
    /// Opaque cursor of the next page, absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What anyone may know of the server before signing in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ServerInfo {
    /// Always `starling`.
    pub server: String,
    /// Version of the server.
    pub version: String,
    /// Which history seqs and commits are of; another one after the server was restored from a backup.
    pub epoch: String,
    /// Whether anyone may register in the default app.
    pub registration_open: bool,
    /// Whether the server still waits for its first administrator (by the one-time link).
    pub needs_setup: bool,
    /// Limits a client should know.
    pub limits: Limits,
}

/// Limits a client should know.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// Longest text of a message, in bytes of UTF-8.
    pub text_bytes_max: u32,
    /// Longest `data` of a message, in bytes of JSON.
    pub data_bytes_max: u32,
    /// Largest WebSocket frame, in bytes.
    pub frame_bytes_max: u32,
    /// Largest REST body, in bytes.
    pub body_bytes_max: u32,
    /// Most events in a page.
    pub page_events_max: u32,
    /// Rooms with more members than this have no delivery and read ticks.
    pub receipts_members_max: u32,
}

/// Presence of users.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PresenceList {
    /// One per user that was asked for and may be seen.
    pub presence: Vec<Presence>,
}

/// Whether a user is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Presence {
    /// Who.
    pub user: String,
    /// Whether at least one device is connected.
    pub online: bool,
    /// When the last device went away, if this server knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<i64>,
}

/// Whose presence to tell and to watch. On a WebSocket this replaces the watch list of the connection.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct PresenceWatch {
    /// User ids, at most 500. Only users that share a room with the asker are answered.
    pub users: Vec<String>,
}
