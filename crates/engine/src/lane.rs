//! Lanes: commands that take effect in the order they were submitted, without waiting for each other's receipts.
//!
//! A connection that sends ten messages at once wants them in the log in its order, and in one group commit. The store
//! writes units in the order they are handed in, so it is enough to hand them in in order; what needs care are
//! conflicts. A command that has to be checked anew waits until everything before it in its room is settled, and one
//! whose facts are of another version than those in flight waits as well, so nothing overtakes.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use domain::{Actor, ClientId, Command, RoomId};
use storage::{Outcome, StoreError};
use tokio::sync::Notify;
use tokio::task::unconstrained;

use crate::execute::{Attempt, answered, settled};
use crate::{Engine, EngineError, Receipt};

/// The ordered commands of one actor; usually of one connection.
#[derive(Clone)]
pub struct Lane {
    engine: Engine,
    actor: Actor,
    order: Arc<Order>,
}

#[derive(Default)]
struct Order {
    rooms: Mutex<HashMap<RoomId, InFlight>>,
    settled: Notify,
}

#[derive(Default)]
struct InFlight {
    tickets: BTreeSet<u64>,
    next_ticket: u64,
    /// The version that all of them were checked against.
    version: u64,
}

/// A command on its way; [`Submitted::receipt`] waits for it.
///
/// Dropped before that, it may still take effect, and what comes after it in its room no longer waits for it.
pub struct Submitted {
    lane: Lane,
    command: Command,
    client_id: Option<ClientId>,
    place: Option<Place>,
    state: State,
}

type Committing = Pin<Box<dyn Future<Output = Result<Outcome, StoreError>> + Send>>;

enum State {
    /// Refused, or it could not be checked.
    Failed(EngineError),
    /// To be executed when its turn comes: it makes a room, has nothing to write, or depends on what is before it.
    Waiting,
    /// Handed to the store.
    Committing(Committing),
    /// Answered at once.
    Committed(Result<Outcome, StoreError>),
}

/// A place in the order of a room, given up on drop.
struct Place {
    order: Arc<Order>,
    room: RoomId,
    ticket: u64,
}

impl Engine {
    /// A lane for an actor's commands.
    pub fn lane(&self, actor: &Actor) -> Lane {
        Lane { engine: self.clone(), actor: actor.clone(), order: Arc::default() }
    }
}

impl Lane {
    /// Checks a command and hands it to the store. Returns when its place is taken, before it is durable.
    ///
    /// Calls on one lane must not overlap: the order of the calls is the order of the commands. The receipts of earlier
    /// commands must be waited for at the same time (in tasks of their own, say): a call may wait for them to settle.
    pub async fn submit(&self, command: Command, client_id: Option<ClientId>) -> Submitted {
        let (place, state) = self.start(&command, client_id.as_ref()).await;
        Submitted { lane: self.clone(), command, client_id, place, state }
    }

    async fn start(&self, command: &Command, client_id: Option<&ClientId>) -> (Option<Place>, State) {
        if command.action.creates() {
            return (None, State::Waiting);
        }
        loop {
            let freed = self.order.settled.notified();
            tokio::pin!(freed);
            // From here on no place that is given up is missed.
            freed.as_mut().enable();
            let changes = match self.engine.prepare(&self.actor, command).await {
                Ok(changes) => changes,
                // A repeat that would be refused now is recognised by the ordinary way, in its turn.
                Err(EngineError::Refused(_)) => return (Some(self.order.last_place(&command.room)), State::Waiting),
                Err(error) => return (None, State::Failed(error)),
            };
            // Whether a set of reactions is still as it was depends on the commands before, so it waits for them.
            if changes.is_empty() || changes.expect.reactions.is_some() {
                return (Some(self.order.last_place(&command.room)), State::Waiting);
            }
            let Some(place) = self.order.place(&command.room, changes.expect.version) else {
                freed.await;
                continue;
            };
            let fingerprint = command.fingerprint();
            let unit = self.engine.unit(&self.actor, &command.room, client_id, fingerprint, changes);
            let store = self.engine.inner.store.clone();
            // The first poll hands the unit over: without the runtime's budget, which could make it wait.
            let mut committing: Committing = Box::pin(unconstrained(async move { store.commit(unit).await }));
            let first = std::future::poll_fn(|context| Poll::Ready(committing.as_mut().poll(context))).await;
            let state = match first {
                Poll::Ready(outcome) => State::Committed(outcome),
                Poll::Pending => State::Committing(committing),
            };
            return (Some(place), state);
        }
    }
}

impl Submitted {
    /// Waits until the command is durable, or refused.
    pub async fn receipt(self) -> Result<Receipt, EngineError> {
        let Submitted { lane, command, client_id, place, state } = self;
        let outcome = match state {
            State::Failed(error) => return Err(error),
            State::Waiting => Ok(Outcome::Conflict),
            State::Committing(committing) => committing.await,
            State::Committed(outcome) => outcome,
        };
        if let Attempt::Answered(receipt) = settled(outcome?)? {
            return answered(&command, receipt);
        }
        if let Some(place) = &place {
            place.turn().await;
        }
        lane.engine.inner.facts.forget(&lane.actor.app, &command.room);
        lane.engine.execute(&lane.actor, command, client_id).await
    }
}

impl Order {
    /// A place behind those in flight, if they were checked against the same version.
    fn place(self: &Arc<Self>, room: &RoomId, version: u64) -> Option<Place> {
        let mut rooms = self.lock();
        let in_flight = rooms.entry(room.clone()).or_default();
        if !in_flight.tickets.is_empty() && in_flight.version != version {
            return None;
        }
        in_flight.version = version;
        Some(self.take(room, in_flight))
    }

    /// A place behind those in flight, for a command that is checked in its turn. Nothing else fits behind it until then.
    fn last_place(self: &Arc<Self>, room: &RoomId) -> Place {
        let mut rooms = self.lock();
        let in_flight = rooms.entry(room.clone()).or_default();
        in_flight.version = u64::MAX;
        self.take(room, in_flight)
    }

    fn take(self: &Arc<Self>, room: &RoomId, in_flight: &mut InFlight) -> Place {
        let ticket = in_flight.next_ticket;
        in_flight.next_ticket += 1;
        in_flight.tickets.insert(ticket);
        Place { order: self.clone(), room: room.clone(), ticket }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RoomId, InFlight>> {
        self.rooms.lock().expect("no holder of this lock panics")
    }
}

impl Place {
    /// Waits until everything before it is settled.
    async fn turn(&self) {
        loop {
            let freed = self.order.settled.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let first = self.order.lock().get(&self.room).and_then(|in_flight| in_flight.tickets.first().copied());
            if first.is_none_or(|first| first >= self.ticket) {
                return;
            }
            freed.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut rooms = self.order.lock();
        if let Some(in_flight) = rooms.get_mut(&self.room) {
            in_flight.tickets.remove(&self.ticket);
            if in_flight.tickets.is_empty() {
                rooms.remove(&self.room);
            }
        }
        drop(rooms);
        self.order.settled.notify_waiters();
    }
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lane({})", self.actor.user)
    }
}

impl std::fmt::Debug for Submitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Submitted({:?})", self.command.room)
    }
}
