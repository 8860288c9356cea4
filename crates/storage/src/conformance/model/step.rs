//! Random steps: small numbers that stand for people, rooms, messages, and become units in the world as it is.

use std::collections::BTreeMap;

use domain::{
    AccountChange, Action, AppSettings, CommitNumber, Content, Expectation, HistoryVisibility, JoinRule, Level,
    PasswordHash, Revoke, Seq, SettingsChange, Timestamp, User, UserKind,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use crate::conformance::world::{PEOPLE, World, device, device_of, keys, person, read_to, room, user};
use crate::{FollowerStep, Work};

/// Rooms that may come to be.
pub const ROOMS: [&str; 4] = ["r0", "r1", "r2", "r3"];
/// Users whose accounts change; they don't act in rooms.
pub const OTHERS: [&str; 3] = ["fay", "gil", "hal"];
/// Devices that come and go.
pub const DEVICES: [&str; 5] = ["d0", "d1", "d2", "d3", "d4"];
/// Client ids that the acting devices use.
pub const CLIENT_IDS: [&str; 6] = ["c0", "c1", "c2", "c3", "c4", "c5"];
/// Who acts, and where: some more than others, so that there is something to react to.
const ACTORS: [&str; 10] = ["ann", "bob", "cho", "ann", "bob", "cho", "ann", "bob", "dan", "eve"];
const ACTED_IN: [&str; 8] = ["r0", "r0", "r0", "r0", "r1", "r1", "r2", "r3"];
/// Display names.
const NAMES: [&str; 4] = ["Ada Lovelace", "王小明", "小 ADA", "100%"];
const REACTIONS: [&str; 4] = ["👍", "a", "b", "🐦"];
const LEVELS: [Level; 4] = [Level::READER, Level::MEMBER, Level::MODERATOR, Level::OWNER];

/// A step of a random history.
#[derive(Debug, Clone)]
pub enum Step {
    /// Somebody does something in a room, maybe late, maybe with a client id.
    Act { actor: u8, room: u8, act: Act, delay: u8, client: Option<(u8, u8)> },
    /// Accounts change.
    Accounts(Vec<Account>),
    /// A follower goes on, maybe from where it isn't.
    Follow { from: u8, day: u8, count: u8 },
}

/// What is done in a room.
#[derive(Debug, Clone)]
pub enum Act {
    Create { open: bool, invite: Vec<u8> },
    Direct(u8),
    Join,
    Leave,
    Invite(u8),
    Remove(u8),
    SetLevel(u8, u8),
    Settings(u8),
    Send(u8, Option<u8>),
    Edit(u8, u8),
    Redact(u8),
    React(u8, Vec<u8>),
    Cursors(Option<u8>, Option<u8>),
}

/// What is done to an account.
#[derive(Debug, Clone)]
pub enum Account {
    Create(u8, bool),
    Update(u8, Option<u8>, Option<bool>, Option<bool>),
    Password(u8, u8),
    Device(u8, u8),
    Rotate(u8, u8),
    Revoke(u8, Vec<u8>),
    App(bool),
}

/// Any step.
pub fn any_step() -> impl Strategy<Value = Step> {
    let n = any::<u8>;
    let act = prop_oneof![
        1 => (any::<bool>(), vec(n(), 0..3)).prop_map(|(open, invite)| Act::Create { open, invite }),
        2 => n().prop_map(Act::Direct),
        2 => Just(Act::Join),
        1 => Just(Act::Leave),
        2 => n().prop_map(Act::Invite),
        1 => n().prop_map(Act::Remove),
        1 => (n(), n()).prop_map(|(who, level)| Act::SetLevel(who, level)),
        1 => n().prop_map(Act::Settings),
        16 => (n(), option::weighted(0.2, n())).prop_map(|(text, reply_to)| Act::Send(text, reply_to)),
        8 => (n(), n()).prop_map(|(target, text)| Act::Edit(target, text)),
        3 => n().prop_map(Act::Redact),
        8 => (n(), vec(n(), 0..3)).prop_map(|(target, set)| Act::React(target, set)),
        4 => (option::of(n()), option::of(n())).prop_map(|(delivered, read)| Act::Cursors(delivered, read)),
    ];
    let account = prop_oneof![
        (n(), any::<bool>()).prop_map(|(who, password)| Account::Create(who, password)),
        (n(), option::of(n()), any::<Option<bool>>(), any::<Option<bool>>())
            .prop_map(|(who, name, admin, disabled)| Account::Update(who, name, admin, disabled)),
        (n(), n()).prop_map(|(who, hash)| Account::Password(who, hash)),
        (n(), n()).prop_map(|(which, who)| Account::Device(which, who)),
        (n(), n()).prop_map(|(which, from)| Account::Rotate(which, from)),
        (n(), vec(n(), 0..3)).prop_map(|(who, which)| Account::Revoke(who, which)),
        any::<bool>().prop_map(Account::App),
    ];
    let delay = prop_oneof![4 => Just(0), 1 => 1..6_u8];
    prop_oneof![
        20 => (n(), n(), act, delay, option::weighted(0.3, (n(), 0..3_u8)))
            .prop_map(|(actor, room, act, delay, client)| Step::Act { actor, room, act, delay, client }),
        3 => vec(account, 0..3).prop_map(Step::Accounts),
        1 => (0..4_u8, n(), n()).prop_map(|(from, day, count)| Step::Follow { from, day, count }),
    ]
}

async fn messages(world: &World, name: &str) -> Vec<Seq> {
    let entries = world.entries(name, "ann").await;
    entries.into_iter().filter(|entry| entry.event.body.is_message()).map(|entry| entry.event.seq).collect()
}

fn pick<T: Copy>(from: &[T], n: u8) -> T {
    from[usize::from(n) % from.len()]
}

impl Step {
    /// The unit's work, if the domain allows it in the world as it is, and how many steps late it is committed.
    pub async fn work(&self, world: &World) -> Option<(Work, usize)> {
        match self {
            Step::Act { actor, room: in_room, act, delay, client } => {
                let (actor, name) = (pick(&ACTORS, *actor), pick(&ACTED_IN, *in_room));
                let snapshot = world.store.room(&world.app, &room(name), &[]).await.unwrap();
                let messages = messages(world, name).await;
                let mut changes = world.check(actor, name, act.action(&messages)).await.ok()?;
                if let (true, Some(snapshot)) = (changes.is_empty(), &snapshot) {
                    changes.expect = Expectation { version: snapshot.room.version, reactions: None };
                }
                let work = world.work(actor, name, changes);
                let work = match client {
                    Some((id, fingerprint)) => world.work_as(pick(&CLIENT_IDS, *id), u64::from(*fingerprint), work),
                    None => work,
                };
                Some((Work::Room(work), usize::from(*delay)))
            }
            Step::Accounts(accounts) => {
                let changes = accounts.iter().map(|account| account.change(world.tick())).collect();
                Some((Work::Account(changes), 0))
            }
            Step::Follow { from, day, count } => {
                let stands = world.store.follower(&world.app, "statistics").await.unwrap();
                let from = CommitNumber(stands.0 + u64::from(*from / 3));
                let to = world.store.head(&world.app).await.unwrap();
                let counts = BTreeMap::from([((u32::from(*day % 4), "messages".into()), u64::from(*count) + 1)]);
                Some((Work::Follower(FollowerStep { name: "statistics", from, to, counts }), 0))
            }
        }
    }
}

impl Act {
    fn action(&self, messages: &[Seq]) -> Action {
        // Mostly one of the last messages, at times whatever stands there, or nothing.
        let seq = |n: u8| match messages.iter().rev().take(6).nth(usize::from(n % 8)) {
            Some(message) if n < 240 => *message,
            _ => Seq(u64::from(n % 16)),
        };
        let who = |n: u8| user(pick(&PEOPLE, n));
        let text = |n: u8| Content::plain(format!("text {n}"));
        match self {
            Act::Create { open, invite } => {
                let join_rule = Some(if *open { JoinRule::Open } else { JoinRule::Invite });
                let settings = SettingsChange { join_rule, ..SettingsChange::default() };
                Action::Create { settings, invite: invite.iter().map(|n| who(*n)).collect() }
            }
            Act::Direct(n) => Action::Direct { user: who(*n) },
            Act::Join => Action::Join,
            Act::Leave => Action::Leave,
            Act::Invite(n) => Action::Invite { user: who(*n) },
            Act::Remove(n) => Action::Remove { user: who(*n) },
            Act::SetLevel(n, level) => Action::SetLevel { user: who(*n), level: pick(&LEVELS, *level) },
            Act::Settings(n) => {
                let history = [HistoryVisibility::Joined, HistoryVisibility::Members, HistoryVisibility::Anyone];
                Action::Settings(SettingsChange {
                    name: Some(pick(&NAMES, *n).into()),
                    history: Some(pick(&history, *n)),
                    ..SettingsChange::default()
                })
            }
            Act::Send(n, reply_to) => Action::Send { content: text(*n), reply_to: reply_to.map(seq) },
            Act::Edit(target, n) => Action::Edit { target: seq(*target), content: text(*n) },
            Act::Redact(target) => Action::Redact { target: seq(*target), reason: None },
            Act::React(target, set) => {
                let set: Vec<_> = set.iter().map(|n| pick(&REACTIONS, *n)).collect();
                Action::React { target: seq(*target), keys: keys(&set) }
            }
            Act::Cursors(delivered, read) => {
                read_to(delivered.map(|n| seq(n).0 + u64::from(n / 100)), read.map(|n| seq(n).0 + u64::from(n / 100)))
            }
        }
    }
}

impl Account {
    fn change(&self, at: Timestamp) -> AccountChange {
        let who = |n: u8| user(pick(&OTHERS, n));
        let hash = |n: u8| PasswordHash(format!("hash {n}").into());
        match self {
            Account::Create(n, with_password) => AccountChange::CreateUser {
                user: User { kind: UserKind::Guest, ..person(pick(&OTHERS, *n), at) },
                password: with_password.then(|| hash(0)),
            },
            Account::Update(n, name, admin, disabled) => AccountChange::UpdateUser {
                user: who(*n),
                display_name: name.map(|n| pick(&NAMES, n).into()),
                admin: *admin,
                disabled: *disabled,
            },
            Account::Password(n, of) => AccountChange::SetPassword {
                user: who(*n),
                password: hash(*of % 3),
                revoke: match of / 3 % 4 {
                    0 => Revoke::All,
                    1 => Revoke::AllBut(device(pick(&DEVICES, *of))),
                    _ => Revoke::None,
                },
            },
            Account::Device(which, n) => {
                let verified = (n / 3 % 3 == 0).then(|| hash(n / 9 % 3));
                AccountChange::CreateDevice {
                    device: device_of(pick(&DEVICES, *which), pick(&OTHERS, *n), at),
                    verified,
                }
            }
            Account::Rotate(which, from) => AccountChange::RotateRefresh {
                device: device(pick(&DEVICES, *which)),
                from: u64::from(from % 3) + 1,
                at,
            },
            Account::Revoke(n, which) => AccountChange::RevokeDevices {
                user: who(*n),
                devices: which.iter().map(|n| device(pick(&DEVICES, *n))).collect(),
            },
            Account::App(open) => {
                AccountChange::UpdateApp(AppSettings { registration_open: *open, ..AppSettings::open("one") })
            }
        }
    }
}
