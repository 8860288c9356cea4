//! What a device does next: a command that somebody in its place might give, allowed or not.

use std::collections::BTreeSet;

use domain::{Action, Command, Content, HistoryVisibility, JoinRule, Level, MemberState, RoomId, SettingsChange};

use super::person::Device;

/// Rooms that are made in one run at most.
const ROOMS_MAX: usize = 6;
const REACTIONS: [&str; 3] = ["👍", "🎉", "👀"];

impl Device {
    /// A command, if there is anything to do.
    pub(super) fn plan(&mut self) -> Option<Command> {
        let made = self.ledger().book().rooms.len();
        if made < ROOMS_MAX && self.dice.percent(4) {
            return Some(self.new_room());
        }
        let room = self.any_room()?;
        if self.replica.rooms.get(&room).and_then(|room| room.state) == Some(MemberState::Invited)
            && self.dice.percent(60)
        {
            return Some(Command { room, action: Action::Join });
        }
        let action = self.action(&room)?;
        Some(Command { room, action })
    }

    /// Text that is like no other.
    fn words(&mut self) -> Content {
        Content::plain(format!("«{}:{}»", self.actor.device, self.world.next_number()))
    }

    fn new_room(&mut self) -> Command {
        let room = RoomId::new(format!("room{}", self.world.next_number())).expect("an id");
        let user = self.dice.pick(&self.world.users).expect("there are users").clone();
        if self.dice.percent(40) {
            return Command { room, action: Action::Direct { user } };
        }
        let history = [HistoryVisibility::Members, HistoryVisibility::Invited, HistoryVisibility::Joined];
        let settings = SettingsChange {
            name: Some(format!("name {}", self.world.next_number()).into()),
            history: self.dice.pick(&history).copied(),
            join_rule: self.dice.percent(20).then_some(JoinRule::Open),
            ..SettingsChange::default()
        };
        Command { room, action: Action::Create { settings, invite: vec![user] } }
    }

    fn action(&mut self, room: &RoomId) -> Option<Action> {
        let user = self.dice.pick(&self.world.users).expect("there are users").clone();
        let target = self.message_in(room);
        let known = self.replica.rooms.get(room).map(|room| room.known).unwrap_or_default();
        Some(match self.dice.below(100) {
            0..36 => Action::Send { content: self.words(), reply_to: target.filter(|_| self.dice.percent(10)) },
            36..44 => Action::Edit { target: target?, content: self.words() },
            44..51 => Action::Redact { target: target?, reason: None },
            51..60 => {
                let keys: BTreeSet<_> = REACTIONS.iter().filter(|_| self.dice.percent(50)).copied().collect();
                Action::React { target: target?, keys: keys.into_iter().map(Into::into).collect() }
            }
            60..71 => {
                let read = domain::Seq(self.dice.between(0, known.0 + 1));
                let delivered = self.dice.percent(50).then_some(known);
                Action::Cursors { delivered, read: self.dice.percent(70).then_some(read) }
            }
            71..77 => Action::Join,
            77..80 => Action::Leave,
            80..88 => Action::Invite { user },
            88..94 => Action::Remove { user },
            94..97 => {
                let levels = [Level::READER, Level::MEMBER, Level::MODERATOR, Level::OWNER];
                Action::SetLevel { user, level: *self.dice.pick(&levels).expect("there are four") }
            }
            _ => {
                let name = Some(format!("name {}", self.world.next_number()).into());
                Action::Settings(SettingsChange { name, ..SettingsChange::default() })
            }
        })
    }
}
