//! A connected WebSocket: one task that reads requests, and writes what has become ready in one go.
//!
//! Requests run as tasks of their own: one that is on its way ends even if the connection doesn't live to answer it, and
//! a peer that doesn't read holds nothing up but itself. While too many are on their way nothing more is read. Those whose
//! answers can be large run one at a time, the next one after the answer before it was written: a peer that asks for many
//! and reads none makes the server hold one.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use domain::Actor;
use engine::{Delivery, EndReason, Flow, Session};
use futures_util::{FutureExt, SinkExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use wire::{
    CLOSE_PROTOCOL, CLOSE_TOO_FAST, CLOSE_UNAUTHENTICATED, Code, Nothing, Operation, Push, RenewToken, Renewed,
};

use super::commands::Commands;
use super::dispatch::Sorted;
use super::handshake::{connect, instant_of};
use super::pace::Pace;
use super::{dispatch, read, write};
use crate::convert::push;
use crate::door::{Context, Door};
use crate::failure::Failure;

/// Close code of RFC 6455's registry: the service restarts.
pub(super) const RESTARTING: u16 = 1012;
/// How long a peer that was told the end may take to end, too.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn closing(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: Utf8Bytes::from_static(reason) }
}

pub(super) fn too_many_pings() -> CloseFrame {
    closing(CLOSE_TOO_FAST, "too many pings")
}

/// Serves a WebSocket from its first frame to its end.
pub(crate) async fn serve(door: Door, context: Arc<Context>, mut socket: WebSocket) {
    let _counted = Counted::new();
    let mut pace = Pace::new(Instant::now());
    // In a box, which is gone when it is over: what it needs is not kept by every connection for all its life.
    let connecting = Box::pin(connect(&door, &context, &mut socket, &mut pace));
    let end = match connecting.await {
        Ok((who, session)) => {
            let (finished, finished_receiver) = mpsc::channel(door.options.requests_in_flight_max);
            let commands = Commands::new(&door, &who.actor, &context, &finished);
            let mut connection = Connection {
                expires: instant_of(who.expires_at),
                actor: Arc::new(who.actor),
                door,
                context: context.clone(),
                socket,
                session: Arc::new(session),
                commands,
                in_flight: 0,
                large: VecDeque::new(),
                large_answer: LargeAnswer::None,
                pace,
                finished,
                finished_receiver,
                deliveries: Vec::new(),
                out: Vec::new(),
                heard: Instant::now(),
                pings: 0,
                malformed: 0,
                refused: 0,
            };
            let end = connection.live().await;
            socket = connection.socket;
            end
        }
        Err(end) => end,
    };
    if let Some(frame) = end {
        tracing::debug!(request_id = context.request_id, code = frame.code, "closing a connection");
        close(socket, frame).await;
    }
}

/// A connection in the gauge, however it ends.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!("starling_ws_connections").increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("starling_ws_connections").decrement(1.0);
    }
}

/// Says why, and waits a little for the peer: closing with bytes unread would take the words back.
async fn close(mut socket: WebSocket, frame: CloseFrame) {
    let goodbye = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // Whether it was heard makes no difference any more.
    let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
}

struct Connection {
    door: Door,
    context: Arc<Context>,
    socket: WebSocket,
    session: Arc<Session>,
    actor: Arc<Actor>,
    expires: Instant,
    commands: Commands,
    /// Requests on their way.
    in_flight: usize,
    /// Those of them whose answers can be large and that have not begun.
    large: VecDeque<(u64, Operation)>,
    large_answer: LargeAnswer,
    finished: mpsc::Sender<Finished>,
    finished_receiver: mpsc::Receiver<Finished>,
    /// How fast pings may come.
    pace: Pace,
    deliveries: Vec<Arc<Delivery>>,
    /// Frames to be written.
    out: Vec<Utf8Bytes>,
    /// When the peer was heard last, and pings sent since.
    heard: Instant,
    pings: u32,
    malformed: u32,
    refused: u32,
}

/// The answer to a request.
pub(super) struct Finished {
    pub(super) frame: Utf8Bytes,
    /// Whether it was one of those that run one at a time.
    pub(super) large: bool,
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

/// The connection ends: by this frame, or because the peer has gone.
type End = Option<CloseFrame>;

enum Next {
    Flow(Flow),
    Finished(Finished),
    Frame(Option<Result<Message, axum::Error>>),
    Timer,
}

impl Connection {
    async fn live(&mut self) -> End {
        loop {
            let next = {
                let may_read = self.in_flight < self.door.options.requests_in_flight_max;
                let deadline = self.deadline();
                tokio::select! {
                    flow = self.session.next(&mut self.deliveries) => Next::Flow(flow),
                    Some(finished) = self.finished_receiver.recv() => Next::Finished(finished),
                    frame = self.socket.recv(), if may_read => Next::Frame(frame),
                    () = sleep_until(deadline) => Next::Timer,
                }
            };
            let step = match next {
                Next::Flow(flow) => self.flow(flow).await,
                Next::Finished(finished) => {
                    self.finish(finished);
                    Ok(())
                }
                Next::Frame(frame) => self.frame(frame).await,
                Next::Timer => self.timer().await,
            };
            // What is to be said is said even at the end.
            let written = self.write().await;
            if let Err(end) = step.and(written) {
                return end;
            }
        }
    }

    async fn flow(&mut self, flow: Flow) -> Result<(), End> {
        match flow {
            Flow::Deliver => {
                metrics::counter!("starling_ws_deliveries_total").increment(self.deliveries.len() as u64);
                self.out.extend(self.deliveries.drain(..).map(|delivery| push::frame(&delivery)));
                Ok(())
            }
            Flow::Resync => {
                metrics::counter!("starling_ws_resyncs_total").increment(1);
                self.out.push(write::text(push::encode(&Push::Resync)));
                Ok(())
            }
            Flow::Drain { reconnect_after_ms } => {
                self.out.push(write::text(push::encode(&Push::Draining { reconnect_after_ms })));
                self.finish_all().await;
                Err(Some(closing(RESTARTING, "the server restarts")))
            }
            Flow::End(EndReason::Revoked) => Err(Some(closing(CLOSE_UNAUTHENTICATED, "token_revoked"))),
            Flow::End(EndReason::Replaced) => Err(Some(closing(CLOSE_TOO_FAST, "too many sessions"))),
        }
    }

    /// Waits for the requests on their way, so that their answers are still written.
    async fn finish_all(&mut self) {
        let limit = Duration::from_millis(self.door.options.drain_timeout_ms);
        let finishing = async {
            while self.in_flight > 0 {
                let Some(finished) = self.finished_receiver.recv().await else { return };
                self.finish(finished);
            }
        };
        if timeout(limit, finishing).await.is_err() {
            tracing::debug!(request_id = self.context.request_id, "requests were still on their way at the drain");
        }
    }

    fn finish(&mut self, finished: Finished) {
        self.in_flight -= 1;
        if finished.large {
            self.large_answer = LargeAnswer::Ready;
        }
        self.out.push(finished.frame);
    }

    async fn frame(&mut self, frame: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.heard = Instant::now();
        self.pings = 0;
        match frame {
            Some(Ok(Message::Text(text))) => self.request(text.as_str()).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) if !self.pace.take(self.heard) => Err(Some(too_many_pings())),
            // The library answers pings by itself, on the next flush.
            Some(Ok(Message::Ping(_))) => bounded(self.write_timeout(), self.socket.flush()).await,
            Some(Ok(Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Binary(_))) => Err(Some(closing(CLOSE_PROTOCOL, "binary frame"))),
            Some(Err(_)) => Err(Some(closing(CLOSE_PROTOCOL, "unreadable frame"))),
            Some(Ok(Message::Close(_))) | None => Err(None),
        }
    }

    async fn request(&mut self, text: &str) -> Result<(), End> {
        metrics::counter!("starling_ws_frames_total").increment(1);
        let read::Frame { id, operation, malformed } = read::frame(text);
        if malformed {
            self.malformed += 1;
        }
        // What can't be understood costs as much of the rate as what can.
        let result = match self.door.engine.admit(&self.actor) {
            Ok(_) => {
                self.refused = 0;
                match operation {
                    Ok(operation) => self.admitted(id, operation).await,
                    Err(failure) => Err(failure),
                }
            }
            Err(error) => {
                self.refused += 1;
                Err(error.into())
            }
        };
        if let Err(failure) = result {
            self.out.push(write::failed(&self.context, id, &failure));
        }
        if self.malformed >= self.door.options.malformed_frames_max {
            return Err(Some(closing(CLOSE_PROTOCOL, "too many malformed frames")));
        }
        if self.refused >= self.door.options.refused_requests_max {
            return Err(Some(closing(CLOSE_TOO_FAST, "rate_limited")));
        }
        Ok(())
    }

    async fn admitted(&mut self, id: u64, operation: Operation) -> Result<(), Failure> {
        match operation {
            Operation::Connect(_) => {
                Err(Failure::detailed(Code::InvalidRequest, "this connection is connected already"))
            }
            Operation::TokenRenew(request) => {
                let renewed = self.renew(request).await;
                self.out.push(write::response(&self.context, id, &renewed));
                Ok(())
            }
            // The connection ends with the device, so nothing is held up, and the answer comes before the end.
            Operation::Logout(_) => {
                let done = self.door.engine.logout(&self.actor).await;
                self.out.push(write::response(&self.context, id, &done.map(|()| Nothing {}).map_err(Into::into)));
                Ok(())
            }
            operation => match dispatch::sort(operation) {
                Sorted::Command(ask) => {
                    self.commands.push(id, ask?);
                    self.in_flight += 1;
                    Ok(())
                }
                Sorted::Large(operation) => {
                    self.in_flight += 1;
                    self.large.push_back((id, operation));
                    self.begin_large();
                    Ok(())
                }
                Sorted::Other(operation) => {
                    self.in_flight += 1;
                    self.spawn(id, operation, false);
                    Ok(())
                }
            },
        }
    }

    async fn renew(&mut self, request: RenewToken) -> Result<Renewed, Failure> {
        let who = self.door.engine.authenticate(&request.token).await?;
        if who.actor != *self.actor {
            return Err(Failure::field("token", "must be one of the same device"));
        }
        self.expires = instant_of(who.expires_at);
        Ok(Renewed { expires_at: who.expires_at.0 })
    }

    /// Begins the next request whose answer can be large, if the answer to the one before is out.
    fn begin_large(&mut self) {
        if self.large_answer == LargeAnswer::None
            && let Some((id, operation)) = self.large.pop_front()
        {
            self.large_answer = LargeAnswer::Asked;
            self.spawn(id, operation, true);
        }
    }

    /// Carries out an operation beside the others.
    fn spawn(&self, id: u64, operation: Operation, large: bool) {
        let (door, context, session) = (self.door.clone(), self.context.clone(), self.session.clone());
        let (actor, finished) = (self.actor.clone(), self.finished.clone());
        tokio::spawn(async move {
            let running = dispatch::run(&door, &context, &actor, &session, id, operation);
            let running = AssertUnwindSafe(running).catch_unwind();
            let frame = running.await.unwrap_or_else(|_| {
                tracing::error!(request_id = context.request_id, id, "an operation panicked");
                write::failed(&context, id, &Code::Internal.into())
            });
            // If the connection is gone, nobody waits for the answer.
            let _ = finished.send(Finished { frame, large }).await;
        });
    }

    /// When something is due though nothing happens.
    fn deadline(&self) -> Instant {
        self.expires.min(self.next_ping()).min(self.silence_end())
    }

    fn next_ping(&self) -> Instant {
        self.heard + Duration::from_millis(self.door.options.ping_interval_ms.into()) * (self.pings + 1)
    }

    fn silence_end(&self) -> Instant {
        self.heard + Duration::from_millis(self.door.options.silence_timeout_ms)
    }

    async fn timer(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if now >= self.expires {
            return Err(Some(closing(CLOSE_UNAUTHENTICATED, "token_expired")));
        }
        if now >= self.silence_end() {
            return Err(Some(closing(CLOSE_PROTOCOL, "silent for too long")));
        }
        if now >= self.next_ping() {
            self.pings += 1;
            let ping = Message::Ping(Vec::new().into());
            return bounded(self.write_timeout(), self.socket.send(ping)).await;
        }
        Ok(())
    }

    /// Writes all that waits in one go.
    async fn write(&mut self) -> Result<(), End> {
        while let Ok(finished) = self.finished_receiver.try_recv() {
            self.finish(finished);
        }
        if self.out.is_empty() {
            return Ok(());
        }
        metrics::counter!("starling_ws_frames_written_total").increment(self.out.len() as u64);
        let limit = self.write_timeout();
        let (socket, out) = (&mut self.socket, &mut self.out);
        let writing = async {
            for frame in out.drain(..) {
                socket.feed(Message::Text(frame)).await?;
            }
            socket.flush().await
        };
        let written = bounded(limit, writing).await;
        if self.large_answer == LargeAnswer::Ready {
            self.large_answer = LargeAnswer::None;
            if written.is_ok() {
                self.begin_large();
            }
        }
        // An idle connection holds no buffers.
        if self.out.capacity() > 64 {
            self.out = Vec::new();
        }
        if self.deliveries.capacity() > 64 {
            self.deliveries = Vec::new();
        }
        written
    }

    fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.door.options.write_timeout_ms)
    }
}

/// Ends the connection if its peer takes nothing for too long.
async fn bounded(limit: Duration, writing: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    match timeout(limit, writing).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(None),
    }
}
