//! What is asked in a row: the arguments of its operation, the same over REST and over WebSocket.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::people::{CLOSED, People, ROOM_MARK, USER_MARK, app_of, user_of};
use super::place::Place;
use super::table::Row;
use crate::world::PASSWORD;

/// A word that was not there before.
fn fresh(mark: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{mark}new-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The user that a row calls so.
fn named(what: &str, role: &str) -> String {
    match what {
        "member" => user_of("bystander"),
        "admin" => user_of("deputy"),
        "invited" => user_of("guest"),
        "oneself" => user_of(role),
        "unknown" => format!("{USER_MARK}nobody"),
        what => user_of(what),
    }
}

/// The arguments of a row, asked by somebody somewhere.
pub async fn arguments(people: &People, place: &Place, row: &Row, role: &str) -> Value {
    match row.operation.split_once('.').map_or("", |(of, _)| of) {
        "room" => of_rooms(place, row, role),
        "member" | "event" | "message" | "reaction" | "cursor" | "typing" => {
            let mut arguments = inside(place, row, role);
            arguments["room"] = place.room.as_str().into();
            arguments
        }
        "auth" => of_account(people, row).await,
        _ => outside(people, row, role).await,
    }
}

fn of_rooms(place: &Place, row: &Row, role: &str) -> Value {
    let room = &place.room;
    match (row.operation.as_str(), row.what.as_str()) {
        ("room.list", "") => json!({}),
        ("room.get" | "room.join" | "room.leave", "") => json!({"room": room}),
        ("room.update", "name") => json!({"room": room, "settings": {"name": "another"}}),
        ("room.update", "level-100-to-send") => {
            let levels = json!({
                "send": 100, "react": 10, "invite": 10, "remove": 50, "redact": 50, "settings": 50, "levels": 90,
            });
            json!({"room": room, "settings": {"levels": levels}})
        }
        ("room.create", "new") => json!({"id": fresh(ROOM_MARK), "settings": {"name": "a new one"}}),
        ("room.create", "taken-id") => json!({"id": room}),
        ("room.create", "inviting-a-member") => json!({"id": fresh(ROOM_MARK), "invite": [named("member", role)]}),
        ("room.create", "inviting-nobody") => json!({"id": fresh(ROOM_MARK), "invite": [named("unknown", role)]}),
        ("room.direct", who) => json!({"user": named(who, role)}),
        _ => nothing_known(row),
    }
}

fn inside(place: &Place, row: &Row, role: &str) -> Value {
    let content = json!({"type": "text", "text": "by a cell of the table"});
    let seq = match row.what.as_str() {
        "own" => place.own(role),
        "first" | "on-first" | "reply-to-first" => place.first(role),
        _ => place.others(role),
    };
    match (row.operation.as_str(), row.what.as_str()) {
        ("member.list" | "cursor.list", "") => json!({}),
        ("member.invite" | "member.remove", who) => json!({"user": named(who, role)}),
        ("member.level", what) => {
            let (who, level) = what.split_once("-to-").expect("a level is set to something");
            json!({"user": named(who, role), "level": level.parse::<u8>().expect("a level")})
        }
        ("event.list", "") => json!({"limit": 200}),
        ("message.send", "text") => json!({"content": content}),
        ("message.send", "reply-to-first") => json!({"content": content, "reply_to": seq}),
        ("message.edit", "own" | "another's" | "first") => json!({"seq": seq, "content": content}),
        ("message.delete", "own" | "another's" | "first") => json!({"seq": seq}),
        ("reaction.set", "on-another's" | "on-first") => json!({"seq": seq, "keys": ["👍"]}),
        ("cursor.set", "") => json!({"read": seq}),
        ("typing.set", "") => json!({"typing": true}),
        _ => nothing_known(row),
    }
}

/// What makes accounts and ends them. Whatever ends a device is done to one that nothing else needs.
async fn of_account(people: &People, row: &Row) -> Value {
    // Not marked: who registers is told of nobody else.
    let new = || fresh("visitor-");
    let register = |app: &str, id: &str| json!({"app": app, "id": id, "password": PASSWORD});
    let (home, taken) = (app_of("owner"), user_of("bystander"));
    match (row.operation.as_str(), row.what.as_str()) {
        ("auth.register", "new") => register(home, &new()),
        ("auth.register", "taken") => register(home, &taken),
        ("auth.register", "taken-in-another-app") => {
            let id = new();
            let there = engine::Register {
                app: Some(home.to_owned()),
                id: id.clone(),
                password: PASSWORD.to_owned(),
                ..engine::Register::default()
            };
            people.world.engine.register(there).await.expect("a new user");
            register(app_of("other"), &id)
        }
        ("auth.register", "closed-app") => register(CLOSED, &new()),
        ("auth.register" | "auth.login", "unknown-app") => register("nowhere", &taken),
        ("auth.register", "wrong-setup-token") => {
            json!({"id": new(), "password": PASSWORD, "setup_token": "guessed"})
        }
        ("auth.login", "right-password") => register(home, &taken),
        ("auth.login", "wrong-password") => json!({"app": home, "id": taken, "password": "wrong horse"}),
        ("auth.login", "unknown-user") => register(home, &named("unknown", "")),
        ("auth.login", "user-of-another-app") => register(app_of("other"), &taken),
        ("auth.login", "disabled-user") => register(home, &user_of("disabled")),
        ("auth.refresh", "good") => json!({"refresh_token": people.spare("bystander").await.refresh_token}),
        ("auth.refresh", "access-token") => json!({"refresh_token": people.token("owner")}),
        ("auth.refresh", "revoked-device") => json!({"refresh_token": people.revoked().refresh_token}),
        ("auth.refresh", "disabled-user") => json!({"refresh_token": people.session("disabled").refresh_token}),
        ("auth.logout", "") => json!({}),
        ("auth.password", what) => {
            let current = if what == "right-password" { PASSWORD } else { "wrong horse" };
            json!({"current_password": current, "new_password": PASSWORD, "revoke_other_devices": false})
        }
        _ => nothing_known(row),
    }
}

async fn outside(people: &People, row: &Row, role: &str) -> Value {
    match (row.operation.as_str(), row.what.as_str()) {
        ("sync", "from-0") => json!({"since": 0}),
        ("sync", "from-1") => json!({"since": 1}),
        ("presence.watch", "member") => json!({"users": [named("member", role)]}),
        ("user.get", who) => json!({"user": named(who, role)}),
        ("user.search", "by-beginning" | "closed-directory") => json!({"query": USER_MARK, "limit": 100}),
        ("user.search", "by-id" | "by-id-closed-directory") => json!({"ids": named("member", role)}),
        ("device.revoke", "own") => json!({"device": people.spare(role).await.device.id.as_str()}),
        ("device.revoke", "another's") => json!({"device": people.session("bystander").device.id.as_str()}),
        ("me.update", "") => json!({"display_name": "a bird"}),
        ("connect", "again") | ("token.renew", "own") => json!({"token": people.token(role)}),
        ("token.renew", "another's") => json!({"token": people.token("bystander")}),
        ("token.renew", "expired") => json!({"token": people.token("expired")}),
        (
            "me.get" | "device.list" | "statistics.get" | "ping" | "server.get" | "error.list" | "document.get"
            | "document.page",
            "",
        )
        | ("socket", "without-upgrade") => json!({}),
        _ => nothing_known(row),
    }
}

fn nothing_known(row: &Row) -> ! {
    panic!("{}: it is not known what to ask", row.name())
}
