//! Wire → domain. What has not the form of the wire is refused here; what breaks a rule is refused below.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::{
    ClientId, CommitNumber, Content, Cut, DeviceId, HistoryVisibility, JoinRule, Level, Levels, RoomId, Seq,
    SettingsChange, TextContent, TextFormat, UserId,
};
use engine::UserPlace;
use smol_str::SmolStr;
use wire::Code;

use crate::failure::Failure;

/// What doesn't have the form of a room's id can't be one.
pub(crate) fn room_id(text: &str) -> Result<RoomId, Failure> {
    RoomId::new(text).map_err(|_| Code::UnknownRoom.into())
}

/// The id of a user who should exist.
pub(crate) fn user_id(text: &str) -> Result<UserId, Failure> {
    UserId::new(text).map_err(|_| Code::UnknownUser.into())
}

/// The id of a device that should exist.
pub(crate) fn device_id(text: &str) -> Result<DeviceId, Failure> {
    DeviceId::new(text).map_err(|_| Code::UnknownDevice.into())
}

/// The id that a new room asks for.
pub(crate) fn new_room_id(text: &str) -> Result<RoomId, Failure> {
    RoomId::new(text).map_err(|error| Failure::field("id", error.to_string()))
}

pub(crate) fn client_id(text: Option<&str>) -> Result<Option<ClientId>, Failure> {
    text.map(ClientId::new).transpose().map_err(|error| Failure::field("client_id", error.to_string()))
}

/// A list of users in a body.
pub(crate) fn user_ids<T: AsRef<str>>(field: &str, texts: &[T]) -> Result<Vec<UserId>, Failure> {
    let id = |(index, text): (usize, &T)| {
        UserId::new(text).map_err(|error| Failure::field(format!("{field}[{index}]"), error.to_string()))
    };
    texts.iter().enumerate().map(id).collect()
}

/// Seqs past the largest possible name no message.
pub(crate) fn message_seq(seq: u64) -> Result<Seq, Failure> {
    if seq > Seq::MAX.0 { Err(Code::UnknownMessage.into()) } else { Ok(Seq(seq)) }
}

/// A place in a log; past the largest possible seq there is nothing either.
pub(crate) fn place(seq: u64) -> Seq {
    Seq(seq).min(Seq::MAX)
}

pub(crate) fn commit(since: Option<u64>) -> CommitNumber {
    // Stores count in signed integers.
    CommitNumber(since.unwrap_or(0).min(i64::MAX as u64))
}

pub(crate) fn cut(range: &wire::EventRange) -> Result<Cut, Failure> {
    match (range.before, range.after, range.around) {
        (None, None, None) => Ok(Cut::Newest),
        (Some(seq), None, None) => Ok(Cut::Before(place(seq))),
        (None, Some(seq), None) => Ok(Cut::After(place(seq))),
        (None, None, Some(seq)) => Ok(Cut::Around(place(seq))),
        _ => Err(Failure::field("before", "excludes after and around, which exclude each other")),
    }
}

pub(crate) fn limit(given: Option<u32>, default: usize, max: usize) -> Result<usize, Failure> {
    let limit = given.map_or(default, |limit| limit as usize);
    if (1..=max).contains(&limit) {
        Ok(limit)
    } else {
        Err(Failure::field("limit", format!("must be from 1 to {max}")))
    }
}

pub(crate) fn content(content: wire::Content) -> Result<Content, Failure> {
    match content {
        wire::Content::Text(text) => {
            let wire::TextContent { text, format, mentions, data } = text;
            Ok(Content::Text(TextContent {
                text: text.into(),
                format: text_format(format),
                mentions: user_ids("content.mentions", &mentions)?,
                data: data.map(|data| serde_json::Value::Object(data).to_string().into()),
            }))
        }
    }
}

fn text_format(format: wire::TextFormat) -> TextFormat {
    match format {
        wire::TextFormat::Plain => TextFormat::Plain,
        wire::TextFormat::Markdown => TextFormat::Markdown,
    }
}

pub(crate) fn reaction_keys(keys: Vec<String>) -> BTreeSet<SmolStr> {
    keys.into_iter().map(SmolStr::from).collect()
}

pub(crate) fn settings(settings: wire::RoomSettings) -> SettingsChange {
    let wire::RoomSettings { name, topic, join_rule, history, levels } = settings;
    SettingsChange {
        name: name.map(SmolStr::from),
        topic: topic.map(SmolStr::from),
        join_rule: join_rule.map(|rule| match rule {
            wire::JoinRule::Invite => JoinRule::Invite,
            wire::JoinRule::Open => JoinRule::Open,
        }),
        history: history.map(|history| match history {
            wire::HistoryVisibility::Joined => HistoryVisibility::Joined,
            wire::HistoryVisibility::Invited => HistoryVisibility::Invited,
            wire::HistoryVisibility::Members => HistoryVisibility::Members,
            wire::HistoryVisibility::Anyone => HistoryVisibility::Anyone,
        }),
        levels: levels.map(levels_of),
    }
}

fn levels_of(levels: wire::Levels) -> Levels {
    let wire::Levels { send, react, invite, remove, redact, settings, levels } = levels;
    Levels {
        send: Level(send),
        react: Level(react),
        invite: Level(invite),
        remove: Level(remove),
        redact: Level(redact),
        settings: Level(settings),
        levels: Level(levels),
    }
}

/// The user after whom a page begins.
pub(crate) fn page_after(cursor: Option<&str>) -> Result<Option<UserId>, Failure> {
    let after = |text: String| text.strip_prefix("u:").and_then(|id| UserId::new(id).ok());
    cursor.map(|cursor| open_cursor(cursor).and_then(after).ok_or_else(not_a_cursor)).transpose()
}

/// The place after which a page of found users begins.
pub(crate) fn users_after(cursor: Option<&str>) -> Result<Option<UserPlace>, Failure> {
    let after = |text: String| text.strip_prefix("w:").and_then(UserPlace::parse);
    cursor.map(|cursor| open_cursor(cursor).and_then(after).ok_or_else(not_a_cursor)).transpose()
}

/// The commit after which a page of rooms begins.
pub(crate) fn rooms_after(cursor: Option<&str>) -> Result<CommitNumber, Failure> {
    let after = |text: String| text.strip_prefix("c:").and_then(|commit| commit.parse().ok());
    let since = cursor.map(|cursor| open_cursor(cursor).and_then(after).ok_or_else(not_a_cursor)).transpose()?;
    Ok(commit(since))
}

fn open_cursor(cursor: &str) -> Option<String> {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

fn not_a_cursor() -> Failure {
    Failure::field("cursor", "is not one that the server gave out for this list")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::to_wire;

    #[test]
    fn cursors_come_back_as_they_went_out() {
        let ann = UserId::new("ann").unwrap();
        assert_eq!(page_after(Some(&to_wire::page_cursor(&ann))).unwrap(), Some(ann.clone()));
        for word in ["", "o'ann"] {
            let place = UserPlace { word: word.into(), user: ann.clone() };
            assert_eq!(users_after(Some(&to_wire::users_cursor(&place))).unwrap(), Some(place));
        }
        assert_eq!(users_after(Some(&to_wire::page_cursor(&ann))).unwrap_err().code, Code::InvalidRequest);
        assert_eq!(rooms_after(Some(&to_wire::rooms_cursor(CommitNumber(7)))).unwrap(), CommitNumber(7));
        assert_eq!(rooms_after(None).unwrap(), CommitNumber(0));
        for wrong in ["", "ann", "%", &to_wire::page_cursor(&ann)] {
            assert_eq!(rooms_after(Some(wrong)).unwrap_err().code, Code::InvalidRequest, "{wrong}");
        }
    }
}
