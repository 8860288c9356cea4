//! Requests of one connection that are on their way. Only while there are any: an idle connection holds nothing of this.
//!
//! They go on only while they are polled, and what they hold of the server (a place among its readers, say) others wait for;
//! so who waits for anything else polls them meanwhile ([`beside`]).
//!
//! Those whose answers can be large run one at a time, the next one after the answer before it was written: a peer that asks
//! for many and reads none makes the server hold one.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use domain::Actor;
use engine::Session;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use websocket::Frame;
use wire::{Code, Operation};

use super::commands::Commands;
use super::{dispatch, write};
use crate::ask::Ask;
use crate::door::{Context, Door};

/// Whose requests they are.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) door: Door,
    pub(super) context: Arc<Context>,
    pub(super) actor: Arc<Actor>,
}

/// The requests on their way.
pub(super) struct InFlight {
    asker: Asker,
    count: usize,
    commands: Commands,
    others: FuturesUnordered<Pin<Box<dyn Future<Output = Finished> + Send>>>,
    /// Those whose answers can be large and that have not begun.
    large: VecDeque<(u64, Operation, Arc<Session>)>,
    large_answer: LargeAnswer,
    /// Answers that nobody has taken yet.
    finished: VecDeque<Frame>,
}

/// The answer to a request.
struct Finished {
    frame: Frame,
    /// Whether it was one of those that run one at a time.
    large: bool,
}

/// Where the one answer is that can be large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LargeAnswer {
    /// There is none.
    None,
    /// Its request is on its way.
    Asked,
    /// It waits to be written.
    Ready,
}

/// Waits for something while the requests on their way go on.
pub(super) async fn beside<T>(in_flight: &mut Option<Box<InFlight>>, waiting: impl Future<Output = T>) -> T {
    let mut waiting = pin!(waiting);
    poll_fn(|context| {
        if let Some(in_flight) = in_flight {
            in_flight.poll_progress(context);
        }
        waiting.as_mut().poll(context)
    })
    .await
}

impl InFlight {
    pub(super) fn new(asker: &Asker) -> Self {
        Self {
            commands: Commands::new(&asker.door, &asker.actor, &asker.context),
            asker: asker.clone(),
            count: 0,
            others: FuturesUnordered::new(),
            large: VecDeque::new(),
            large_answer: LargeAnswer::None,
            finished: VecDeque::new(),
        }
    }

    /// How many there are whose answers are not taken.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// A command, behind those before it.
    pub(super) fn command(&mut self, id: u64, ask: Ask) {
        self.count += 1;
        self.commands.push(id, ask);
    }

    /// A request whose answer can be large, when its turn comes.
    pub(super) fn large(&mut self, id: u64, operation: Operation, session: &Arc<Session>) {
        self.count += 1;
        self.large.push_back((id, operation, session.clone()));
        self.begin_large();
    }

    /// Any other request, beside those that are there.
    pub(super) fn other(&mut self, id: u64, operation: Operation, session: &Arc<Session>) {
        self.count += 1;
        self.begin(id, operation, session.clone(), false);
    }

    /// Lets all go on.
    pub(super) fn poll_progress(&mut self, context: &mut TaskContext<'_>) {
        while let Poll::Ready(frame) = self.commands.poll_answer(context) {
            self.finished.push_back(frame);
        }
        while let Poll::Ready(Some(Finished { frame, large })) = self.others.poll_next_unpin(context) {
            if large {
                self.large_answer = LargeAnswer::Ready;
            }
            self.finished.push_back(frame);
        }
    }

    /// The next answer. It is to be written before [`InFlight::written`] is called.
    pub(super) fn poll_answer(&mut self, context: &mut TaskContext<'_>) -> Poll<Frame> {
        if self.finished.is_empty() {
            self.poll_progress(context);
        }
        let Some(frame) = self.finished.pop_front() else { return Poll::Pending };
        self.count -= 1;
        Poll::Ready(frame)
    }

    /// The answers so far are written.
    pub(super) fn written(&mut self) {
        if self.large_answer == LargeAnswer::Ready {
            self.large_answer = LargeAnswer::None;
            self.begin_large();
        }
    }

    /// Lets those end that have begun or are commands, though nobody waits for the answers any more: what a peer sent before
    /// it went takes effect.
    pub(super) async fn finish(mut self) {
        self.count -= self.large.len();
        self.large.clear();
        while self.count > 0 {
            poll_fn(|context| self.poll_answer(context)).await;
        }
    }

    /// Begins the next request whose answer can be large, if the answer to the one before is out.
    fn begin_large(&mut self) {
        if self.large_answer == LargeAnswer::None
            && let Some((id, operation, session)) = self.large.pop_front()
        {
            self.large_answer = LargeAnswer::Asked;
            self.begin(id, operation, session, true);
        }
    }

    fn begin(&self, id: u64, operation: Operation, session: Arc<Session>, large: bool) {
        let Asker { door, context, actor } = self.asker.clone();
        self.others.push(Box::pin(async move {
            let running = dispatch::run(&door, &context, &actor, &session, id, operation);
            let frame = AssertUnwindSafe(running).catch_unwind().await.unwrap_or_else(|_| {
                tracing::error!(request_id = context.request_id, id, "an operation panicked");
                write::failed(&context, id, &Code::Internal.into())
            });
            Finished { frame, large }
        }));
    }
}
