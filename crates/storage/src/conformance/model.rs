//! The property: whatever is done, a backend answers as the in-memory model does.
//!
//! Random units go to both, one by one, so that even commit numbers are the same. Room work comes from the domain's checks
//! on the model; some of it is committed a few steps late, when it may no longer fit.

mod compare;
mod step;

use std::collections::VecDeque;
use std::sync::Arc;

use domain::{App, AppId, AppSettings, Timestamp};
use proptest::collection::vec;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use self::compare::{Readers, compare};
use self::step::{Step, any_step};
use super::world::World;
use crate::{Memory, Store, Unit, Work};

/// Random histories that are tried, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 32;
/// How many steps a history has.
const STEPS: std::ops::Range<usize> = 20..200;
/// Steps between two comparisons of all reads.
const COMPARED_EVERY_STEPS: usize = 40;
/// What the random numbers start from, unless `PROPTEST_RNG_SEED` says otherwise.
const SEED: u64 = 20_260_101;
/// Histories that are tried to make a failing one smaller.
const SHRINKS_MAX: u32 = 300;

/// Tries random histories on stores made by `make`.
pub fn run<F, K>(make: impl Fn() -> F)
where
    F: Future<Output = (Arc<dyn Store>, K)>,
{
    let mut config = Config { max_shrink_iters: SHRINKS_MAX, failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    if let RngSeed::Random = config.rng_seed {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    println!("{} histories, PROPTEST_RNG_SEED={}", config.cases, config.rng_seed);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let tried = TestRunner::new(config).run(&vec(any_step(), STEPS), |steps| {
        runtime.block_on(async {
            let (store, _kept) = make().await;
            History::new(store).await.go(&steps).await;
        });
        Ok(())
    });
    if let Err(failure) = tried {
        panic!("{failure}");
    }
}

/// Both stores, and what is on the way to them.
struct History {
    model: World,
    backend: World,
    late: VecDeque<(usize, Work)>,
    readers: Readers,
}

impl History {
    async fn new(backend: Arc<dyn Store>) -> Self {
        let id = AppId::new("model").unwrap();
        let app = App { id, settings: AppSettings::open("model"), created_at: Timestamp(0) };
        let model = World::new(Arc::new(Memory::new(app))).await;
        let backend = World::new(backend).await;
        for world in [&model, &backend] {
            world.group("r0", &["ann", "bob", "cho"]).await;
        }
        let readers = Readers { model: model.store.feed().unwrap(), backend: backend.store.feed().unwrap() };
        Self { model, backend, late: VecDeque::new(), readers }
    }

    async fn go(&mut self, steps: &[Step]) {
        for (index, step) in steps.iter().enumerate() {
            while let Some(place) = self.late.iter().position(|(due, _)| *due <= index) {
                let (_, work) = self.late.remove(place).expect("it was found there");
                self.commit(work).await;
            }
            let Some((work, delay)) = step.work(&self.model).await else { continue };
            match delay {
                0 => self.commit(work).await,
                delay => self.late.push_back((index + delay, work)),
            }
            if index % COMPARED_EVERY_STEPS == COMPARED_EVERY_STEPS - 1 {
                compare(&self.model, &self.backend).await;
            }
        }
        while let Some((_, work)) = self.late.pop_front() {
            self.commit(work).await;
        }
        compare(&self.model, &self.backend).await;
    }

    async fn commit(&mut self, work: Work) {
        let unit = Unit { app: self.model.app.clone(), at: self.model.tick(), work };
        let expected = self.model.store.commit(unit.clone()).await.unwrap();
        let outcome = self.backend.store.commit(unit.clone()).await.unwrap();
        assert_eq!(outcome, expected, "backend (left) and model (right) of {unit:?}");
        self.readers.compare(&unit);
    }
}
