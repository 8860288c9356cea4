//! A connected WebSocket: one task that reads requests, carries them out, and writes what has become ready in one go.
//!
//! At each turn it takes what has happened, what has come from the peer and what has been answered, and then writes all of
//! it. While too many requests are on their way nothing more is read. What an idle connection holds is in [`Connection`],
//! and nothing else: buffers and the state of requests are there only while they are needed.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use engine::{Delivery, EndReason, Flow, Session};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use websocket::{Frame, Message, Socket};
use wire::{
    CLOSE_PROTOCOL, CLOSE_TOO_FAST, CLOSE_UNAUTHENTICATED, Code, Nothing, Operation, Push, RenewToken, Renewed,
};

use super::closing::{End, RESTARTING, close};
use super::dispatch::Sorted;
use super::handshake::{connect, instant_of, unexpected};
use super::in_flight::{Asker, InFlight, beside};
use super::meters::{Counted, METERS};
use super::pace::Pace;
use super::{Stream, dispatch, read, write};
use crate::convert::push;
use crate::door::{Context, Door};
use crate::failure::Failure;

/// Deliveries that there is kept room for.
const DELIVERIES_KEPT: usize = 16;

/// Serves a WebSocket from its first frame to its end.
pub(super) async fn serve(door: Door, context: Arc<Context>, mut socket: Socket<Stream>) {
    let _counted = Counted::new();
    let mut pace = Pace::new(Instant::now());
    // In boxes, which are gone when they are over: what they need is not kept by every connection for all its life.
    let connecting = Box::pin(connect(&door, &context, &mut socket, &mut pace));
    let end = match connecting.await {
        Ok((who, session)) => {
            let asker = Asker { door, context: context.clone(), actor: Arc::new(who.actor) };
            let mut connection = Connection::new(asker, socket, session, instant_of(who.expires_at), pace);
            let end = connection.live().await;
            if let Some(in_flight) = connection.in_flight {
                tokio::spawn(in_flight.finish());
            }
            socket = connection.socket;
            end
        }
        Err(end) => end,
    };
    if let End::Closed { code, .. } = end {
        tracing::debug!(request_id = context.request_id, code, "closing a connection");
    }
    Box::pin(close(socket, end)).await;
}

struct Connection {
    asker: Asker,
    socket: Socket<Stream>,
    session: Arc<Session>,
    expires: Instant,
    in_flight: Option<Box<InFlight>>,
    deliveries: Vec<Arc<Delivery>>,
    /// How fast pings may come.
    pace: Pace,
    /// When the peer was heard last, and pings sent since.
    heard: Instant,
    pings: u32,
    malformed: u32,
    refused: u32,
    /// Rings at [`Connection::deadline`], or earlier: what moves the deadline back doesn't wind it again.
    alarm: Pin<Box<Sleep>>,
}

/// What a turn leaves to be done that has to be waited for.
enum Rest {
    Nothing,
    Renew(u64, RenewToken),
    Logout(u64),
    Drain,
}

impl Connection {
    fn new(asker: Asker, socket: Socket<Stream>, session: Session, expires: Instant, pace: Pace) -> Self {
        let heard = Instant::now();
        let mut connection = Self {
            asker,
            socket,
            session: Arc::new(session),
            expires,
            in_flight: None,
            deliveries: Vec::new(),
            pace,
            heard,
            pings: 0,
            malformed: 0,
            refused: 0,
            alarm: Box::pin(sleep_until(heard)),
        };
        connection.wind();
        connection
    }

    async fn live(&mut self) -> End {
        loop {
            let turn = poll_fn(|context| self.poll_turn(context)).await;
            let done = match turn {
                Ok(Rest::Nothing) => Ok(()),
                Ok(rest) => Box::pin(self.rest(rest)).await,
                Err(end) => Err(end),
            };
            // What is to be said is said even at the end.
            let written = self.write().await;
            if let Err(end) = done.and(written) {
                return end;
            }
        }
    }

    /// Does what can be done without waiting; pending only if there is nothing at all.
    fn poll_turn(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<Rest, End>> {
        let mut rest = Rest::Nothing;
        // What reads comes last: a peer that sends without end holds up neither the answers nor the alarm.
        let mut idle = !self.take_answers(context);
        if self.alarm.as_mut().poll(context).is_ready() {
            idle = false;
            self.ring()?;
        }
        if let Poll::Ready(flow) = self.session.poll_next(context, &mut self.deliveries) {
            idle = false;
            match self.flow(flow) {
                Ok(Rest::Nothing) => {}
                other => return Poll::Ready(other),
            }
        }
        let requests_max = self.asker.door.options.requests_in_flight_max;
        // So many at a turn: the answers to what can't be carried out are written before more of it is read.
        for _ in 0..requests_max {
            if !matches!(rest, Rest::Nothing) || self.in_flight_count() >= requests_max {
                break;
            }
            let Poll::Ready(read) = self.poll_frame(context) else { break };
            idle = false;
            rest = read?;
        }
        // Those that came just now.
        idle &= !self.take_answers(context);
        if idle { Poll::Pending } else { Poll::Ready(Ok(rest)) }
    }

    /// Lets requests go on, and queues what is answered; tells whether anything is.
    fn take_answers(&mut self, context: &mut TaskContext<'_>) -> bool {
        let waiting = self.socket.waiting();
        if let Some(in_flight) = &mut self.in_flight {
            while let Poll::Ready(frame) = in_flight.poll_answer(context) {
                self.socket.send(frame);
            }
        }
        self.socket.waiting() > waiting
    }

    fn flow(&mut self, flow: Flow) -> Result<Rest, End> {
        match flow {
            Flow::Deliver => {
                METERS.deliveries.increment(self.deliveries.len() as u64);
                for delivery in self.deliveries.drain(..) {
                    self.socket.send(push::frame(&delivery));
                }
                // An idle connection holds no buffer.
                if self.deliveries.capacity() > DELIVERIES_KEPT {
                    self.deliveries = Vec::new();
                }
                Ok(Rest::Nothing)
            }
            Flow::Resync => {
                METERS.resyncs.increment(1);
                self.socket.send(push::encode(&Push::Resync));
                Ok(Rest::Nothing)
            }
            Flow::Drain { reconnect_after_ms } => {
                self.socket.send(push::encode(&Push::Draining { reconnect_after_ms }));
                Ok(Rest::Drain)
            }
            Flow::End(EndReason::Revoked) => Err(End::new(CLOSE_UNAUTHENTICATED, "token_revoked")),
            Flow::End(EndReason::Replaced) => Err(End::new(CLOSE_TOO_FAST, "too many sessions")),
        }
    }

    fn poll_frame(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<Rest, End>> {
        let pong = match ready!(self.socket.poll_receive(context)) {
            Ok(Some(Message::Text(text))) => {
                let frame = read::frame(text);
                self.hear();
                return Poll::Ready(self.request(frame));
            }
            Ok(Some(Message::Ping(payload))) => Some(Frame::pong(payload)),
            Ok(Some(Message::Pong)) => None,
            other => return Poll::Ready(Err(unexpected(&other))),
        };
        self.hear();
        if !self.pace.take(self.heard) {
            return Poll::Ready(Err(End::TOO_MANY_PINGS));
        }
        if let Some(pong) = pong {
            self.socket.send(pong);
        }
        Poll::Ready(Ok(Rest::Nothing))
    }

    fn hear(&mut self) {
        self.heard = Instant::now();
        self.pings = 0;
    }

    fn request(&mut self, frame: read::Frame) -> Result<Rest, End> {
        let read::Frame { id, operation, malformed } = frame;
        METERS.frames.increment(1);
        if malformed {
            self.malformed += 1;
        }
        // What can't be understood costs as much of the rate as what can.
        let result = match self.asker.door.engine.admit(&self.asker.actor) {
            Ok(_) => {
                self.refused = 0;
                operation.and_then(|operation| self.admitted(id, operation))
            }
            Err(error) => {
                self.refused += 1;
                Err(error.into())
            }
        };
        let options = &self.asker.door.options;
        let rest = result.unwrap_or_else(|failure| {
            self.socket.send(write::failed(&self.asker.context, id, &failure));
            Rest::Nothing
        });
        if self.malformed >= options.malformed_frames_max {
            return Err(End::new(CLOSE_PROTOCOL, "too many malformed frames"));
        }
        if self.refused >= options.refused_requests_max {
            return Err(End::new(CLOSE_TOO_FAST, "rate_limited"));
        }
        Ok(rest)
    }

    fn admitted(&mut self, id: u64, operation: Operation) -> Result<Rest, Failure> {
        match operation {
            Operation::Connect(_) => {
                return Err(Failure::detailed(Code::InvalidRequest, "this connection is connected already"));
            }
            Operation::TokenRenew(request) => return Ok(Rest::Renew(id, request)),
            Operation::Logout(_) => return Ok(Rest::Logout(id)),
            operation => match dispatch::sort(operation) {
                Sorted::Command(ask) => {
                    let ask = ask?;
                    self.in_flight().command(id, ask);
                }
                Sorted::Large(operation) => {
                    let session = self.session.clone();
                    self.in_flight().large(id, operation, &session);
                }
                Sorted::Other(operation) => {
                    let session = self.session.clone();
                    self.in_flight().other(id, operation, &session);
                }
            },
        }
        Ok(Rest::Nothing)
    }

    fn in_flight(&mut self) -> &mut InFlight {
        self.in_flight.get_or_insert_with(|| Box::new(InFlight::new(&self.asker)))
    }

    fn in_flight_count(&self) -> usize {
        self.in_flight.as_ref().map_or(0, |in_flight| in_flight.count())
    }

    async fn rest(&mut self, rest: Rest) -> Result<(), End> {
        match rest {
            Rest::Nothing => {}
            Rest::Renew(id, request) => {
                let renewed = self.renew(request).await;
                self.socket.send(write::response(&self.asker.context, id, &renewed));
            }
            // The connection ends with the device, so nothing is held up, and the answer comes before the end.
            Rest::Logout(id) => {
                let done = beside(&mut self.in_flight, self.asker.door.engine.logout(&self.asker.actor)).await;
                let done = done.map(|()| Nothing {}).map_err(Into::into);
                self.socket.send(write::response(&self.asker.context, id, &done));
            }
            Rest::Drain => {
                self.finish_all().await?;
                return Err(End::new(RESTARTING, "the server restarts"));
            }
        }
        Ok(())
    }

    async fn renew(&mut self, request: RenewToken) -> Result<Renewed, Failure> {
        let who = beside(&mut self.in_flight, self.asker.door.engine.authenticate(&request.token)).await?;
        if who.actor != *self.asker.actor {
            return Err(Failure::field("token", "must be one of the same device"));
        }
        self.expires = instant_of(who.expires_at);
        self.wind();
        Ok(Renewed { expires_at: who.expires_at.0 })
    }

    /// Waits for the requests on their way, and writes their answers.
    async fn finish_all(&mut self) -> Result<(), End> {
        let limit = Duration::from_millis(self.asker.door.options.drain_timeout_ms);
        let finishing = async {
            loop {
                // Afterwards there is nothing in flight if all is answered.
                self.write().await?;
                let Some(in_flight) = &mut self.in_flight else { return Ok(()) };
                let frame = poll_fn(|context| in_flight.poll_answer(context)).await;
                self.socket.send(frame);
            }
        };
        timeout(limit, finishing).await.unwrap_or_else(|_| {
            tracing::debug!(
                request_id = self.asker.context.request_id,
                "requests were still on their way at the drain"
            );
            Ok(())
        })
    }

    /// When something is due though nothing happens.
    fn deadline(&self) -> Instant {
        self.expires.min(self.next_ping()).min(self.silence_end())
    }

    fn next_ping(&self) -> Instant {
        self.heard + Duration::from_millis(self.asker.door.options.ping_interval_ms.into()) * (self.pings + 1)
    }

    fn silence_end(&self) -> Instant {
        self.heard + Duration::from_millis(self.asker.door.options.silence_timeout_ms)
    }

    fn wind(&mut self) {
        let deadline = self.deadline();
        self.alarm.as_mut().reset(deadline);
    }

    fn ring(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if now >= self.expires {
            return Err(End::new(CLOSE_UNAUTHENTICATED, "token_expired"));
        }
        if now >= self.silence_end() {
            return Err(End::new(CLOSE_PROTOCOL, "silent for too long"));
        }
        if now >= self.next_ping() {
            self.pings += 1;
            self.socket.send(Frame::ping());
        }
        self.wind();
        Ok(())
    }

    /// Writes all that waits in one go.
    async fn write(&mut self) -> Result<(), End> {
        let waiting = self.socket.waiting();
        if waiting > 0 {
            METERS.frames_written.increment(waiting as u64);
            let first_try = poll_fn(|context| Poll::Ready(self.socket.poll_flush(context))).await;
            let written = match first_try {
                Poll::Ready(written) => written,
                Poll::Pending => Box::pin(self.write_slowly()).await,
            };
            written.map_err(|_| End::Gone)?;
        }
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.written();
            if in_flight.count() == 0 {
                self.in_flight = None;
            }
        }
        Ok(())
    }

    /// Waits for a peer that does not take what is written; for so long.
    async fn write_slowly(&mut self) -> std::io::Result<()> {
        let limit = Duration::from_millis(self.asker.door.options.write_timeout_ms);
        let flushing = poll_fn(|context| self.socket.poll_flush(context));
        beside(&mut self.in_flight, timeout(limit, flushing)).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the task of every connection holds while it rests, in bytes.
    const IDLE_BYTES_MAX: usize = 1024;

    fn size_of_future<A, B, C, F: Future>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of_future(serve) <= IDLE_BYTES_MAX, "{}", size_of_future(serve));
    }
}
