//! All routes, and the layers around them.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use engine::Engine;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use crate::docs::Docs;
use crate::door::Door;
use crate::failure::Failure;
use crate::guard::guard;
use crate::{
    DoorOptions, account, assets, cursor, device, docs, document, event, health, member, message, presence, reaction,
    room, server, socket, statistics, sync, typing, user,
};

/// The door as a router: the API, its documents, health, and the web client for everything else.
pub fn router(engine: Engine, options: DoorOptions) -> Router {
    let (api, described) = api().split_for_parts();
    let docs = Docs::new(document::finish(described));
    let door = Door::new(engine, options, docs);
    api.route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .fallback(assets::serve)
        .method_not_allowed_fallback(|| async { Failure::new(Code::MethodNotAllowed) })
        .layer(from_fn_with_state(door.clone(), guard))
        .with_state(door)
}

/// Everything that the document describes, with its description.
pub(crate) fn api() -> OpenApiRouter<Door> {
    OpenApiRouter::with_openapi(document::base())
        .routes(routes!(server::get_server))
        .routes(routes!(server::get_errors))
        .routes(routes!(docs::get_openapi))
        .routes(routes!(docs::get_docs))
        .route("/v1/docs/style.css", get(docs::get_style))
        .routes(routes!(account::register))
        .routes(routes!(account::login))
        .routes(routes!(account::refresh))
        .routes(routes!(account::logout))
        .routes(routes!(account::change_password))
        .routes(routes!(account::get_me, account::patch_me))
        .routes(routes!(device::get_devices))
        .routes(routes!(device::delete_device))
        .routes(routes!(user::get_users))
        .routes(routes!(user::get_user))
        .routes(routes!(presence::post_presence))
        .routes(routes!(sync::get_sync))
        .routes(routes!(room::get_rooms, room::post_room))
        .routes(routes!(room::post_direct))
        .routes(routes!(room::get_room, room::patch_room))
        .routes(routes!(room::post_join))
        .routes(routes!(room::post_leave))
        .routes(routes!(member::get_members, member::post_member))
        .routes(routes!(member::patch_member, member::delete_member))
        .routes(routes!(event::get_events))
        .routes(routes!(message::post_message))
        .routes(routes!(message::put_message, message::delete_message))
        .routes(routes!(reaction::put_reactions))
        .routes(routes!(cursor::get_cursors, cursor::put_cursors))
        .routes(routes!(typing::post_typing))
        .routes(routes!(statistics::get_statistics))
        .routes(routes!(socket::get_socket))
}
