//! The first frame: `connect`, in time.

use std::future::poll_fn;
use std::task::{Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::Timestamp;
use engine::{Authenticated, Session};
use tokio::time::{Instant, timeout};
use websocket::{Frame, Message, ReceiveError, Socket};
use wire::{CLOSE_PROTOCOL, CLOSE_UNAUTHENTICATED, Code, Connect, Connected, Operation, SyncRequest};

use super::closing::{End, RESTARTING};
use super::pace::Pace;
use super::{Stream, read, write};
use crate::door::{Context, Door};
use crate::failure::Failure;
use crate::sync;

/// Largest `connect`, in bytes: a token and a number.
const CONNECT_BYTES_MAX: usize = 4096;
/// The server can't serve at the moment (RFC 6455: internal error).
const CLOSE_INTERNAL: u16 = 1011;

/// Waits for `connect`. `Err` holds how to close.
pub(super) async fn connect(
    door: &Door,
    context: &Context,
    socket: &mut Socket<Stream>,
    pace: &mut Pace,
) -> Result<(Authenticated, Session), End> {
    let limit = Duration::from_millis(door.options.connect_timeout_ms);
    let Ok(first) = timeout(limit, first_frame(socket, pace)).await else {
        return Err(End::new(CLOSE_UNAUTHENTICATED, "no connect in time"));
    };
    let frame = first?;
    let opened = match frame.operation {
        Ok(Operation::Connect(request)) => open(door, request).await,
        Ok(_) => Err(Code::Unauthenticated.into()),
        Err(failure) => Err(failure),
    };
    match opened {
        Ok((who, session, connected)) => {
            send(door, socket, write::response(context, frame.id, &Ok(connected))).await?;
            Ok((who, session))
        }
        Err(failure) => {
            let close = match failure.code {
                Code::Draining => RESTARTING,
                Code::MalformedJson | Code::InvalidRequest | Code::UnknownOperation => CLOSE_PROTOCOL,
                Code::Overloaded | Code::StorageUnavailable | Code::Internal => CLOSE_INTERNAL,
                _ => CLOSE_UNAUTHENTICATED,
            };
            send(door, socket, write::failed(context, frame.id, &failure)).await?;
            Err(End::new(close, failure.code.info().code))
        }
    }
}

async fn first_frame(socket: &mut Socket<Stream>, pace: &mut Pace) -> Result<read::Frame, End> {
    poll_fn(|context| {
        loop {
            let pong = match ready!(socket.poll_receive(context)) {
                Ok(Some(Message::Text(text))) if text.len() > CONNECT_BYTES_MAX => {
                    return Poll::Ready(Err(End::new(CLOSE_PROTOCOL, "the first frame is too large")));
                }
                Ok(Some(Message::Text(text))) => return Poll::Ready(Ok(read::frame(text))),
                Ok(Some(Message::Ping(payload))) => Some(Frame::pong(payload)),
                Ok(Some(Message::Pong)) => None,
                other => return Poll::Ready(Err(unexpected(&other))),
            };
            if !pace.take(Instant::now()) {
                return Poll::Ready(Err(End::TOO_MANY_PINGS));
            }
            if let Some(pong) = pong {
                socket.send(pong);
                // Before `connect`, nothing is owed that could not wait for the next turn.
                if let Poll::Ready(Err(_)) = socket.poll_flush(context) {
                    return Poll::Ready(Err(End::Gone));
                }
            }
        }
    })
    .await
}

/// How a connection ends by what came instead of a text, ping or pong.
pub(super) fn unexpected(came: &Result<Option<Message<'_>>, ReceiveError>) -> End {
    match came {
        Ok(Some(Message::Close(code))) => End::Left(*code),
        Ok(None) | Err(ReceiveError::Io(_)) => End::Gone,
        Err(ReceiveError::Violation(_)) => End::UNREADABLE,
        Ok(Some(Message::Binary(_) | Message::Text(_) | Message::Ping(_) | Message::Pong)) => End::BINARY,
    }
}

async fn send(door: &Door, socket: &mut Socket<Stream>, frame: Frame) -> Result<(), End> {
    socket.send(frame);
    let limit = Duration::from_millis(door.options.write_timeout_ms);
    match timeout(limit, poll_fn(|context| socket.poll_flush(context))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

/// Opens the session before it looks what has changed, so that nothing falls between the two.
async fn open(door: &Door, request: Connect) -> Result<(Authenticated, Session, Connected), Failure> {
    let who = door.engine.authenticate(&request.token).await?;
    door.engine.admit(&who.actor)?;
    let session = door.engine.subscribe(&who.actor).await?;
    let sync = match request.since {
        Some(since) => Some(sync::sync(door, &who.actor, SyncRequest { since: Some(since) }).await?),
        None => None,
    };
    let connected = Connected {
        user: who.actor.user.to_string(),
        device: who.actor.device.to_string(),
        expires_at: who.expires_at.0,
        epoch: door.engine.epoch().to_string(),
        ping_interval_ms: door.options.ping_interval_ms,
        sync,
    };
    Ok((who, session, connected))
}

/// When a time of the wall clock comes, by the clock that timers run on.
pub(super) fn instant_of(at: Timestamp) -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = Duration::from_millis(u64::try_from(at.0).unwrap_or(0));
    Instant::now() + at.saturating_sub(now)
}
