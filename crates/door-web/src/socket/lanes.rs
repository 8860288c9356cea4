//! Order: commands of one connection to one room are carried out one after the other, in the order of their frames.
//!
//! A command may be checked twice when its room changes meanwhile, and so fall behind a later one if both were on their way.
//! Hence a lane holds one command at a time; commands to different rooms, and queries, run side by side.

use std::collections::{HashMap, VecDeque};

use wire::Operation;

/// What keeps the order of the requests of a connection.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    /// Rooms with a command on its way, and what waits behind it.
    rooms: HashMap<String, VecDeque<T>>,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { rooms: HashMap::new() }
    }
}

impl<T> Lanes<T> {
    /// Gives the job back if it can start now; else it waits behind the one before.
    pub(super) fn enter(&mut self, room: &str, job: T) -> Option<T> {
        if let Some(waiting) = self.rooms.get_mut(room) {
            waiting.push_back(job);
            return None;
        }
        self.rooms.insert(room.to_owned(), VecDeque::new());
        Some(job)
    }

    /// The room's command is done: gives the next one, which can start now.
    pub(super) fn leave(&mut self, room: &str) -> Option<T> {
        let next = self.rooms.get_mut(room)?.pop_front();
        if next.is_none() {
            self.rooms.remove(room);
        }
        next
    }
}

/// The room whose lane an operation belongs to; queries and what is no matter of a room have none.
pub(super) fn lane(operation: &Operation) -> Option<&str> {
    match operation {
        Operation::Connect(_)
        | Operation::TokenRenew(_)
        | Operation::Ping(_)
        | Operation::Sync(_)
        | Operation::MeGet(_)
        | Operation::MeUpdate(_)
        | Operation::DeviceList(_)
        | Operation::DeviceRevoke(_)
        | Operation::UserSearch(_)
        | Operation::PresenceWatch(_)
        | Operation::RoomDirect(_)
        | Operation::RoomGet(_)
        | Operation::MemberList(_)
        | Operation::EventList(_)
        | Operation::CursorList(_) => None,
        Operation::RoomCreate(request) => request.id.as_deref(),
        Operation::RoomUpdate(request) => Some(&request.room),
        Operation::RoomJoin(request) | Operation::RoomLeave(request) => Some(&request.room),
        Operation::MemberInvite(request) => Some(&request.room),
        Operation::MemberRemove(request) => Some(&request.room),
        Operation::MemberLevel(request) => Some(&request.room),
        Operation::MessageSend(request) => Some(&request.room),
        Operation::MessageEdit(request) => Some(&request.room),
        Operation::MessageDelete(request) => Some(&request.room),
        Operation::ReactionSet(request) => Some(&request.room),
        Operation::CursorSet(request) => Some(&request.room),
        Operation::TypingSet(request) => Some(&request.room),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_in_order() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.enter("a", 1), Some(1));
        assert_eq!(lanes.enter("b", 2), Some(2));
        assert_eq!(lanes.enter("a", 3), None);
        assert_eq!(lanes.enter("a", 4), None);
        assert_eq!(lanes.leave("b"), None);
        assert_eq!(lanes.leave("a"), Some(3));
        assert_eq!(lanes.enter("a", 5), None);
        assert_eq!((lanes.leave("a"), lanes.leave("a"), lanes.leave("a")), (Some(4), Some(5), None));
        assert!(lanes.rooms.is_empty());
    }
}
