//! Execute: facts, check, one atomic commit, receipt.

use std::time::{Duration, Instant};

use domain::{
    Action, Actor, Changes, ClientId, Command, CommitNumber, Cursors, Refusal, RoomId, Seq, check, check_new_room,
    pair_of,
};
use planted::{Bug, planted, planted_each};
use storage::{Outcome, RoomWork, Unit, Work};

use crate::{Engine, EngineError};

/// Users invited while a room is created that cost as much of the actor's allowance as one request.
const INVITES_PER_REQUEST: u32 = 10;

/// Where an accepted command stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The room.
    pub room: RoomId,
    /// Seq of the first event written; the room's head if nothing had to be written.
    pub seq: Seq,
    /// The commit that made it durable.
    pub commit: CommitNumber,
    /// Whether this is the answer to an earlier command with the same client id.
    pub duplicate: bool,
}

pub(crate) enum Attempt {
    Answered(Receipt),
    Conflict,
}

impl Engine {
    /// Does what an actor asks, durably, once per client id, and says where it stands.
    pub async fn execute(
        &self,
        actor: &Actor,
        command: Command,
        client_id: Option<ClientId>,
    ) -> Result<Receipt, EngineError> {
        let fingerprint = command.fingerprint();
        let named = u32::try_from(command.action.named_users().len()).unwrap_or(u32::MAX);
        self.inner.rates.surcharge(&actor.app, &actor.user, named / INVITES_PER_REQUEST)?;
        let deadline = Instant::now() + Duration::from_millis(self.inner.options.conflict_patience_ms);
        let mut turn = None;
        while Instant::now() < deadline {
            let attempt = match &command.action {
                Action::Create { .. } => self.create(actor, &command, client_id.as_ref(), fingerprint).await,
                Action::Direct { .. } => self.open_direct(actor, &command, client_id.as_ref(), fingerprint).await,
                _ => self.change(actor, &command, client_id.as_ref(), fingerprint).await,
            };
            match attempt {
                Ok(Attempt::Answered(receipt)) => return answered(&command, receipt),
                Ok(Attempt::Conflict) => {
                    metrics::counter!("starling_conflicts_total").increment(1);
                    self.inner.facts.forget(&actor.app, &command.room);
                    // Many who change one room at once would go on conflicting: from here on they take turns.
                    if turn.is_none() {
                        turn = Some(self.inner.turns.wait(&actor.app, &command.room).await);
                    }
                }
                // A repeat is answered as the first time, even if it would be refused now.
                Err(EngineError::Refused(refusal)) => {
                    return match self.recall(actor, client_id.as_ref(), fingerprint).await? {
                        Some(receipt) => Ok(receipt),
                        None => Err(refusal.into()),
                    };
                }
                Err(error) => return Err(error),
            }
        }
        Err(EngineError::Overloaded)
    }

    async fn change(
        &self,
        actor: &Actor,
        command: &Command,
        client_id: Option<&ClientId>,
        fingerprint: u64,
    ) -> Result<Attempt, EngineError> {
        let mut changes = self.prepare(actor, command).await?;
        if changes.is_empty() {
            let answer = self.unchanged(actor, &command.room, client_id, fingerprint).await?;
            if matches!(&answer, Attempt::Answered(receipt) if receipt.duplicate) {
                return Ok(answer);
            }
            // The head was read after the check: another device of the actor may have made it otherwise in between, and
            // the receipt would tell of a state that is not there.
            changes = self.prepare(actor, command).await?;
            if changes.is_empty() {
                return Ok(answer);
            }
        }
        self.commit(actor, &command.room, client_id, fingerprint, changes).await
    }

    /// What a command in an existing room would write.
    pub(crate) async fn prepare(&self, actor: &Actor, command: &Command) -> Result<Changes, EngineError> {
        let store = &*self.inner.store;
        let missing = self.is_user_missing(actor, command).await?;
        if let Some(facts) = self.inner.facts.remembered(store, actor, command).await? {
            // A refusal, or that there is nothing to do, is only said of what the store says now.
            if let Ok(changes) = check(&actor.user, command, &facts, missing)
                && !changes.is_empty()
            {
                return Ok(changes);
            }
        }
        let mut facts = self.inner.facts.load(store, actor, command).await?.ok_or(Refusal::UnknownRoom)?;
        if planted(Bug::CursorMovedBack) {
            // Every place is ahead of none.
            facts.cursors = Cursors::default();
        }
        Ok(check(&actor.user, command, &facts, missing)?)
    }

    async fn create(
        &self,
        actor: &Actor,
        command: &Command,
        client_id: Option<&ClientId>,
        fingerprint: u64,
    ) -> Result<Attempt, EngineError> {
        let exists = self.inner.store.room(&actor.app, &command.room, &[]).await?.is_some();
        let missing = self.is_user_missing(actor, command).await?;
        let changes = check_new_room(&actor.user, command, exists, missing)?;
        self.commit(actor, &command.room, client_id, fingerprint, changes).await
    }

    /// Finds the direct room of the pair or creates it. If both create it at once, one of them conflicts and finds it.
    async fn open_direct(
        &self,
        actor: &Actor,
        command: &Command,
        client_id: Option<&ClientId>,
        fingerprint: u64,
    ) -> Result<Attempt, EngineError> {
        if let Some(user) = command.action.other() {
            let [low, high] = pair_of(&actor.user, user);
            if let Some(room) = self.inner.store.direct_room(&actor.app, [&low, &high]).await? {
                return self.unchanged(actor, &room, client_id, fingerprint).await;
            }
        }
        let missing = self.is_user_missing(actor, command).await?;
        let changes = check_new_room(&actor.user, command, false, missing)?;
        self.commit(actor, &command.room, client_id, fingerprint, changes).await
    }

    async fn is_user_missing(&self, actor: &Actor, command: &Command) -> Result<bool, EngineError> {
        let mut named = command.action.named_users().to_vec();
        named.sort();
        named.dedup();
        // More than a command may name is refused by its check; the store is not asked for them.
        if named.is_empty() || named.len() > domain::CREATE_INVITES_MAX {
            return Ok(false);
        }
        let found = self.inner.store.users(&actor.app, &named).await?;
        Ok(found.iter().filter(|user| !user.disabled).count() < named.len())
    }

    async fn unchanged(
        &self,
        actor: &Actor,
        room: &RoomId,
        client_id: Option<&ClientId>,
        fingerprint: u64,
    ) -> Result<Attempt, EngineError> {
        if let Some(receipt) = self.recall(actor, client_id, fingerprint).await? {
            return Ok(Attempt::Answered(receipt));
        }
        let snapshot = self.inner.store.room(&actor.app, room, &[]).await?.ok_or(Refusal::UnknownRoom)?;
        let (seq, commit) = (snapshot.head.seq, snapshot.head.commit);
        Ok(Attempt::Answered(Receipt { room: room.clone(), seq, commit, duplicate: false }))
    }

    async fn recall(
        &self,
        actor: &Actor,
        client_id: Option<&ClientId>,
        fingerprint: u64,
    ) -> Result<Option<Receipt>, EngineError> {
        let Some(client_id) = client_id else { return Ok(None) };
        match self.inner.store.recall(&actor.app, &actor.device, client_id, fingerprint).await? {
            Some(outcome) => match settled(outcome)? {
                Attempt::Answered(receipt) => Ok(Some(receipt)),
                Attempt::Conflict => Ok(None),
            },
            None => Ok(None),
        }
    }

    async fn commit(
        &self,
        actor: &Actor,
        room: &RoomId,
        client_id: Option<&ClientId>,
        fingerprint: u64,
        changes: Changes,
    ) -> Result<Attempt, EngineError> {
        let unit = self.unit(actor, room, client_id, fingerprint, changes);
        settled(self.inner.store.commit(unit).await?)
    }

    pub(crate) fn unit(
        &self,
        actor: &Actor,
        room: &RoomId,
        client_id: Option<&ClientId>,
        fingerprint: u64,
        changes: Changes,
    ) -> Unit {
        let work = Work::Room(RoomWork {
            room: room.clone(),
            actor: actor.user.clone(),
            device: actor.device.clone(),
            client_id: client_id.cloned(),
            fingerprint,
            changes,
        });
        Unit { app: actor.app.clone(), at: self.inner.clock.now(), work }
    }
}

/// What is answered to a command that is done.
pub(crate) fn answered(command: &Command, receipt: Receipt) -> Result<Receipt, EngineError> {
    if matches!(command.action, Action::Send { .. }) && !receipt.duplicate {
        if planted_each(Bug::RefusedButWritten, 25) {
            return Err(Refusal::LevelTooLow.into());
        }
        if planted_each(Bug::WrongReceipt, 25) {
            return Ok(Receipt { seq: receipt.seq.next(), ..receipt });
        }
    }
    Ok(receipt)
}

pub(crate) fn settled(outcome: Outcome) -> Result<Attempt, EngineError> {
    let (receipt, duplicate) = match outcome {
        Outcome::Done(receipt) => (receipt, false),
        Outcome::Duplicate(receipt) => (receipt, true),
        Outcome::ClientIdReused => return Err(Refusal::ClientIdReused.into()),
        Outcome::DeviceEnded => return Err(EngineError::TokenRevoked),
        Outcome::Conflict => return Ok(Attempt::Conflict),
    };
    let storage::Receipt { room, seq, commit } = receipt;
    let room = room.ok_or(Refusal::UnknownRoom)?;
    Ok(Attempt::Answered(Receipt { room, seq, commit, duplicate }))
}
