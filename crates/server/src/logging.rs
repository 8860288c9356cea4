//! The log: events with fields on standard error, as text or JSON. Panics go there too.

use std::io::{IsTerminal, stderr};
use std::panic;

use tracing_subscriber::EnvFilter;

use crate::config::Settings;

/// Starts the log of this process. Only the first call does something.
pub fn start(settings: &Settings) {
    let filter = EnvFilter::try_new(&settings.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(stderr().is_terminal());
    // A second start finds a log there already, which is what was wanted.
    let _ = if settings.log_json { log.json().flatten_event(true).try_init() } else { log.try_init() };
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(message, place, backtrace = %std::backtrace::Backtrace::capture(), "panic");
    }));
}
