//! From an operation to the function of its feature, the same that its REST handler calls.

use domain::Actor;
use engine::Session;
use websocket::Frame;
use wire::{Code, InRoom, OnMember, OnMessage, Operation};

use super::write::{failed, response};
use crate::ask::Ask;
use crate::door::{Context, Door};
use crate::failure::Failure;
use crate::{
    account, cursor, device, event, member, message, presence, reaction, room, statistics, sync, typing, user,
};

/// An operation, by how it is carried out.
pub(super) enum Sorted {
    /// A command, whose order counts.
    Command(Result<Ask, Failure>),
    /// A question whose answer can be large, or long in coming.
    Large(Operation),
    /// Anything else.
    Other(Operation),
}

/// Tells commands whose order counts, and questions that cost much, from the rest.
pub(super) fn sort(operation: Operation) -> Sorted {
    Sorted::Command(match operation {
        Operation::RoomUpdate(InRoom { room, rest }) => room::update(&room, rest),
        Operation::RoomJoin(InRoom { room, rest }) => room::join(&room, &rest),
        Operation::RoomLeave(InRoom { room, rest }) => room::leave(&room, &rest),
        Operation::MemberInvite(InRoom { room, rest }) => member::invite(&room, &rest),
        Operation::MemberRemove(OnMember { room, user, rest }) => member::remove(&room, &user, &rest),
        Operation::MemberLevel(OnMember { room, user, rest }) => member::set_level(&room, &user, &rest),
        Operation::MessageSend(InRoom { room, rest }) => message::send(&room, rest),
        Operation::MessageEdit(OnMessage { room, seq, rest }) => message::edit(&room, seq, rest),
        Operation::MessageDelete(OnMessage { room, seq, rest }) => message::delete(&room, seq, rest),
        Operation::ReactionSet(OnMessage { room, seq, rest }) => reaction::set(&room, seq, rest),
        large @ (Operation::Sync(_)
        | Operation::UserSearch(_)
        | Operation::PresenceWatch(_)
        | Operation::RoomList(_)
        | Operation::RoomGet(_)
        | Operation::MemberList(_)
        | Operation::EventList(_)
        | Operation::CursorList(_)
        | Operation::StatisticsGet(_)) => return Sorted::Large(large),
        other => return Sorted::Other(other),
    })
}

/// Carries out an operation that is no command, and writes the response.
pub(super) async fn run(
    door: &Door,
    context: &Context,
    actor: &Actor,
    session: &Session,
    id: u64,
    operation: Operation,
) -> Frame {
    macro_rules! answer {
        ($future:expr) => {
            response(context, id, &$future.await)
        };
    }
    match operation {
        // The connection itself does these, and the commands; they never come here.
        Operation::Connect(_)
        | Operation::TokenRenew(_)
        | Operation::Logout(_)
        | Operation::RoomUpdate(_)
        | Operation::RoomJoin(_)
        | Operation::RoomLeave(_)
        | Operation::MemberInvite(_)
        | Operation::MemberRemove(_)
        | Operation::MemberLevel(_)
        | Operation::MessageSend(_)
        | Operation::MessageEdit(_)
        | Operation::MessageDelete(_)
        | Operation::ReactionSet(_) => failed(context, id, &Failure::new(Code::Internal)),
        Operation::Ping(nothing) => response(context, id, &Ok(nothing)),
        Operation::Sync(request) => answer!(sync::sync(door, actor, request)),
        Operation::MeGet(_) => answer!(account::me(door, actor)),
        Operation::MeUpdate(request) => answer!(account::update(door, actor, request)),
        Operation::DeviceList(_) => answer!(device::list(door, actor)),
        Operation::DeviceRevoke(request) => answer!(device::revoke(door, actor, &request.device)),
        Operation::PasswordChange(request) => answer!(account::set_password(door, actor, request)),
        Operation::UserGet(request) => answer!(user::get(door, actor, &request.user)),
        Operation::UserSearch(request) => answer!(user::search(door, actor, request)),
        Operation::PresenceWatch(request) => answer!(presence::watch(session, request)),
        Operation::RoomList(request) => answer!(room::list(door, actor, &request)),
        Operation::RoomCreate(request) => {
            let created = room::create(door, actor, request).await;
            response(context, id, &created.map(|(room, _)| room))
        }
        Operation::RoomDirect(request) => answer!(room::direct(door, actor, request)),
        Operation::RoomGet(InRoom { room, .. }) => answer!(room::get(door, actor, &room)),
        Operation::MemberList(InRoom { room, rest }) => answer!(member::list(door, actor, &room, rest)),
        Operation::EventList(InRoom { room, rest }) => answer!(event::list(door, actor, &room, &rest)),
        Operation::CursorSet(InRoom { room, rest }) => answer!(cursor::set(door, actor, &room, rest)),
        Operation::CursorList(InRoom { room, .. }) => answer!(cursor::list(door, actor, &room)),
        Operation::TypingSet(InRoom { room, rest }) => answer!(typing::set(door, actor, &room, rest)),
        Operation::StatisticsGet(request) => answer!(statistics::get(door, actor, request)),
    }
}
