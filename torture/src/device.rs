//! A device: it connects, uses its rooms at random, writes down everything, and connects again, until the town stops.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use testkit::history::{Device, Micros, Op, Outcome, Record, Seen, What};
use tokio::time::{Instant, sleep, sleep_until};
use wire::{
    Content, DeleteMessage, DeviceRef, EditMessage, EventBody, EventPage, EventRange, InRoom, MemberRef, OnMember,
    OnMessage, Operation, Plain, Push, Receipt, Response, SendMessage, SetCursors, SetReactions, TextContent,
    TextFormat,
};

use crate::answers;
use crate::session::{Failure, Frame, Session, SignedIn, sign_in};
use crate::town::{KEEPER, Town};

/// Calls of a device that are on their way at the same time.
const CALLS_MAX: usize = 8;
/// Events of a page that is read.
const PAGE: u32 = 50;
/// One call in so many is asked for again though nothing is wrong.
const REPEAT_ONE_IN: u32 = 20;
/// Newer client ids of a device after which one is not repeated any more: the server promises to remember 256, and those that
/// are on their way count too.
const REPEAT_WITHIN: u64 = 256 - 2 * CALLS_MAX as u64;
/// How long a device waits before it tries again to connect.
const RETRY_MS: std::ops::Range<u64> = 20..150;

/// A call as it will be written down, and sent again if its outcome stays unknown.
#[derive(Debug, Clone)]
struct Asked {
    room: String,
    client_id: Option<String>,
    /// How many client ids the device had used by then.
    number: u64,
    op: Op,
}

/// What waits for an answer.
#[derive(Debug)]
enum Pending {
    Call(Asked),
    Read { room: String },
    Ignored,
}

/// A device while it lives.
pub struct Life {
    town: Arc<Town>,
    device: Device,
    signed_in: SignedIn,
    dice: StdRng,
    records: Vec<Record>,
    connection: u32,
    /// The commit up to which it knows everything.
    since: u64,
    /// Outcomes that are unknown, to be asked again.
    again: Vec<Asked>,
    next_client_id: u64,
    heads: HashMap<String, u64>,
}

impl Life {
    /// A device that is signed in.
    pub fn new(town: Arc<Town>, user: &str, signed_in: SignedIn, seed: u64) -> Self {
        let device = Device { user: user.to_owned(), number: town.number() };
        town.signed_in(&device, &signed_in.device);
        Self {
            town,
            device,
            signed_in,
            dice: StdRng::seed_from_u64(seed),
            records: Vec::new(),
            connection: 0,
            since: 0,
            again: Vec::new(),
            next_client_id: 0,
            heads: HashMap::new(),
        }
    }

    /// Lives until the town stops, and gives what was written down, and how to go on as this device.
    pub async fn live(mut self) -> (Device, SignedIn, Vec<Record>) {
        while !self.town.is_stopping() {
            let start = self.town.now();
            match Session::open(&self.town.address, &self.signed_in.token, self.since).await {
                Ok((session, connected)) => {
                    self.connection += 1;
                    if let Some(sync) = connected.sync {
                        let (rooms, last) = (answers::heads(&sync.rooms), answers::last_messages(&sync.rooms));
                        if !sync.more {
                            let connected = What::Connected { since: self.since, rooms, commit: sync.commit, last };
                            self.write(start, connected);
                        }
                        self.since = sync.commit;
                    }
                    self.chat(session).await;
                }
                Err(Failure::Refused) => self.become_another().await,
                Err(Failure::Gone) => self.wait().await,
            }
        }
        (self.device, self.signed_in, self.records)
    }

    async fn wait(&mut self) {
        let pause = Duration::from_millis(self.dice.random_range(RETRY_MS));
        sleep(pause).await;
    }

    /// Signs in as a new device, since this one was ended.
    async fn become_another(&mut self) {
        match sign_in(&self.town.address, &self.device.user).await {
            Ok(signed_in) => {
                self.device = Device { user: self.device.user.clone(), number: self.town.number() };
                self.town.signed_in(&self.device, &signed_in.device);
                self.signed_in = signed_in;
                self.connection = 0;
                self.since = 0;
                // Client ids are a device's own: what is unknown stays unknown.
                self.again.clear();
            }
            Err(_) => self.wait().await,
        }
    }

    fn write(&mut self, start: Micros, what: What) {
        let end = self.town.now();
        self.records.push(Record { device: self.device.clone(), connection: self.connection, start, end, what });
    }

    /// Uses one connection until it ends.
    async fn chat(&mut self, mut session: Session) {
        let mut pending: HashMap<u64, (Micros, Pending)> = HashMap::new();
        let again = std::mem::take(&mut self.again);
        let mut waiting: Vec<Asked> = again.into_iter().filter(|_| self.dice.random_ratio(4, 5)).collect();
        let mut next = Instant::now();
        loop {
            if self.town.is_stopping() && pending.is_empty() {
                return;
            }
            let may_ask = !self.town.is_stopping() && pending.len() < CALLS_MAX;
            tokio::select! {
                frame = session.next() => match frame {
                    Ok(Frame::Response(response)) => {
                        if let Some((start, asked)) = pending.remove(&response.id) {
                            self.answered(start, asked, response);
                        }
                    }
                    Ok(Frame::Push(push)) => self.pushed(push),
                    Err(_) => break,
                },
                () = sleep_until(next), if may_ask => {
                    next = Instant::now() + self.pause();
                    let (operation, asked) = match waiting.pop() {
                        Some(asked) if self.next_client_id - asked.number > REPEAT_WITHIN => continue,
                        Some(asked) => match operation_of(&asked) {
                            Some(operation) => (operation, Pending::Call(asked)),
                            None => continue,
                        },
                        None => match self.choose() {
                            Some(chosen) => chosen,
                            None => continue,
                        },
                    };
                    if let Pending::Call(asked) = &asked
                        && asked.client_id.is_some()
                        && self.dice.random_ratio(1, REPEAT_ONE_IN)
                    {
                        // An impatient client asks again at once, a forgetful one after it has connected again.
                        if self.dice.random_bool(0.5) { &mut waiting } else { &mut self.again }.push(asked.clone());
                    }
                    let start = self.town.now();
                    match session.send(operation).await {
                        Ok(id) => { pending.insert(id, (start, asked)); }
                        Err(_) => {
                            // A part of it may have got through.
                            pending.insert(u64::MAX, (start, asked));
                            break;
                        }
                    }
                }
            }
        }
        for (_, (start, asked)) in pending {
            if let Pending::Call(asked) = asked {
                self.unknown(start, asked);
            }
        }
        self.again.extend(waiting);
        self.wait().await;
    }

    /// Time until the next operation, so that there are as many per second as asked for, at random.
    fn pause(&mut self) -> Duration {
        let mean = 2_000_000 / u64::from(self.town.rate.max(1));
        Duration::from_micros(self.dice.random_range(0..mean))
    }

    fn unknown(&mut self, start: Micros, asked: Asked) {
        let Asked { room, client_id, op, .. } = asked.clone();
        self.write(start, What::Call { room, client_id, op, outcome: Outcome::Unknown });
        if asked.client_id.is_some() {
            self.again.push(asked);
        }
    }

    fn answered(&mut self, start: Micros, asked: Pending, response: Response) {
        match (asked, response.error, response.result) {
            (Pending::Call(asked), Some(problem), _) if problem.retryable && problem.code != "rate_limited" => {
                self.unknown(start, asked);
            }
            (Pending::Call(Asked { room, client_id, op, .. }), Some(problem), _) => {
                self.write(start, What::Call { room, client_id, op, outcome: Outcome::Refused { code: problem.code } });
            }
            (Pending::Call(Asked { room, client_id, op, .. }), None, result) => {
                let receipt = result.and_then(|result| serde_json::from_value::<Receipt>(result).ok());
                let outcome = match receipt {
                    Some(Receipt { seq, commit, duplicate, .. }) => Outcome::Done { seq, commit, duplicate },
                    // Cursors and devices have no receipt.
                    None => Outcome::Done { seq: 0, commit: 0, duplicate: false },
                };
                if let (Op::Send { .. }, Outcome::Done { seq, .. }) = (&op, &outcome) {
                    self.town.learn(&room, *seq, &self.device.user);
                }
                self.write(start, What::Call { room, client_id, op, outcome });
            }
            (Pending::Read { room }, None, Some(result)) => {
                let Ok(page) = serde_json::from_value::<EventPage>(result) else { return };
                let events: Vec<Seen> = page.events.iter().map(answers::seen).collect();
                self.write(start, What::Read { room, head: page.as_of, events });
            }
            (Pending::Read { .. } | Pending::Ignored, _, _) => {}
        }
    }

    fn pushed(&mut self, push: Push) {
        let now = self.town.now();
        match push {
            Push::Event { event } => {
                let head = self.heads.entry(event.room.clone()).or_default();
                *head = event.seq.max(*head);
                if matches!(event.body, EventBody::MessageCreated(_)) && event.sender != self.device.user {
                    self.town.learn(&event.room, event.seq, &event.sender);
                }
                self.write(now, What::Pushed(answers::seen(&event)));
            }
            Push::Cursor { room, user, cursors, .. } => {
                self.write(now, What::CursorPushed { room, user, cursors: answers::cursors(cursors) });
            }
            Push::Resync => self.write(now, What::Resync),
            Push::Typing { .. } | Push::Presence { .. } | Push::Draining { .. } => {}
        }
    }

    /// Something to do.
    fn choose(&mut self) -> Option<(Operation, Pending)> {
        let room = self.town.rooms[self.dice.random_range(0..self.town.rooms.len())].clone();
        let keeper = self.device.user == KEEPER;
        let message = self.town.some_message(&room, &mut self.dice);
        let user = self.town.users[self.dice.random_range(0..self.town.users.len())].clone();
        let op = match self.dice.random_range(0..100) {
            0..50 => Op::Send { text: self.town.text(&mut self.dice) },
            50..58 => {
                let message = message.filter(|message| message.sender == self.device.user)?;
                Op::Edit { target: message.seq, text: self.town.text(&mut self.dice) }
            }
            58..63 => {
                let message = message.filter(|message| message.sender == self.device.user || keeper)?;
                Op::Redact { target: message.seq }
            }
            63..71 => {
                let keys = ["👍", "🎉", "❤️"].iter().filter(|_| self.dice.random_bool(0.5));
                Op::React { target: message?.seq, keys: keys.map(|key| (*key).to_owned()).collect() }
            }
            71..80 => {
                // Sometimes an older place: it must change nothing.
                let head = self.heads.get(&room).copied().unwrap_or(0);
                Op::Cursor { read: head.saturating_sub(self.dice.random_range(0..4)) }
            }
            80..88 => {
                let range = EventRange { limit: Some(PAGE), ..EventRange::default() };
                let operation = Operation::EventList(InRoom { room: room.clone(), rest: range });
                return Some((operation, Pending::Read { room }));
            }
            88..92 if !keeper => Op::Join,
            92..94 if !keeper => Op::Leave,
            88..92 => Op::Remove { user: if user == KEEPER { return None } else { user } },
            92..96 => Op::Invite { user },
            96..97 if self.dice.random_ratio(1, 4) => {
                let (other, id) = self.town.take_other_device(&self.device)?;
                let asked =
                    Asked { room: String::new(), client_id: None, number: 0, op: Op::Revoke { number: other.number } };
                return Some((Operation::DeviceRevoke(DeviceRef { device: id }), Pending::Call(asked)));
            }
            _ => return Some((Operation::Ping(wire::Nothing {}), Pending::Ignored)),
        };
        self.next_client_id += 1;
        let client_id = match &op {
            Op::Cursor { .. } => None,
            _ => Some(format!("{}-{}-{}", self.device.number, self.connection, self.next_client_id)),
        };
        let asked = Asked { room, client_id, number: self.next_client_id, op };
        Some((operation_of(&asked)?, Pending::Call(asked)))
    }
}

/// A call as the wire's operation. What has no client id is not asked again.
fn operation_of(asked: &Asked) -> Option<Operation> {
    let Asked { room, client_id, op, .. } = asked;
    let (room, client_id) = (room.clone(), client_id.clone());
    let content = |text: &str| {
        let (mentions, data) = (Vec::new(), None);
        Content::Text(TextContent { text: text.to_owned(), format: TextFormat::Plain, mentions, data })
    };
    Some(match op {
        Op::Send { text } => {
            let rest = SendMessage { client_id, content: content(text), reply_to: None };
            Operation::MessageSend(InRoom { room, rest })
        }
        Op::Edit { target, text } => {
            let rest = EditMessage { client_id, content: content(text) };
            Operation::MessageEdit(OnMessage { room, seq: *target, rest })
        }
        Op::Redact { target } => {
            let rest = DeleteMessage { client_id, reason: None };
            Operation::MessageDelete(OnMessage { room, seq: *target, rest })
        }
        Op::React { target, keys } => {
            let rest = SetReactions { client_id, keys: keys.clone() };
            Operation::ReactionSet(OnMessage { room, seq: *target, rest })
        }
        Op::Invite { user } => {
            Operation::MemberInvite(InRoom { room, rest: MemberRef { client_id, user: user.clone() } })
        }
        Op::Join => Operation::RoomJoin(InRoom { room, rest: Plain { client_id } }),
        Op::Leave => Operation::RoomLeave(InRoom { room, rest: Plain { client_id } }),
        Op::Remove { user } => {
            Operation::MemberRemove(OnMember { room, user: user.clone(), rest: Plain { client_id } })
        }
        Op::Cursor { read } => {
            Operation::CursorSet(InRoom { room, rest: SetCursors { delivered: None, read: Some(*read) } })
        }
        Op::Create | Op::Revoke { .. } => return None,
    })
}
