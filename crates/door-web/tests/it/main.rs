//! The native door over real sockets.

mod codes;
mod documents;
mod http;
mod rest;
mod rigged;
mod socket;
mod websocket;
mod world;
