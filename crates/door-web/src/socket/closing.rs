//! How connections end.

use std::future::poll_fn;
use std::time::Duration;

use tokio::time::timeout;
use websocket::{Frame, Socket};
use wire::{CLOSE_PROTOCOL, CLOSE_TOO_FAST};

use super::Stream;

/// Close code of RFC 6455's registry: the service restarts.
pub(super) const RESTARTING: u16 = 1012;
/// How long a peer that was told the end may take to end, too.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The peer has gone, or takes nothing: there is nobody to tell.
    Gone,
    /// The peer has said that it goes, perhaps with a code.
    Left(Option<u16>),
    /// The server ends it, with this code.
    Closed { code: u16, reason: &'static str },
}

impl End {
    pub(super) const TOO_MANY_PINGS: Self = Self::new(CLOSE_TOO_FAST, "too many pings");
    pub(super) const BINARY: Self = Self::new(CLOSE_PROTOCOL, "binary frame");
    pub(super) const UNREADABLE: Self = Self::new(CLOSE_PROTOCOL, "unreadable frame");

    pub(super) const fn new(code: u16, reason: &'static str) -> Self {
        Self::Closed { code, reason }
    }
}

/// Says the end, and waits a little for the peer to end, too: closing with bytes unread would take the words back.
pub(super) async fn close(mut socket: Socket<Stream>, end: End) {
    socket.send(match end {
        End::Gone => return,
        End::Left(None) => Frame::close_silently(),
        End::Left(Some(code)) => Frame::close(code, ""),
        End::Closed { code, reason } => Frame::close(code, reason),
    });
    let goodbye = async {
        poll_fn(|context| socket.poll_flush(context)).await?;
        poll_fn(|context| socket.poll_shutdown(context)).await?;
        poll_fn(|context| socket.poll_discard(context)).await
    };
    // Whether it was heard makes no difference any more.
    let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
}
