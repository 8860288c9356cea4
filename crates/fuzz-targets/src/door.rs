//! A door over a small world, which is new for each input, so that an input always means the same.
//!
//! To make a router takes longer than most inputs do, so many share one, each in an app of its own.

use std::cell::RefCell;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request, StatusCode};
use domain::{AppId, AppSettings, DEFAULT_APP, Timestamp};
use door_web::{DoorOptions, router};
use engine::{Clock, Engine};
use http_body_util::BodyExt;
use serde_json::json;
use testkit::{ManualClock, World};
use tokio::runtime::Runtime;
use tower::ServiceExt;
use wire::{Code, Problem};

use crate::people;
use crate::token::{signed_access, signed_refresh};

/// The device that `$ann` and `$refresh` are of.
pub(crate) const DEVICE_OF_ANN: &str = "d-ann";
/// Largest answer to anything that can be asked in this world, in bytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Apps of one server.
const APPS_MAX: u32 = 500;
/// When the tokens of this world end, in seconds of Unix time: far away.
const TOKENS_END_SECONDS: i64 = 4_000_000_000;

/// An app with two people, who share a room, and the door to it.
pub(crate) struct Door {
    pub(crate) engine: Engine,
    pub(crate) router: Router,
    clock: Arc<ManualClock>,
    app: AppId,
}

/// A server that is used for many inputs.
struct Server {
    runtime: Runtime,
    world: World,
    router: Router,
    apps_made: u32,
}

thread_local! {
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
}

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

impl Server {
    fn start() -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build().expect("a runtime can be made");
        let world = runtime.block_on(World::with(|options| options.requests_burst = u32::MAX));
        let router = runtime.block_on(async { router(world.engine.clone(), DoorOptions::default()) });
        Self { runtime, world, router, apps_made: 0 }
    }

    /// An app of its own, so that no input sees what others did.
    async fn door(&self) -> Door {
        let (engine, store, clock) = (self.world.engine.clone(), self.world.store.clone(), self.world.clock.clone());
        let app = AppId::new(format!("app-{}", self.apps_made)).expect("an id");
        engine.operator().create_app(app.clone(), AppSettings::open("Fuzzed")).await.expect("the app is new");
        people::prepare(&engine, &*store, &app, clock.now()).await;
        Door { engine, router: self.router.clone(), clock, app }
    }

    /// Whether the next input may have it, too.
    async fn is_fresh(&self) -> bool {
        let default_app = AppId::new(DEFAULT_APP).expect("a constant");
        self.apps_made < APPS_MAX && self.world.store.head(&default_app).await.is_ok_and(|head| head.0 == 0)
    }
}

impl Door {
    /// Makes an app, does something in it, and forgets it. Time stands still but for timers, which come as soon as nothing
    /// else is to be done.
    pub(crate) fn run(task: impl AsyncFnOnce(&Door)) {
        // While it is in use it is nowhere else: after a panic nobody goes on with it.
        let mut server = SERVER.take().unwrap_or_else(Server::start);
        server.apps_made += 1;
        let is_fresh = server.runtime.block_on(async {
            task(&server.door().await).await;
            server.is_fresh().await
        });
        if is_fresh {
            SERVER.set(Some(server));
        }
    }

    /// A good access token.
    pub(crate) fn access_token(&self, user: &str) -> String {
        let claims = json!({
            "app": self.app.as_str(), "sub": user, "dev": format!("d-{user}"), "gen": 1, "iat": 0,
            "exp": TOKENS_END_SECONDS,
        });
        signed_access(claims.to_string().as_bytes())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Puts tokens in the place of `$ann`, `$bob` and `$refresh`, which no fuzzer can guess, and the app in that of `$app`.
    pub(crate) fn fill_in(&self, text: &[u8]) -> Vec<u8> {
        let mut filled = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            let word = ["$ann", "$bob", "$refresh", "$app"].into_iter().find(|word| rest.starts_with(word.as_bytes()));
            match word {
                Some("$refresh") => {
                    let says = format!("{} {DEVICE_OF_ANN} 1", self.app);
                    filled.extend(signed_refresh(says.as_bytes()).bytes());
                }
                Some("$app") => filled.extend(self.app.as_str().bytes()),
                Some(user) => filled.extend(self.access_token(&user[1..]).bytes()),
                None => filled.push(byte),
            }
            rest = word.map_or(after, |word| &rest[word.len()..]);
        }
        filled
    }

    /// Asks, and checks what must hold of every answer.
    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let (is_head, is_api) = (request.method() == Method::HEAD, request.uri().path().starts_with("/v1/"));
        let line = format!("{} {}", request.method(), request.uri());
        let response = self.router.clone().oneshot(request).await.expect("the router refuses nothing");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("an answer can be read to its end").to_bytes().to_vec();
        let status = parts.status;
        assert!(!status.is_server_error(), "{line}: {status}: {}", String::from_utf8_lossy(&body));
        assert!(body.len() <= ANSWER_BYTES_MAX, "{line}: {} bytes", body.len());
        let media = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if is_api && !is_head && status.is_client_error() {
            assert_eq!(media, "application/problem+json", "{line}: {status}");
            check_problem(&serde_json::from_slice(&body).expect("a problem is JSON"), status.as_u16());
        } else if media == "application/json" && !is_head && !parts.headers.contains_key("content-encoding") {
            serde_json::from_slice::<serde_json::Value>(&body).expect("what says that it is JSON is JSON");
        }
        Answer { status, body }
    }
}

/// Checks that a problem is one of the list, and not our own mistake.
pub(crate) fn check_problem(problem: &Problem, status: u16) {
    let code = Code::ALL.iter().map(|code| code.info()).find(|info| info.code == problem.code);
    let info = code.unwrap_or_else(|| panic!("no code of the list: {problem:?}"));
    assert_eq!((problem.status, info.status, info.retryable), (status, status, problem.retryable));
    assert!(problem.code != "internal", "{problem:?}");
    assert_eq!(problem.kind, format!("urn:starling:error:{}", problem.code));
}

/// A request without headers and body.
pub(crate) fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).expect("a method and a path")
}
