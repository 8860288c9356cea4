//! The native door over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod authorisation;
mod codes;
mod documents;
mod http;
mod large;
mod rest;
mod rigged;
mod socket;
mod websocket;
mod world;
