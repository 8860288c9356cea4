//! To come.
/// To come.
pub struct Memory;
