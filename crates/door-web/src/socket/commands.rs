//! Commands of one connection: they take effect in the order of their frames, and are on their way together.
//!
//! They are handed to the engine's lane one after the other, without waiting for the receipts of those before, and answered
//! in the same order.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use domain::Actor;
use engine::{Lane, Submitted};
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use websocket::Frame;
use wire::Code;

use super::write;
use crate::ask::Ask;
use crate::convert::to_wire;
use crate::door::{Context, Door};

/// A command that is being handed to the lane; `None` if that panicked.
type Submitting = Pin<Box<dyn Future<Output = Option<Submitted>> + Send>>;
type Answering = Pin<Box<dyn Future<Output = Frame> + Send>>;

/// The commands of a connection.
pub(super) struct Commands {
    lane: Lane,
    context: Arc<Context>,
    waiting: VecDeque<(u64, Ask)>,
    /// The one that is being handed to the lane; it may have to wait for those before it.
    submitting: Option<(u64, Submitting)>,
    /// All of them are polled, not just the first: one that the store has no place for yet is handed over by a later poll.
    answers: FuturesOrdered<Answering>,
}

impl Commands {
    pub(super) fn new(door: &Door, actor: &Actor, context: &Arc<Context>) -> Self {
        Self {
            lane: door.engine.lane(actor),
            context: context.clone(),
            waiting: VecDeque::new(),
            submitting: None,
            answers: FuturesOrdered::new(),
        }
    }

    /// Puts a command behind the others.
    pub(super) fn push(&mut self, id: u64, ask: Ask) {
        self.waiting.push_back((id, ask));
    }

    /// The next answer, in the order of the commands. Pending, too, if there are no commands.
    pub(super) fn poll_answer(&mut self, context: &mut TaskContext<'_>) -> Poll<Frame> {
        while self.poll_submit(context).is_ready() {}
        match self.answers.poll_next_unpin(context) {
            Poll::Ready(Some(frame)) => Poll::Ready(frame),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Hands the next command to the lane; pending if that has to wait, or there is none.
    fn poll_submit(&mut self, context: &mut TaskContext<'_>) -> Poll<()> {
        if self.submitting.is_none() {
            let Some((id, ask)) = self.waiting.pop_front() else { return Poll::Pending };
            let lane = self.lane.clone();
            let submitting = async move { lane.submit(ask.command, ask.client_id).await };
            self.submitting = Some((id, Box::pin(AssertUnwindSafe(submitting).catch_unwind().map(Result::ok))));
        }
        let Some((id, submitting)) = &mut self.submitting else { return Poll::Pending };
        let submitted = ready!(submitting.as_mut().poll(context));
        self.answers.push_back(Box::pin(answer(self.context.clone(), *id, submitted)));
        self.submitting = None;
        Poll::Ready(())
    }
}

async fn answer(context: Arc<Context>, id: u64, submitted: Option<Submitted>) -> Frame {
    let receipt = match submitted {
        Some(submitted) => AssertUnwindSafe(submitted.receipt()).catch_unwind().await.ok(),
        None => None,
    };
    match receipt {
        Some(receipt) => {
            let result = receipt.map(|receipt| to_wire::receipt(&receipt)).map_err(Into::into);
            write::response(&context, id, &result)
        }
        None => {
            tracing::error!(request_id = context.request_id, id, "a command panicked");
            write::failed(&context, id, &Code::Internal.into())
        }
    }
}
