//! Members of rooms: state, level, and the intervals of the log they took part in.

use crate::{CommitNumber, EventBody, HistoryVisibility, Level, Room, Seq, UserId};

/// State of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberState {
    /// Asked to join, hasn't yet.
    Invited,
    /// In the room.
    Joined,
    /// Was in the room or was invited.
    Left,
}

/// A stay in a room, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Seq of the invitation, or of joining if there was none.
    pub invited: Seq,
    /// Seq of joining.
    pub joined: Seq,
    /// Seq of leaving; `None` while joined.
    pub left: Option<Seq>,
}

/// A range of seqs, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeqRange {
    /// The first.
    pub first: Seq,
    /// The last.
    pub last: Seq,
}

/// A user's relation to a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// State.
    pub state: MemberState,
    /// What they may do while joined.
    pub level: Level,
    /// Who invited them, while invited.
    pub invited_by: Option<UserId>,
    /// Seq of the open invitation.
    pub invited_at: Option<Seq>,
    /// Stays, in order; only the last can be open.
    pub intervals: Vec<Interval>,
    /// The commit of the last change of this.
    pub commit: CommitNumber,
}

impl Member {
    /// A user who has nothing to do with the room yet.
    pub fn stranger(user: UserId) -> Self {
        Self {
            user,
            state: MemberState::Left,
            level: Level::READER,
            invited_by: None,
            invited_at: None,
            intervals: Vec::new(),
            commit: CommitNumber(0),
        }
    }

    /// Folds an event about this member in; other events change nothing.
    pub fn apply(&mut self, seq: Seq, commit: CommitNumber, sender: &UserId, event: &EventBody) {
        let EventBody::Member { user, state, level } = event else { return };
        if *user != self.user {
            return;
        }
        match (self.state, state) {
            (MemberState::Joined, MemberState::Joined) | (MemberState::Invited, MemberState::Invited) => {}
            (_, MemberState::Joined) => {
                self.intervals.push(Interval { invited: self.invited_at.unwrap_or(seq), joined: seq, left: None });
            }
            (_, MemberState::Left) => {
                if let Some(interval) = self.intervals.last_mut().filter(|interval| interval.left.is_none()) {
                    interval.left = Some(seq);
                }
            }
            (_, MemberState::Invited) => {}
        }
        let invited = *state == MemberState::Invited;
        self.invited_by = invited.then(|| sender.clone());
        self.invited_at = invited.then_some(seq);
        self.state = *state;
        self.level = *level;
        self.commit = commit;
    }

    /// Whether in the room now.
    pub fn is_joined(&self) -> bool {
        self.state == MemberState::Joined
    }
}

/// The parts of the log that a user may see, ascending and apart. `head` closes open ends.
///
/// Somebody invited but not joined sees nothing of the log yet, unless anyone may.
pub fn visible_ranges(room: &Room, member: Option<&Member>, head: Seq) -> Vec<SeqRange> {
    let everything = |last: Seq| if last >= Seq(1) { vec![SeqRange { first: Seq(1), last }] } else { Vec::new() };
    let intervals = member.map_or(&[][..], |member| &member.intervals);
    match room.settings.history {
        HistoryVisibility::Anyone => everything(head),
        HistoryVisibility::Members => match intervals.last() {
            Some(interval) => everything(interval.left.unwrap_or(head).min(head)),
            None => Vec::new(),
        },
        HistoryVisibility::Invited | HistoryVisibility::Joined => {
            let mut ranges: Vec<SeqRange> = Vec::new();
            for interval in intervals {
                let first = if room.settings.history == HistoryVisibility::Invited {
                    interval.invited
                } else {
                    interval.joined
                };
                let last = interval.left.unwrap_or(head).min(head);
                if first <= last {
                    ranges.push(SeqRange { first, last });
                }
            }
            ranges
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RoomId, RoomKind, RoomSettings, Timestamp};

    #[test]
    fn a_member_sees_by_the_rooms_rule() {
        let member = Member {
            intervals: vec![
                Interval { invited: Seq(2), joined: Seq(4), left: Some(Seq(6)) },
                Interval { invited: Seq(9), joined: Seq(9), left: None },
            ],
            ..Member::stranger(UserId::new("ann").unwrap())
        };
        let check = |history: HistoryVisibility, member: Option<&Member>, expect: &[(u64, u64)]| {
            let settings = RoomSettings { history, ..RoomSettings::default() };
            let room = Room::new(RoomId::new("r").unwrap(), RoomKind::Group, None, settings, Timestamp(0));
            let ranges: Vec<_> =
                visible_ranges(&room, member, Seq(12)).into_iter().map(|r| (r.first.0, r.last.0)).collect();
            assert_eq!(ranges, expect, "{history:?}");
        };
        check(HistoryVisibility::Anyone, None, &[(1, 12)]);
        check(HistoryVisibility::Members, None, &[]);
        check(HistoryVisibility::Members, Some(&member), &[(1, 12)]);
        check(HistoryVisibility::Invited, Some(&member), &[(2, 6), (9, 12)]);
        check(HistoryVisibility::Joined, Some(&member), &[(4, 6), (9, 12)]);
        let left = Member { intervals: member.intervals[..1].to_vec(), ..member };
        check(HistoryVisibility::Members, Some(&left), &[(1, 6)]);
        check(HistoryVisibility::Joined, Some(&left), &[(4, 6)]);
    }
}
