//! Accepting connections, and stopping without cutting answers off.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host};
use tokio::sync::watch;

use crate::address::{group, plain};
use crate::connection;
use crate::{Counters, NetOptions};

/// Pause after a failed accept (no file descriptors left): trying at once would only burn the processor.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// Connections that may wait to be accepted; the system has a limit of its own (`net.core.somaxconn`). When a server comes back
/// all of its clients come at once, and who finds no place tries again after one second, and then after three.
const WAITING_CONNECTIONS_MAX: u32 = 65_535;
/// Bytes that the system keeps of what a connection is sent before it is on its way. What a peer takes quickly is never so
/// much; for one that does not read, the system would keep megabytes, which nobody counts, and the doors would learn of
/// it only then.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES_MAX: u32 = 64 * 1024;

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    options: Arc<NetOptions>,
    counters: Arc<Counters>,
}

impl Listener {
    /// Binds an address; port 0 picks a free one.
    pub async fn bind(address: impl ToSocketAddrs, options: NetOptions) -> io::Result<Self> {
        let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "the address is of no interface");
        for address in lookup_host(address).await? {
            match listen(address) {
                Ok(listener) => return Ok(Self { listener, options: Arc::new(options), counters: Arc::default() }),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Its counts, which stay readable while it serves.
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Serves the router until `stop` resolves; then takes no more connections, lets requests finish, and waits for all
    /// connections (upgraded ones end by their door) up to the deadline. Tells whether all of them ended.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) -> bool {
        let (stopping, stopping_receiver) = watch::channel(false);
        let accepting = async {
            loop {
                self.accept(&router, &stopping_receiver).await;
            }
        };
        tokio::select! {
            () = accepting => {}
            () = stop => {}
        }
        let Self { listener, options, counters } = self;
        drop(listener);
        stopping.send_replace(true);
        tokio::time::timeout(options.shutdown_deadline(), counters.all_closed()).await.is_ok()
    }

    async fn accept(&self, router: &Router, stopping: &watch::Receiver<bool>) {
        let (socket, peer) = match self.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                return tokio::time::sleep(ACCEPT_RETRY).await;
            }
        };
        let is_proxy = self.options.trusted_proxies.iter().any(|network| network.contains(plain(peer.ip())));
        let address = (!is_proxy).then(|| group(peer.ip()));
        let options = &self.options;
        let Some(place) = self.counters.take(address, options.connections_max, options.connections_per_address_max)
        else {
            tracing::debug!(%peer, "connection refused: too many");
            return;
        };
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%peer, %error, "no TCP_NODELAY");
        }
        if let Err(error) = limit_unsent(&socket) {
            tracing::debug!(%peer, %error, "no limit of what is not sent yet");
        }
        tokio::spawn(connection::serve(socket, peer, place, router.clone(), options.clone(), stopping.clone()));
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Elsewhere it would let two servers listen at the same place.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING_CONNECTIONS_MAX)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn limit_unsent(socket: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(socket).set_tcp_notsent_lowat(UNSENT_BYTES_MAX)
}

/// Elsewhere the system's own limit has to do.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn limit_unsent(_: &TcpStream) -> io::Result<()> {
    Ok(())
}
