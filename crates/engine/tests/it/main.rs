//! The engine over the memory model: what people can do, what they are told, and what they never see.

mod accounts;
mod chat;
mod fanout;
mod followers;
mod order;
mod secrecy;
mod simulation;
