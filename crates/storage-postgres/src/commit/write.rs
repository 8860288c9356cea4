//! Writes what a group has come to: every table once, all statements and the commit in one round trip.

use std::collections::{BTreeSet, HashSet};

use domain::{ClientId, User, UserId};
use smol_str::SmolStr;
use storage::record;
use storage::words::words_of;
use tokio_postgres::types::ToSql;

use super::accounts::Written;
use super::group::{Group, NewEvent};
use super::state::{RoomName, RoomState, State};
use crate::key::{AppKey, DeviceKey, Moment};
use crate::rows::{self, signed};
use crate::session::Call;

const COMMIT: &str = "commit";

const APPS: &str = "insert into app (key, id, name, registration_open, directory_open, created_at)
    select * from unnest($1::integer[], $2::text[], $3::text[], $4::boolean[], $5::boolean[], $6::timestamptz[])";
const APP_HEADS: &str = "insert into app_head (app, commit) select key, 0 from unnest($1::integer[]) q(key)";
const SETTINGS: &str =
    "update app a set name = q.name, registration_open = q.registration_open, directory_open = q.directory_open
    from unnest($1::integer[], $2::text[], $3::boolean[], $4::boolean[]) q(key, name, registration_open, directory_open)
    where a.key = q.key";
const USERS: &str = "insert into app_user (app, id, kind, display_name, admin, disabled, created_at)
    select * from unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::boolean[], $7::timestamptz[])
    on conflict (app, id) do update set display_name = excluded.display_name, admin = excluded.admin,
        disabled = excluded.disabled";
const NO_WORDS: &str = "delete from user_word w using unnest($1::integer[], $2::text[]) q(app, user_id)
    where w.app = q.app and w.user_id = q.user_id";
const WORDS: &str =
    "insert into user_word (app, user_id, word) select * from unnest($1::integer[], $2::text[], $3::text[])";
const PASSWORDS: &str =
    "insert into password (app, user_id, hash) select * from unnest($1::integer[], $2::text[], $3::text[])
    on conflict (app, user_id) do update set hash = excluded.hash";
const NO_REMEMBERED: &str = "delete from remembered where device = any($1::bigint[])";
const NO_DEVICES: &str = "delete from device where key = any($1::bigint[])";
const DEVICES: &str = "insert into device (key, app, id, user_id, name, created_at, last_seen_at, refresh_generation)
    select * from unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
        $7::timestamptz[], $8::bigint[])";
const ROTATED: &str = "update device d set last_seen_at = q.last_seen_at, refresh_generation = q.refresh_generation
    from unnest($1::bigint[], $2::timestamptz[], $3::bigint[]) q(key, last_seen_at, refresh_generation)
    where d.key = q.key";

const NEW_ROOMS: &str = "insert into room (key, app, id, kind, low, high, settings, created_at, joined, invited, owners, version)
    select key, app, id, kind, low, high, settings::json, created_at, joined, invited, owners, version
    from unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
        $9::integer[], $10::integer[], $11::integer[], $12::bigint[])
        q(key, app, id, kind, low, high, settings, created_at, joined, invited, owners, version)";
const FACTS: &str = "update room r set settings = q.settings::json, joined = q.joined, invited = q.invited,
        owners = q.owners, version = q.version
    from unnest($1::bigint[], $2::text[], $3::integer[], $4::integer[], $5::integer[], $6::bigint[])
        q(key, settings, joined, invited, owners, version)
    where r.key = q.key";
const NEW_HEADS: &str = "insert into room_head (room, seq, messages, last_message, commit)
    select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])";
const HEADS: &str =
    "update room_head h set seq = q.seq, messages = q.messages, last_message = q.last_message, commit = q.commit
    from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
        q(room, seq, messages, last_message, commit)
    where h.room = q.room";
const MEMBERS: &str = "insert into member (room, user_id, app, peer, state, level, invited_by, invited_at, stays, commit)
    select room, user_id, app, peer, state, level, invited_by, invited_at, stays::json, commit
    from unnest($1::bigint[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::bigint[],
        $9::text[], $10::bigint[]) q(room, user_id, app, peer, state, level, invited_by, invited_at, stays, commit)
    on conflict (room, user_id) do update set state = excluded.state, level = excluded.level,
        invited_by = excluded.invited_by, invited_at = excluded.invited_at, stays = excluded.stays,
        commit = excluded.commit";
const NEW_CURSORS: &str = "insert into member_cursor (room, user_id, delivered, read, read_messages, commit)
    select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])";
const CURSORS: &str = "update member_cursor c set delivered = q.delivered, read = q.read,
        read_messages = q.read_messages, commit = q.commit
    from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
        q(room, user_id, delivered, read, read_messages, commit)
    where c.room = q.room and c.user_id = q.user_id";
const EVENTS: &str = "insert into event (room, seq, commit, at, number, device, kind, sender, client_id, body)
    select room, seq, commit, at, number, device, kind, sender, client_id, body::json
    from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::smallint[],
        $8::text[], $9::text[], $10::text[]) q(room, seq, commit, at, number, device, kind, sender, client_id, body)";
const EDITS: &str =
    "insert into edit (room, target, seq) select * from unnest($1::bigint[], $2::bigint[], $3::bigint[])";
const BODIES: &str = "update event e set body = q.body::json
    from unnest($1::bigint[], $2::bigint[], $3::text[]) q(room, seq, body) where e.room = q.room and e.seq = q.seq";
const NO_REACTIONS: &str = "delete from reaction x using unnest($1::bigint[], $2::bigint[]) q(room, target)
    where x.room = q.room and x.target = q.target";
const NO_COUNTS: &str = "delete from reaction_count x using unnest($1::bigint[], $2::bigint[]) q(room, target)
    where x.room = q.room and x.target = q.target";
const REACTIONS: &str = "insert into reaction (room, target, user_id, keys)
    select room, target, user_id, array(select jsonb_array_elements_text(keys::jsonb))
    from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) q(room, target, user_id, keys)
    on conflict (room, target, user_id) do update set keys = excluded.keys";
const TAKEN_BACK: &str =
    "delete from reaction x using unnest($1::bigint[], $2::bigint[], $3::text[]) q(room, target, user_id)
    where x.room = q.room and x.target = q.target and x.user_id = q.user_id";
const COUNTS: &str = "insert into reaction_count as x (room, target, key, count)
    select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::integer[])
    on conflict (room, target, key) do update set count = x.count + excluded.count";
const NO_COUNT: &str =
    "delete from reaction_count x using unnest($1::bigint[], $2::bigint[], $3::text[]) q(room, target, key)
    where x.room = q.room and x.target = q.target and x.key = q.key and x.count <= 0";
const FORGOTTEN: &str = "update remembered m set fingerprint = -1
    from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) q(device, client_id, room, seq)
    where m.device = q.device and m.client_id = q.client_id and m.room = q.room and m.seq = q.seq";
const REMEMBERED: &str = "insert into remembered (device, client_id, fingerprint, room, seq, commit)
    select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    on conflict (device, client_id) do update set number = excluded.number, fingerprint = excluded.fingerprint,
        room = excluded.room, seq = excluded.seq, commit = excluded.commit";
/// What no longer counts, of some devices.
const OLD: &str = "delete from remembered m using unnest($1::bigint[]) q(device),
    lateral (select n.number from remembered n where n.device = q.device order by n.number desc offset 255 limit 1) oldest
    where m.device = q.device and m.number < oldest.number";
const STEPS: &str =
    "insert into follower (app, name, commit) select * from unnest($1::integer[], $2::text[], $3::bigint[])
    on conflict (app, name) do update set commit = excluded.commit";
const COUNTERS: &str = "insert into counter as c (app, day, name, amount)
    select * from unnest($1::integer[], $2::integer[], $3::text[], $4::bigint[])
    on conflict (app, day, name) do update set amount = c.amount + excluded.amount";
const JOURNAL: &str = "insert into journal (app, commit, at, rooms, first_seqs, last_seqs, touched)
    values ($1, $2, $3, $4, $5, $6, $7)";
const APP_HEAD: &str = "update app_head set commit = $2 where app = $1";

type Value<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// The values of a statement, one column for each of its arguments.
macro_rules! columns {
    ($list:expr; $(|$row:pat_param| $value:expr),+ $(,)?) => {
        vec![$(Box::new($list.iter().map(|$row| $value).collect::<Vec<_>>()) as Value<'_>),+]
    };
}

/// Statements with the values that they are called with.
#[derive(Default)]
pub(super) struct Batch<'a>(Vec<(&'static str, Vec<Value<'a>>)>);

impl<'a> Batch<'a> {
    /// All that is to be written. `is_due` says now and then that a device's old client ids are to be thrown away.
    pub(super) fn of(group: &'a Group, state: &'a State, is_due: impl FnMut() -> bool) -> Self {
        let mut batch = Self::default();
        batch.add_apps(group);
        batch.add_accounts(state);
        batch.add_rooms(state);
        batch.add_members(state);
        batch.add_events(group);
        batch.add_reactions(group);
        batch.add_remembered(group, state, is_due);
        batch.add_followers(group);
        batch.add_commits(group);
        batch.0.push((COMMIT, Vec::new()));
        batch
    }

    /// Only the end of the transaction.
    pub(super) fn nothing() -> Self {
        Self(vec![(COMMIT, Vec::new())])
    }

    pub(super) fn calls(&self) -> Vec<Call<'_>> {
        self.0
            .iter()
            .map(|(sql, values)| Call { sql, arguments: values.iter().map(|value| &**value as _).collect() })
            .collect()
    }

    /// Adds a statement unless its columns are empty.
    fn add(&mut self, sql: &'static str, is_empty: bool, values: impl FnOnce() -> Vec<Value<'a>>) {
        if !is_empty {
            self.0.push((sql, values()));
        }
    }

    fn add_apps(&mut self, group: &'a Group) {
        let (apps, settings) = (&group.new_apps, &group.app_settings);
        self.add(APPS, apps.is_empty(), || {
            columns![apps; |row| row.0, |row| row.1.id.as_str(), |row| row.1.settings.name.as_str(),
                |row| row.1.settings.registration_open, |row| row.1.settings.directory_open,
                |row| Moment(row.1.created_at)]
        });
        self.add(APP_HEADS, apps.is_empty(), || columns![apps; |row| row.0]);
        self.add(SETTINGS, settings.is_empty(), || {
            columns![settings; |row| *row.0, |row| row.1.name.as_str(), |row| row.1.registration_open,
                |row| row.1.directory_open]
        });
    }

    fn add_accounts(&mut self, state: &'a State) {
        let written = state.accounts.written();
        let Written { users, names, passwords, ended, devices, rotated } = &written;
        self.add(USERS, users.is_empty(), || {
            columns![users; |row| row.0, |row| row.1.id.as_str(), |row| rows::user_kind_name(row.1.kind),
                |row| row.1.display_name.as_str(), |row| row.1.admin, |row| row.1.disabled,
                |row| Moment(row.1.created_at)]
        });
        self.add(NO_WORDS, names.is_empty(), || columns![names; |row| row.0, |row| row.1.id.as_str()]);
        let of_user = |(app, user): &(AppKey, &'a User)| {
            let words = words_of(user.id.as_str(), &user.display_name);
            let (app, id) = (*app, user.id.as_str());
            words.into_iter().map(move |word| (app, id, word)).collect::<Vec<_>>()
        };
        let words: Vec<_> = names.iter().flat_map(of_user).collect();
        self.add(WORDS, words.is_empty(), || columns![words; |row| row.0, |row| row.1, |row| row.2.clone()]);
        self.add(
            PASSWORDS,
            passwords.is_empty(),
            || columns![passwords; |row| row.0, |row| row.1.as_str(), |row| row.2.0.as_str()],
        );
        self.add(NO_REMEMBERED, ended.is_empty(), || columns![ended; |row| *row]);
        self.add(NO_DEVICES, ended.is_empty(), || columns![ended; |row| *row]);
        self.add(DEVICES, devices.is_empty(), || {
            columns![devices; |row| row.1.key, |row| row.0, |row| row.1.device.id.as_str(),
                |row| row.1.device.user.as_str(), |row| row.1.device.name.as_str(),
                |row| Moment(row.1.device.created_at), |row| Moment(row.1.device.last_seen_at),
                |row| signed(row.1.device.refresh_generation)]
        });
        self.add(ROTATED, rotated.is_empty(), || {
            columns![rotated; |row| row.1.key, |row| Moment(row.1.device.last_seen_at),
                |row| signed(row.1.device.refresh_generation)]
        });
    }

    fn add_rooms(&mut self, state: &'a State) {
        let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let moved = |created: bool| {
            let with_facts = |(name, room): (&'a RoomName, &'a RoomState)| Some((name, room, room.facts.as_ref()?));
            let facts = state.rooms.iter().filter_map(with_facts);
            facts.filter(|(_, room, _)| room.facts_moved && room.created == created).collect::<Vec<_>>()
        };
        let (new, changed) = (moved(true), moved(false));
        self.add(NEW_ROOMS, new.is_empty(), || {
            let user = |pair: Option<&'a [UserId; 2]>, index: usize| pair.map(|pair| pair[index].as_str());
            columns![new; |row| row.1.key, |row| row.0.0, |row| row.0.1.as_str(), |row| record::room_kind_name(row.2.kind),
                |row| user(row.2.pair.as_ref(), 0), |row| user(row.2.pair.as_ref(), 1),
                |row| record::encode_settings(&row.2.settings), |row| Moment(row.2.created_at),
                |row| count(row.2.joined), |row| count(row.2.invited), |row| count(row.2.owners),
                |row| signed(row.2.version)]
        });
        self.add(FACTS, changed.is_empty(), || {
            columns![changed; |row| row.1.key, |row| record::encode_settings(&row.2.settings), |row| count(row.2.joined),
                |row| count(row.2.invited), |row| count(row.2.owners), |row| signed(row.2.version)]
        });
        let heads = |created: bool| {
            let rooms = state.rooms.values();
            rooms.filter(|room| room.head_moved && room.created == created).collect::<Vec<_>>()
        };
        for (sql, heads) in [(NEW_HEADS, heads(true)), (HEADS, heads(false))] {
            self.add(sql, heads.is_empty(), || {
                columns![heads; |room| room.key, |room| signed(room.head.seq.0), |room| signed(room.head.messages),
                    |room| room.head.last_message.map(|seq| signed(seq.0)), |room| signed(room.head.commit.0)]
            });
        }
    }

    fn add_members(&mut self, state: &'a State) {
        let members: Vec<_> = state.members.iter().filter(|(_, state)| state.moved).collect();
        self.add(MEMBERS, members.is_empty(), || {
            columns![members; |row| row.0.0, |row| row.0.1.as_str(), |row| row.1.app,
                |row| row.1.peer.as_ref().map(UserId::as_str), |row| record::state_name(row.1.member.state),
                |row| i16::from(row.1.member.level.0), |row| row.1.member.invited_by.as_ref().map(UserId::as_str),
                |row| row.1.member.invited_at.map(|seq| signed(seq.0)), |row| rows::stays_json(&row.1.member),
                |row| signed(row.1.member.commit.0)]
        });
        for (sql, stored) in [(NEW_CURSORS, false), (CURSORS, true)] {
            let cursors = state.cursors.iter().filter(|(_, state)| state.moved && state.stored == stored);
            let mut cursors: Vec<_> = cursors.collect();
            cursors.sort_by_key(|row| row.0.0);
            self.add(sql, cursors.is_empty(), || {
                columns![cursors; |row| row.0.0, |row| row.0.1.as_str(), |row| signed(row.1.cursors.delivered.0),
                    |row| signed(row.1.cursors.read.0), |row| signed(row.1.cursors.read_messages),
                    |row| signed(row.1.cursors.commit.0)]
            });
        }
    }

    fn add_events(&mut self, group: &'a Group) {
        let encode = |new: &NewEvent| record::encode(new.body.as_ref().unwrap_or(&new.event.body));
        let events: Vec<_> = group.events.iter().map(|new| (new, encode(new))).collect();
        self.add(EVENTS, events.is_empty(), || {
            columns![events; |row| row.0.room, |row| signed(row.0.event.seq.0), |row| signed(row.0.event.commit.0),
                |row| Moment(row.0.event.at), |row| signed(row.0.event.number), |row| row.0.device,
                |row| i16::from(row.1.0), |row| row.0.event.sender.as_str(),
                |row| row.0.event.client_id.as_ref().map(ClientId::as_str), |row| row.1.1.clone()]
        });
        let edits = &group.edits;
        self.add(
            EDITS,
            edits.is_empty(),
            || columns![edits; |row| row.0, |row| signed(row.1.0), |row| signed(row.2.0)],
        );
        let bodies = &group.bodies;
        self.add(
            BODIES,
            bodies.is_empty(),
            || columns![bodies; |row| row.0.0, |row| signed(row.0.1.0), |row| row.1.as_str()],
        );
    }

    fn add_reactions(&mut self, group: &'a Group) {
        let wiped = &group.wiped;
        for sql in [NO_REACTIONS, NO_COUNTS] {
            self.add(sql, wiped.is_empty(), || columns![wiped; |row| row.0, |row| signed(row.1.0)]);
        }
        let (none, some): (Vec<_>, Vec<_>) = group.reactions.iter().partition(|(_, keys)| keys.is_empty());
        self.add(REACTIONS, some.is_empty(), || {
            let json = |keys: &BTreeSet<SmolStr>| {
                let keys: Vec<_> = keys.iter().map(SmolStr::as_str).collect();
                serde_json::to_string(&keys).expect("strings can be written as JSON")
            };
            columns![some; |row| row.0.0, |row| signed(row.0.1.0), |row| row.0.2.as_str(), |row| json(row.1)]
        });
        self.add(
            TAKEN_BACK,
            none.is_empty(),
            || columns![none; |row| row.0.0, |row| signed(row.0.1.0), |row| row.0.2.as_str()],
        );
        let counts: Vec<_> = group.counts.iter().filter(|(_, by)| **by != 0).collect();
        self.add(
            COUNTS,
            counts.is_empty(),
            || columns![counts; |row| row.0.0, |row| signed(row.0.1.0), |row| row.0.2.as_str(), |row| *row.1],
        );
        let fewer: Vec<_> = counts.iter().filter(|(_, by)| **by < 0).collect();
        self.add(
            NO_COUNT,
            fewer.is_empty(),
            || columns![fewer; |row| row.0.0, |row| signed(row.0.1.0), |row| row.0.2.as_str()],
        );
    }

    fn add_remembered(&mut self, group: &'a Group, state: &'a State, mut is_due: impl FnMut() -> bool) {
        let alive: HashSet<DeviceKey> = state.devices.values().copied().collect();
        let mut last = HashSet::new();
        let used = group.used.iter().rev().filter(|name| alive.contains(&name.0) && last.insert(*name));
        let mut used: Vec<_> = used.filter_map(|name| Some((name, state.answers.get(name)?))).collect();
        used.reverse();
        self.add(REMEMBERED, used.is_empty(), || {
            columns![used; |row| row.0.0, |row| row.0.1.as_str(), |row| row.1.remembered.fingerprint.cast_signed(),
                |row| row.1.room, |row| signed(row.1.remembered.seq.0), |row| signed(row.1.remembered.commit.0)]
        });
        let forgotten = &group.forgotten;
        self.add(
            FORGOTTEN,
            forgotten.is_empty(),
            || columns![forgotten; |row| row.0, |row| row.1.as_str(), |row| row.2, |row| signed(row.3.0)],
        );
        let old: BTreeSet<DeviceKey> = used.iter().filter(|_| is_due()).map(|row| row.0.0).collect();
        self.add(OLD, old.is_empty(), || columns![old; |device| *device]);
    }

    fn add_followers(&mut self, group: &'a Group) {
        let steps = &group.steps;
        self.add(STEPS, steps.is_empty(), || columns![steps; |row| row.0.0, |row| row.0.1, |row| signed(row.1.0)]);
        let counters = &group.counters;
        self.add(COUNTERS, counters.is_empty(), || {
            let day = |day: u32| i32::try_from(day).unwrap_or(i32::MAX);
            columns![counters; |row| row.0.0, |row| day(row.0.1), |row| row.0.2.as_str(), |row| signed(*row.1)]
        });
    }

    fn add_commits(&mut self, group: &'a Group) {
        for commit in group.commits.iter().filter(|commit| commit.written) {
            let ranges = &commit.ranges;
            let mut values: Vec<Value<'a>> =
                vec![Box::new(commit.key), Box::new(signed(commit.number.0)), Box::new(Moment(commit.at))];
            values.extend(columns![ranges; |row| row.0, |row| signed(row.1.first.0), |row| signed(row.1.last.0)]);
            values.push(Box::new(commit.touched()));
            self.0.push((JOURNAL, values));
            self.0.push((APP_HEAD, vec![Box::new(commit.key), Box::new(signed(commit.number.0))]));
        }
    }
}
