//! A connected WebSocket: one task that reads requests, and writes what has become ready in one go.
//!
//! Requests run as tasks of their own: one that is on its way ends even if the connection doesn't live to answer it, and
//! a peer that doesn't read holds nothing up but itself. While too many are on their way nothing more is read.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use domain::Actor;
use engine::{Delivery, EndReason, Flow, Session};
use futures_util::{FutureExt, SinkExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use wire::{CLOSE_PROTOCOL, CLOSE_TOO_FAST, CLOSE_UNAUTHENTICATED, Code, Operation, Push, RenewToken, Renewed};

use super::commands::Commands;
use super::dispatch::Sorted;
use super::handshake::{connect, instant_of};
use super::{dispatch, read, write};
use crate::convert::push;
use crate::door::{Context, Door};
use crate::failure::Failure;
use crate::presence;

/// Close code of RFC 6455's registry: the service restarts.
pub(super) const RESTARTING: u16 = 1012;
/// How long a peer that was told the end may take to end, too.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn closing(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: Utf8Bytes::from_static(reason) }
}

/// Serves a WebSocket from its first frame to its end.
pub(crate) async fn serve(door: Door, context: Arc<Context>, mut socket: WebSocket) {
    let _counted = Counted::new();
    let end = match connect(&door, &context, &mut socket).await {
        Ok((who, session)) => {
            let (finished, finished_receiver) = mpsc::channel(door.options.requests_in_flight_max);
            let commands = Commands::new(&door, &who.actor, &context, &finished);
            let mut connection = Connection {
                expires: instant_of(who.expires_at),
                actor: Arc::new(who.actor),
                door,
                context: context.clone(),
                socket,
                session,
                commands,
                in_flight: 0,
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
    session: Session,
    actor: Arc<Actor>,
    expires: Instant,
    commands: Commands,
    /// Requests on their way.
    in_flight: usize,
    finished: mpsc::Sender<Utf8Bytes>,
    finished_receiver: mpsc::Receiver<Utf8Bytes>,
    deliveries: Vec<Arc<Delivery>>,
    /// Frames to be written.
    out: Vec<Utf8Bytes>,
    /// When the peer was heard last, and pings sent since.
    heard: Instant,
    pings: u32,
    malformed: u32,
    refused: u32,
}

/// The connection ends: by this frame, or because the peer has gone.
type End = Option<CloseFrame>;

enum Next {
    Flow(Flow),
    Finished(Utf8Bytes),
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

    fn finish(&mut self, frame: Utf8Bytes) {
        self.in_flight -= 1;
        self.out.push(frame);
    }

    async fn frame(&mut self, frame: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.heard = Instant::now();
        self.pings = 0;
        match frame {
            Some(Ok(Message::Text(text))) => self.request(text.as_str()).await,
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
            Operation::PresenceWatch(request) => {
                let presence = presence::watch(&self.session, request).await;
                self.out.push(write::response(&self.context, id, &presence));
                Ok(())
            }
            operation => match dispatch::sort(operation) {
                Sorted::Command(ask) => {
                    self.commands.push(id, ask?);
                    self.in_flight += 1;
                    Ok(())
                }
                Sorted::Other(operation) => {
                    self.spawn(id, operation);
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

    /// Carries out an operation beside the others.
    fn spawn(&mut self, id: u64, operation: Operation) {
        self.in_flight += 1;
        let (door, context, actor) = (self.door.clone(), self.context.clone(), self.actor.clone());
        let finished = self.finished.clone();
        tokio::spawn(async move {
            let running = AssertUnwindSafe(dispatch::run(&door, &context, &actor, id, operation)).catch_unwind();
            let frame = running.await.unwrap_or_else(|_| {
                tracing::error!(request_id = context.request_id, id, "an operation panicked");
                write::failed(&context, id, &Code::Internal.into())
            });
            // If the connection is gone, nobody waits for the answer.
            let _ = finished.send(frame).await;
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
