//! The listener of the operator's tools: `/metrics` for Prometheus, `/livez` and `/readyz`. It is apart from the main
//! one, so that figures of the inside are not shown to whoever can reach the web client.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use engine::{Engine, Health};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use net::Counters;
use tokio::net::TcpListener;

/// Upper bounds of the buckets of every histogram of seconds.
const BUCKETS_SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of the buckets of every other histogram: counts of things handled together, and bytes.
const BUCKETS_COUNT: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0, 65_536.0];
/// How often the recorder folds what was observed, so that memory stays bounded when nobody asks.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Clock ticks per second in `/proc/self/stat`: 100 on every Linux we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Collects the metrics of this process from now on. Whether anybody reads them or not, what was observed is folded again
/// and again: until then the recorder holds every single observation.
pub fn record() -> Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(BUCKETS_COUNT)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS_SECONDS)?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok().context("a recorder of metrics is there already")?;
    tokio::spawn(keep_up(handle.clone()));
    Ok(handle)
}

async fn keep_up(handle: PrometheusHandle) {
    let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
    loop {
        interval.tick().await;
        handle.run_upkeep();
    }
}

/// Binds the listener. `None` when the default address is taken by somebody else, which is no reason not to serve.
pub async fn bind(address: SocketAddr, chosen: bool) -> Result<Option<TcpListener>> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if !chosen => {
            tracing::warn!(%address, %error, "no metrics: the default address is not free; set metrics_listen");
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("listen on {address} for metrics")),
    }
}

struct Page {
    handle: PrometheusHandle,
    engine: Engine,
    connections: Arc<Counters>,
    started: f64,
}

/// Serves for ever.
pub async fn serve(
    listener: TcpListener,
    handle: PrometheusHandle,
    engine: Engine,
    connections: Arc<Counters>,
) -> io::Result<()> {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let page = Arc::new(Page { handle, engine, connections, started });
    let router = Router::new()
        .route("/metrics", get(show))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(page);
    axum::serve(listener, router).await
}

async fn ready(State(page): State<Arc<Page>>) -> impl IntoResponse {
    let health = page.engine.health().await;
    let trouble = match health {
        Health { draining: true, .. } => "draining\n",
        Health { readable: false, .. } => "the store does not answer\n",
        Health { writable: false, .. } => "the store does not write\n",
        Health { .. } => return (StatusCode::OK, "ok\n"),
    };
    (StatusCode::SERVICE_UNAVAILABLE, trouble)
}

async fn show(State(page): State<Arc<Page>>) -> impl IntoResponse {
    let mut text = page.handle.render();
    let (version, open) = (env!("CARGO_PKG_VERSION"), page.connections.open());
    line(&mut text, "starling_build_info", "gauge", &format!("{{version=\"{version}\"}}"), 1.0);
    line(&mut text, "starling_connections", "gauge", "", open as f64);
    line(&mut text, "process_start_time_seconds", "gauge", "", page.started);
    let process = Process::read();
    for (name, kind, value) in [
        ("process_resident_memory_bytes", "gauge", process.resident_bytes),
        ("process_cpu_seconds_total", "counter", process.cpu_seconds),
        ("process_open_fds", "gauge", process.open_files),
        ("process_threads", "gauge", process.threads),
    ] {
        if let Some(value) = value {
            line(&mut text, name, kind, "", value);
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

fn line(text: &mut String, name: &str, kind: &str, labels: &str, value: f64) {
    text.push_str(&format!("# TYPE {name} {kind}\n{name}{labels} {value}\n"));
}

/// What the kernel says of this process; nothing where there is no `/proc`.
#[derive(Debug, Default)]
struct Process {
    resident_bytes: Option<f64>,
    threads: Option<f64>,
    cpu_seconds: Option<f64>,
    open_files: Option<f64>,
}

impl Process {
    fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        Self {
            resident_bytes: field("VmRSS:").map(|kib| kib * 1024.0),
            threads: field("Threads:"),
            cpu_seconds: std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| cpu_seconds(&stat)),
            open_files: std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64),
        }
    }
}

/// User and system time from a line of `/proc/…/stat`: fields 14 and 15, counted from after the name in parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11).map(str::parse::<f64>);
    Some((fields.next()?.ok()? + fields.next()?.ok()?) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_even_behind_a_strange_name() {
        let stat = "7 (a) b) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 5 1 1";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("nonsense"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_kernel_tells_of_this_process() {
        let process = Process::read();
        assert!(process.resident_bytes.unwrap() > 100_000.0 && process.open_files.unwrap() >= 3.0, "{process:?}");
    }
}
