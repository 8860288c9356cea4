//! The workloads: what can be asked for, who takes part in it, and what the server must have beforehand.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use crate::codec::{CROWD, Person, STORED, To};
use crate::day::Day;
use crate::plan::{Pace, Part, pace};
use crate::seeds::Seeds;

/// A workload.
#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
pub enum Workload {
    /// One person talks to another, one message on the way, and nothing else happens
    Alone(Alone),
    /// People talk in pairs
    Chat(Chat),
    /// Some people of each group talk, the others listen
    Group(Group),
    /// People write into rooms that were there before, in a store of many messages
    Append(Append),
    /// Connections on which nothing happens
    Idle(Idle),
    /// All connections are cut at once and come back, with what they missed
    Storm(Idle),
    /// One person asks again and again what has changed
    Sync(Sync),
    /// Pages of history
    History(History),
    /// All that people do: messages in pairs and groups, typing, reading, history, syncs, connections that break
    Day(Day),
}

/// One message on the way.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Alone {
    /// Size of a message's text
    #[arg(long, default_value_t = 180)]
    pub bytes: usize,
}

/// People who talk in pairs.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Chat {
    #[arg(long, default_value_t = 1_000)]
    pub people: u32,
    /// Messages of each person that wait for their acknowledgement; without --rate, as many are on the way all the time
    #[arg(long, default_value_t = 1)]
    pub window: u32,
    /// Messages per second, of all together, whether or not the server keeps up
    #[arg(long)]
    pub rate: Option<f64>,
    /// Size of a message's text
    #[arg(long, default_value_t = 180)]
    pub bytes: usize,
}

/// Groups in which some talk and all listen.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Group {
    #[arg(long, default_value_t = 1)]
    pub groups: u32,
    /// Members of each group, all of them connected
    #[arg(long, default_value_t = 1_000)]
    pub members: u32,
    /// Members who never connect; then there is one group only
    #[arg(long, default_value_t = 0)]
    pub offline: u32,
    /// Members of each group who talk
    #[arg(long, default_value_t = 1)]
    pub senders: u32,
    /// Messages per second in each group; without it, each sender has --window on the way all the time
    #[arg(long)]
    pub rate: Option<f64>,
    #[arg(long, default_value_t = 1)]
    pub window: u32,
    #[arg(long, default_value_t = 180)]
    pub bytes: usize,
}

/// People who write into a room each.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Append {
    /// People, who own the rooms in turn; each writes into one of theirs, and these are spread over all rooms
    #[arg(long, default_value_t = 100)]
    pub people: u32,
    /// Messages that the server has before
    #[arg(long, default_value_t = 1_000_000)]
    pub messages: u64,
    /// Messages in each room
    #[arg(long, default_value_t = 100)]
    pub room_messages: u64,
    /// Messages of each person that are on the way all the time
    #[arg(long, default_value_t = 8)]
    pub window: u32,
    /// Messages per second, of all together, instead
    #[arg(long)]
    pub rate: Option<f64>,
    #[arg(long, default_value_t = 180)]
    pub bytes: usize,
}

/// Connections that are there.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Idle {
    #[arg(long, default_value_t = 10_000)]
    pub people: u32,
}

/// A sync of one who is in many rooms.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Sync {
    /// Rooms of the person
    #[arg(long, default_value_t = 1_000)]
    pub rooms: u32,
    /// Messages in rooms of others between two syncs
    #[arg(long, default_value_t = 10)]
    pub elsewhere: u32,
    /// Rooms in which something has happened since
    #[arg(long, default_value_t = 0)]
    pub changed: u32,
    /// How often it is asked
    #[arg(long, default_value_t = 2_000)]
    pub times: u32,
}

/// Pages of history, at random places.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct History {
    /// People, who own the rooms in turn and read them one after another
    #[arg(long, default_value_t = 1)]
    pub people: u32,
    /// Messages that the server has
    #[arg(long, default_value_t = 1_000_000)]
    pub messages: u64,
    /// Messages in each room
    #[arg(long, default_value_t = 1_000)]
    pub room_messages: u64,
    #[arg(long, default_value_t = 50)]
    pub page: u32,
    #[arg(long, default_value_t = 5_000)]
    pub times: u32,
}

impl Workload {
    /// How many people there are.
    pub fn people(&self) -> u32 {
        match self {
            Workload::Alone(_) | Workload::Sync(_) => 2,
            Workload::Chat(chat) => chat.people & !1,
            Workload::Group(group) if group.offline > 0 => group.members,
            Workload::Group(group) => group.groups * group.members,
            Workload::Append(append) => append.people,
            Workload::Idle(idle) | Workload::Storm(idle) => idle.people,
            Workload::History(history) => history.people,
            Workload::Day(day) => day.people,
        }
    }

    /// What a person does who is there all the time and does one thing; nothing if they are only there.
    pub fn part(&self, person: Person) -> Option<Part> {
        match self {
            Workload::Alone(Alone { bytes }) => {
                let sends = (person == 0).then_some((Pace::Window(1), *bytes));
                Some(Part { makes: None, joins: To::Person(person ^ 1), sends })
            }
            Workload::Chat(Chat { window, rate, bytes, .. }) => {
                let pace = pace(*rate, *window, person, self.people());
                Some(Part { makes: None, joins: To::Person(person ^ 1), sends: Some((pace, *bytes)) })
            }
            Workload::Group(Group { members, offline, senders, rate, window, bytes, .. }) => {
                let (group, place) = (person / members, person % members);
                let pace = (place < *senders).then(|| pace(*rate, *window, place, *senders));
                let makes = (place == 0 && *offline == 0).then_some(group);
                let joins = To::Group(if *offline > 0 { CROWD } else { group });
                Some(Part { makes, joins, sends: pace.map(|pace| (pace, *bytes)) })
            }
            Workload::Append(append) => {
                let pace = pace(append.rate, append.window, person, append.people);
                let joins = To::Group(STORED + append.room(person));
                Some(Part { makes: None, joins, sends: Some((pace, append.bytes)) })
            }
            Workload::Idle(_) | Workload::Storm(_) | Workload::Sync(_) | Workload::History(_) | Workload::Day(_) => {
                None
            }
        }
    }

    /// Whether there is an end to it, and not only to the time that is measured.
    pub fn ends_by_itself(&self) -> bool {
        match self {
            Workload::Storm(_) | Workload::Sync(_) | Workload::History(_) => true,
            Workload::Alone(_)
            | Workload::Chat(_)
            | Workload::Group(_)
            | Workload::Append(_)
            | Workload::Idle(_)
            | Workload::Day(_) => false,
        }
    }

    /// What the server must have before it begins.
    pub fn seeds(&self) -> Seeds {
        let seeds = Seeds { people: self.people(), ..Seeds::default() };
        match self {
            Workload::Group(group) => Seeds { members: group.offline, ..seeds },
            Workload::Append(Append { messages, room_messages, .. })
            | Workload::History(History { messages, room_messages, .. }) => {
                Seeds { messages: *messages, room_messages: *room_messages, ..seeds }
            }
            Workload::Alone(_)
            | Workload::Chat(_)
            | Workload::Idle(_)
            | Workload::Storm(_)
            | Workload::Sync(_)
            | Workload::Day(_) => seeds,
        }
    }
}

impl Append {
    /// The room that a person writes into: one of theirs, and together they are spread evenly.
    fn room(&self, person: Person) -> u32 {
        let rooms = u32::try_from(self.messages.div_ceil(self.room_messages)).unwrap_or(STORED - 1);
        let each = u64::from(rooms / self.people.max(1));
        let place = u64::from(person) * each / u64::from(self.people.max(1));
        person + self.people * place as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_talks_alone() {
        let alone = Workload::Alone(Alone { bytes: 10 });
        let part = |person| alone.part(person).unwrap();
        assert_eq!(part(0), Part { makes: None, joins: To::Person(1), sends: Some((Pace::Window(1), 10)) });
        assert_eq!(part(1), Part { makes: None, joins: To::Person(0), sends: None });
    }

    #[test]
    fn senders_take_turns() {
        let chat = Chat { people: 4, window: 1, rate: Some(2.0), bytes: 10 };
        let workload = Workload::Chat(chat);
        let parts: Vec<_> = (0..4).map(|person| workload.part(person).unwrap()).collect();
        let second = 1_000_000_000;
        for (person, part) in parts.iter().enumerate() {
            assert_eq!(part.joins, To::Person(person as u32 ^ 1));
            let first = person as u64 * second / 2;
            assert_eq!(part.sends, Some((Pace::Interval { nanos: 2 * second, first }, 10)));
        }
    }

    #[test]
    fn groups_have_a_maker_and_senders() {
        let mut group = Group { groups: 2, members: 3, offline: 0, senders: 2, rate: None, window: 5, bytes: 10 };
        let workload = Workload::Group(group.clone());
        assert_eq!(workload.people(), 6);
        for person in 0..6 {
            let part = workload.part(person).unwrap();
            assert_eq!(part.joins, To::Group(person / 3));
            assert_eq!(part.makes.is_some(), person % 3 == 0);
            assert_eq!(part.sends.is_some(), person % 3 < 2);
        }
        group.offline = 70;
        let workload = Workload::Group(group);
        assert_eq!((workload.people(), workload.seeds().members), (3, 70));
        assert!((0..3).all(|person| {
            let part = workload.part(person).unwrap();
            part.makes.is_none() && part.joins == To::Group(CROWD)
        }));
    }

    #[test]
    fn appends_are_spread_over_the_rooms_of_those_who_write() {
        for (people, messages) in [(100, 10_000), (100, 10_050), (100, 1_000_000), (7, 123_400), (100, 10_000_000)] {
            let append = Append { people, messages, room_messages: 100, window: 1, rate: None, bytes: 10 };
            let rooms: Vec<u32> = (0..people).map(|person| append.room(person)).collect();
            let all = messages.div_ceil(100) as u32;
            assert!(rooms.iter().zip(0..).all(|(room, person)| room % people == person && *room < all), "{rooms:?}");
            let last = *rooms.iter().max().unwrap();
            assert!(last >= all / people * people - people * all.div_ceil(people * people), "{last} of {all}");
        }
    }
}
