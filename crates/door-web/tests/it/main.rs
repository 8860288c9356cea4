//! The native door over real sockets.

mod codes;
mod http;
mod rigged;
mod websocket;
mod world;
