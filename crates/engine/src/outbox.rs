//! Outboxes: what waits to be written to a session. Bounded, and shared as references, whatever the client does.

use std::collections::VecDeque;
use std::iter;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use domain::{CommitNumber, Cursors, Event, EventBody, RoomId, UserId};

use crate::PresenceView;

/// Most wire formats that a delivery can be encoded in.
pub const FORMATS_MAX: usize = 4;

/// Deliveries that an empty queue keeps room for.
const QUEUE_KEPT: usize = 16;

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

impl Happening {
    /// Whether it changes who is in a room.
    pub(crate) fn moves_members(&self) -> bool {
        matches!(self, Happening::Event(event) if matches!(event.body, EventBody::Member { .. }))
    }
}

/// A happening and its encoded forms, shared by all sessions that are told it.
#[derive(Debug)]
pub struct Delivery {
    /// What has happened.
    pub happening: Happening,
    encoded: [OnceLock<Bytes>; FORMATS_MAX],
}

impl Delivery {
    /// A delivery not encoded yet.
    pub fn new(happening: Happening) -> Arc<Self> {
        Arc::new(Self { happening, encoded: [const { OnceLock::new() }; FORMATS_MAX] })
    }

    /// The bytes in a format, made by the first who asks.
    pub fn encoded(&self, format: Format, encode: impl FnOnce(&Happening) -> Bytes) -> Bytes {
        self.encoded[format.0].get_or_init(|| encode(&self.happening)).clone()
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
    /// Who waits for something to do.
    waiting: Option<Waker>,
}

/// The bounded queue of one session.
#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    deliveries_max: usize,
}

impl Outbox {
    pub(crate) fn new(deliveries_max: usize) -> Self {
        Self { state: Mutex::default(), deliveries_max }
    }

    /// Queues a delivery.
    pub(crate) fn push(&self, delivery: &Arc<Delivery>) {
        self.push_all(iter::once(delivery));
    }

    /// Queues deliveries. A full outbox is dropped as a whole, and the session is told so once.
    pub(crate) fn push_all<'a>(&self, deliveries: impl Iterator<Item = &'a Arc<Delivery>>) {
        let waiting = {
            let mut state = self.lock();
            let mut changed = false;
            for delivery in deliveries {
                if state.dropped || state.ended.is_some() {
                    break;
                }
                changed = true;
                if state.queue.len() >= self.deliveries_max {
                    state.queue = VecDeque::new();
                    state.dropped = true;
                } else {
                    state.queue.push_back(delivery.clone());
                }
            }
            if changed { state.waiting.take() } else { None }
        };
        wake(waiting);
    }

    /// Ends the session, once. What waits is still delivered before a drain, but not before an end.
    pub(crate) fn end(&self, flow: Flow) {
        let waiting = {
            let mut state = self.lock();
            state.ended.get_or_insert(flow);
            if matches!(flow, Flow::End(_)) {
                state.queue = VecDeque::new();
                // Who is out has nothing to resync.
                state.dropped = false;
            }
            state.waiting.take()
        };
        wake(waiting);
    }

    /// Whether the session was told to end.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended.is_some()
    }

    /// What there is to do; deliveries are moved into `into`. If there is nothing, the last who asked is woken when there is.
    pub(crate) fn poll_next(&self, context: &mut Context<'_>, into: &mut Vec<Arc<Delivery>>) -> Poll<Flow> {
        let mut state = self.lock();
        if state.dropped {
            state.dropped = false;
            return Poll::Ready(Flow::Resync);
        }
        if !state.queue.is_empty() {
            into.extend(state.queue.drain(..));
            // An idle session holds no buffer.
            if state.queue.capacity() > QUEUE_KEPT {
                state.queue = VecDeque::new();
            }
            return Poll::Ready(Flow::Deliver);
        }
        if let Some(flow) = state.ended {
            return Poll::Ready(flow);
        }
        if !state.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(context.waker())) {
            state.waiting = Some(context.waker().clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

/// Outside of the lock, which whoever is woken takes first.
fn wake(waiting: Option<Waker>) {
    if let Some(waiting) = waiting {
        waiting.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    fn typing(n: usize) -> Arc<Delivery> {
        let (room, user) = (RoomId::new("r").unwrap(), UserId::new(format!("u{n}")).unwrap());
        Delivery::new(Happening::Typing { room, user, typing: true })
    }

    async fn next(outbox: &Outbox, into: &mut Vec<Arc<Delivery>>) -> Flow {
        poll_fn(|context| outbox.poll_next(context, into)).await
    }

    #[tokio::test]
    async fn a_full_outbox_is_dropped_and_told_once() {
        let outbox = Outbox::new(3);
        let mut taken = Vec::new();
        for n in 0..3 {
            outbox.push(&typing(n));
        }
        assert_eq!((next(&outbox, &mut taken).await, taken.len()), (Flow::Deliver, 3));
        for n in 0..10 {
            outbox.push(&typing(n));
        }
        taken.clear();
        assert_eq!((next(&outbox, &mut taken).await, taken.len()), (Flow::Resync, 0));
        outbox.push(&typing(1));
        outbox.end(Flow::End(EndReason::Revoked));
        assert_eq!((next(&outbox, &mut taken).await, taken.len()), (Flow::End(EndReason::Revoked), 0));
    }

    #[test]
    fn the_last_who_asked_is_woken_by_what_comes() {
        #[derive(Default)]
        struct Woken(AtomicUsize);
        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (outbox, mut taken) = (Outbox::new(3), Vec::new());
        let (first, last) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let mut ask = |who: &Arc<Woken>| {
            let waker = Waker::from(who.clone());
            outbox.poll_next(&mut Context::from_waker(&waker), &mut taken)
        };
        let woken = || (first.0.load(Ordering::Relaxed), last.0.load(Ordering::Relaxed));
        assert!(ask(&first).is_pending() && ask(&last).is_pending());
        outbox.push(&typing(1));
        outbox.push(&typing(2));
        assert_eq!(woken(), (0, 1));
        assert_eq!(ask(&last), Poll::Ready(Flow::Deliver));
        assert!(ask(&last).is_pending());
        outbox.end(Flow::Drain { reconnect_after_ms: 1 });
        assert_eq!(woken(), (0, 2));
        assert_eq!(ask(&last), Poll::Ready(Flow::Drain { reconnect_after_ms: 1 }));
        assert_eq!(Arc::strong_count(&last), 1, "nobody who does not wait is remembered");
    }

    #[test]
    fn a_delivery_is_encoded_once_per_format() {
        let delivery = typing(1);
        let first = delivery.encoded(Format(0), |_| Bytes::from_static(&[1]));
        assert_eq!(delivery.encoded(Format(0), |_| panic!("encoded already")), first);
        assert_eq!(&*delivery.encoded(Format(1), |_| Bytes::from_static(&[2])), &[2]);
    }
}
