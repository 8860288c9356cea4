//! What a server has before the load begins: made by `starling dev --seed-only` in a folder that can be kept and used again.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

/// Access tokens are good for a day; with younger ones than this, a run comes to its end.
const TOKENS_AGE_MAX: Duration = Duration::from_secs(12 * 3600);
/// From how many messages on it is told how far it is.
const TOLD_FROM: u64 = 500_000;

/// How much of everything there is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args, Serialize, Deserialize)]
pub struct Seeds {
    /// People, who own the rooms in turn
    #[arg(long, default_value_t = 1)]
    pub people: u32,
    /// Messages
    #[arg(long, default_value_t = 0)]
    pub messages: u64,
    /// Messages in each of their rooms
    #[arg(long, default_value_t = 1_000)]
    pub room_messages: u64,
    /// Rooms of two people in which nothing happens
    #[arg(long, default_value_t = 0)]
    pub rooms: u64,
    /// Members of one large group, who never connect
    #[arg(long, default_value_t = 0)]
    pub members: u32,
}

impl Default for Seeds {
    fn default() -> Self {
        Self { people: 1, messages: 0, room_messages: 1_000, rooms: 0, members: 0 }
    }
}

impl Seeds {
    /// Whether what is there is enough for what is wanted.
    fn are_enough(&self, wanted: &Seeds) -> bool {
        self.people >= wanted.people
            && self.messages >= wanted.messages
            && self.rooms >= wanted.rooms
            && self.members >= wanted.members
            && self.fit(wanted)
    }

    /// Whether what is there can be added to, or taken as it is: rooms belong to people in turn.
    fn fit(&self, wanted: &Seeds) -> bool {
        let same = (self.people, self.room_messages) == (wanted.people, wanted.room_messages);
        // The group of those who never connect is made in one go.
        let group_fits = self.members == 0 || self.members >= wanted.members;
        let are_left_alone = wanted.messages == 0 && self.people >= wanted.people;
        let rooms_fit = self.messages == 0 || same || are_left_alone;
        rooms_fit && group_fits
    }

    /// Both together.
    fn with(&self, wanted: &Seeds) -> Seeds {
        Seeds {
            people: self.people.max(wanted.people),
            messages: self.messages.max(wanted.messages),
            room_messages: if self.messages > 0 { self.room_messages } else { wanted.room_messages },
            rooms: self.rooms.max(wanted.rooms),
            members: self.members.max(wanted.members),
        }
    }
}

/// A folder with a server's data, and what belongs to it.
#[derive(Debug, Clone)]
pub struct Seeded(PathBuf);

impl Seeded {
    pub fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// A token for each person.
    pub fn tokens(&self) -> PathBuf {
        self.0.join("tokens")
    }

    fn note(&self) -> PathBuf {
        self.0.join("seeds.json")
    }

    /// What is there; nothing if the folder is new.
    fn seeds(&self) -> Result<Option<Seeds>> {
        match std::fs::read(self.note()) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).context("read what was seeded")?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("read what was seeded"),
        }
    }

    fn has_fresh_tokens(&self) -> bool {
        let written = std::fs::metadata(self.tokens()).and_then(|metadata| metadata.modified());
        written.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age < TOKENS_AGE_MAX))
    }

    /// Makes what is missing.
    pub async fn fill(&self, binary: &Path, wanted: &Seeds, quiet: bool) -> Result<()> {
        let there = self.seeds()?;
        if there.is_some_and(|there| there.are_enough(wanted)) && self.has_fresh_tokens() {
            return Ok(());
        }
        let fits = there.is_none_or(|there| there.fit(wanted));
        ensure!(fits, "{} has rooms of other people or of other sizes: take another folder", self.0.display());
        let unfinished = there.is_none() && wanted.members > 0 && self.data().exists();
        ensure!(!unfinished, "{} was not finished: remove it first", self.0.display());
        let seeds = there.unwrap_or_default().with(wanted);
        std::fs::create_dir_all(&self.0).with_context(|| format!("make {}", self.0.display()))?;
        let mut command = Command::new(binary);
        command.args(["dev", "--seed-only", "--access-token-seconds", "86400"]);
        command.arg("--data").arg(self.data()).arg("--tokens").arg(self.tokens());
        let counts = [("--people", u64::from(seeds.people)), ("--messages", seeds.messages), ("--rooms", seeds.rooms)];
        for (name, count) in counts.into_iter().chain([("--room-messages", seeds.room_messages)]) {
            command.arg(name).arg(count.to_string());
        }
        if seeds.members > 0 {
            command.arg("--members").arg(seeds.members.to_string());
        }
        let told = if quiet || seeds.messages < TOLD_FROM { "warn" } else { "warn,starling=info" };
        command.args(["--log-level", told]).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let seeded = command.status().await.with_context(|| format!("start {}", binary.display()))?;
        ensure!(seeded.success(), "the server's data could not be made: {seeded}");
        std::fs::write(self.note(), serde_json::to_vec(&seeds)?).context("write what was seeded")
    }

    /// A copy of it in another folder, which must not be there yet.
    pub async fn copy(&self, to: &Path) -> Result<Self> {
        let mut command = Command::new("cp");
        command.args(["--recursive", "--reflink=auto"]).arg(&self.0).arg(to).kill_on_drop(true);
        ensure!(command.status().await.context("start cp")?.success(), "{} can't be copied", self.0.display());
        Ok(Self::at(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: Seeds = Seeds { people: 10, messages: 500, room_messages: 100, rooms: 3, members: 7 };

    #[track_caller]
    fn check(there: Seeds, wanted: Seeds, are_enough: bool, fit: bool) {
        assert_eq!((there.are_enough(&wanted), there.fit(&wanted)), (are_enough, fit));
        if fit {
            assert!(there.with(&wanted).are_enough(&wanted) && there.with(&wanted).are_enough(&there));
        }
    }

    #[test]
    fn a_kept_folder_is_used_if_it_has_what_is_wanted() {
        check(FEW, FEW, true, true);
        check(FEW, Seeds { messages: 400, rooms: 0, members: 0, ..FEW }, true, true);
        check(FEW, Seeds { messages: 501, ..FEW }, false, true);
        check(FEW, Seeds { rooms: 4, ..FEW }, false, true);
        check(FEW, Seeds { members: 8, ..FEW }, false, false);
        check(Seeds { members: 0, ..FEW }, FEW, false, true);
        // People without a wish for messages may be fewer.
        check(FEW, Seeds { people: 2, ..Seeds::default() }, true, true);
        // The rooms would be others'.
        check(FEW, Seeds { people: 11, ..FEW }, false, false);
        check(FEW, Seeds { people: 9, ..FEW }, false, false);
        check(FEW, Seeds { people: 11, messages: 0, ..FEW }, false, false);
        check(FEW, Seeds { room_messages: 50, ..FEW }, false, false);
        check(Seeds { messages: 0, ..FEW }, Seeds { people: 11, ..FEW }, false, true);
    }

    #[tokio::test]
    async fn copies_have_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let seeded = Seeded::at(&folder.path().join("one"));
        assert_eq!(seeded.seeds().unwrap(), None);
        assert!(!seeded.has_fresh_tokens());
        std::fs::create_dir_all(seeded.data()).unwrap();
        std::fs::write(seeded.tokens(), "person-0 x\n").unwrap();
        std::fs::write(seeded.note(), serde_json::to_vec(&FEW).unwrap()).unwrap();
        let copy = seeded.copy(&folder.path().join("two")).await.unwrap();
        assert_eq!(copy.seeds().unwrap(), Some(FEW));
        assert!(copy.has_fresh_tokens() && copy.data().is_dir());
        // Nothing has to be made, so nothing is started.
        copy.fill(Path::new("/nonexistent"), &FEW, true).await.unwrap();
        assert!(copy.fill(Path::new("/nonexistent"), &Seeds { rooms: 9, ..FEW }, true).await.is_err());
    }
}
