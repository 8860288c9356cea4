//! What a worker is told to do, and each person's part in it.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::codec::mqtt::{Mqtt, Session, Version};
use crate::codec::starling::Starling;
use crate::codec::xmpp::Xmpp;
use crate::codec::{Codec, Person, To};
use crate::workload::Workload;

const NANOS: f64 = 1e9;

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

/// The pace of one of those who share a rate; they take turns.
pub fn pace(rate: Option<f64>, window: u32, place: u32, of: u32) -> Pace {
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
            Protocol::Starling if matches!(self.workload, Workload::Day(_)) => {
                Box::new(self.starling(person, tokens, since)?.with_heads())
            }
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
