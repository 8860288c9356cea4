//! What the devices of an episode know in common: who there is, the rooms, recent messages, the clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rand::RngExt;
use rand::rngs::StdRng;
use testkit::history::{Device, Micros};

/// Messages of a room that edits, deletions and reactions choose from.
const RECENT: usize = 40;
/// What each text begins with, so that a search for one string finds all texts.
pub const CANARY: &str = "canary-";
/// Letters of a text's own name, after [`CANARY`].
pub const CANARY_LETTERS: usize = 16;

/// The user who makes all rooms and never leaves one.
pub const KEEPER: &str = "keeper";

/// A message that somebody knows of.
#[derive(Debug, Clone)]
pub struct Known {
    pub seq: u64,
    pub sender: String,
}

/// The shared knowledge.
#[derive(Debug)]
pub struct Town {
    pub address: String,
    pub began: Instant,
    pub users: Vec<String>,
    pub rooms: Vec<String>,
    pub rate: u32,
    stopping: AtomicBool,
    recent: Mutex<HashMap<String, Vec<Known>>>,
    /// The server's ids of devices.
    devices: Mutex<HashMap<Device, String>>,
    next_number: AtomicU32,
    next_text: AtomicU64,
    seed: u64,
}

impl Town {
    pub fn new(address: String, users: Vec<String>, rooms: Vec<String>, rate: u32, numbers: u32, seed: u64) -> Self {
        Self {
            address,
            began: Instant::now(),
            users,
            rooms,
            rate,
            stopping: AtomicBool::new(false),
            recent: Mutex::default(),
            devices: Mutex::default(),
            next_number: AtomicU32::new(numbers),
            next_text: AtomicU64::new(0),
            seed,
        }
    }

    pub fn now(&self) -> Micros {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(Micros::MAX)
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// A number for a device that none had.
    pub fn number(&self) -> u32 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// The first number that no device has had.
    pub fn numbers(&self) -> u32 {
        self.next_number.load(Ordering::Relaxed)
    }

    /// A text that nobody has said.
    pub fn text(&self, dice: &mut StdRng) -> String {
        /// Most texts are short; some fill more than a page of the database.
        const LONG_ONE_IN: u32 = 25;
        let number = self.next_text.fetch_add(1, Ordering::Relaxed);
        let name = format!("{:08x}{number:08x}", self.seed as u32);
        let length =
            if dice.random_ratio(1, LONG_ONE_IN) { dice.random_range(1_000..5_000) } else { dice.random_range(0..120) };
        format!("{CANARY}{name} {}", "好x".repeat(length / 4))
    }

    fn recent_of(&self) -> MutexGuard<'_, HashMap<String, Vec<Known>>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message is there.
    pub fn learn(&self, room: &str, seq: u64, sender: &str) {
        let mut recent = self.recent_of();
        let messages = recent.entry(room.to_owned()).or_default();
        if messages.len() >= RECENT {
            messages.remove(0);
        }
        messages.push(Known { seq, sender: sender.to_owned() });
    }

    /// One of the recent messages.
    pub fn some_message(&self, room: &str, dice: &mut StdRng) -> Option<Known> {
        let recent = self.recent_of();
        let messages = recent.get(room).filter(|messages| !messages.is_empty())?;
        Some(messages[dice.random_range(0..messages.len())].clone())
    }

    /// A device is signed in.
    pub fn signed_in(&self, device: &Device, id: &str) {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner).insert(device.clone(), id.to_owned());
    }

    /// Another device of the same user, with the server's id; it is forgotten here.
    pub fn take_other_device(&self, device: &Device) -> Option<(Device, String)> {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        let other = devices.keys().find(|other| other.user == device.user && *other != device).cloned()?;
        let id = devices.remove(&other)?;
        Some((other, id))
    }
}
