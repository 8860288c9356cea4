//! `starling dev`: people, rooms and a lively history, made through the engine itself, as if it had happened over the
//! last days. Starting again on the same data adds nothing.

mod clock;
mod crowd;
mod load;
mod people;
mod script;
mod signed_in;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use domain::{
    Action, Actor, AppId, ClientId, Command, Content, JoinRule, RoomId, Seq, SettingsChange, TextContent, TextFormat,
    UserId,
};
use engine::{Clock, Engine, EngineError, Login, NewUser, SystemClock};
use smol_str::SmolStr;

use self::clock::DemoClock;
use self::people::{PASSWORD, PEOPLE};
use self::script::{Line, Place, Story};
use crate::config::Settings;
use crate::data_folder::DataFolder;
use crate::running::{Running, open_at};

/// All stories; each file may hold several.
const STORIES: &[&str] = &[
    include_str!("demo/lounge.txt"),
    include_str!("demo/release.txt"),
    include_str!("demo/hiking.txt"),
    include_str!("demo/direct.txt"),
];
const MINUTE_MS: i64 = 60_000;
/// How long before now each story ends, in minutes: the rooms of the list were not all quiet since the same minute.
const ENDS_MINUTES_AGO: &[i64] = &[4, 17, 95, 9, 41, 180, 260];

/// What is made besides the demo's data, to have something to measure.
#[derive(Debug, Clone, Default)]
pub struct More {
    /// Plain messages, in rooms of their own.
    pub messages: u64,
    /// How many of them are in a room.
    pub room_messages: u64,
    /// Rooms in which nothing happens.
    pub rooms: u64,
    /// Members of a large room.
    pub members: u32,
    /// Users who are signed in.
    pub people: u32,
    /// Where their access tokens go.
    pub tokens: Option<PathBuf>,
}

/// Makes the demo's data, if it is not there, and more.
pub async fn seed(folder: &DataFolder, settings: &Settings, more: More) -> Result<()> {
    let clock = Arc::new(DemoClock::new(SystemClock.now()));
    let Running { engine, store } = open_at(folder, settings, clock.clone()).await?;
    let told = async {
        let actors = tell(&engine, &clock).await?;
        let ada = &actors[PEOPLE[0].id];
        let people = match &more.tokens {
            Some(path) => signed_in::people(&engine, more.people, path).await?,
            None => Vec::new(),
        };
        let owners = if people.is_empty() { std::slice::from_ref(ada) } else { &people };
        load::write(&engine, owners, more.messages, more.room_messages).await?;
        load::quiet(&engine, owners, more.rooms).await?;
        crowd::gather(&engine, &*store, ada, more.members).await
    };
    let told = told.await;
    engine.stop().await;
    told
}

async fn tell(engine: &Engine, clock: &DemoClock) -> Result<BTreeMap<&'static str, Actor>> {
    let now = clock.now();
    let mut stories = Vec::new();
    for text in STORIES {
        stories.extend(script::read(text)?);
    }
    let spans = stories.iter().map(|story| story.lines.iter().map(|line| line.minutes).sum::<i64>());
    let longest = spans.max().unwrap_or(0) + ENDS_MINUTES_AGO.iter().max().unwrap_or(&0);
    clock.set(now.0 - (longest + 60) * MINUTE_MS);
    let actors = people(engine).await?;
    let mut telling = Vec::new();
    for (index, story) in stories.iter().enumerate() {
        if let Some(room) = open_room(engine, &actors, story).await? {
            let ends = now.0 - ENDS_MINUTES_AGO[index % ENDS_MINUTES_AGO.len()] * MINUTE_MS;
            telling.push(Telling { room, story, seqs: Vec::new(), ends });
        }
    }
    interleave(engine, clock, &actors, &mut telling).await?;
    clock.set(now.0);
    for Telling { room, story, seqs, .. } in &telling {
        read_up(engine, &actors, room, story, seqs).await?;
    }
    Ok(actors)
}

/// A story that is being told.
struct Telling<'a> {
    room: RoomId,
    story: &'a Story,
    /// Where its messages were written.
    seqs: Vec<Seq>,
    ends: i64,
}

impl Telling<'_> {
    /// When the next line is due; `None` at the end.
    fn next_at(&self) -> Option<i64> {
        let rest = self.story.lines.get(self.seqs.len()..).filter(|rest| !rest.is_empty())?;
        Some(self.ends - rest[1..].iter().map(|line| line.minutes).sum::<i64>() * MINUTE_MS)
    }
}

/// Tells all stories at the same time, each line when it is due, so that commits are in the order of time.
async fn interleave(
    engine: &Engine,
    clock: &DemoClock,
    actors: &BTreeMap<&str, Actor>,
    telling: &mut [Telling<'_>],
) -> Result<()> {
    loop {
        let due = telling.iter_mut().filter_map(|one| Some((one.next_at()?, one))).min_by_key(|(at, _)| *at);
        let Some((at, one)) = due else { return Ok(()) };
        clock.set(at);
        let line = &one.story.lines[one.seqs.len()];
        let seq = say(engine, clock, actors, one, line).await?;
        one.seqs.push(seq);
    }
}

async fn people(engine: &Engine) -> Result<BTreeMap<&'static str, Actor>> {
    let app = AppId::new(domain::DEFAULT_APP)?;
    let mut actors = BTreeMap::new();
    for person in PEOPLE {
        let new = NewUser {
            id: UserId::new(person.id)?,
            password: PASSWORD.to_owned(),
            display_name: Some(person.name.to_owned()),
            admin: person.admin,
        };
        match engine.operator().create_user(&app, new).await {
            Ok(_) | Err(EngineError::UserExists) => {}
            Err(error) => return Err(error).with_context(|| format!("make {}", person.id)),
        }
        actors.insert(person.id, sign_in(engine, person.id).await?);
    }
    Ok(actors)
}

async fn sign_in(engine: &Engine, id: &str) -> Result<Actor> {
    let login = Login {
        app: None,
        id: id.to_owned(),
        password: PASSWORD.to_owned(),
        device_name: Some("starling dev".to_owned()),
    };
    let signed_in = engine.login(login).await.with_context(|| format!("sign {id} in"))?;
    Ok(engine.authenticate(&signed_in.access_token).await?.actor)
}

/// Makes the room of a story and brings everybody in. `None` if it is there already.
async fn open_room(engine: &Engine, actors: &BTreeMap<&str, Actor>, story: &Story) -> Result<Option<RoomId>> {
    let owner = &actors[story.people[0].as_str()];
    let others = story.people[1..].iter().map(UserId::new).collect::<Result<Vec<_>, _>>()?;
    let (room, action) = match &story.place {
        Place::Direct => {
            let user = others.first().context("a direct room has two people")?.clone();
            (engine.fresh_room_id(), Action::Direct { user })
        }
        Place::Group { id, name, topic, open } => {
            let settings = SettingsChange {
                name: Some(name.into()),
                topic: Some(topic.into()),
                join_rule: open.then_some(JoinRule::Open),
                ..SettingsChange::default()
            };
            (RoomId::new(id)?, Action::Create { settings, invite: others })
        }
    };
    let is_direct = story.place == Place::Direct;
    let room = match engine.execute(owner, Command { room, action }, None).await {
        Ok(receipt) => receipt.room,
        Err(EngineError::Refused(domain::Refusal::RoomExists)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if is_direct {
        // Opening a direct room that is there is no error; one with messages has had its story.
        let view = engine.query(owner, engine::GetRoom { room: room.clone() }).await?;
        return Ok((view.messages == 0).then_some(room));
    }
    for id in &story.people[1..] {
        let join = Command { room: room.clone(), action: Action::Join };
        engine.execute(&actors[id.as_str()], join, None).await.with_context(|| format!("{id} joins {room}"))?;
    }
    Ok(Some(room))
}

/// Writes one line and what becomes of it.
async fn say(
    engine: &Engine,
    clock: &DemoClock,
    actors: &BTreeMap<&str, Actor>,
    telling: &Telling<'_>,
    line: &Line,
) -> Result<Seq> {
    let act = async |who: &str, action: Action| {
        let command = Command { room: telling.room.clone(), action };
        engine.execute(&actors[who], command, None).await.with_context(|| format!("{who}: {}", line.text))
    };
    let reply_to = line.answers.map(|back| telling.seqs[telling.seqs.len() - back]);
    let client_id = ClientId::new(format!("demo-{}-{}", telling.room, telling.seqs.len())).ok();
    let send = Command { room: telling.room.clone(), action: Action::Send { content: markdown(&line.text), reply_to } };
    let sent = engine.execute(&actors[line.who.as_str()], send, client_id).await;
    let target = sent.with_context(|| format!("{}: {}", line.who, line.text))?.seq;
    if let Some(text) = &line.edited {
        clock.advance(20_000);
        act(&line.who, Action::Edit { target, content: markdown(text) }).await?;
    }
    if line.deleted {
        clock.advance(5_000);
        act(&line.who, Action::Redact { target, reason: None }).await?;
    }
    let mut keys: BTreeMap<&str, BTreeSet<SmolStr>> = BTreeMap::new();
    for (who, key) in &line.reactions {
        keys.entry(who).or_default().insert(key.into());
    }
    for (who, keys) in keys {
        clock.advance(2_000);
        act(who, Action::React { target, keys }).await?;
    }
    Ok(target)
}

fn markdown(text: &str) -> Content {
    Content::Text(TextContent { text: text.into(), format: TextFormat::Markdown, mentions: Vec::new(), data: None })
}

/// Everybody has read everything, but for the last few messages that the story leaves to somebody.
async fn read_up(
    engine: &Engine,
    actors: &BTreeMap<&str, Actor>,
    room: &RoomId,
    story: &Story,
    seqs: &[Seq],
) -> Result<()> {
    for who in &story.people {
        let left = story.unread.iter().find(|(reader, _)| reader == who).map_or(0, |(_, count)| *count);
        let actor = &actors[who.as_str()];
        let head = engine.query(actor, engine::GetRoom { room: room.clone() }).await?.head;
        let read = match usize::try_from(left)? {
            0 => Some(head),
            left => seqs.len().checked_sub(left + 1).map(|index| seqs[index]),
        };
        let action = Action::Cursors { delivered: Some(head), read };
        engine.execute(actor, Command { room: room.clone(), action }, None).await?;
    }
    Ok(())
}

/// What is printed when the demo is ready: who there is, and lines to paste into a shell.
pub fn welcome(url: &str) -> String {
    let mut text = String::from("\nSign in as / 登录账号:\n\n");
    for person in PEOPLE {
        let note = if person.admin { "   administrator · 管理员" } else { "" };
        writeln!(text, "    {:8} {PASSWORD}   {}{note}", person.id, person.name).expect("a String takes all");
    }
    let first = PEOPLE[0].id;
    let login = format!("{{\"id\":\"{first}\",\"password\":\"{PASSWORD}\"}}");
    write!(
        text,
        r#"
Try it from a shell / 在终端里试试:

    TOKEN=$(curl -s {url}/v1/auth/login -H 'Content-Type: application/json' -d '{login}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
    curl -s {url}/v1/sync -H "Authorization: Bearer $TOKEN"
    curl -s '{url}/v1/rooms/lounge/events?limit=5' -H "Authorization: Bearer $TOKEN"
    curl -s {url}/v1/rooms/lounge/messages -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{"content":{{"type":"text","text":"Hello from curl 你好"}}}}'

"#
    )
    .expect("a String takes all");
    text
}
