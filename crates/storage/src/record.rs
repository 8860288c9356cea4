//! Event bodies as JSON text, the form in which backends keep them: compact, and legible to a person with a SQL shell.
//!
//! The kind of an event is a small number of its own column. Fields may be added with a default; none may change its
//! meaning: what is stored today must open for ever.

use std::collections::BTreeSet;

use domain::{
    Content, EventBody, EventKind, HistoryVisibility, JoinRule, Level, Levels, MemberState, RoomKind, RoomSettings,
    Seq, SettingsChange, TextContent, TextFormat, UserId,
};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use thiserror::Error;

/// Why a stored body can't be read.
#[derive(Debug, Error)]
pub enum RecordError {
    /// There is no such kind.
    #[error("unknown kind {0}")]
    Kind(u8),
    /// The JSON is not a body of the kind.
    #[error("bad body: {0}")]
    Json(#[from] serde_json::Error),
    /// A value is outside its range.
    #[error("bad value in {0}")]
    Value(&'static str),
}

/// Kinds of events as they are stored.
pub mod kind {
    /// [`domain::EventBody::Created`]
    pub const CREATED: u8 = 1;
    /// [`domain::EventBody::Settings`]
    pub const SETTINGS: u8 = 2;
    /// [`domain::EventBody::Member`]
    pub const MEMBER: u8 = 3;
    /// [`domain::EventBody::Message`]
    pub const MESSAGE: u8 = 4;
    /// [`domain::EventBody::Edit`]
    pub const EDIT: u8 = 5;
    /// [`domain::EventBody::Redaction`]
    pub const REDACTION: u8 = 6;
    /// [`domain::EventBody::Reaction`]
    pub const REACTION: u8 = 7;
}

#[derive(Serialize, Deserialize, Default)]
struct SettingsRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<SmolStr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic: Option<SmolStr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    join: Option<SmolStr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<SmolStr>,
    /// send, react, invite, remove, redact, settings, levels
    #[serde(default, skip_serializing_if = "Option::is_none")]
    levels: Option<[u8; 7]>,
}

#[derive(Serialize, Deserialize)]
struct CreatedRecord {
    kind: SmolStr,
    settings: SettingsRecord,
}

#[derive(Serialize, Deserialize)]
struct MemberRecord<'a> {
    user: SmolStr,
    state: &'a str,
    level: u8,
}

#[derive(Serialize, Deserialize, Default)]
struct ContentRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<SmolStr>,
    #[serde(default, skip_serializing_if = "is_false")]
    markdown: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<SmolStr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<SmolStr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redacted_by: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct RedactionRecord {
    target: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<SmolStr>,
}

#[derive(Serialize, Deserialize)]
struct ReactionRecord {
    target: u64,
    keys: BTreeSet<SmolStr>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    previous: BTreeSet<SmolStr>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it by reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The kind and JSON of a body.
pub fn encode(body: &EventBody) -> (u8, String) {
    fn json(bytes: usize, kind: u8, record: &impl Serialize) -> (u8, String) {
        let mut json = Vec::with_capacity(bytes);
        serde_json::to_writer(&mut json, record).expect("records have string keys only");
        (kind, String::from_utf8(json).expect("serde_json writes UTF-8"))
    }
    // Room for the JSON around it and some characters that need two, so that it is not moved while it grows.
    let bytes = body.content_bytes() + 64;
    match body {
        EventBody::Created { kind, settings } => json(
            bytes,
            kind::CREATED,
            &CreatedRecord { kind: room_kind_name(*kind).into(), settings: settings_record(&whole(settings)) },
        ),
        EventBody::Settings(change) => json(bytes, kind::SETTINGS, &settings_record(change)),
        EventBody::Member { user, state, level } => json(
            bytes,
            kind::MEMBER,
            &MemberRecord { user: user.as_str().into(), state: state_name(*state), level: level.0 },
        ),
        EventBody::Message { content, reply_to, redacted_by } => {
            let record = ContentRecord {
                reply_to: reply_to.map(|seq| seq.0),
                redacted_by: redacted_by.map(|seq| seq.0),
                ..content_record(content.as_ref())
            };
            json(bytes, kind::MESSAGE, &record)
        }
        EventBody::Edit { target, content } => {
            json(bytes, kind::EDIT, &ContentRecord { target: Some(target.0), ..content_record(content.as_ref()) })
        }
        EventBody::Redaction { target, reason } => {
            json(bytes, kind::REDACTION, &RedactionRecord { target: target.0, reason: reason.clone() })
        }
        EventBody::Reaction { target, keys, previous } => json(
            bytes,
            kind::REACTION,
            &ReactionRecord { target: target.0, keys: keys.clone(), previous: previous.clone() },
        ),
    }
}

/// What an event is, by its kind and, if it is a membership, its JSON.
pub fn event_kind(kind: u8, member: Option<&str>) -> Result<EventKind, RecordError> {
    Ok(match kind {
        kind::CREATED => EventKind::Created,
        kind::SETTINGS => EventKind::Settings,
        kind::MEMBER => decode(kind, member.unwrap_or_default())?.kind(),
        kind::MESSAGE => EventKind::Message,
        kind::EDIT => EventKind::Edit,
        kind::REDACTION => EventKind::Redaction,
        kind::REACTION => EventKind::Reaction,
        other => return Err(RecordError::Kind(other)),
    })
}

/// The body of a kind and JSON.
pub fn decode(kind: u8, json: &str) -> Result<EventBody, RecordError> {
    Ok(match kind {
        kind::CREATED => {
            let record: CreatedRecord = serde_json::from_str(json)?;
            let mut settings = RoomSettings::default();
            settings.apply(&settings_of(record.settings)?);
            EventBody::Created { kind: room_kind_of(&record.kind)?, settings }
        }
        kind::SETTINGS => EventBody::Settings(settings_of(serde_json::from_str(json)?)?),
        kind::MEMBER => {
            let record: MemberRecord<'_> = serde_json::from_str(json)?;
            EventBody::Member {
                user: user_of(&record.user)?,
                state: state_of(record.state)?,
                level: Level(record.level),
            }
        }
        kind::MESSAGE => {
            let record: ContentRecord = serde_json::from_str(json)?;
            let (reply_to, redacted_by) = (record.reply_to.map(Seq), record.redacted_by.map(Seq));
            EventBody::Message { content: content_of(record)?, reply_to, redacted_by }
        }
        kind::EDIT => {
            let record: ContentRecord = serde_json::from_str(json)?;
            let target = Seq(record.target.ok_or(RecordError::Value("target"))?);
            EventBody::Edit { target, content: content_of(record)? }
        }
        kind::REDACTION => {
            let record: RedactionRecord = serde_json::from_str(json)?;
            EventBody::Redaction { target: Seq(record.target), reason: record.reason }
        }
        kind::REACTION => {
            let record: ReactionRecord = serde_json::from_str(json)?;
            EventBody::Reaction { target: Seq(record.target), keys: record.keys, previous: record.previous }
        }
        other => return Err(RecordError::Kind(other)),
    })
}

/// Whole settings as JSON.
pub fn encode_settings(settings: &RoomSettings) -> String {
    serde_json::to_string(&settings_record(&whole(settings))).expect("records have string keys only")
}

/// Whole settings of JSON.
pub fn decode_settings(json: &str) -> Result<RoomSettings, RecordError> {
    let mut settings = RoomSettings::default();
    settings.apply(&settings_of(serde_json::from_str(json)?)?);
    Ok(settings)
}

fn whole(settings: &RoomSettings) -> SettingsChange {
    let RoomSettings { name, topic, join_rule, history, levels } = settings.clone();
    SettingsChange {
        name: Some(name),
        topic: Some(topic),
        join_rule: Some(join_rule),
        history: Some(history),
        levels: Some(levels),
    }
}

fn settings_record(change: &SettingsChange) -> SettingsRecord {
    let SettingsChange { name, topic, join_rule, history, levels } = change.clone();
    let join = join_rule.map(|rule| match rule {
        JoinRule::Invite => "invite",
        JoinRule::Open => "open",
    });
    let history = history.map(|history| match history {
        HistoryVisibility::Joined => "joined",
        HistoryVisibility::Invited => "invited",
        HistoryVisibility::Members => "members",
        HistoryVisibility::Anyone => "anyone",
    });
    let levels = levels.map(|Levels { send, react, invite, remove, redact, settings, levels }| {
        [send, react, invite, remove, redact, settings, levels].map(|level| level.0)
    });
    SettingsRecord { name, topic, join: join.map(Into::into), history: history.map(Into::into), levels }
}

fn settings_of(record: SettingsRecord) -> Result<SettingsChange, RecordError> {
    let join_rule = match record.join.as_deref() {
        None => None,
        Some("invite") => Some(JoinRule::Invite),
        Some("open") => Some(JoinRule::Open),
        Some(_) => return Err(RecordError::Value("join")),
    };
    let history = match record.history.as_deref() {
        None => None,
        Some("joined") => Some(HistoryVisibility::Joined),
        Some("invited") => Some(HistoryVisibility::Invited),
        Some("members") => Some(HistoryVisibility::Members),
        Some("anyone") => Some(HistoryVisibility::Anyone),
        Some(_) => return Err(RecordError::Value("history")),
    };
    let levels = record.levels.map(|levels| {
        let [send, react, invite, remove, redact, settings, levels] = levels.map(Level);
        Levels { send, react, invite, remove, redact, settings, levels }
    });
    Ok(SettingsChange { name: record.name, topic: record.topic, join_rule, history, levels })
}

fn content_record(content: Option<&Content>) -> ContentRecord {
    match content {
        None => ContentRecord::default(),
        Some(Content::Text(text)) => ContentRecord {
            text: Some(text.text.clone()),
            markdown: text.format == TextFormat::Markdown,
            mentions: text.mentions.iter().map(|user| user.as_str().into()).collect(),
            data: text.data.clone(),
            ..ContentRecord::default()
        },
    }
}

fn content_of(record: ContentRecord) -> Result<Option<Content>, RecordError> {
    let Some(text) = record.text else { return Ok(None) };
    let format = if record.markdown { TextFormat::Markdown } else { TextFormat::Plain };
    let mentions = record.mentions.iter().map(|user| user_of(user)).collect::<Result<_, _>>()?;
    Ok(Some(Content::Text(TextContent { text, format, mentions, data: record.data })))
}

fn user_of(text: &str) -> Result<UserId, RecordError> {
    UserId::new(text).map_err(|_| RecordError::Value("user"))
}

/// A room kind's name in the store.
pub fn room_kind_name(kind: RoomKind) -> &'static str {
    match kind {
        RoomKind::Direct => "direct",
        RoomKind::Group => "group",
    }
}

/// The room kind of a name in the store.
pub fn room_kind_of(name: &str) -> Result<RoomKind, RecordError> {
    match name {
        "direct" => Ok(RoomKind::Direct),
        "group" => Ok(RoomKind::Group),
        _ => Err(RecordError::Value("kind")),
    }
}

/// A member state's name in the store.
pub fn state_name(state: MemberState) -> &'static str {
    match state {
        MemberState::Invited => "invited",
        MemberState::Joined => "joined",
        MemberState::Left => "left",
    }
}

/// The member state of a name in the store.
pub fn state_of(name: &str) -> Result<MemberState, RecordError> {
    match name {
        "invited" => Ok(MemberState::Invited),
        "joined" => Ok(MemberState::Joined),
        "left" => Ok(MemberState::Left),
        _ => Err(RecordError::Value("state")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &EventBody, kind: u8, json: &str) {
        assert_eq!(encode(body), (kind, json.to_owned()));
        assert_eq!(&decode(kind, json).unwrap(), body);
    }

    #[test]
    fn bodies_are_kept_as_json() {
        check(&EventBody::message(Content::plain("hi"), None), kind::MESSAGE, r#"{"text":"hi"}"#);
        check(
            &EventBody::Message { content: None, reply_to: None, redacted_by: Some(Seq(9)) },
            kind::MESSAGE,
            r#"{"redacted_by":9}"#,
        );
        check(
            &EventBody::Edit { target: Seq(3), content: Some(Content::plain("ho")) },
            kind::EDIT,
            r#"{"text":"ho","target":3}"#,
        );
        let user = UserId::new("ann").unwrap();
        let member = EventBody::Member { user, state: MemberState::Joined, level: Level::OWNER };
        check(&member, kind::MEMBER, r#"{"user":"ann","state":"joined","level":100}"#);
        let keys = BTreeSet::from(["👍".into()]);
        let reaction = EventBody::Reaction { target: Seq(3), keys, previous: BTreeSet::new() };
        check(&reaction, kind::REACTION, r#"{"target":3,"keys":["👍"]}"#);
        let change =
            SettingsChange { name: Some("Team".into()), join_rule: Some(JoinRule::Open), ..SettingsChange::default() };
        check(&EventBody::Settings(change), kind::SETTINGS, r#"{"name":"Team","join":"open"}"#);
        let created = EventBody::Created { kind: RoomKind::Group, settings: RoomSettings::default() };
        let (kind, json) = encode(&created);
        assert_eq!(decode(kind, &json).unwrap(), created);
    }

    #[test]
    fn damage_is_noticed() {
        assert!(matches!(decode(99, "{}"), Err(RecordError::Kind(99))));
        assert!(matches!(decode(kind::EDIT, "{}"), Err(RecordError::Value("target"))));
        assert!(matches!(
            decode(kind::MEMBER, r#"{"user":"ann","state":"gone","level":1}"#),
            Err(RecordError::Value("state"))
        ));
        assert!(decode(kind::MESSAGE, "{").is_err());
    }
}
