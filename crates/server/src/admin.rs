//! The admin commands: what an operator may ask for, and what is answered. One function carries all of them out
//! ([`run`]), whether they came over the socket of a running server or the store was opened just for them.

mod client;
mod print;
mod run;
mod socket;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use client::{AdminCall, call};
pub use print::{print, put, table};
pub use run::{AdminContext, run};
pub use socket::AdminSocket;

/// Version of the protocol on the socket; a client and a server of different versions don't understand each other.
pub const PROTOCOL_VERSION: u32 = 1;
/// Longest line on the socket, in bytes.
pub const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What is sent to the server: one line of JSON.
#[derive(Serialize, Deserialize)]
pub struct AdminRequest {
    pub version: u32,
    pub command: AdminCommand,
}

/// What comes back: one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminResponse {
    Answer(AdminAnswer),
    Error(String),
}

/// Everything an operator may ask for. An absent app is the default one. (Not `Debug`: it may hold a password.)
#[derive(Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum AdminCommand {
    UserAdd { app: Option<String>, id: String, password: String, display_name: Option<String>, admin: bool },
    UserList { app: Option<String>, query: String, after: Option<String>, limit: u32 },
    UserShow { app: Option<String>, id: String },
    UserPassword { app: Option<String>, id: String, password: String },
    UserAdmin { app: Option<String>, id: String, admin: bool },
    UserDisabled { app: Option<String>, id: String, disabled: bool },
    RoomList { app: Option<String>, user: String },
    RoomShow { app: Option<String>, id: String },
    AppAdd { id: String, name: Option<String> },
    AppList,
    AppSet { id: String, name: Option<String>, registration_open: Option<bool>, directory_open: Option<bool> },
    AppStatistics { id: String, days: u32 },
    Backup { file: PathBuf },
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminAnswer {
    /// A page; `next` is the place to go on after, if there may be more.
    Users {
        rows: Vec<UserRow>,
        next: Option<String>,
    },
    User(UserRow),
    Rooms(Vec<RoomRow>),
    Room {
        room: RoomRow,
        members: Vec<MemberRow>,
    },
    Apps(Vec<AppRow>),
    App(AppRow),
    /// By day (`2026-11-20`), then by name of the counter.
    Statistics(BTreeMap<String, BTreeMap<String, u64>>),
    Backup {
        file: PathBuf,
        bytes: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct UserRow {
    pub id: String,
    pub name: String,
    pub kind: String,
    pub admin: bool,
    pub disabled: bool,
    pub created_at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct RoomRow {
    pub id: String,
    pub kind: String,
    pub name: String,
    pub join_rule: String,
    pub members: u32,
    pub invited: u32,
    pub messages: u64,
    pub created_at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct MemberRow {
    pub user: String,
    pub state: String,
    pub level: u8,
    pub read: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct AppRow {
    pub id: String,
    pub name: String,
    pub registration_open: bool,
    pub directory_open: bool,
    pub created_at: i64,
}
