//! Who acts.

use crate::{AppId, DeviceId, UserId};

/// Who acts: a user of an app by one of their devices. Made only by authentication, so whoever holds one may rely on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The app; every lookup starts from here, so nothing crosses apps.
    pub app: AppId,
    /// The user.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
}
