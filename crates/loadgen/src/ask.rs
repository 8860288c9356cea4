//! One person who asks the same again and again: what has changed, or for a page of history.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::timeout;

use crate::clock;
use crate::codec::{Question, STORED, To};
use crate::link::{Link, since, text};
use crate::plan::{Plan, Tokens};
use crate::record::Record;
use crate::workload::{History, Sync};

/// The same places in every run.
const SEED: u64 = 7;
const MESSAGE_BYTES: usize = 180;
/// When nothing has come for so long, nothing more is to come.
const QUIET: Duration = Duration::from_millis(500);
/// The group of the other one; the person's own are 0, 1, 2 …
const ELSEWHERE: u32 = STORED - 1;
/// Questions that are on their way at the same time, so that the driver is never told that it is too slow.
const AT_ONCE: usize = 128;

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
        let rooms: Vec<u32> = (0..sync.rooms).collect();
        for some in rooms.chunks(AT_ONCE) {
            me.ask_all(some, |codec, room, out| Ok(codec.make(*room, out))).await?;
        }
        other.ask(|codec, out| Ok(codec.make(ELSEWHERE, out))).await?;
        // The server tells of so many new rooms for some time after it has made them; who doesn't listen loses that.
        let mut seen = Vec::new();
        while let Ok(came) = timeout(QUIET, me.next(&mut seen)).await {
            came?;
            seen.clear();
        }
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
            say(&mut self.other, std::iter::repeat_n(ELSEWHERE, sync.elsewhere as usize)).await?;
            let changed = (0..sync.changed).map(|change| (time * sync.changed + change) % sync.rooms.max(1));
            say(&mut self.me, changed).await?;
        }
        Ok(())
    }
}

async fn say(link: &mut Link, groups: impl Iterator<Item = u32>) -> Result<()> {
    let (groups, text): (Vec<u32>, _) = (groups.collect(), text(0, MESSAGE_BYTES));
    for some in groups.chunks(AT_ONCE) {
        link.ask_all(some, |codec, group, out| codec.send(To::Group(*group), &text, out)).await?;
    }
    Ok(())
}

/// Reads pages of history at random places, for one or another of those whose rooms they are.
pub async fn history(mut links: Vec<Link>, history: &History, record: &RefCell<Record>) -> Result<()> {
    let mut dice = StdRng::seed_from_u64(SEED);
    let rooms = history.messages.div_ceil(history.room_messages);
    for _ in 0..history.times {
        let room = dice.random_range(0..rooms);
        let before =
            dice.random_range(u64::from(history.page).min(history.room_messages) + 1..=history.room_messages + 1);
        let of = To::Group(STORED + u32::try_from(room)?);
        let question = Question::History { of, before: Some(before), limit: history.page };
        let owner = (room % links.len() as u64) as usize;
        let began = clock::now();
        links[owner].ask(|codec, out| codec.ask(&question, out)).await?;
        record.borrow_mut().add_answer(since(began));
    }
    Ok(())
}
