//! What of the server others look at: its configuration, which comes from outside and is fuzzed. All else is in the binary.
#![expect(missing_docs, reason = "the binary is what users see, and its pages document every option")]

pub mod config;
pub mod language;
