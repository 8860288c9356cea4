//! Connections that go on with another protocol.

use std::io;

use axum::extract::Request;
use hyper_util::rt::TokioIo;

/// A connection after its upgrade. It stays counted, and keeps the write timeout.
pub type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

/// The request's connection, as soon as the answer that grants the upgrade is written.
pub fn upgrade(request: &mut Request) -> impl Future<Output = io::Result<Upgraded>> + Send + use<> {
    let upgrading = hyper::upgrade::on(request);
    async { upgrading.await.map(TokioIo::new).map_err(io::Error::other) }
}
