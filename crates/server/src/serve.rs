//! `starling serve`: opens everything, tells where it is, and ends in order.
//!
//! The end: `/readyz` fails and clients are told to come back a little later; no new connections; open requests
//! finish; what is written is made durable; the lock goes. All that within a bounded time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use net::{Listener, NetOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::admin::{AdminContext, AdminSocket, put};
use crate::config::Settings;
use crate::data_folder::{DataFolder, admin_socket};
use crate::metrics_page;
use crate::open_files;
use crate::running::{Running, open};

/// How long the store may take to write what is waiting after the doors are closed.
const STORE_CLOSE_MAX: Duration = Duration::from_secs(10);

/// Serves until a signal ends it. `ready` is told the URL once it answers.
pub async fn serve(folder: DataFolder, settings: &Settings, ready: impl FnOnce(&str) -> String) -> Result<()> {
    let mut signals = Signals::new()?;
    let metrics_handle = metrics_page::record()?;
    let connections_max = open_files::make_room(settings.net.connections_max);
    let listener = Listener::bind(settings.listen, NetOptions { connections_max, ..settings.net.clone() })
        .await
        .with_context(|| format!("can't listen on {} / 无法监听 {}", settings.listen, settings.listen))?;
    let address = listener.local_addr().context("ask for the address of the listener")?;
    let Running { engine, store } = open(&folder, settings).await?;
    let admin = AdminSocket::bind(&admin_socket(folder.path())).context("listen on the admin socket")?;
    let admin_task = tokio::spawn(admin.serve(Arc::new(AdminContext { engine: engine.clone(), store })));
    if let Some(metrics_address) = settings.metrics_listen
        && let Some(metrics_listener) = metrics_page::bind(metrics_address, settings.metrics_listen_chosen).await?
    {
        tracing::info!(address = %metrics_listener.local_addr()?, "metrics");
        let (engine, counters) = (engine.clone(), listener.counters());
        tokio::spawn(metrics_page::serve(metrics_listener, metrics_handle, engine, counters));
    }
    let router = door_web::router(engine.clone(), settings.door.clone());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(listener.serve(router, async {
        // A sender that is gone means stop as well.
        let _ = stopped.await;
    }));
    tracing::info!(%address, data = %folder.path().display(), version = env!("CARGO_PKG_VERSION"), "ready");
    let url = url_of(address);
    let setup_token = engine.setup_token();
    let base = settings.public_url.as_deref().unwrap_or(&url);
    let words = setup_words(base, setup_token.as_deref());
    // A reader of standard output that fails must not end the server.
    let _ = put(&format!("Starling is ready: {url}\n{words}{}", ready(&url)));

    let name = signals.next().await;
    tracing::info!(signal = name, "stopping");
    tokio::spawn(async move {
        let name = signals.next().await;
        tracing::warn!(signal = name, "stopping at once");
        std::process::exit(1);
    });
    engine.drain(settings.drain_spread_ms);
    // The receiver is gone only if serving has ended by itself.
    let _ = stop.send(());
    let all_ended = serving.await.context("the listener failed")?;
    admin_task.abort();
    // Its socket's file goes with it, before the lock does.
    let _ = admin_task.await;
    let closed = timeout(STORE_CLOSE_MAX, engine.stop()).await.is_ok();
    tracing::info!(all_connections_ended = all_ended, store_closed = closed, "stopped");
    drop(folder);
    Ok(())
}

fn setup_words(base: &str, token: Option<&str>) -> String {
    let Some(token) = token else { return String::new() };
    format!(
        "\nThere is no administrator yet. Open this link once to become the administrator:\n\
         还没有管理员。打开此一次性链接成为管理员:\n\n    {base}/#/setup/{token}\n\n"
    )
}

/// Where a browser on this machine finds a listener.
fn url_of(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// The signals that end the server. A closed terminal (SIGHUP) does not.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => tracing::info!("SIGHUP ignored"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_can_be_opened() {
        for (address, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:80", "http://[::1]:80"),
            ("192.0.2.7:1", "http://192.0.2.7:1"),
        ] {
            assert_eq!(url_of(address.parse().unwrap()), url);
        }
    }
}
