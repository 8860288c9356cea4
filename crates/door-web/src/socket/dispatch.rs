//! From an operation to the function of its feature, the same that its REST handler calls.

use axum::extract::ws::Utf8Bytes;
use domain::Actor;
use wire::{Code, InRoom, OnMember, OnMessage, Operation};

use super::write::{failed, response};
use crate::door::{Context, Door};
use crate::failure::Failure;
use crate::{account, cursor, device, event, member, message, reaction, room, sync, typing, user};

/// Carries an operation out and writes the response.
pub(super) async fn run(door: &Door, context: &Context, actor: &Actor, id: u64, operation: Operation) -> Utf8Bytes {
    macro_rules! answer {
        ($future:expr) => {
            response(context, id, &$future.await)
        };
    }
    match operation {
        // The connection itself does these; they never come here.
        Operation::Connect(_) | Operation::TokenRenew(_) | Operation::PresenceWatch(_) => {
            failed(context, id, &Failure::new(Code::Internal))
        }
        Operation::Ping(nothing) => response(context, id, &Ok(nothing)),
        Operation::Sync(request) => answer!(sync::sync(door, actor, request)),
        Operation::MeGet(_) => answer!(account::me(door, actor)),
        Operation::MeUpdate(request) => answer!(account::update(door, actor, request)),
        Operation::DeviceList(_) => answer!(device::list(door, actor)),
        Operation::DeviceRevoke(request) => answer!(device::revoke(door, actor, &request.device)),
        Operation::UserSearch(request) => answer!(user::search(door, actor, request)),
        Operation::RoomCreate(request) => {
            let created = room::create(door, actor, request).await;
            response(context, id, &created.map(|(room, _)| room))
        }
        Operation::RoomDirect(request) => answer!(room::direct(door, actor, request)),
        Operation::RoomGet(InRoom { room, .. }) => answer!(room::get(door, actor, &room)),
        Operation::RoomUpdate(InRoom { room, rest }) => answer!(room::update(door, actor, &room, rest)),
        Operation::RoomJoin(InRoom { room, rest }) => answer!(room::join(door, actor, &room, rest)),
        Operation::RoomLeave(InRoom { room, rest }) => answer!(room::leave(door, actor, &room, rest)),
        Operation::MemberList(InRoom { room, rest }) => answer!(member::list(door, actor, &room, rest)),
        Operation::MemberInvite(InRoom { room, rest }) => answer!(member::invite(door, actor, &room, rest)),
        Operation::MemberRemove(OnMember { room, user, rest }) => {
            answer!(member::remove(door, actor, &room, &user, rest))
        }
        Operation::MemberLevel(OnMember { room, user, rest }) => {
            answer!(member::set_level(door, actor, &room, &user, rest))
        }
        Operation::EventList(InRoom { room, rest }) => answer!(event::list(door, actor, &room, &rest)),
        Operation::MessageSend(InRoom { room, rest }) => answer!(message::send(door, actor, &room, rest)),
        Operation::MessageEdit(OnMessage { room, seq, rest }) => {
            answer!(message::edit(door, actor, &room, seq, rest))
        }
        Operation::MessageDelete(OnMessage { room, seq, rest }) => {
            answer!(message::delete(door, actor, &room, seq, rest))
        }
        Operation::ReactionSet(OnMessage { room, seq, rest }) => {
            answer!(reaction::set(door, actor, &room, seq, rest))
        }
        Operation::CursorSet(InRoom { room, rest }) => answer!(cursor::set(door, actor, &room, rest)),
        Operation::CursorList(InRoom { room, .. }) => answer!(cursor::list(door, actor, &room)),
        Operation::TypingSet(InRoom { room, rest }) => answer!(typing::set(door, actor, &room, rest)),
    }
}
