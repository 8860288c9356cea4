//! What all handlers share.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use engine::{Allowance, Engine};
use net::Budget;

use crate::DoorOptions;
use crate::assets::Assets;
use crate::docs::Docs;
use crate::failure::Failure;
use crate::language::Language;
use crate::recent::Recent;

/// Open requests at once after a rest, as seconds of their rate: a page of the web client is many files.
const OPEN_REQUESTS_BURST_SECONDS: NonZeroU32 = NonZeroU32::new(5).expect("not zero");

/// The state of the door; clones share it.
#[derive(Clone)]
pub(crate) struct Door(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) options: DoorOptions,
    /// Registrations and logins.
    pub(crate) sign_ins: Budget,
    pub(crate) refreshes: Budget,
    /// Requests that need no token: about the server, its health, its documents, the web client.
    pub(crate) open_requests: Budget,
    pub(crate) registration_open: Recent<Result<bool, Failure>>,
    pub(crate) readable: Recent<bool>,
    pub(crate) assets: Assets,
    pub(crate) docs: Docs,
    ids: RequestIds,
}

impl Deref for Door {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Door {
    pub(crate) fn new(engine: Engine, options: DoorOptions, docs: Docs) -> Self {
        Self(Arc::new(Shared {
            engine,
            sign_ins: Budget::per_minute(options.sign_ins_per_minute),
            refreshes: Budget::per_minute(options.refreshes_per_minute),
            open_requests: Budget::per_second(
                options.open_requests_per_second,
                options.open_requests_per_second.saturating_mul(OPEN_REQUESTS_BURST_SECONDS),
            ),
            registration_open: Recent::default(),
            readable: Recent::default(),
            options,
            assets: Assets::load(),
            docs,
            ids: RequestIds::new(),
        }))
    }

    pub(crate) fn next_request_id(&self) -> String {
        self.ids.next()
    }
}

/// Names requests for the log: unique over restarts, without meaning.
struct RequestIds {
    start: u32,
    count: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        let random = RandomState::new().hash_one(std::process::id());
        Self { start: (random >> 32) as u32, count: AtomicU64::new(1) }
    }

    fn next(&self) -> String {
        format!("{:08x}-{:x}", self.start, self.count.fetch_add(1, Ordering::Relaxed))
    }
}

/// What is known of one request or WebSocket beside its content; an extension of every request.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) request_id: String,
    pub(crate) language: Language,
    /// What is left of the actor's rate, or of the client address's, once it is known.
    pub(crate) allowance: OnceLock<Allowance>,
}
