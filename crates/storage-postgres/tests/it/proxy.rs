//! A way to the server that can be stopped in the middle of anything, like the network of a node that is cut off, or the
//! node itself when it is paused.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Proxy {
    pub port: u16,
    stopped: watch::Sender<bool>,
}

impl Proxy {
    /// A way to a port of this machine.
    pub async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stopped, is_stopped) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(carry(from_client, to_server, is_stopped.clone()));
                tokio::spawn(carry(from_server, to_client, is_stopped.clone()));
            }
        });
        Self { port, stopped }
    }

    /// Lets nothing through, or everything.
    pub fn stop(&self, stopped: bool) {
        self.stopped.send_replace(stopped);
    }
}

async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut stopped: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if stopped.wait_for(|stopped| !stopped).await.is_err() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
