//! Turns: who has conflicted over a room waits for the others who have, instead of conflicting again.
//!
//! Nobody waits who does not conflict; so rooms without changes of their facts never come here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use domain::{AppId, RoomId};
use tokio::sync::OwnedMutexGuard;

type Key = (AppId, RoomId);

/// The rooms that are waited for.
#[derive(Default)]
pub(crate) struct Turns {
    rooms: Arc<Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>>,
}

/// A turn; its end lets the next one begin.
pub(crate) struct Turn {
    rooms: Arc<Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>>,
    key: Key,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the turn in a room, first come, first served.
    pub(crate) async fn wait(&self, app: &AppId, room: &RoomId) -> Turn {
        let key = (app.clone(), room.clone());
        let queue = self.rooms.lock().expect("no holder of this lock panics").entry(key.clone()).or_default().clone();
        // Made before waiting, so that whoever gives up waiting tidies up too.
        let mut turn = Turn { rooms: self.rooms.clone(), key, guard: None };
        turn.guard = Some(queue.lock_owned().await);
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock().expect("no holder of this lock panics");
        self.guard = None;
        // Only the map holds it: nobody waits, and nobody can begin to while the map is locked.
        if rooms.get(&self.key).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            rooms.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_one_after_the_other_and_leave_nothing() {
        let turns = Arc::new(Turns::default());
        let (app, room) = (AppId::new("a").unwrap(), RoomId::new("r").unwrap());
        let first = turns.wait(&app, &room).await;
        let mut second = std::pin::pin!(turns.wait(&app, &room));
        assert!(futures_poll(second.as_mut()).await.is_none());
        drop(first);
        drop(second.await);
        assert!(turns.rooms.lock().unwrap().is_empty());
    }

    async fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let mut future = Some(future);
        std::future::poll_fn(move |context| match future.take().expect("polled once").poll(context) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
