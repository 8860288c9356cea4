//! Apps (tenants).

use smol_str::SmolStr;

use crate::{AppId, Timestamp};

/// Name of the app that a fresh server has.
pub const DEFAULT_APP: &str = "default";

/// An isolated world of users and rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its id, immutable.
    pub id: AppId,
    /// What may be changed.
    pub settings: AppSettings,
    /// When it was created.
    pub created_at: Timestamp,
}

/// Settings of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSettings {
    /// The name people see.
    pub name: SmolStr,
    /// Whether anyone may register.
    pub registration_open: bool,
    /// Whether users may search for users they share no room with.
    pub directory_open: bool,
}

impl AppSettings {
    /// What a fresh app has: open registration and an open directory.
    pub fn open(name: impl Into<SmolStr>) -> Self {
        Self { name: name.into(), registration_open: true, directory_open: true }
    }
}
