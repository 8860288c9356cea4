//! One person who asks the same again and again: what has changed, or for a page of history.

use std::cell::RefCell;

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::clock;
use crate::codec::{Question, To};
use crate::link::{Link, since, text};
use crate::plan::{History, Plan, Sync, Tokens};
use crate::record::Record;

/// Messages of a room that `starling dev --messages` makes.
const ROOM_MESSAGES: u64 = 1_000;
/// The same places in every run.
const SEED: u64 = 7;
const MESSAGE_BYTES: usize = 180;
/// The group of the other one; the person's own are 0, 1, 2 …
const ELSEWHERE: u32 = u32::MAX;

/// Syncs of a person in many rooms; while another one writes elsewhere.
pub struct Syncs {
    me: Link,
    other: Link,
}

impl Syncs {
    /// Makes the rooms.
    pub async fn prepare(plan: &Plan, tokens: &Tokens, sync: &Sync) -> Result<Self> {
        let mut me = Link::ready(plan.address, plan.codec(0, tokens, None)?).await?;
        let mut other = Link::ready(plan.address, plan.codec(1, tokens, None)?).await?;
        for room in 0..sync.rooms {
            me.ask(|codec, out| Ok(codec.make(room, out))).await?;
        }
        other.ask(|codec, out| Ok(codec.make(ELSEWHERE, out))).await?;
        Ok(Self { me, other })
    }

    /// Asks, and times the answers.
    pub async fn run(mut self, sync: &Sync, record: &RefCell<Record>) -> Result<()> {
        let mut known = 0;
        for time in 0..=sync.times {
            let began = clock::now();
            self.me.ask(|codec, out| codec.ask(&Question::Sync { since: known }, out)).await?;
            // The first one tells of all rooms there are.
            if time > 0 {
                record.borrow_mut().add_answer(since(began));
            }
            known = self.me.known().context("the protocol knows no commits")?;
            for _ in 0..sync.elsewhere {
                say(&mut self.other, ELSEWHERE).await?;
            }
            for change in 0..sync.changed {
                say(&mut self.me, (time * sync.changed + change) % sync.rooms.max(1)).await?;
            }
        }
        Ok(())
    }
}

async fn say(link: &mut Link, group: u32) -> Result<()> {
    link.ask(|codec, out| codec.send(To::Group(group), &text(0, MESSAGE_BYTES), out)).await
}

/// Reads pages of history at random places.
pub async fn history(mut link: Link, history: &History, record: &RefCell<Record>) -> Result<()> {
    let mut dice = StdRng::seed_from_u64(SEED);
    for _ in 0..history.times {
        let room = format!("load-{}", dice.random_range(0..history.messages.div_ceil(ROOM_MESSAGES)));
        let before = dice.random_range(u64::from(history.page) + 1..ROOM_MESSAGES);
        let question = Question::History { room, before, limit: history.page };
        let began = clock::now();
        link.ask(|codec, out| codec.ask(&question, out)).await?;
        record.borrow_mut().add_answer(since(began));
    }
    Ok(())
}
