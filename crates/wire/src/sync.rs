//! Catching up.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Room, User};

/// Asks what has changed.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SyncRequest {
    /// `commit` of the last answer; absent or 0: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// What has changed for the asker since a commit. Costs in proportion to that.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SyncAnswer {
    /// Everything up to this commit is known with this answer; the next `since`.
    pub commit: u64,
    /// Which history the commits are of. If it is not that of `since`, the server was restored from a backup: drop what is
    /// kept (not what is still to be sent) and ask again from 0.
    pub epoch: String,
    /// Changed rooms that the asker is or was in, oldest change first. With `since` 0, rooms already left are not told.
    pub rooms: Vec<Room>,
    /// Whether to ask again at once with the new `commit`.
    pub more: bool,
    /// Profiles of the users named in the rooms.
    pub users: Vec<User>,
}
