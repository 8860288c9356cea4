//! The bus: how the nodes of one server tell each other what has happened.
//!
//! The bus is a hint and the log is the truth. A notice may come late, twice or never; who needs certainty reads the
//! store. In one process, [`LocalBus`] hands notices over as they are.

use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::{AppId, CommitNumber, Cursors, DeviceId, Event, RoomId, Timestamp, UserId};
use tokio::sync::mpsc;

/// Notices that may wait in the local bus before a publisher waits.
pub const NOTICES_MAX: usize = 4096;

/// What has happened.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A commit, in the order of commits of its app.
    Committed(Committed),
    /// Somebody types or has stopped.
    Typing {
        /// The app.
        app: AppId,
        /// Where.
        room: RoomId,
        /// Who.
        user: UserId,
        /// Whether.
        typing: bool,
    },
    /// Somebody came (the first session) or went (the last one).
    Presence {
        /// The app.
        app: AppId,
        /// Who.
        user: UserId,
        /// Whether they are there.
        online: bool,
        /// When.
        at: Timestamp,
    },
}

/// A commit as the bus tells it.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The app.
    pub app: AppId,
    /// Its number.
    pub number: CommitNumber,
    /// New events; in each room ascending.
    pub events: Vec<Arc<Event>>,
    /// Cursors that moved.
    pub cursors: Vec<MovedCursors>,
    /// Devices that ended.
    pub revoked: Vec<DeviceId>,
    /// Users whose profile or state changed.
    pub users: Vec<UserId>,
}

/// Cursors that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedCursors {
    /// Where.
    pub room: RoomId,
    /// Whose.
    pub user: UserId,
    /// Where they are now.
    pub cursors: Cursors,
    /// Whether the other members are told.
    pub shared: bool,
}

/// The port: publish to all nodes (this one too), receive what all have published.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Publishes; waits while the bus is full. Notices of one publisher keep their order.
    async fn publish(&self, notice: Notice);

    /// Publishes something that may be lost; dropped if the bus is full.
    fn publish_lossy(&self, notice: Notice);

    /// The notices from now on. There is one reader: a second call gives `None`.
    fn subscribe(&self) -> Option<mpsc::Receiver<Notice>>;
}

/// The bus of a single process.
#[derive(Debug)]
pub struct LocalBus {
    sender: mpsc::Sender<Notice>,
    receiver: Mutex<Option<mpsc::Receiver<Notice>>>,
}

impl Default for LocalBus {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(NOTICES_MAX);
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, notice: Notice) {
        // The only error is that the reader is gone, and then nobody wants to know.
        let _ = self.sender.send(notice).await;
    }

    fn publish_lossy(&self, notice: Notice) {
        let _ = self.sender.try_send(notice);
    }

    fn subscribe(&self) -> Option<mpsc::Receiver<Notice>> {
        self.receiver.lock().expect("no holder of this lock panics").take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn notices_come_in_order_to_the_one_reader() {
        let bus = LocalBus::default();
        let mut notices = bus.subscribe().unwrap();
        assert!(bus.subscribe().is_none());
        for n in 0..3 {
            let (app, user) = (AppId::new("a").unwrap(), UserId::new(format!("u{n}")).unwrap());
            bus.publish(Notice::Presence { app, user, online: true, at: Timestamp(n) }).await;
        }
        for n in 0..3 {
            let Some(Notice::Presence { at, .. }) = notices.recv().await else { panic!("a presence") };
            assert_eq!(at, Timestamp(n));
        }
    }
}
