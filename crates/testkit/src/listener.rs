//! A session that is listened to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use domain::{Content, EventBody};
use engine::{Delivery, Flow, Happening, Session};
use tokio::time::timeout;

/// How long something may take that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A session, and what it has been told but was not asked for yet.
pub struct Listener {
    /// The session.
    pub session: Session,
    waiting: VecDeque<Arc<Delivery>>,
}

impl Listener {
    pub(crate) fn new(session: Session) -> Self {
        Self { session, waiting: VecDeque::new() }
    }

    /// The next thing told; panics if the session ends or nothing comes.
    pub async fn next(&mut self) -> Happening {
        loop {
            if let Some(delivery) = self.waiting.pop_front() {
                return delivery.happening.clone();
            }
            let flow = self.flow().await;
            assert_eq!(flow, Flow::Deliver, "the session goes on");
        }
    }

    /// What the session does next that is not a delivery.
    pub async fn end(&mut self) -> Flow {
        loop {
            match self.flow().await {
                Flow::Deliver => self.waiting.clear(),
                flow => return flow,
            }
        }
    }

    async fn flow(&mut self) -> Flow {
        let mut into = Vec::new();
        let flow = timeout(PATIENCE, self.session.next(&mut into)).await.expect("something happens");
        self.waiting.extend(into);
        flow
    }

    /// The next happening that `pick` takes; others are passed over.
    pub async fn wait_for<T>(&mut self, mut pick: impl FnMut(&Happening) -> Option<T>) -> T {
        loop {
            if let Some(found) = pick(&self.next().await) {
                return found;
            }
        }
    }

    /// The seqs and texts of the next messages up to and with one that says `last`.
    pub async fn messages_until(&mut self, last: &str) -> Vec<(u64, String)> {
        let mut messages = Vec::new();
        loop {
            let message = self.wait_for(|happening| match happening {
                Happening::Event(event) => match &event.body {
                    EventBody::Message { content: Some(Content::Text(text)), .. } => {
                        Some((event.seq.0, text.text.to_string()))
                    }
                    _ => None,
                },
                _ => None,
            });
            let message = message.await;
            let done = message.1 == last;
            messages.push(message);
            if done {
                return messages;
            }
        }
    }
}
