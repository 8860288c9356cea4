//! Rooms and their settings.

use smol_str::SmolStr;

use crate::refusal::invalid;
use crate::{CommitNumber, Event, EventBody, Level, Member, MemberState, Refusal, RoomId, Seq, Timestamp, UserId};

/// Longest room name, in characters.
pub const ROOM_NAME_CHARS_MAX: usize = 128;
/// Longest topic, in characters.
pub const TOPIC_CHARS_MAX: usize = 1024;
/// Most members (joined and invited) of a room.
pub const ROOM_MEMBERS_MAX: u32 = 100_000;
/// Rooms with more members than this don't share delivery and read cursors.
pub const RECEIPTS_MEMBERS_MAX: u32 = 256;

/// Kind of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoomKind {
    /// Two people, one room per pair.
    Direct,
    /// Any number of people.
    Group,
}

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinRule {
    /// Who was invited.
    Invite,
    /// Everybody in the app.
    Open,
}

/// Who may read what. The setting of the moment holds for the whole log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HistoryVisibility {
    /// Members, from when they joined.
    Joined,
    /// Members, from when they were invited.
    Invited,
    /// Members, everything up to when they left.
    Members,
    /// Everybody in the app, everything.
    Anyone,
}

/// The level each action needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Levels {
    /// Send messages, edit own ones.
    pub send: Level,
    /// Set reactions.
    pub react: Level,
    /// Invite users.
    pub invite: Level,
    /// Remove members of a lower level.
    pub remove: Level,
    /// Redact others' messages.
    pub redact: Level,
    /// Change settings.
    pub settings: Level,
    /// Change levels.
    pub levels: Level,
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            send: Level::MEMBER,
            react: Level::MEMBER,
            invite: Level::MEMBER,
            remove: Level::MODERATOR,
            redact: Level::MODERATOR,
            settings: Level::MODERATOR,
            levels: Level::ADMIN,
        }
    }
}

impl Levels {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let Levels { send, react, invite, remove, redact, settings, levels } = *self;
        if [send, react, invite, remove, redact, settings, levels].into_iter().any(|level| level > Level::OWNER) {
            return Err(invalid("settings.levels", "must be from 0 to 100"));
        }
        Ok(())
    }
}

/// Settings of a room.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoomSettings {
    /// The name; may be empty.
    pub name: SmolStr,
    /// The topic; may be empty.
    pub topic: SmolStr,
    /// Who may come in.
    pub join_rule: JoinRule,
    /// Who may read what.
    pub history: HistoryVisibility,
    /// The level each action needs.
    pub levels: Levels,
}

impl Default for RoomSettings {
    fn default() -> Self {
        Self {
            name: SmolStr::default(),
            topic: SmolStr::default(),
            join_rule: JoinRule::Invite,
            history: HistoryVisibility::Members,
            levels: Levels::default(),
        }
    }
}

/// New values of some settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SettingsChange {
    /// The name.
    pub name: Option<SmolStr>,
    /// The topic.
    pub topic: Option<SmolStr>,
    /// Who may come in.
    pub join_rule: Option<JoinRule>,
    /// Who may read what.
    pub history: Option<HistoryVisibility>,
    /// The level each action needs.
    pub levels: Option<Levels>,
}

impl SettingsChange {
    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        *self == SettingsChange::default()
    }

    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let bad = |text: &SmolStr, chars_max: usize| {
            text.chars().count() > chars_max || text.chars().any(|c| c.is_control() && c != '\n')
        };
        if self.name.as_ref().is_some_and(|name| bad(name, ROOM_NAME_CHARS_MAX)) {
            return Err(invalid("settings.name", "must have at most 128 characters and no control characters"));
        }
        if self.topic.as_ref().is_some_and(|topic| bad(topic, TOPIC_CHARS_MAX)) {
            return Err(invalid("settings.topic", "must have at most 1024 characters and no control characters"));
        }
        self.levels.as_ref().map_or(Ok(()), Levels::check)
    }
}

impl RoomSettings {
    /// Takes the given values over.
    pub fn apply(&mut self, change: &SettingsChange) {
        let SettingsChange { name, topic, join_rule, history, levels } = change;
        if let Some(name) = name {
            self.name = name.clone();
        }
        if let Some(topic) = topic {
            self.topic = topic.clone();
        }
        self.join_rule = join_rule.unwrap_or(self.join_rule);
        self.history = history.unwrap_or(self.history);
        self.levels = levels.unwrap_or(self.levels);
    }
}

/// A room: the facts that checks read. They change only when `version` grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The id, immutable.
    pub id: RoomId,
    /// Direct or group.
    pub kind: RoomKind,
    /// The two users of a direct room, the smaller id first.
    pub pair: Option<[UserId; 2]>,
    /// Settings.
    pub settings: RoomSettings,
    /// When it was created.
    pub created_at: Timestamp,
    /// How many members are joined.
    pub joined: u32,
    /// How many are invited.
    pub invited: u32,
    /// How many of the joined have [`Level::OWNER`].
    pub owners: u32,
    /// Grows when any of this, a member, or a redaction changes.
    pub version: u64,
}

impl Room {
    /// A room before its first event.
    pub fn new(
        id: RoomId,
        kind: RoomKind,
        pair: Option<[UserId; 2]>,
        settings: RoomSettings,
        created_at: Timestamp,
    ) -> Self {
        Self { id, kind, pair, settings, created_at, joined: 0, invited: 0, owners: 0, version: 0 }
    }

    /// Folds an event in. `member` is the member that a [`EventBody::Member`] is about, as it was before (if it was).
    pub fn apply(&mut self, event: &EventBody, member: Option<&Member>) {
        if event.changes_facts() {
            self.version += 1;
        }
        match event {
            EventBody::Settings(change) => self.settings.apply(change),
            EventBody::Member { state, level, .. } => {
                if let Some(old) = member {
                    self.count(old.state, old.level, |n| n.saturating_sub(1));
                }
                self.count(*state, *level, |n| n + 1);
            }
            EventBody::Created { .. }
            | EventBody::Message { .. }
            | EventBody::Edit { .. }
            | EventBody::Redaction { .. }
            | EventBody::Reaction { .. } => {}
        }
    }

    fn count(&mut self, state: MemberState, level: Level, step: fn(u32) -> u32) {
        match state {
            MemberState::Joined => {
                self.joined = step(self.joined);
                if level == Level::OWNER {
                    self.owners = step(self.owners);
                }
            }
            MemberState::Invited => self.invited = step(self.invited),
            MemberState::Left => {}
        }
    }

    /// The other user of a direct room.
    pub fn peer_of(&self, user: &UserId) -> Option<&UserId> {
        self.pair.as_ref()?.iter().find(|member| *member != user)
    }

    /// Whether members see each other's cursors.
    pub fn shares_receipts(&self) -> bool {
        self.joined <= RECEIPTS_MEMBERS_MAX
    }

    /// Whether somebody who never was a member may know that it exists.
    pub fn is_public(&self) -> bool {
        self.kind == RoomKind::Group
            && (self.settings.join_rule == JoinRule::Open || self.settings.history == HistoryVisibility::Anyone)
    }
}

/// Where a room's log ends. Changes with every event and is no fact for checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// Seq of the last event.
    pub seq: Seq,
    /// Number of messages.
    pub messages: u64,
    /// Seq of the last message.
    pub last_message: Option<Seq>,
    /// The commit of the last event.
    pub commit: CommitNumber,
}

impl Head {
    /// Folds the next event in.
    pub fn apply(&mut self, event: &Event) {
        self.seq = event.seq;
        self.messages = event.number;
        self.commit = event.commit;
        if event.body.is_message() {
            self.last_message = Some(event.seq);
        }
    }
}
