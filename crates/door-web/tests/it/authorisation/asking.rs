//! Asking: one cell over one way, what came of it, and whether anything changed or came out that shouldn't.

use serde_json::{Value, json};

use super::operations::{Operation, Rest};
use super::people::{CANARY, People, ROOM_MARK, USER_MARK, app_of, user_of};
use super::table::Outcome;
use crate::http::{check_problem, request};
use crate::websocket::{Came, Socket};
use crate::world::PASSWORD;

/// Close code of a connection without a good token.
const CLOSE_UNAUTHENTICATED: u16 = 4401;
/// The canaries, and their letters in the table.
const CANARIES: [(char, &str); 7] =
    [('n', "name"), ('b', "before"), ('a', "asked"), ('t', "there"), ('s', "since"), ('p', "private"), ('d', "device")];

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Way {
    Rest,
    Socket,
}

/// Who asks, with what token.
pub struct Asker<'a> {
    pub role: &'a str,
    pub token: Option<String>,
}

/// What an answer shows to somebody, in the letters of the table.
fn shown(answer: &str, role: &str) -> String {
    let mut letters: String = CANARIES
        .into_iter()
        .filter(|(_, canary)| answer.contains(&format!("{CANARY}{canary}")))
        .map(|(letter, _)| letter)
        .collect();
    let own = user_of(role);
    let id = |rest: &str| {
        let end = rest.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '-').unwrap_or(rest.len());
        format!("{USER_MARK}{}", &rest[..end])
    };
    if answer.split(USER_MARK).skip(1).any(|rest| id(rest) != own) {
        letters.push('m');
    }
    letters
}

/// A refusal says nothing of users, rooms and what is in them.
fn check_silent(refused: &str) -> Result<(), String> {
    match [USER_MARK, ROOM_MARK, CANARY, PASSWORD].into_iter().find(|mark| refused.contains(mark)) {
        Some(mark) => Err(format!("the refusal lets {mark}… out: {refused}")),
        None => Ok(()),
    }
}

/// What happens in a room is pushed to its members, also what happened just before they connected; others hear nothing of
/// it, and those who were in it nothing of what came after.
fn check_unheard(pushed: &str, role: &str) -> Result<(), String> {
    let secrets: &[&str] = match role {
        "stranger" | "administrator" | "other" => &[USER_MARK, ROOM_MARK, CANARY],
        "twin" | "invited" | "declined" => &[CANARY],
        "left" | "removed" => &["c7-since", "c7-private"],
        "reader" | "member" | "moderator" | "admin" => &["c7-private"],
        _ => &[],
    };
    match secrets.iter().find(|secret| pushed.contains(**secret)) {
        Some(secret) => Err(format!("they hear of {secret}: {pushed}")),
        None => Ok(()),
    }
}

/// Asks over REST.
pub async fn rest(people: &People, rest: &Rest, asker: &Asker<'_>, arguments: &Value) -> Result<Outcome, String> {
    let (line, body) = rest.request(arguments);
    let bearer = asker.token.as_ref().map(|token| format!("Bearer {token}"));
    let mut headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    if !body.is_empty() {
        headers.push(("content-type", "application/json"));
    }
    let answer = request(people.world.address, &line, &headers, body.as_bytes()).await;
    if answer.status < 400 {
        return Ok(Outcome::Done(shown(&format!("{:?} {}", answer.headers, answer.text()), asker.role)));
    }
    check_silent(&format!("{:?} {}", answer.headers, answer.text()))?;
    Ok(Outcome::Refused(answer.code()))
}

/// Asks over a WebSocket of its own, by somebody whose token is good.
pub async fn socket(people: &People, op: &str, asker: &Asker<'_>, arguments: Value) -> Result<Outcome, String> {
    let token = asker.token.as_deref().expect("only those with a token have a connection");
    let mut socket = Socket::connect(people.world.address, token).await;
    match socket.ask(op, arguments).await {
        Ok(result) => Ok(Outcome::Done(shown(&result.to_string(), asker.role))),
        Err(problem) => {
            check_silent(&problem.to_string())?;
            check_unheard(&socket.pushed(), asker.role)?;
            Ok(Outcome::Refused(check_problem(&problem)))
        }
    }
}

/// Tries a WebSocket without a good token: the first frame is refused, and the connection ends before anything else.
pub async fn without_connection(
    people: &People,
    op: &str,
    asker: &Asker<'_>,
    arguments: Value,
) -> Result<Outcome, String> {
    let mut socket = Socket::open(people.world.address).await;
    let refused = match &asker.token {
        Some(token) => {
            let connect = socket.send("connect", json!({"token": token, "since": 0})).await;
            socket.send(op, arguments).await;
            socket.response(connect).await
        }
        None => {
            let first = socket.send(op, arguments).await;
            socket.response(first).await
        }
    };
    let problem = match refused {
        Ok(result) => return Err(format!("it was told {result}")),
        Err(problem) => problem,
    };
    check_silent(&format!("{problem} {}", socket.pushed()))?;
    match socket.next().await {
        Came::Closed(Some(CLOSE_UNAUTHENTICATED)) => Ok(Outcome::Refused(check_problem(&problem))),
        came => Err(format!("not closed, but {came:?}")),
    }
}

/// Asks in one way; tells whether anything was changed, which a refusal and a question may not do, and which nobody may do
/// to another app.
pub async fn ask(
    people: &People,
    way: Way,
    (op, operation): (&str, &Operation),
    asker: &Asker<'_>,
    arguments: Value,
) -> (Result<Outcome, String>, bool) {
    let before = people.heads().await;
    let outcome = match (way, &operation.rest) {
        (Way::Rest, Some(route)) => rest(people, route, asker, &arguments).await,
        (Way::Rest, None) => Err("it is no REST call".to_owned()),
        (Way::Socket, _) if is_good(asker.role) => socket(people, op, asker, arguments).await,
        (Way::Socket, _) => without_connection(people, op, asker, arguments).await,
    };
    let after = people.heads().await;
    let changed: Vec<&str> = before.keys().filter(|app| before[*app] != after[*app]).copied().collect();
    let is_question = operation.rest.as_ref().is_some_and(Rest::is_question);
    let own = app_of(asker.role);
    let outcome = outcome.and_then(|outcome| match &outcome {
        Outcome::Refused(code) if !changed.is_empty() => Err(format!("refused ({code}), but {changed:?} changed")),
        Outcome::Done(_) if is_question && !changed.is_empty() => Err(format!("a question that changed {changed:?}")),
        Outcome::Done(_) if operation.protected && changed.iter().any(|app| *app != own) => {
            Err(format!("it changed {changed:?}, not only {own}"))
        }
        _ => Ok(outcome),
    });
    (outcome, !changed.is_empty())
}

/// Whether the role has a token that is good.
fn is_good(role: &str) -> bool {
    !["none", "garbled", "forged", "refresh", "expired", "revoked", "disabled"].contains(&role)
}
