//! The first frame: `connect`, in time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use domain::Timestamp;
use engine::{Authenticated, Session};
use tokio::time::{Instant, timeout};
use wire::{CLOSE_PROTOCOL, CLOSE_UNAUTHENTICATED, Code, Connect, Connected, Operation, SyncRequest};

use super::connection::{RESTARTING, closing, too_many_pings};
use super::pace::Pace;
use super::{read, write};
use crate::door::{Context, Door};
use crate::failure::Failure;
use crate::sync;

/// Largest `connect`, in bytes: a token and a number.
const CONNECT_BYTES_MAX: usize = 4096;
/// The server can't serve at the moment (RFC 6455: internal error).
const CLOSE_INTERNAL: u16 = 1011;

/// Waits for `connect`. `Err` holds how to close; `None` that the peer has gone.
pub(super) async fn connect(
    door: &Door,
    context: &Context,
    socket: &mut WebSocket,
    pace: &mut Pace,
) -> Result<(Authenticated, Session), Option<CloseFrame>> {
    let limit = Duration::from_millis(door.options.connect_timeout_ms);
    let Ok(first) = timeout(limit, first_frame(socket, pace)).await else {
        return Err(Some(closing(CLOSE_UNAUTHENTICATED, "no connect in time")));
    };
    let frame = read::frame(first?.as_str());
    let opened = match frame.operation {
        Ok(Operation::Connect(request)) => open(door, request).await,
        Ok(_) => Err(Code::Unauthenticated.into()),
        Err(failure) => Err(failure),
    };
    match opened {
        Ok((who, session, connected)) => {
            let response = write::response(context, frame.id, &Ok(connected));
            send(door, socket, response).await?;
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
            Err(Some(closing(close, failure.code.info().code)))
        }
    }
}

async fn first_frame(
    socket: &mut WebSocket,
    pace: &mut Pace,
) -> Result<axum::extract::ws::Utf8Bytes, Option<CloseFrame>> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) if text.len() > CONNECT_BYTES_MAX => {
                return Err(Some(closing(CLOSE_PROTOCOL, "the first frame is too large")));
            }
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) if pace.take(Instant::now()) => {}
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Err(Some(too_many_pings())),
            Some(Ok(Message::Binary(_))) => return Err(Some(closing(CLOSE_PROTOCOL, "binary frame"))),
            Some(Err(_)) => return Err(Some(closing(CLOSE_PROTOCOL, "unreadable frame"))),
            Some(Ok(Message::Close(_))) | None => return Err(None),
        }
    }
}

async fn send(
    door: &Door,
    socket: &mut WebSocket,
    text: axum::extract::ws::Utf8Bytes,
) -> Result<(), Option<CloseFrame>> {
    let limit = Duration::from_millis(door.options.write_timeout_ms);
    match timeout(limit, socket.send(Message::Text(text))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(None),
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
