//! Outboxes: what waits to be written to a session. Bounded, and shared as references, whatever the client does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use domain::{CommitNumber, Cursors, Event, RoomId, UserId};
use tokio::sync::Notify;

use crate::PresenceView;

/// Most wire formats that a delivery can be encoded in.
pub const FORMATS_MAX: usize = 4;

/// A wire format: each door takes numbers of its own below [`FORMATS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format(pub usize);

/// Something that has happened and that a session is told.
#[derive(Debug, Clone)]
pub enum Happening {
    /// A new event. In each room they come by ascending seq.
    Event(Arc<Event>),
    /// Cursors moved.
    Cursors {
        /// Where.
        room: RoomId,
        /// Whose.
        user: UserId,
        /// Where they are now.
        cursors: Cursors,
        /// The commit that wrote it.
        commit: CommitNumber,
    },
    /// Somebody types or has stopped.
    Typing {
        /// Where.
        room: RoomId,
        /// Who.
        user: UserId,
        /// Whether.
        typing: bool,
    },
    /// Somebody watched came or went.
    Presence(PresenceView),
}

/// A happening and its encoded forms, shared by all sessions that are told it.
#[derive(Debug)]
pub struct Delivery {
    /// What has happened.
    pub happening: Happening,
    encoded: [OnceLock<Arc<[u8]>>; FORMATS_MAX],
}

impl Delivery {
    /// A delivery not encoded yet.
    pub fn new(happening: Happening) -> Arc<Self> {
        Arc::new(Self { happening, encoded: [const { OnceLock::new() }; FORMATS_MAX] })
    }

    /// The bytes in a format, made by the first who asks.
    pub fn encoded(&self, format: Format, encode: impl FnOnce(&Happening) -> Vec<u8>) -> Arc<[u8]> {
        self.encoded[format.0].get_or_init(|| encode(&self.happening).into()).clone()
    }
}

/// What a session is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Write the deliveries.
    Deliver,
    /// The outbox was dropped: tell the client to resync.
    Resync,
    /// Tell the client to come back in a while, and end.
    Drain {
        /// When to come back, in milliseconds.
        reconnect_after_ms: u32,
    },
    /// End the session.
    End(EndReason),
}

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The device was revoked.
    Revoked,
    /// The user has too many sessions; this was the oldest.
    Replaced,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Arc<Delivery>>,
    dropped: bool,
    ended: Option<Flow>,
}

/// The bounded queue of one session.
#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    wake: Notify,
    deliveries_max: usize,
}

impl Outbox {
    pub(crate) fn new(deliveries_max: usize) -> Self {
        Self { state: Mutex::default(), wake: Notify::new(), deliveries_max }
    }

    /// Queues a delivery. A full outbox is dropped as a whole, and the session is told so once.
    pub(crate) fn push(&self, delivery: &Arc<Delivery>) {
        {
            let mut state = self.lock();
            if state.dropped || state.ended.is_some() {
                return;
            }
            if state.queue.len() >= self.deliveries_max {
                state.queue = VecDeque::new();
                state.dropped = true;
            } else {
                state.queue.push_back(delivery.clone());
            }
        }
        self.wake.notify_one();
    }

    /// Ends the session, once. What waits is still delivered before a drain, but not before an end.
    pub(crate) fn end(&self, flow: Flow) {
        let mut state = self.lock();
        state.ended.get_or_insert(flow);
        if matches!(flow, Flow::End(_)) {
            state.queue = VecDeque::new();
            // Who is out has nothing to resync.
            state.dropped = false;
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Whether the session was told to end.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended.is_some()
    }

    /// Waits until there is something to do; deliveries are moved into `into`.
    pub(crate) async fn next(&self, into: &mut Vec<Arc<Delivery>>) -> Flow {
        loop {
            if let Some(flow) = self.take(into) {
                return flow;
            }
            self.wake.notified().await;
        }
    }

    fn take(&self, into: &mut Vec<Arc<Delivery>>) -> Option<Flow> {
        let mut state = self.lock();
        if state.dropped {
            state.dropped = false;
            return Some(Flow::Resync);
        }
        if !state.queue.is_empty() {
            into.extend(state.queue.drain(..));
            // An idle session holds no buffer.
            if state.queue.capacity() > 64 {
                state.queue = VecDeque::new();
            }
            return Some(Flow::Deliver);
        }
        state.ended
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typing(n: usize) -> Arc<Delivery> {
        let (room, user) = (RoomId::new("r").unwrap(), UserId::new(format!("u{n}")).unwrap());
        Delivery::new(Happening::Typing { room, user, typing: true })
    }

    #[tokio::test]
    async fn a_full_outbox_is_dropped_and_told_once() {
        let outbox = Outbox::new(3);
        let mut taken = Vec::new();
        for n in 0..3 {
            outbox.push(&typing(n));
        }
        assert_eq!((outbox.next(&mut taken).await, taken.len()), (Flow::Deliver, 3));
        for n in 0..10 {
            outbox.push(&typing(n));
        }
        taken.clear();
        assert_eq!((outbox.next(&mut taken).await, taken.len()), (Flow::Resync, 0));
        outbox.push(&typing(1));
        outbox.end(Flow::End(EndReason::Revoked));
        assert_eq!((outbox.next(&mut taken).await, taken.len()), (Flow::End(EndReason::Revoked), 0));
    }

    #[test]
    fn a_delivery_is_encoded_once_per_format() {
        let delivery = typing(1);
        let first = delivery.encoded(Format(0), |_| vec![1]);
        assert_eq!(delivery.encoded(Format(0), |_| panic!("encoded already")), first);
        assert_eq!(&*delivery.encoded(Format(1), |_| vec![2]), &[2]);
    }
}
