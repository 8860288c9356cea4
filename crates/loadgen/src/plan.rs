//! What is to be done, and each person's part in it.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use crate::codec::mqtt::{Mqtt, Session, Version};
use crate::codec::starling::Starling;
use crate::codec::xmpp::Xmpp;
use crate::codec::{Codec, Person, To};

const NANOS: f64 = 1e9;

/// A workload.
#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
pub enum Workload {
    /// People talk in pairs
    Chat(Chat),
    /// Some people of each group talk, the others listen
    Group(Group),
    /// Connections on which nothing happens
    Idle(Idle),
    /// All connections are cut at once and come back, with what they missed
    Storm(Idle),
    /// One person asks again and again what has changed
    Sync(Sync),
    /// One person reads pages of history
    History(History),
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
    /// Messages that the server has, in rooms of 1,000
    #[arg(long, default_value_t = 1_000_000)]
    pub messages: u64,
    #[arg(long, default_value_t = 50)]
    pub page: u32,
    #[arg(long, default_value_t = 5_000)]
    pub times: u32,
}

/// A protocol that the driver speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
pub enum Protocol {
    Starling,
    /// 3.1.1, with sessions that the broker forgets
    Mqtt,
    /// 3.1.1, with sessions that the broker keeps
    MqttKept,
    /// 5, with sessions that the broker forgets
    Mqtt5,
    /// 5, with sessions that the broker keeps
    Mqtt5Kept,
    /// On plain TCP, with stream management
    Xmpp,
}

/// What a worker is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    pub workload: Workload,
    pub protocol: Protocol,
    pub address: SocketAddr,
    /// A token for each person, a line each, after their name.
    pub tokens: Option<PathBuf>,
    /// Which of the workers this is.
    pub worker: u32,
    pub workers: u32,
    /// What tells this run's connections from those of others on the same server.
    pub run: String,
}

/// How fast somebody sends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As many messages are on the way as this.
    Window(u32),
    /// One each so many nanoseconds, the first after a part of them.
    Interval { nanos: u64, first: u64 },
}

/// What a person does.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The group that they make.
    pub makes: Option<u32>,
    /// Where they want to be.
    pub joins: To,
    pub sends: Option<(Pace, usize)>,
}

impl Workload {
    /// How many people there are.
    pub fn people(&self) -> u32 {
        match self {
            Workload::Chat(chat) => chat.people & !1,
            Workload::Group(group) => group.groups * group.members,
            Workload::Idle(idle) | Workload::Storm(idle) => idle.people,
            Workload::Sync(_) => 2,
            Workload::History(_) => 1,
        }
    }

    /// What a person does who is there all the time; nothing if they are only there.
    pub fn part(&self, person: Person) -> Option<Part> {
        match self {
            Workload::Chat(Chat { window, rate, bytes, .. }) => {
                let pace = pace(*rate, *window, person, self.people());
                Some(Part { makes: None, joins: To::Person(person ^ 1), sends: Some((pace, *bytes)) })
            }
            Workload::Group(Group { members, senders, rate, window, bytes, .. }) => {
                let (group, place) = (person / members, person % members);
                let pace = (place < *senders).then(|| pace(*rate, *window, place, *senders));
                let makes = (place == 0).then_some(group);
                Some(Part { makes, joins: To::Group(group), sends: pace.map(|pace| (pace, *bytes)) })
            }
            Workload::Idle(_) | Workload::Storm(_) | Workload::Sync(_) | Workload::History(_) => None,
        }
    }
}

/// The pace of one of those who share a rate; they take turns.
fn pace(rate: Option<f64>, window: u32, place: u32, of: u32) -> Pace {
    match rate {
        None => Pace::Window(window),
        Some(rate) => {
            let nanos = f64::from(of) / rate * NANOS;
            Pace::Interval { nanos: nanos as u64, first: (nanos * f64::from(place) / f64::from(of)) as u64 }
        }
    }
}

impl Plan {
    /// The people of this worker.
    pub fn people(&self) -> impl Iterator<Item = Person> {
        (self.worker..self.workload.people()).step_by(self.workers as usize)
    }

    /// Where people's tokens come from.
    pub fn tokens(&self) -> Result<Tokens> {
        let Some(path) = &self.tokens else { return Ok(Tokens(Vec::new())) };
        let text = std::fs::read_to_string(path).context("read the tokens")?;
        Ok(Tokens(text.lines().filter_map(|line| Some(line.split_once(' ')?.1.to_owned())).collect()))
    }

    /// A connection's side of the protocol. Without `since`, it wants to know nothing of what has been.
    pub fn codec(&self, person: Person, tokens: &Tokens, since: Option<u64>) -> Result<Box<dyn Codec>> {
        let password = tokens.0.get(person as usize).cloned();
        let mqtt = |version, session| Mqtt::new(version, session, person, password.clone());
        Ok(match self.protocol {
            Protocol::Starling => Box::new(self.starling(person, tokens, since)?),
            Protocol::Mqtt => Box::new(mqtt(Version::V3, Session::Clean)),
            Protocol::MqttKept => Box::new(mqtt(Version::V3, Session::Kept)),
            Protocol::Mqtt5 => Box::new(mqtt(Version::V5, Session::Clean)),
            Protocol::Mqtt5Kept => Box::new(mqtt(Version::V5, Session::Kept)),
            Protocol::Xmpp => Box::new(Xmpp::new(person, password)),
        })
    }

    /// The same where only Starling will do.
    pub fn starling(&self, person: Person, tokens: &Tokens, since: Option<u64>) -> Result<Starling> {
        let Some(token) = tokens.0.get(person as usize) else { bail!("there is no token for person {person}") };
        let name = format!("{}-{person}", self.run);
        Ok(Starling::new(self.address.to_string(), token.clone(), since.unwrap_or(u64::MAX), name))
    }
}

/// A token for each person.
#[derive(Debug)]
pub struct Tokens(Vec<String>);

#[cfg(test)]
mod tests {
    use super::*;

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
        let group = Group { groups: 2, members: 3, senders: 2, rate: None, window: 5, bytes: 10 };
        let workload = Workload::Group(group);
        assert_eq!(workload.people(), 6);
        for person in 0..6 {
            let part = workload.part(person).unwrap();
            assert_eq!(part.joins, To::Group(person / 3));
            assert_eq!(part.makes.is_some(), person % 3 == 0);
            assert_eq!(part.sends.is_some(), person % 3 < 2);
        }
    }
}
