//! A mixed day: what people do, how often, and with whom. Who does it is in [`person`].
//!
//! The shares are those of a messenger at work: for each message there is about one notice of typing and one of having
//! read, now and then somebody scrolls back or looks what is new, and connections break. Few people do most of it: the activity
//! of a person falls with their number by a power law. Connections break as often for all.

pub mod person;

use clap::Args;
use rand::RngExt;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use crate::codec::{Person, STORED, To};

const NANOS: f64 = 1e9;
/// Sizes of groups; everybody is in one of each.
const GROUP_SIZES: [u32; 4] = [5, 20, 100, 500];
/// How many of a hundred messages to groups go to one of each size.
const GROUP_SHARES: [u32; 4] = [55, 30, 12, 3];
/// Numbers of groups of one size.
const GROUPS_OF_A_SIZE: u32 = STORED / GROUP_SIZES.len() as u32;
/// By what the numbers of two people differ, in bits, who talk with each other.
const PARTNERS: [u32; 3] = [1, 2, 4];
/// The activity of the person `n` is 1 / (n + this): nobody does a large part of all alone.
const ACTIVITY_OFFSET: f64 = 10.0;
/// How many of a hundred things that happen are broken connections; the others are [`SHARES`].
const RESUMES: f64 = 3.0;
const SHARES: [(Operation, u32); 6] = [
    (Operation::DirectMessage, 15),
    (Operation::GroupMessage, 15),
    (Operation::Typing, 24),
    (Operation::Read, 30),
    (Operation::History, 8),
    (Operation::Sync, 5),
];

/// All that people do.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Day {
    #[arg(long, default_value_t = 1_000)]
    pub people: u32,
    /// What all of them do together in a second, whether or not the server keeps up
    #[arg(long, default_value_t = 1_000.0)]
    pub rate: f64,
    /// Seconds until a broken connection comes back, on average
    #[arg(long, default_value_t = 2.0)]
    pub away: f64,
    /// Size of a message's text
    #[arg(long, default_value_t = 180)]
    pub bytes: usize,
    /// Events of a page of history
    #[arg(long, default_value_t = 50)]
    pub page: u32,
}

/// Something that people do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    DirectMessage,
    GroupMessage,
    Typing,
    /// Having read a room.
    Read,
    /// A page of history.
    History,
    /// Asking what is new.
    Sync,
    /// Coming back after the connection broke, until all that was missed is known.
    Resume,
}

impl Operation {
    pub fn is_message(self) -> bool {
        matches!(self, Operation::DirectMessage | Operation::GroupMessage)
    }

    /// As people say it.
    pub fn name(self) -> &'static str {
        match self {
            Operation::DirectMessage => "direct message",
            Operation::GroupMessage => "group message",
            Operation::Typing => "typing",
            Operation::Read => "read",
            Operation::History => "history page",
            Operation::Sync => "sync",
            Operation::Resume => "resume",
        }
    }
}

/// What somebody does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deed {
    pub operation: Operation,
    pub to: To,
}

impl Day {
    /// The groups of a person.
    pub fn groups(&self, person: Person) -> impl Iterator<Item = u32> {
        (0..GROUP_SIZES.len()).map(move |size| self.group(person, size))
    }

    fn group(&self, person: Person, size: usize) -> u32 {
        size as u32 * GROUPS_OF_A_SIZE + person % self.people.div_ceil(GROUP_SIZES[size])
    }

    /// Those of them that the person makes.
    pub fn makes(&self, person: Person) -> impl Iterator<Item = u32> {
        self.groups(person).filter(move |group| group % GROUPS_OF_A_SIZE == person)
    }

    /// With whom a person talks; each of them talks with the person too.
    pub fn partners(&self, person: Person) -> impl Iterator<Item = Person> {
        PARTNERS.iter().map(move |bit| person ^ bit).filter(|partner| *partner < self.people)
    }

    /// How many nanoseconds there are between two things that a person does, on average.
    pub fn interval(&self, person: Person) -> f64 {
        let weight = |person: Person| 1.0 / (f64::from(person) + ACTIVITY_OFFSET);
        let all: f64 = (0..self.people).map(weight).sum();
        NANOS * all / weight(person) / (self.rate * (100.0 - RESUMES) / 100.0)
    }

    /// The same between two breaks of a connection.
    pub fn break_interval(&self) -> f64 {
        NANOS * f64::from(self.people) / (self.rate * RESUMES / 100.0)
    }

    /// What a person does next.
    pub fn deed(&self, person: Person, dice: &mut StdRng) -> Deed {
        let operation = SHARES[draw(dice, SHARES.iter().map(|(_, share)| *share))].0;
        let partners = self.partners(person).count();
        let direct = match operation {
            _ if partners == 0 => false,
            Operation::DirectMessage => true,
            Operation::GroupMessage => false,
            Operation::Typing | Operation::Read | Operation::History | Operation::Sync | Operation::Resume => {
                dice.random_bool(0.5)
            }
        };
        let to = if direct {
            To::Person(self.partners(person).nth(dice.random_range(0..partners)).expect("there are as many"))
        } else {
            To::Group(self.group(person, draw(dice, GROUP_SHARES.into_iter())))
        };
        Deed { operation, to }
    }
}

/// One of several, as often as its share says.
fn draw(dice: &mut StdRng, shares: impl Iterator<Item = u32> + Clone) -> usize {
    let mut left = dice.random_range(0..shares.clone().sum());
    for (place, share) in shares.enumerate() {
        if left < share {
            return place;
        }
        left -= share;
    }
    unreachable!("it was drawn below the sum")
}

/// How long to wait for something that happens at random, in nanoseconds.
fn pause(dice: &mut StdRng, average: f64) -> u64 {
    (-(1.0 - dice.random::<f64>()).ln() * average) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use rand::SeedableRng;

    use super::*;

    fn day(people: u32) -> Day {
        Day { people, rate: 100.0, away: 1.0, bytes: 180, page: 50 }
    }

    /// Every group is made once, by one of its members, and no group is larger than it should be.
    #[track_caller]
    fn check_groups(people: u32) {
        let day = day(people);
        let mut members: BTreeMap<u32, u32> = BTreeMap::new();
        let mut made = BTreeSet::new();
        for person in 0..people {
            for group in day.groups(person) {
                *members.entry(group).or_default() += 1;
            }
            for group in day.makes(person) {
                assert!(made.insert(group), "{group} is made twice");
            }
        }
        assert!(members.keys().copied().eq(made), "{members:?}");
        for (group, count) in &members {
            assert!(*count <= GROUP_SIZES[(group / GROUPS_OF_A_SIZE) as usize], "{group}: {count}");
        }
    }

    #[test]
    fn everybody_is_in_a_group_of_each_size() {
        for people in [1, 2, 7, 100, 1_000, 1_003] {
            check_groups(people);
        }
    }

    #[test]
    fn partners_talk_with_each_other() {
        let day = day(9);
        for person in 0..9 {
            assert!(day.partners(person).all(|partner| day.partners(partner).any(|other| other == person)));
        }
        assert_eq!(day.partners(8).count(), 0);
        let mut dice = StdRng::seed_from_u64(1);
        assert!((0..100).all(|_| matches!(day.deed(8, &mut dice).to, To::Group(_))));
    }

    #[test]
    fn all_together_keep_the_rate() {
        let day = day(1_000);
        let deeds: f64 = (0..1_000).map(|person| NANOS / day.interval(person)).sum();
        let breaks = 1_000.0 * NANOS / day.break_interval();
        assert!((deeds + breaks - 100.0).abs() < 0.01, "{deeds} and {breaks}");
        assert!(day.interval(999) / day.interval(0) > 50.0);
        let mut dice = StdRng::seed_from_u64(1);
        let average = (0..10_000).map(|_| pause(&mut dice, 1e6) as f64).sum::<f64>() / 10_000.0;
        assert!((average / 1e6 - 1.0).abs() < 0.05, "{average}");
    }

    #[test]
    fn deeds_have_their_shares() {
        let (day, mut dice) = (day(1_000), StdRng::seed_from_u64(1));
        let mut counts: BTreeMap<Operation, u32> = BTreeMap::new();
        for _ in 0..10_000 {
            let Deed { operation, to } = day.deed(17, &mut dice);
            *counts.entry(operation).or_default() += 1;
            let fits = match operation {
                Operation::DirectMessage => matches!(to, To::Person(16 | 19 | 21)),
                Operation::GroupMessage => matches!(to, To::Group(group) if day.groups(17).any(|own| own == group)),
                _ => true,
            };
            assert!(fits, "{operation:?} to {to:?}");
        }
        let all: u32 = SHARES.iter().map(|(_, share)| share).sum();
        for (operation, share) in SHARES {
            let expected = f64::from(10_000 * share / all);
            assert!((f64::from(counts[&operation]) / expected - 1.0).abs() < 0.15, "{operation:?}: {counts:?}");
        }
    }
}
