//! A listener over real sockets: proxies, limits, and stopping.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::routing::{get, post};
use futures_util::stream;
use http_body_util::BodyExt;
use net::{BodyTimeout, ClientAddress, Counters, Listener, NetOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    counters: Arc<Counters>,
    /// Lets `/held` answer.
    release: Arc<Notify>,
    /// Tells that `/held` was asked.
    asked: Arc<Notify>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<bool>,
}

async fn server(options: NetOptions) -> Server {
    let (release, asked) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (let_go, was_asked) = (release.clone(), asked.clone());
    let held = move || async move {
        was_asked.notify_one();
        let_go.notified().await;
        "held"
    };
    let whole = async |body: Body| match body.collect().await {
        Ok(body) => format!("{} bytes", body.to_bytes().len()),
        Err(error) => {
            let mut source: Option<&dyn std::error::Error> = Some(&error);
            while let Some(error) = source {
                if error.is::<BodyTimeout>() {
                    return "too slow".to_owned();
                }
                source = error.source();
            }
            "broken".to_owned()
        }
    };
    let router = Router::new()
        .route("/who", get(async |Extension(client): Extension<ClientAddress>| client.0.to_string()))
        .route("/whole", post(whole))
        .route("/held", get(held));
    let listener = Listener::bind("127.0.0.1:0", options).await.unwrap();
    let (address, counters) = (listener.local_addr().unwrap(), listener.counters());
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(listener.serve(router, async { stopped.await.unwrap_or_default() }));
    Server { address, counters, release, asked, stop, serving }
}

async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    socket
}

/// Everything up to the end of the connection.
async fn rest(mut socket: TcpStream) -> String {
    let mut text = String::new();
    timeout(PATIENCE, socket.read_to_string(&mut text)).await.expect("an end").unwrap();
    text
}

fn get_line(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
}

#[tokio::test]
async fn the_client_is_who_a_trusted_proxy_says() {
    let check = async |trusted: &[&str], headers: &str, expect: &str| {
        let trusted_proxies = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let server = server(NetOptions { trusted_proxies, ..NetOptions::default() }).await;
        let answer = rest(send(server.address, &get_line("/who", headers)).await).await;
        assert!(answer.ends_with(&format!("\r\n\r\n{expect}")), "{answer}");
    };
    check(&[], "x-forwarded-for: 9.9.9.9\r\n", "127.0.0.1").await;
    check(&["127.0.0.0/8"], "x-forwarded-for: 9.9.9.9\r\n", "9.9.9.9").await;
    check(&["127.0.0.0/8"], "", "127.0.0.1").await;
}

#[tokio::test]
async fn a_stop_lets_requests_finish() {
    let server = server(NetOptions::default()).await;
    let held = send(server.address, &get_line("/held", "")).await;
    // Kept alive and idle: ends at once.
    let mut idle = send(server.address, "GET /who HTTP/1.1\r\nhost: x\r\n\r\n").await;
    idle.read_exact(&mut [0; 12]).await.unwrap();
    server.asked.notified().await;
    server.stop.send(()).unwrap();
    rest(idle).await;
    assert!(TcpStream::connect(server.address).await.is_err(), "no new connections");
    server.release.notify_one();
    assert!(rest(held).await.ends_with("held"));
    assert!(timeout(PATIENCE, server.serving).await.unwrap().unwrap());
    assert_eq!((server.counters.open(), server.counters.accepted()), (0, 2));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let server = server(NetOptions { shutdown_deadline_ms: 50, ..NetOptions::default() }).await;
    let _held = send(server.address, &get_line("/held", "")).await;
    server.asked.notified().await;
    server.stop.send(()).unwrap();
    assert!(!timeout(PATIENCE, server.serving).await.unwrap().unwrap());
    assert_eq!(server.counters.open(), 1);
}

#[tokio::test]
async fn a_slow_body_is_given_up() {
    let server = server(NetOptions { body_read_timeout_ms: 50, ..NetOptions::default() }).await;
    let post = "POST /whole HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4\r\n\r\n";
    let answer = rest(send(server.address, &format!("{post}ab")).await).await;
    assert!(answer.ends_with("too slow"), "{answer}");
    let answer = rest(send(server.address, &format!("{post}abcd")).await).await;
    assert!(answer.ends_with("4 bytes"), "{answer}");
}

#[tokio::test]
async fn an_answered_connection_outlives_the_time_for_a_head() {
    let options = NetOptions { header_read_timeout_ms: 50, keep_alive_idle_ms: 60_000, ..NetOptions::default() };
    let server = server(options).await;
    let mut socket = send(server.address, "GET /who HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = [0; 256];
    let first = socket.read(&mut answer).await.unwrap();
    assert!(first > 0);
    // Longer than a head may take, and nothing is closed.
    assert!(timeout(Duration::from_millis(300), socket.read(&mut answer)).await.is_err());
    socket.write_all(get_line("/who", "").as_bytes()).await.unwrap();
    assert!(rest(socket).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn too_many_connections_are_closed_at_once() {
    let server = server(NetOptions { connections_max: 2, ..NetOptions::default() }).await;
    let first = send(server.address, &get_line("/held", "")).await;
    let second = send(server.address, &get_line("/held", "")).await;
    server.asked.notified().await;
    while server.counters.open() < 2 {
        tokio::task::yield_now().await;
    }
    let mut third = TcpStream::connect(server.address).await.unwrap();
    assert!(matches!(timeout(PATIENCE, third.read(&mut [0; 1])).await.unwrap(), Ok(0) | Err(_)));
    assert_eq!((server.counters.open(), server.counters.refused()), (2, 1));
    drop((first, second));
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_cut_off() {
    /// What hyper gathers, and what the system keeps: without a limit megabytes.
    const TAKEN_BYTES_MAX: usize = 640 * 1024;
    const CHUNK_BYTES: usize = 4 * 1024;
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let endless = move || async move {
        let chunks = stream::repeat_with(move || {
            count.fetch_add(CHUNK_BYTES, Ordering::Relaxed);
            Ok::<_, Infallible>(vec![0_u8; CHUNK_BYTES])
        });
        Body::from_stream(chunks)
    };
    let router = Router::new().route("/endless", get(endless));
    let options = NetOptions { write_timeout_ms: 500, ..NetOptions::default() };
    let listener = Listener::bind("127.0.0.1:0", options).await.unwrap();
    let (address, counters) = (listener.local_addr().unwrap(), listener.counters());
    tokio::spawn(listener.serve(router, std::future::pending()));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut socket = socket.connect(address).await.unwrap();
    socket.write_all(get_line("/endless", "").as_bytes()).await.unwrap();
    let mut look = tokio::time::interval(Duration::from_millis(5));
    let gone = async {
        while counters.accepted() == 0 || counters.open() > 0 {
            look.tick().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the connection is closed");
    let taken = taken.load(Ordering::Relaxed);
    assert!((CHUNK_BYTES..TAKEN_BYTES_MAX).contains(&taken), "{taken} bytes for a peer that takes nothing");
}
