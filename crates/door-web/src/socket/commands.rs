//! Commands of one connection: they take effect in the order of their frames, and are on their way together.
//!
//! While there is something to do, one task hands them to the engine's lane one after the other and waits for all their
//! receipts at once; they are answered in the same order. A connection without commands holds nothing.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};

use axum::extract::ws::Utf8Bytes;
use domain::Actor;
use engine::{Lane, Submitted};
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Notify, mpsc};
use wire::Code;

use super::connection::Finished;
use super::write;
use crate::ask::Ask;
use crate::convert::to_wire;
use crate::door::{Context, Door};

/// The commands of a connection.
#[derive(Clone)]
pub(super) struct Commands {
    lane: Lane,
    context: Arc<Context>,
    finished: mpsc::Sender<Finished>,
    queue: Arc<Mutex<Queue>>,
    pushed: Arc<Notify>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(u64, Ask)>,
    running: bool,
}

enum Next {
    /// A command.
    Command(u64, Ask),
    /// None, but receipts are waited for.
    Nothing,
    /// None, and nothing is waited for.
    Over,
}

impl Commands {
    pub(super) fn new(door: &Door, actor: &Actor, context: &Arc<Context>, finished: &mpsc::Sender<Finished>) -> Self {
        let (context, finished) = (context.clone(), finished.clone());
        Self { lane: door.engine.lane(actor), context, finished, queue: Arc::default(), pushed: Arc::default() }
    }

    /// Puts a command behind the others. Its response comes as a finished frame.
    pub(super) fn push(&self, id: u64, ask: Ask) {
        let running = {
            let mut queue = self.queue();
            queue.waiting.push_back((id, ask));
            std::mem::replace(&mut queue.running, true)
        };
        if running {
            self.pushed.notify_one();
        } else {
            tokio::spawn(self.clone().run());
        }
    }

    async fn run(self) {
        let mut answers = FuturesOrdered::new();
        loop {
            match self.next(answers.is_empty()) {
                Next::Command(id, ask) => {
                    let submitting = AssertUnwindSafe(self.lane.submit(ask.command, ask.client_id)).catch_unwind();
                    tokio::pin!(submitting);
                    // It may wait for earlier ones to settle, so their receipts are waited for meanwhile.
                    let submitted = loop {
                        tokio::select! {
                            biased;
                            submitted = &mut submitting => break submitted,
                            Some(frame) = answers.next() => self.finish(frame).await,
                        }
                    };
                    answers.push_back(self.clone().answer(id, submitted.ok()));
                }
                Next::Nothing => tokio::select! {
                    Some(frame) = answers.next() => self.finish(frame).await,
                    () = self.pushed.notified() => {}
                },
                Next::Over => return,
            }
        }
    }

    /// What this run has to do next. Once it is over, the next command begins another run.
    fn next(&self, idle: bool) -> Next {
        let mut queue = self.queue();
        match queue.waiting.pop_front() {
            Some((id, ask)) => Next::Command(id, ask),
            None if idle => {
                *queue = Queue::default();
                Next::Over
            }
            None => Next::Nothing,
        }
    }

    async fn answer(self, id: u64, submitted: Option<Submitted>) -> Utf8Bytes {
        let Some(submitted) = submitted else { return self.panicked(id) };
        match AssertUnwindSafe(submitted.receipt()).catch_unwind().await {
            Ok(receipt) => {
                let result = receipt.map(|receipt| to_wire::receipt(&receipt)).map_err(Into::into);
                write::response(&self.context, id, &result)
            }
            Err(_) => self.panicked(id),
        }
    }

    fn panicked(&self, id: u64) -> Utf8Bytes {
        tracing::error!(request_id = self.context.request_id, id, "a command panicked");
        write::failed(&self.context, id, &Code::Internal.into())
    }

    async fn finish(&self, frame: Utf8Bytes) {
        // If the connection is gone, nobody waits for the answer.
        let _ = self.finished.send(Finished { frame, large: false }).await;
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder of this lock panics")
    }
}
