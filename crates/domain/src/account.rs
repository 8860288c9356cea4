//! What may be written to accounts: apps, users, devices.

use smol_str::SmolStr;

use crate::{App, AppSettings, Device, DeviceId, PasswordHash, Timestamp, User, UserId};

/// Shortest password, in bytes.
pub const PASSWORD_BYTES_MIN: usize = 8;
/// Longest password, in bytes: hashing is work that a stranger can ask for.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// Longest display name and device name, in characters.
pub const NAME_CHARS_MAX: usize = 128;
/// Most devices of one user; the one unused for longest gives way.
pub const DEVICES_PER_USER_MAX: usize = 100;

/// One atomic change of accounts. The store refuses by a conflict when the world is not as the change supposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountChange {
    /// A new app. Conflict: the id exists.
    CreateApp(App),
    /// New settings of the app.
    UpdateApp(AppSettings),
    /// A new user. Conflict: the id exists.
    CreateUser {
        /// The user.
        user: User,
        /// Absent for users that can't sign in by password.
        password: Option<PasswordHash>,
    },
    /// Changes of a user; absent fields stay. Conflict: there is no such user.
    UpdateUser {
        /// Who.
        user: UserId,
        /// The name to show.
        display_name: Option<SmolStr>,
        /// Whether an administrator.
        admin: Option<bool>,
        /// Whether closed.
        disabled: Option<bool>,
    },
    /// A new password. Conflict: there is no such user.
    SetPassword {
        /// Who.
        user: UserId,
        /// The new one.
        password: PasswordHash,
        /// Which of the user's devices end with the old one.
        revoke: Revoke,
    },
    /// A new device. Conflict: the id exists, the user doesn't or is disabled, or their password is no longer the one
    /// that was shown.
    CreateDevice {
        /// The device.
        device: Device,
        /// The hash that the user's password was verified against; absent if none was asked for.
        verified: Option<PasswordHash>,
    },
    /// The next refresh token. Conflict: the device is gone or its generation is not `from`.
    RotateRefresh {
        /// Which device.
        device: DeviceId,
        /// The generation that was shown.
        from: u64,
        /// When.
        at: Timestamp,
    },
    /// Devices to end; ones that are gone already don't matter.
    RevokeDevices {
        /// Whose.
        user: UserId,
        /// Which.
        devices: Vec<DeviceId>,
    },
}

/// Which of a user's devices end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoke {
    /// None of them.
    None,
    /// All of them.
    All,
    /// All but this one.
    AllBut(DeviceId),
}

impl Revoke {
    /// Whether a device of the user ends.
    pub fn ends(&self, device: &DeviceId) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::AllBut(kept) => device != kept,
        }
    }
}

/// Whether a name (display name, device name) can be taken: 1 to [`NAME_CHARS_MAX`] characters, none of them control characters.
pub fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control)
}

/// Whether a password can be taken.
pub fn is_password(password: &str) -> bool {
    (PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&password.len())
}
