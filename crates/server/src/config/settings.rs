//! The options with their types, as the rest of the program reads them.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use domain::AppId;
use door_web::DoorOptions;
use engine::EngineOptions;
use net::{NetOptions, Network};

use super::{Configuration, Origin};

/// The options with their types.
#[derive(Debug, Clone)]
pub struct Settings {
    pub data: PathBuf,
    pub listen: SocketAddr,
    /// `None`: no metrics.
    pub metrics_listen: Option<SocketAddr>,
    /// Whether the operator chose the address of the metrics; if so, it must be had.
    pub metrics_listen_chosen: bool,
    pub public_url: Option<String>,
    pub token_key_file: Option<PathBuf>,
    pub log_level: String,
    pub log_json: bool,
    pub drain_spread_ms: u32,
    pub net: NetOptions,
    pub door: DoorOptions,
    pub engine: EngineOptions,
    pub store: storage_sqlite::Options,
}

impl Settings {
    pub(super) fn of(from: &Configuration) -> Self {
        let text = |name: &str| Some(from.text(name).to_owned()).filter(|text| !text.is_empty());
        Self {
            data: PathBuf::from(from.text("data")),
            listen: address(from, "listen"),
            metrics_listen: Some("metrics_listen")
                .filter(|name| from.text(name) != "off")
                .map(|name| address(from, name)),
            metrics_listen_chosen: from.value("metrics_listen").origin != Origin::Default,
            public_url: text("public_url"),
            token_key_file: text("token_key_file").map(PathBuf::from),
            log_level: from.text("log_level").to_owned(),
            log_json: from.text("log_format") == "json",
            drain_spread_ms: number(from, "drain_spread_ms"),
            net: net_options(from),
            door: door_options(from),
            engine: engine_options(from),
            store: storage_sqlite::Options {
                readers: number(from, "store_readers"),
                writer_cache_kib: number(from, "store_writer_cache_kib"),
                reader_cache_kib: number(from, "store_reader_cache_kib"),
                memtable_bytes: number::<usize>(from, "store_memtable_kib") * 1024,
                ..storage_sqlite::Options::default()
            },
        }
    }
}

fn engine_options(from: &Configuration) -> EngineOptions {
    let default_app = AppId::new(domain::DEFAULT_APP).expect("the name of the default app is an id");
    EngineOptions {
        requests_per_second: number(from, "requests_per_second"),
        requests_burst: number(from, "requests_burst"),
        password_attempts_per_minute: number(from, "password_attempts_per_minute"),
        access_token_ms: number::<i64>(from, "access_token_seconds") * 1000,
        refresh_grace_ms: number(from, "refresh_grace_ms"),
        password_hashes_at_once: number(from, "password_hashes_at_once"),
        password_hashes_waiting_max: number(from, "password_hashes_waiting_max"),
        outbox_deliveries_max: number(from, "outbox_deliveries_max"),
        sessions_per_user_max: number(from, "sessions_per_user_max"),
        presence_grace_ms: number(from, "presence_grace_ms"),
        cached_rooms_max: number(from, "cached_rooms_max"),
        cached_devices_max: number(from, "cached_devices_max"),
        ..EngineOptions::new(default_app)
    }
}

fn net_options(from: &Configuration) -> NetOptions {
    let network = |part: &str| part.trim().parse::<Network>().expect("networks were checked");
    let proxies = from.text("trusted_proxies");
    NetOptions {
        connections_max: number(from, "connections_max"),
        connections_per_address_max: number(from, "connections_per_address_max"),
        header_read_timeout_ms: number(from, "header_read_timeout_ms"),
        body_read_timeout_ms: number(from, "body_read_timeout_ms"),
        keep_alive_idle_ms: number(from, "keep_alive_idle_ms"),
        write_timeout_ms: number(from, "write_timeout_ms"),
        shutdown_deadline_ms: number(from, "shutdown_ms_max"),
        trusted_proxies: if proxies.is_empty() { Vec::new() } else { proxies.split(',').map(network).collect() },
        ..NetOptions::default()
    }
}

fn door_options(from: &Configuration) -> DoorOptions {
    let origins = from.text("allowed_origins");
    let origin = |part: &str| part.trim().to_owned();
    DoorOptions {
        allowed_origins: if origins.is_empty() { Vec::new() } else { origins.split(',').map(origin).collect() },
        sign_ins_per_minute: positive(from, "sign_ins_per_minute"),
        refreshes_per_minute: positive(from, "refreshes_per_minute"),
        open_requests_per_second: positive(from, "open_requests_per_second"),
        body_bytes_max: number(from, "body_bytes_max"),
        frame_bytes_max: number(from, "frame_bytes_max"),
        ..DoorOptions::default()
    }
}

fn address(from: &Configuration, name: &str) -> SocketAddr {
    from.text(name).parse().expect("addresses were checked")
}

fn number<N: TryFrom<u64>>(from: &Configuration, name: &str) -> N {
    let number: u64 = from.text(name).parse().expect("numbers were checked");
    N::try_from(number).ok().expect("the bounds of the table fit the type")
}

fn positive(from: &Configuration, name: &str) -> NonZeroU32 {
    NonZeroU32::new(number(from, name)).expect("the bounds of the table begin above zero")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;
    use crate::language::Language;

    #[test]
    fn the_defaults_of_the_table_are_those_of_the_parts() {
        let configuration = Configuration::load(&Sources::default(), Language::English).unwrap();
        let settings = configuration.settings();
        let expected = EngineOptions::new(AppId::new(domain::DEFAULT_APP).unwrap());
        assert_eq!(format!("{:?}", settings.engine), format!("{expected:?}"));
        assert_eq!(format!("{:?}", settings.store), format!("{:?}", storage_sqlite::Options::default()));
        assert_eq!(format!("{:?}", settings.door), format!("{:?}", DoorOptions::default()));
        assert_eq!(format!("{:?}", settings.net), format!("{:?}", NetOptions::default()));
    }
}
