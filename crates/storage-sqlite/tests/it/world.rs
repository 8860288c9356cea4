//! A small world
