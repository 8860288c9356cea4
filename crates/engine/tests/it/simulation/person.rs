//! One device of one simulated user: it connects, syncs, chats, gives up waiting, asks again and goes away.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use domain::{Actor, ClientId, Command, Cut, EventBody, RoomId, Seq};
use engine::{
    EndReason, Engine, EngineError, Flow, GetRoom, Happening, History, Lane, Members, RoomCursors, Session, Sync,
};
use tokio::time::timeout;

use super::answers::{Glance, check_history, check_room_view, check_sync};
use super::dice::Dice;
use super::heard::Heard;
use super::ledger::{Ledger, Said};
use super::replica::{Applied, Replica};
use super::world::World;

/// Longest that a device rests between two steps, in milliseconds.
const REST_MS_MAX: u64 = 60;
/// Longest that an impatient device waits for an answer, in milliseconds.
const PATIENCE_MS_MAX: u64 = 25;
/// Commands that a device sends at once at most.
const BURST_MAX: u64 = 5;
/// Rounds of listening after which a device that can't catch up is left behind until later.
const ROUNDS_MAX: u32 = 200;

/// A device and what it knows.
pub(super) struct Device {
    pub(super) world: Arc<World>,
    pub(super) actor: Actor,
    pub(super) token: String,
    pub(super) others: Vec<Actor>,
    pub(super) dice: Dice,
    pub(super) replica: Replica,
    pub(super) open: Option<Open>,
    /// Deeds whose outcome is unknown, to be tried again.
    pub(super) unknown: VecDeque<usize>,
    pub(super) ended: bool,
    pub(super) client_ids: u32,
}

/// An open session.
pub(super) struct Open {
    session: Session,
    pub(super) incarnation: u64,
    lane: Lane,
    pub(super) heard: Heard,
}

/// A query can fail because the store does; then the device tries again later.
type Asked<T> = Result<T, EngineError>;

impl Device {
    pub(super) fn ledger(&self) -> &Ledger {
        &self.world.ledger
    }

    /// Lives for so many steps.
    pub(super) async fn live(mut self, steps: u64) -> Self {
        for _ in 0..steps {
            self.rest().await;
            self.listen().await;
            if self.ended {
                break;
            }
            self.step().await;
        }
        self
    }

    async fn rest(&mut self) {
        let ms = if self.dice.percent(40) { 0 } else { self.dice.between(1, REST_MS_MAX) };
        for _ in 0..self.dice.below(3) {
            tokio::task::yield_now().await;
        }
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }

    async fn step(&mut self) {
        let Some((engine, _)) = self.world.engine() else { return };
        if self.open.is_none() && self.dice.percent(50) {
            return self.connect().await;
        }
        match self.dice.below(100) {
            0..4 => self.disconnect(),
            4..9 => self.again().await,
            9..16 => self.burst().await,
            16..20 => self.type_something(&engine).await,
            20..28 => self.look_around(&engine).await,
            28..30 => self.revoke(&engine).await,
            _ => {
                if let Some(command) = self.plan() {
                    let deed = self.begin(&command);
                    self.attempt(deed).await;
                }
            }
        }
    }

    /// Opens a session and catches up.
    pub(super) async fn connect(&mut self) {
        let Some((engine, incarnation)) = self.world.engine() else { return };
        if !self.is_authentic(&engine).await {
            return;
        }
        self.ledger().note(&format!("{} connects", self.actor.device));
        match engine.subscribe(&self.actor).await {
            Ok(session) => {
                let (lane, heard) = (engine.lane(&self.actor), Heard::new(&self.actor.user, self.ledger()));
                self.open = Some(Open { session, incarnation, lane, heard });
                if self.catch_up().await.is_err() {
                    self.disconnect();
                }
            }
            Err(error) => {
                self.ledger().note(&format!("{} can't connect: {error}", self.actor.device));
            }
        }
    }

    pub(super) fn disconnect(&mut self) {
        if let Some(open) = self.open.take() {
            self.ledger().note(&format!("{} disconnects", self.actor.device));
            if self.world.is_complete() {
                open.heard.check_complete(self.ledger(), false);
            }
        }
    }

    /// Whether the token is good; as doors ask before each request.
    async fn is_authentic(&mut self, engine: &Engine) -> bool {
        let revoked_before = self.ledger().book().revoked.contains_key(&self.actor.device);
        match engine.authenticate(&self.token).await {
            Ok(_) if revoked_before => {
                self.ledger().wrong(format!("the token of {} is good after its end", self.actor.device));
                false
            }
            Ok(_) => true,
            Err(EngineError::Unavailable(_)) => false,
            Err(error) => {
                self.ledger().note(&format!("{} is turned away: {error}", self.actor.device));
                self.ended = true;
                false
            }
        }
    }

    /// Syncs, and reads what is missing.
    pub(super) async fn catch_up(&mut self) -> Asked<()> {
        let Some((engine, _)) = self.world.engine() else { return Ok(()) };
        let view = self.sync(&engine, self.replica.since.0).await?;
        self.replica.sync(&view);
        for room in self.replica.behind() {
            self.read_missing(&engine, &room).await?;
        }
        Ok(())
    }

    /// A whole sync, in as many answers as it takes.
    pub(super) async fn sync(&self, engine: &Engine, since: u64) -> Asked<engine::SyncView> {
        let glance = Glance::of(&self.actor.user, self.ledger());
        let since = domain::CommitNumber(since);
        let mut view = engine.query(&self.actor, Sync { since }).await?;
        while view.more {
            let next = engine.query(&self.actor, Sync { since: view.commit }).await?;
            // A room that changed meanwhile comes again, as it is now.
            view.rooms.retain(|room| next.rooms.iter().all(|newer| newer.room.id != room.room.id));
            view.rooms.extend(next.rooms);
            view.users.extend(next.users);
            (view.commit, view.more) = (next.commit, next.more);
        }
        check_sync(self.ledger(), &glance, &view);
        let rooms: Vec<_> = view.rooms.iter().map(|room| (&room.room.id, room.head.0, room.unread)).collect();
        let (device, commit) = (&self.actor.device, view.commit.0);
        self.ledger().note(&format!("{device} syncs from {} to {commit}: {rooms:?}", since.0));
        Ok(view)
    }

    /// Reads the events of a room after what is known.
    async fn read_missing(&mut self, engine: &Engine, room: &RoomId) -> Asked<()> {
        loop {
            let Some(cached) = self.replica.rooms.get(room) else { return Ok(()) };
            let (cut, limit) =
                (Cut::After(cached.known), [3, 20, 200][usize::try_from(self.dice.below(3)).expect("small")]);
            let view = match self.read(engine, room, cut, limit).await {
                Err(EngineError::Refused(_)) => return Ok(()),
                view => view?,
            };
            let cached = self.replica.rooms.get_mut(room).expect("rooms are never forgotten");
            cached.page(&self.actor.user, &view);
            if !view.has_newer || view.entries.is_empty() {
                return Ok(());
            }
        }
    }

    /// A page of history.
    pub(super) async fn read(
        &self,
        engine: &Engine,
        room: &RoomId,
        cut: Cut,
        limit: usize,
    ) -> Asked<engine::HistoryView> {
        let glance = Glance::of(&self.actor.user, self.ledger());
        let view = engine.query(&self.actor, History { room: room.clone(), cut, limit }).await?;
        check_history(self.ledger(), &glance, room, &view);
        let seqs: Vec<_> = view.entries.iter().map(|entry| entry.event.seq.0).collect();
        self.ledger().note(&format!("{} reads {room} {cut:?}: {seqs:?}", self.actor.device));
        Ok(view)
    }

    /// Takes what was pushed until nothing more is there.
    pub(super) async fn listen(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let Some(open) = &mut self.open else { return };
            if self.world.engine().is_none_or(|(_, incarnation)| incarnation != open.incarnation) {
                // The server is another process by now.
                return self.disconnect();
            }
            let mut pushed = Vec::new();
            let flow = {
                // Whoever wakes this does not matter, so nobody does: the order of wake-ups is chance that no seed rules.
                let mut next = std::pin::pin!(open.session.next(&mut pushed));
                match next.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(flow) => flow,
                    Poll::Pending => return,
                }
            };
            let revoked = self.ledger().book().revoked.contains_key(&self.actor.device);
            // A session that is drained has ended already.
            if revoked && !matches!(flow, Flow::End(EndReason::Revoked) | Flow::Drain { .. }) {
                self.ledger().wrong(format!("{} is still served after its end: {flow:?}", self.actor.device));
            }
            let go_on = match flow {
                Flow::Deliver => self.take(&pushed).await,
                Flow::Resync => {
                    self.ledger().note(&format!("{} is told to resync", self.actor.device));
                    if let Some(open) = &mut self.open {
                        open.heard.resync(&self.world.ledger);
                    }
                    self.catch_up().await
                }
                Flow::Drain { .. } => {
                    self.disconnect();
                    return;
                }
                Flow::End(reason) => {
                    self.ledger().note(&format!("{} is ended: {reason:?}", self.actor.device));
                    self.open = None;
                    self.ended |= reason == EndReason::Revoked;
                    return;
                }
            };
            if go_on.is_err() {
                return self.disconnect();
            }
        }
    }

    async fn take(&mut self, pushed: &[Arc<engine::Delivery>]) -> Asked<()> {
        let mut behind = false;
        for delivery in pushed {
            let happening = &delivery.happening;
            if let Some(open) = &mut self.open {
                open.heard.hear(happening, &self.world.ledger);
            }
            let me = &self.actor.user;
            match happening {
                Happening::Event(event) => {
                    self.world.ledger.note(&format!("{} hears {} {}", self.actor.device, event.room, event.seq.0));
                    behind |= self.replica.event(me, event) == Applied::Behind;
                }
                Happening::Cursors { room, user, cursors, .. } => {
                    self.world
                        .ledger
                        .note(&format!("{} hears cursors {room} {user} {}", self.actor.device, cursors.read.0));
                    if let Err(wrong) = self.replica.cursors(me, room, user, *cursors) {
                        self.world.ledger.wrong(wrong);
                    }
                }
                Happening::Typing { room, user, .. } => {
                    self.world.ledger.note(&format!("{} hears typing {room} {user}", self.actor.device));
                }
                // Comes by a timer of its own and is no part of what a device keeps.
                Happening::Presence(_) => {}
            }
        }
        if behind { self.catch_up().await } else { Ok(()) }
    }

    pub(super) fn begin(&mut self, command: &Command) -> usize {
        self.client_ids += 1;
        let client_id = ClientId::new(format!("{}-{}", self.actor.device, self.client_ids)).expect("an id");
        self.ledger().begin(&self.actor, &client_id, command)
    }

    /// Tries a deed once, with more or less patience.
    pub(super) async fn attempt(&mut self, deed: usize) {
        let began = self.ledger().book().step;
        let said = self.ask(deed).await;
        if said == Said::Unknown {
            self.unknown.push_back(deed);
        }
        self.ledger().said(deed, began, said);
    }

    async fn ask(&mut self, deed: usize) -> Said {
        let (client_id, command) = {
            let book = self.ledger().book();
            (book.deeds[deed].client_id.clone(), book.deeds[deed].command.clone())
        };
        let Some((engine, _)) = self.world.engine() else { return Said::Unknown };
        if !self.is_authentic(&engine).await {
            return if self.ended { Said::TurnedAway } else { Said::Unknown };
        }
        let actor = self.actor.clone();
        let asking = async move { engine.execute(&actor, command, Some(client_id)).await };
        let patience = Duration::from_millis(self.dice.between(1, PATIENCE_MS_MAX));
        match self.dice.below(10) {
            // Given up, and with it what the server did for it.
            0 => timeout(patience, asking).await.map_or(Said::Unknown, said),
            // Given up, and the server goes on.
            1 => match timeout(patience, tokio::spawn(asking)).await {
                Ok(Ok(result)) => said(result),
                Ok(Err(_)) | Err(_) => Said::Unknown,
            },
            _ => said(asking.await),
        }
    }

    /// Tries a deed of unknown outcome again, with the same client id.
    pub(super) async fn again(&mut self) {
        if let Some(deed) = self.unknown.pop_front() {
            self.ledger().note(&format!("{} asks again", self.actor.device));
            self.attempt(deed).await;
        }
    }

    /// Sends several commands at once on its connection.
    async fn burst(&mut self) {
        let Some(lane) = self.open.as_ref().map(|open| open.lane.clone()) else { return };
        let mut receipts = Vec::new();
        for _ in 0..self.dice.between(2, BURST_MAX) {
            let Some(command) = self.plan() else { return };
            let deed = self.begin(&command);
            let (began, client_id) = {
                let book = self.ledger().book();
                (book.step, book.deeds[deed].client_id.clone())
            };
            let submitted = lane.submit(command, Some(client_id)).await;
            receipts.push((deed, began, tokio::spawn(submitted.receipt())));
        }
        let mut order = Vec::new();
        for (deed, began, receipt) in receipts {
            let said = receipt.await.map_or(Said::Unknown, said);
            if let Said::Done(receipt) = &said {
                order.push((deed, receipt.clone()));
            }
            if said == Said::Unknown {
                self.unknown.push_back(deed);
            }
            self.ledger().said(deed, began, said);
        }
        self.check_lane(&order);
    }

    /// What one lane wrote stands in each room in the order in which it was submitted.
    fn check_lane(&self, order: &[(usize, engine::Receipt)]) {
        let mut book = self.ledger().book();
        let written = |(deed, receipt): &&(usize, engine::Receipt)| {
            let event = book.rooms.get(&receipt.room).and_then(|room| room.event(receipt.seq));
            event.is_some_and(|event| event.client_id.as_ref() == Some(&book.deeds[*deed].client_id))
        };
        let written: Vec<_> = order.iter().filter(written).map(|(_, receipt)| receipt.clone()).collect();
        for (index, earlier) in written.iter().enumerate() {
            let overtaken = written[index..].iter().find(|later| later.room == earlier.room && later.seq < earlier.seq);
            if let Some(later) = overtaken {
                book.wrong(format!("{} overtakes on a lane: {later:?} {earlier:?}", self.actor.device));
            }
        }
    }

    async fn type_something(&mut self, engine: &Engine) {
        let Some(room) = self.any_room() else { return };
        let glance_joined = self.ledger().book().rooms[&room].place(&self.actor.user);
        let result = engine.typing(&self.actor, &room, self.dice.percent(50)).await;
        let now = self.ledger().book().rooms[&room].place(&self.actor.user);
        if result.is_ok() && glance_joined == now && !now.is_joined() {
            self.ledger().wrong(format!("{} may type in {room}, where they are not", self.actor.user));
        }
    }

    /// Asks for something at random; every answer is checked.
    async fn look_around(&mut self, engine: &Engine) {
        let Some(room) = self.any_room() else { return };
        let head = self.ledger().book().rooms[&room].head().0;
        let seq = Seq(self.dice.between(0, head + 1));
        let cut = [Cut::Newest, Cut::Before(seq), Cut::After(seq), Cut::Around(seq)];
        let cut = *self.dice.pick(&cut).expect("there are four");
        let before = self.ledger().book().rooms[&room].place(&self.actor.user);
        let shown = match self.dice.below(5) {
            0 => self.read(engine, &room, cut, 7).await.map(|_| false),
            1 => self.sync(engine, 0).await.map(|_| false),
            2 => {
                let glance = Glance::of(&self.actor.user, self.ledger());
                let view = engine.query(&self.actor, GetRoom { room: room.clone() }).await;
                view.map(|view| check_room_view(self.ledger(), &glance, &view)).map(|()| false)
            }
            3 => engine.query(&self.actor, RoomCursors { room: room.clone() }).await.map(|_| true),
            _ => engine.query(&self.actor, Members { room: room.clone(), after: None, limit: 5 }).await.map(|_| true),
        };
        let now = self.ledger().book().rooms[&room].place(&self.actor.user);
        if shown.is_ok_and(|members_only| members_only) && before == now && !now.is_joined() {
            self.ledger().wrong(format!("{} is told of the members of {room}, where they are not", self.actor.user));
        }
    }

    /// Signs another device of the same user out.
    async fn revoke(&mut self, engine: &Engine) {
        let Some(other) = self.dice.pick(&self.others).cloned() else { return };
        if !self.is_authentic(engine).await {
            return;
        }
        self.ledger().note(&format!("{} revokes {}", self.actor.device, other.device));
        if engine.revoke_device(&self.actor, &other.device).await.is_ok() {
            let mut book = self.ledger().book();
            let step = book.note(&format!("{} is revoked", other.device));
            book.revoked.entry(other.device).or_insert(step);
        }
    }

    /// A room: usually one that the device knows, now and then any other.
    pub(super) fn any_room(&mut self) -> Option<RoomId> {
        let known: Vec<RoomId> = if self.dice.percent(80) {
            self.replica.rooms.keys().cloned().collect()
        } else {
            self.ledger().book().rooms.keys().cloned().collect()
        };
        self.dice.pick(&known).cloned()
    }

    /// The newest event that the device knows of a room, and a message among the last ones.
    pub(super) fn message_in(&mut self, room: &RoomId) -> Option<Seq> {
        let recent: Vec<Seq> = {
            let book = self.world.ledger.book();
            let events = book.rooms.get(room)?.events.iter().rev();
            let messages = events.filter(|event| matches!(event.body, EventBody::Message { .. }));
            messages.take(6).map(|event| event.seq).collect()
        };
        self.dice.pick(&recent).copied()
    }
}

/// What a result says to a client.
fn said(result: Result<engine::Receipt, EngineError>) -> Said {
    match result {
        Ok(receipt) => Said::Done(receipt),
        Err(EngineError::Unavailable(_)) => Said::Unknown,
        Err(error) => Said::Refused(error.to_string()),
    }
}
