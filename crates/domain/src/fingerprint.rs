//! Fingerprints: a number that tells commands apart, the same in every build, run and version.
//!
//! A client id that comes back with another command is recognised by it, also after a restart and an upgrade. So every
//! field is fed by hand, in an order that must never change; new fields are fed only when they are there.

use crate::{Action, Command, Content, HistoryVisibility, JoinRule, Levels, Seq, SettingsChange, TextFormat};

/// 64-bit FNV-1a over tagged, length-prefixed fields.
struct Fingerprint(u64);

impl Command {
    /// The command's fingerprint. The id of a room to be created is no part of it: it is fresh on every try.
    pub fn fingerprint(&self) -> u64 {
        let mut digest = Fingerprint(0xcbf2_9ce4_8422_2325);
        if !self.action.creates() {
            digest.text(self.room.as_str());
        }
        digest.action(&self.action);
        digest.0
    }
}

impl Fingerprint {
    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }

    fn number(&mut self, number: u64) {
        number.to_le_bytes().into_iter().for_each(|byte| self.byte(byte));
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        text.bytes().for_each(|byte| self.byte(byte));
    }

    fn seq(&mut self, tag: u8, seq: Option<Seq>) {
        if let Some(seq) = seq {
            self.byte(tag);
            self.number(seq.0);
        }
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Create { settings, invite } => {
                self.byte(1);
                self.settings(settings);
                invite.iter().for_each(|user| self.text(user.as_str()));
            }
            Action::Direct { user } => {
                self.byte(2);
                self.text(user.as_str());
            }
            Action::Join => self.byte(3),
            Action::Leave => self.byte(4),
            Action::Invite { user } => {
                self.byte(5);
                self.text(user.as_str());
            }
            Action::Remove { user } => {
                self.byte(6);
                self.text(user.as_str());
            }
            Action::SetLevel { user, level } => {
                self.byte(7);
                self.text(user.as_str());
                self.byte(level.0);
            }
            Action::Settings(change) => {
                self.byte(8);
                self.settings(change);
            }
            Action::Send { content, reply_to } => {
                self.byte(9);
                self.content(content);
                self.seq(1, *reply_to);
            }
            Action::Edit { target, content } => {
                self.byte(10);
                self.number(target.0);
                self.content(content);
            }
            Action::Redact { target, reason } => {
                self.byte(11);
                self.number(target.0);
                if let Some(reason) = reason {
                    self.text(reason);
                }
            }
            Action::React { target, keys } => {
                self.byte(12);
                self.number(target.0);
                keys.iter().for_each(|key| self.text(key));
            }
            Action::Cursors { delivered, read } => {
                self.byte(13);
                self.seq(1, *delivered);
                self.seq(2, *read);
            }
        }
    }

    fn content(&mut self, content: &Content) {
        match content {
            Content::Text(text) => {
                self.byte(1);
                self.text(&text.text);
                self.byte(match text.format {
                    TextFormat::Plain => 0,
                    TextFormat::Markdown => 1,
                });
                text.mentions.iter().for_each(|user| self.text(user.as_str()));
                if let Some(data) = &text.data {
                    self.byte(2);
                    self.text(data);
                }
            }
        }
    }

    fn settings(&mut self, change: &SettingsChange) {
        let SettingsChange { name, topic, join_rule, history, levels } = change;
        for (tag, text) in [(1, name), (2, topic)] {
            if let Some(text) = text {
                self.byte(tag);
                self.text(text);
            }
        }
        if let Some(rule) = join_rule {
            self.byte(3);
            self.byte(match rule {
                JoinRule::Invite => 0,
                JoinRule::Open => 1,
            });
        }
        if let Some(history) = history {
            self.byte(4);
            self.byte(match history {
                HistoryVisibility::Joined => 0,
                HistoryVisibility::Invited => 1,
                HistoryVisibility::Members => 2,
                HistoryVisibility::Anyone => 3,
            });
        }
        if let Some(Levels { send, react, invite, remove, redact, settings, levels }) = levels {
            self.byte(5);
            [send, react, invite, remove, redact, settings, levels].into_iter().for_each(|level| self.byte(level.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RoomId;

    #[test]
    fn fingerprints_stay_as_they_are_and_tell_commands_apart() {
        let print = |room: &str, action: Action| Command { room: RoomId::new(room).unwrap(), action }.fingerprint();
        let send = |text: &str, reply_to| Action::Send { content: Content::plain(text), reply_to };
        // Stored by every version so far; a change of this number would turn repeats into mix-ups.
        assert_eq!(print("r", send("hi", None)), 16_290_451_446_908_593_631);
        let all = [
            print("r", send("hi", None)),
            print("r", send("hi", Some(Seq(1)))),
            print("r", send("ho", None)),
            print("q", send("hi", None)),
            print("r", Action::Edit { target: Seq(1), content: Content::plain("hi") }),
            print("r", Action::Join),
            print("r", Action::Leave),
        ];
        let mut unique = all.to_vec();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), all.len());
        let create = |id| print(id, Action::Create { settings: SettingsChange::default(), invite: Vec::new() });
        assert_eq!(create("r"), create("q"));
    }
}
