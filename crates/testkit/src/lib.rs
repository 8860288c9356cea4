//! What tests of the engine and of the doors share: a clock moved by hand, and a small world of people who chat.

mod clock;
pub mod history;
mod listener;
mod world;

pub use clock::ManualClock;
pub use listener::Listener;
pub use world::{PASSWORD, Person, World, WorldOptions};
