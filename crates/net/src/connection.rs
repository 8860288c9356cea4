//! One connection: HTTP/1 by hyper, and a watch that ends it when its peer is too slow or has nothing to say.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt;

use crate::NetOptions;
use crate::address::client_address;
use crate::body::TimedBody;
use crate::counters::Place;
use crate::stream::Stream;

/// What the watch of a connection sees of it.
#[derive(Default)]
struct Activity {
    /// Requests being answered.
    requests: AtomicUsize,
    /// Requests begun since the connection was made.
    begun: AtomicUsize,
    /// Whether bytes came since the watch looked.
    heard: Arc<AtomicBool>,
}

/// Ends a request's part in the activity, also when the connection drops it.
struct Answering(Arc<Activity>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
        self.0.heard.store(false, Ordering::Relaxed);
    }
}

/// Serves a connection until it ends, is upgraded, or is too slow.
pub(crate) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    place: Place,
    router: Router,
    options: Arc<NetOptions>,
    mut stopping: watch::Receiver<bool>,
) {
    let activity = Arc::new(Activity::default());
    let stream = Stream::new(socket, place, activity.heard.clone(), options.write_timeout());
    let service = service_fn(|request: Request<Incoming>| {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        activity.begun.fetch_add(1, Ordering::Relaxed);
        let answering = Answering(activity.clone());
        let client = client_address(peer.ip(), request.headers(), &options.trusted_proxies);
        let mut request = request.map(|body| Body::new(TimedBody::new(body, options.body_read_timeout())));
        request.extensions_mut().insert(client);
        let router = router.clone();
        async move {
            let response = router.oneshot(request).await;
            drop(answering);
            Ok::<_, Infallible>(response.unwrap_or_else(|never| match never {}))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The watch below does it, with one limit for a head and another for silence between requests.
        .header_read_timeout(None)
        .max_header_size(options.header_bytes_max)
        .max_headers(options.headers_max)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut too_slow = pin!(watch_slow(&activity, &options));
    let mut stop_asked = *stopping.borrow();
    if stop_asked {
        connection.as_mut().graceful_shutdown();
    }
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%peer, %error, "connection failed");
                }
                return;
            }
            reason = too_slow.as_mut() => {
                tracing::debug!(%peer, reason, "connection closed");
                return;
            }
            _ = stopping.changed(), if !stop_asked => {
                stop_asked = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Returns when the connection is to be closed, with the reason.
async fn watch_slow(activity: &Activity, options: &NetOptions) -> &'static str {
    // A new connection owes a head at once; one that has been answered may rest.
    let mut deadline = Instant::now() + options.header_read_timeout();
    let mut in_head = true;
    let mut begun_before = 0;
    let step = |deadline: Instant| deadline.min(Instant::now() + watch_step(options));
    loop {
        sleep_until(step(deadline)).await;
        let now = Instant::now();
        let begun = activity.begun.load(Ordering::Relaxed);
        if activity.requests.load(Ordering::Relaxed) > 0 || begun != begun_before {
            begun_before = begun;
            in_head = false;
            deadline = now + options.keep_alive_idle();
        } else if !in_head && activity.heard.swap(false, Ordering::Relaxed) {
            in_head = true;
            deadline = now + options.header_read_timeout();
        } else if now >= deadline {
            return if in_head { "the request head did not arrive in time" } else { "idle" };
        }
    }
}

/// How often the watch looks: often enough to tell a head that trickles from silence.
fn watch_step(options: &NetOptions) -> Duration {
    (options.header_read_timeout().min(options.keep_alive_idle()) / 2).max(Duration::from_millis(10))
}
