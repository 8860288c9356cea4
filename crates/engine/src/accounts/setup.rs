//! The first administrator: made by a one-time token that a fresh server prints, never by a default password.

use std::sync::Mutex;

use crate::engine::random_text;
use crate::{Engine, EngineError};

/// Characters of the setup token: 160 bits of chance.
const SETUP_TOKEN_CHARS: usize = 32;

/// The setup token, while there is one.
#[derive(Default)]
pub(crate) struct Setup(Mutex<Option<String>>);

/// What anyone may know of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerState {
    /// Whether anyone may register in the default app.
    pub registration_open: bool,
    /// Whether the first administrator is still awaited.
    pub needs_setup: bool,
}

impl Setup {
    /// Takes the token out, if this is it. It goes back when the guard is dropped before [`Taken::used`].
    pub(crate) fn take(&self, token: &str) -> Option<Taken<'_>> {
        let mut held = self.lock();
        let same = held.as_ref().is_some_and(|held| constant_time_eq(held.as_bytes(), token.as_bytes()));
        if same { held.take().map(|token| Taken { setup: self, token: Some(token) }) } else { None }
    }

    fn set(&self, token: String) {
        *self.lock() = Some(token);
    }

    /// There is an administrator now.
    pub(crate) fn close(&self) {
        self.lock().take();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

/// The setup token in use.
pub(crate) struct Taken<'a> {
    setup: &'a Setup,
    token: Option<String>,
}

impl Taken<'_> {
    /// It has made an administrator: it is no longer good.
    pub(crate) fn used(mut self) {
        self.token = None;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            self.setup.set(token);
        }
    }
}

/// Compares in a time that tells nothing of where the difference is.
fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

impl Engine {
    /// Makes a setup token if the default app has no administrator.
    pub(crate) async fn open_setup(&self) -> Result<(), EngineError> {
        if !self.inner.store.has_admin(&self.inner.options.default_app).await? {
            self.inner.setup.set(random_text(SETUP_TOKEN_CHARS));
        }
        Ok(())
    }

    /// The token for the link that makes the first administrator; `None` once there is one.
    pub fn setup_token(&self) -> Option<String> {
        self.inner.setup.lock().clone()
    }

    /// What anyone may know of the server.
    pub async fn server_state(&self) -> Result<ServerState, EngineError> {
        let app = self.app(None).await?;
        let needs_setup = self.inner.setup.lock().is_some();
        Ok(ServerState { registration_open: app.settings.registration_open, needs_setup })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_works_once() {
        let setup = Setup::default();
        assert!(setup.take("").is_none());
        setup.set("secret".into());
        assert!(setup.take("secreT").is_none());
        let taken = setup.take("secret");
        assert!(setup.take("secret").is_none());
        drop(taken);
        setup.take("secret").expect("it was given back").used();
        assert!(setup.take("secret").is_none());
    }
}
