//! A person's day: does what comes next when it is due, sees what comes, and comes back when the connection breaks.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::Result;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::select;

use super::{Day, Deed, Operation, pause};
use crate::clock::{self, wait_until};
use crate::codec::{Person, Question, To};
use crate::link::{Link, Seen, since, text};
use crate::record::Record;
use crate::talk::{DRAIN_NANOS, Measured, counted_from};

const NANOS: f64 = 1e9;

/// Somebody who lives through the day.
pub struct Living {
    pub day: Rc<Day>,
    pub person: Person,
    pub address: SocketAddr,
    pub link: Link,
    pub record: Rc<RefCell<Record>>,
    pub measured: Measured,
}

/// Makes the groups of a person that are theirs to make.
pub async fn make(day: &Day, person: Person, link: &mut Link) -> Result<()> {
    for group in day.makes(person) {
        link.ask(|codec, out| Ok(codec.make(group, out))).await?;
    }
    Ok(())
}

/// Joins the other groups. Better by a connection that ends then, because everybody hears of each who joins.
pub async fn join(day: &Day, person: Person, link: &mut Link) -> Result<()> {
    for group in day.groups(person).filter(|group| day.makes(person).all(|made| made != *group)) {
        link.ask(|codec, out| Ok(codec.join(To::Group(group), out))).await?;
    }
    Ok(())
}

/// Opens the rooms with those with whom the person talks.
pub async fn open(day: &Day, person: Person, link: &mut Link) -> Result<()> {
    for partner in day.partners(person) {
        link.ask(|codec, out| Ok(codec.join(To::Person(partner), out))).await?;
    }
    Ok(())
}

impl Living {
    /// Lives until the end, and some time longer if answers are missing.
    pub async fn run(mut self) -> Result<()> {
        let mut dice = StdRng::seed_from_u64(u64::from(self.person));
        let (interval, break_interval) = (self.day.interval(self.person), self.day.break_interval());
        let Measured { to: end, .. } = self.measured;
        let mut waiting = HashMap::new();
        let mut seen = Vec::new();
        let now = clock::now();
        let (mut due, mut breaks) = (now + pause(&mut dice, interval), now + pause(&mut dice, break_interval));
        loop {
            let now = clock::now();
            if now >= end && (waiting.is_empty() || now >= end + DRAIN_NANOS) {
                return Ok(());
            }
            let wake = if now < end { due.min(breaks).min(end) } else { end + DRAIN_NANOS };
            select! {
                came = self.link.next(&mut seen) => came?,
                () = wait_until(wake) => {}
            }
            self.note(&mut seen, &mut waiting);
            let now = clock::now();
            if now >= end {
                continue;
            }
            // What is under way is answered first, so that nothing is lost from the figures.
            if now >= breaks && waiting.is_empty() {
                let away = pause(&mut dice, self.day.away * NANOS);
                self.come_back(now + away).await?;
                breaks = clock::now() + pause(&mut dice, break_interval);
                due = due.max(clock::now());
            } else if now >= due && now < breaks {
                let deed = self.day.deed(self.person, &mut dice);
                self.act(deed, counted_from(due), &mut waiting).await?;
                due += pause(&mut dice, interval);
            }
        }
    }

    async fn act(&mut self, deed: Deed, due: u64, waiting: &mut HashMap<u64, (Operation, u64)>) -> Result<()> {
        let Deed { operation, to } = deed;
        let question = match operation {
            Operation::DirectMessage | Operation::GroupMessage => None,
            Operation::Typing => Some(Question::Typing { to }),
            Operation::Read => Some(Question::Read { of: to }),
            Operation::History => Some(Question::History { of: to, before: None, limit: self.day.page }),
            Operation::Sync | Operation::Resume => Some(Question::Sync { since: self.link.known().unwrap_or(0) }),
        };
        let text = text(due, self.day.bytes);
        let id = self.link.say(|codec, out| match &question {
            Some(question) => codec.ask(question, out),
            None => codec.send(to, &text, out),
        });
        waiting.insert(id.await??, (operation, due));
        if self.measured.counts(due) {
            self.record.borrow_mut().add_sent(operation);
        }
        Ok(())
    }

    /// The connection breaks, and another one takes over then.
    async fn come_back(&mut self, at: u64) -> Result<()> {
        let codec = self.link.again()?;
        self.link.cut().await;
        wait_until(at).await;
        let began = clock::now();
        self.link = Link::ready(self.address, codec).await?;
        if self.measured.counts(began) {
            let record = &mut *self.record.borrow_mut();
            record.add_sent(Operation::Resume);
            record.add_done(Operation::Resume, since(began));
        }
        Ok(())
    }

    fn note(&self, seen: &mut Vec<Seen>, waiting: &mut HashMap<u64, (Operation, u64)>) {
        let record = &mut *self.record.borrow_mut();
        for one in seen.drain(..) {
            match one {
                Seen::Done(id) | Seen::Refused(id, _) => {
                    let Some((operation, due)) = waiting.remove(&id) else { continue };
                    match one {
                        _ if !self.measured.counts(due) => {}
                        Seen::Done(_) => record.add_done(operation, since(due)),
                        _ => record.add_refused(operation),
                    }
                }
                Seen::Message(sent) => record.add_message(sent, self.measured),
                Seen::Ready => {}
            }
        }
    }
}
