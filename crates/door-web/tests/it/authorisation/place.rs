//! Where it is asked: a room with somebody of every role, and the direct room of the owner and the peer.

use std::collections::BTreeMap;

use domain::{Action, Actor, Command, Content, HistoryVisibility, JoinRule, Level, Levels, RoomId, SettingsChange};
use domain::{TextContent, TextFormat};

use super::people::{CANARY, HOME, People, ROOM_MARK, user_id, user_of};

/// Those who come in together, with the level they get.
const JOINING: [(&str, u8); 8] = [
    ("deputy", 90),
    ("disabled", 90),
    ("admin", 90),
    ("moderator", 50),
    ("member", 10),
    ("reader", 0),
    ("left", 10),
    ("removed", 10),
];
/// Those who are invited beside them.
const INVITED: [&str; 3] = ["invited", "declined", "guest"];

/// A room, and the messages in it that rows are about.
pub struct Place {
    pub room: String,
    /// The first message: the bystander's; in a direct room the other's.
    first: BTreeMap<String, u64>,
    /// A message of somebody else's.
    others: BTreeMap<String, u64>,
    /// A message of the role's own.
    own: BTreeMap<String, u64>,
}

impl Place {
    pub fn first(&self, role: &str) -> u64 {
        at(&self.first, role)
    }

    pub fn others(&self, role: &str) -> u64 {
        at(&self.others, role)
    }

    /// Who has none of their own asks for somebody else's.
    pub fn own(&self, role: &str) -> u64 {
        self.own.get(role).copied().unwrap_or_else(|| self.others(role))
    }
}

fn at(messages: &BTreeMap<String, u64>, role: &str) -> u64 {
    messages.get(role).or_else(|| messages.get("")).copied().expect("there is one for everybody")
}

/// The settings of the room of a table.
fn setting(table: &str) -> SettingsChange {
    let levels = |send, react, invite, remove, redact, settings, levels| {
        let [send, react, invite, remove] = [send, react, invite, remove].map(Level);
        let [redact, settings, levels] = [redact, settings, levels].map(Level);
        Some(Levels { send, react, invite, remove, redact, settings, levels })
    };
    let none = SettingsChange::default();
    match table {
        "group" | "own" | "tokens" | "open" => none,
        "joined" => SettingsChange { history: Some(HistoryVisibility::Joined), ..none },
        "invited" => SettingsChange { history: Some(HistoryVisibility::Invited), ..none },
        "anyone" => SettingsChange { history: Some(HistoryVisibility::Anyone), ..none },
        "entered" => SettingsChange { join_rule: Some(JoinRule::Open), ..none },
        "strict" => SettingsChange { levels: levels(50, 50, 90, 90, 90, 100, 100), ..none },
        "lax" => SettingsChange { levels: levels(0, 0, 0, 0, 0, 0, 0), ..none },
        table => panic!("no settings for {table}"),
    }
}

struct Builder<'a> {
    people: &'a People,
    room: RoomId,
}

impl Builder<'_> {
    async fn does(&self, actor: &Actor, action: Action) -> u64 {
        let command = Command { room: self.room.clone(), action };
        let receipt = self.people.world.engine.execute(actor, command, None).await;
        receipt.unwrap_or_else(|error| panic!("{} in {}: {error}", actor.user, self.room)).seq.0
    }

    async fn do_as(&self, role: &str, action: Action) -> u64 {
        self.does(&self.people.actor(role), action).await
    }

    async fn say(&self, role: &str, text: &str) -> u64 {
        let content = TextContent { text: text.into(), format: TextFormat::Plain, mentions: Vec::new(), data: None };
        self.do_as(role, Action::Send { content: Content::Text(content), reply_to: None }).await
    }

    async fn say_canary(&self, role: &str, what: &str) -> u64 {
        self.say(role, &format!("{CANARY}{what}")).await
    }
}

/// Makes the group of a table, number `number`: once a command was done in it, the next one needs another.
pub async fn group(people: &People, table: &str, number: u32) -> Place {
    let room = format!("{ROOM_MARK}{table}-{number}");
    let builder = Builder { people, room: RoomId::new(&room).expect("an id of a room") };
    let user = |role: &str| user_id(&user_of(role));
    people.set_disabled(false).await;

    let settings = SettingsChange { name: Some(format!("{CANARY}name").into()), ..SettingsChange::default() };
    builder.do_as("owner", Action::Create { settings, invite: vec![user("bystander")] }).await;
    builder.do_as("bystander", Action::Join).await;
    let first = builder.say_canary("bystander", "before").await;
    for role in JOINING.iter().map(|(role, _)| *role).chain(INVITED) {
        builder.do_as("owner", Action::Invite { user: user(role) }).await;
    }
    builder.say_canary("bystander", "asked").await;
    for (role, _) in JOINING {
        builder.do_as(role, Action::Join).await;
    }
    let others = builder.say_canary("bystander", "there").await;
    let mut own = BTreeMap::new();
    for role in JOINING.iter().map(|(role, _)| *role).chain(["owner"]) {
        own.insert(role.to_owned(), builder.say(role, "mine").await);
    }
    for (role, level) in JOINING.into_iter().filter(|(_, level)| *level != Level::MEMBER.0) {
        builder.do_as("owner", Action::SetLevel { user: user(role), level: Level(level) }).await;
    }
    builder.do_as("left", Action::Leave).await;
    builder.do_as("declined", Action::Leave).await;
    builder.do_as("owner", Action::Remove { user: user("removed") }).await;
    let mut head = builder.say_canary("bystander", "since").await;
    let settings = setting(table);
    if !settings.is_empty() {
        head = builder.do_as("owner", Action::Settings(settings)).await;
    }
    people.set_disabled(true).await;

    twin(&builder, head).await;
    let everybody = |seq: u64| BTreeMap::from([(String::new(), seq)]);
    Place { room, first: everybody(first), others: everybody(others), own }
}

/// A room of the same id in another app, where every seq that a row is about is a message.
async fn twin(builder: &Builder<'_>, head: u64) {
    let settings = SettingsChange { name: Some("another one".into()), ..SettingsChange::default() };
    builder.do_as("twin", Action::Create { settings, invite: Vec::new() }).await;
    while builder.say("twin", "elsewhere").await < head {}
}

/// The direct room of the owner and the peer, with a new message of each.
pub async fn direct(people: &People) -> Place {
    let mut builder = Builder { people, room: people.world.engine.fresh_room_id() };
    let owner = people.actor("owner");
    let command = Command { room: builder.room.clone(), action: Action::Direct { user: user_id(&user_of("peer")) } };
    builder.room = people.world.engine.execute(&owner, command, None).await.expect("found or made").room;
    let of_owner = builder.say_canary("owner", "private").await;
    let of_peer = builder.say_canary("peer", "private").await;
    let own = BTreeMap::from([("owner".to_owned(), of_owner), ("peer".to_owned(), of_peer)]);
    let others = BTreeMap::from([("owner".to_owned(), of_peer), (String::new(), of_owner)]);
    let pair = [user_id(&user_of("owner")), user_id(&user_of("peer"))];
    let found = storage::Store::direct_room(&*people.world.store, &crate::world::app(HOME), [&pair[0], &pair[1]]).await;
    assert_eq!(found.expect("the store answers"), Some(builder.room.clone()));
    Place { room: builder.room.to_string(), first: others.clone(), others, own }
}
