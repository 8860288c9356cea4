//! The real binary, from outside: processes, signals, sockets, files.

mod admin;
mod backup;
mod config;
mod demo;
mod http;
mod process;
mod reference;
mod serve;
