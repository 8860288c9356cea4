//! What an operator can set, and the server's secrets.

use domain::AppId;

/// Options of the engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The app that requests without one belong to.
    pub default_app: AppId,
    /// Requests per second that a user may make in the long run.
    pub requests_per_second: u32,
    /// Requests that a user may make at once after a rest.
    pub requests_burst: u32,
    /// Password attempts per minute for one account.
    pub password_attempts_per_minute: u32,
    /// How long a command is checked anew because its room changes meanwhile, in milliseconds.
    pub conflict_patience_ms: u64,
    /// How long an access token is good, in milliseconds.
    pub access_token_ms: i64,
    /// How long the refresh token before the present one is still answered, in milliseconds: the answer may have got lost.
    pub refresh_grace_ms: i64,
    /// Passwords that are hashed at the same time; each takes about 19 MiB of memory and 20 ms of one core.
    pub password_hashes_at_once: usize,
    /// Passwords that may wait to be hashed before new ones are refused.
    pub password_hashes_waiting_max: usize,
    /// Deliveries that may wait in a session's outbox.
    pub outbox_deliveries_max: usize,
    /// Sessions of one user at the same time.
    pub sessions_per_user_max: usize,
    /// How long a user without sessions still counts as online, in milliseconds: connections come back.
    pub presence_grace_ms: u64,
    /// A room without events for this long is forgotten by the fan-out, in milliseconds.
    pub active_room_idle_ms: u64,
    /// A room that tells more deliveries per second than this is hot: it gathers them for a moment.
    pub hot_room_deliveries_per_second: u64,
    /// In a room with fewer people online than this nothing is gathered.
    pub hot_room_people_min: usize,
    /// How long a hot room gathers deliveries, in milliseconds.
    pub hot_room_gather_ms: u64,
    /// Rooms whose facts are kept in memory.
    pub cached_rooms_max: usize,
    /// Devices whose state is kept in memory.
    pub cached_devices_max: usize,
}

impl EngineOptions {
    /// What suits most servers.
    pub fn new(default_app: AppId) -> Self {
        Self {
            default_app,
            requests_per_second: 100,
            requests_burst: 500,
            password_attempts_per_minute: 10,
            conflict_patience_ms: 15_000,
            access_token_ms: 15 * 60 * 1000,
            refresh_grace_ms: 30_000,
            password_hashes_at_once: 2,
            password_hashes_waiting_max: 64,
            outbox_deliveries_max: 1024,
            sessions_per_user_max: 50,
            presence_grace_ms: 3000,
            active_room_idle_ms: 60_000,
            hot_room_deliveries_per_second: 20_000,
            hot_room_people_min: 100,
            hot_room_gather_ms: 50,
            cached_rooms_max: 20_000,
            cached_devices_max: 50_000,
        }
    }
}

/// Secrets of the server, the same on every node.
#[derive(Clone)]
pub struct Secrets {
    /// Signs tokens.
    pub token_key: [u8; 32],
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}
