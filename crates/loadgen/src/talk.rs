//! A person who is there all the time: sends at their pace, and sees what comes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use anyhow::Result;
use tokio::select;

use crate::clock::{self, wait_until};
use crate::codec::To;
use crate::link::{Link, Seen, since, text};
use crate::plan::Pace;
use crate::record::Record;

/// How long acknowledgements are waited for after the end.
pub const DRAIN_NANOS: u64 = 5_000_000_000;

/// What the timers of the driver are wrong by at most, if it has time.
const TIMER_NANOS: u64 = 2_500_000;

/// From when to when things count.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub from: u64,
    pub to: u64,
}

impl Measured {
    pub fn counts(self, nanos: u64) -> bool {
        (self.from..self.to).contains(&nanos)
    }
}

/// From when something counts that was due then and is sent now: what is late, from when it was due, so that a server that
/// stands still doesn't stop the clock; but for what timers are wrong by.
pub fn counted_from(due: u64) -> u64 {
    let now = clock::now();
    if now < due + TIMER_NANOS { now } else { due }
}

/// Someone who talks or listens.
pub struct Talker {
    pub link: Link,
    pub to: To,
    pub sends: Option<(Pace, usize)>,
    pub record: Rc<RefCell<Record>>,
    pub measured: Measured,
}

impl Talker {
    /// Talks until the end, and some time longer if an acknowledgement is missing.
    pub async fn run(mut self) -> Result<()> {
        // When each message was due that is on its way.
        let mut waiting: VecDeque<(u64, u64)> = VecDeque::new();
        let mut seen = Vec::new();
        let Measured { to: end, .. } = self.measured;
        let mut due = match self.sends {
            Some((Pace::Interval { first, .. }, _)) => clock::now() + first,
            Some((Pace::Window(_), _)) | None => clock::now(),
        };
        loop {
            let now = clock::now();
            let talks = now < end && self.sends.is_some();
            if let (true, Some((Pace::Window(window), bytes))) = (talks, self.sends) {
                while waiting.len() < window as usize {
                    self.send(clock::now(), bytes, &mut waiting).await?;
                }
            }
            let wake = match self.sends {
                Some((Pace::Interval { .. }, _)) if talks => due,
                _ if now < end => end,
                _ => end + DRAIN_NANOS,
            };
            if now >= end && (waiting.is_empty() || now >= end + DRAIN_NANOS) {
                return Ok(());
            }
            select! {
                came = self.link.next(&mut seen) => came?,
                () = wait_until(wake) => {
                    if let (true, Some((Pace::Interval { nanos, .. }, bytes))) = (talks, self.sends) {
                        self.send(counted_from(due), bytes, &mut waiting).await?;
                        due += nanos;
                    }
                }
            }
            self.note(&mut seen, &mut waiting);
        }
    }

    async fn send(&mut self, due: u64, bytes: usize, waiting: &mut VecDeque<(u64, u64)>) -> Result<()> {
        let (to, text) = (self.to, text(due, bytes));
        let id = self.link.say(|codec, out| codec.send(to, &text, out)).await??;
        waiting.push_back((id, due));
        if self.measured.counts(due) {
            self.record.borrow_mut().sent += 1;
        }
        Ok(())
    }

    fn note(&self, seen: &mut Vec<Seen>, waiting: &mut VecDeque<(u64, u64)>) {
        let record = &mut *self.record.borrow_mut();
        for one in seen.drain(..) {
            match one {
                Seen::Done(id) | Seen::Refused(id, _) => {
                    let Some(place) = waiting.iter().position(|(other, _)| *other == id) else { continue };
                    let Some((_, due)) = waiting.remove(place) else { continue };
                    match one {
                        _ if !self.measured.counts(due) => {}
                        Seen::Done(_) => {
                            record.acked += 1;
                            record.acks.add(since(due));
                        }
                        _ => record.refused += 1,
                    }
                }
                Seen::Message(sent) => record.add_message(sent, self.measured),
                Seen::Ready => {}
            }
        }
    }
}
