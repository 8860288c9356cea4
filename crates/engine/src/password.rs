//! Passwords: argon2id, off the threads that serve, and no more at once than there is room for.

use argon2::password_hash::phc::PasswordHash as Parsed;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use domain::PasswordHash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;

use crate::EngineError;

/// Memory of one hash, in KiB; with two passes and one lane, the OWASP password storage cheat sheet's first choice.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Made once in a process, however many engines it starts: a hash is slow by intent.
static DECOY: LazyLock<PasswordHash> = LazyLock::new(|| hash("a password nobody has"));

/// Hashes and verifies passwords.
pub(crate) struct Passwords {
    at_once: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    waiting_max: usize,
    /// Verified when there is no such user, so that both cases take the same time.
    decoy: PasswordHash,
}

impl Passwords {
    pub(crate) fn new(at_once: usize, waiting_max: usize) -> Self {
        let decoy = DECOY.clone();
        Self { at_once: Arc::new(Semaphore::new(at_once)), waiting: Arc::default(), waiting_max, decoy }
    }

    /// The hash of a password.
    pub(crate) async fn hash(&self, password: String) -> Result<PasswordHash, EngineError> {
        self.run(move || hash(&password)).await
    }

    /// Whether the password is the one of the hash; without a hash it takes as long and is false.
    pub(crate) async fn verify(&self, password: String, expected: Option<PasswordHash>) -> Result<bool, EngineError> {
        let known = expected.is_some();
        let expected = expected.unwrap_or_else(|| self.decoy.clone());
        let same = self.run(move || {
            let parsed = Parsed::new(&expected.0);
            parsed.is_ok_and(|parsed| argon2().verify_password(password.as_bytes(), &parsed).is_ok())
        });
        Ok(same.await? && known)
    }

    /// Runs work on a thread where it may take its time. Its place is kept until it is done, even if nobody waits any
    /// more: a client that goes away takes no work off the server.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, EngineError> {
        let place = Waiting::new(&self.waiting, self.waiting_max).ok_or(EngineError::Overloaded)?;
        let permit = self.at_once.clone().acquire_owned().await.map_err(|_| EngineError::Draining)?;
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((place, permit));
            done
        });
        working.await.map_err(|_| EngineError::Overloaded)
    }
}

/// One of the places to wait and work in.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn new(waiting: &Arc<AtomicUsize>, waiting_max: usize) -> Option<Self> {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(waiting.clone());
        (before < waiting_max).then_some(place)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are in argon2's ranges");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &str) -> PasswordHash {
    let hash =
        argon2().hash_password(password.as_bytes()).expect("a salt from the system and a password of bounded length");
    PasswordHash(hash.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_only() {
        let passwords = Passwords::new(2, 8);
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.0.starts_with("$argon2id$"), "{}", hash.0);
        assert!(passwords.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("wrong horse".into(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("a password nobody has".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn too_many_waiting_are_refused() {
        let passwords = Passwords::new(1, 0);
        assert!(matches!(passwords.hash("x".into()).await, Err(EngineError::Overloaded)));
    }
}
