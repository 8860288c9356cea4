//! Between the wire and the domain, by hand and only here.

pub(crate) mod from_wire;
pub(crate) mod push;
pub(crate) mod to_wire;
