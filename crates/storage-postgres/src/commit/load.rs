//! Reads all that a group needs, in the transaction that holds the apps' heads: in one round trip with taking them.
//!
//! The plans are made once, maybe when the tables are still empty. Then a look-up by a key whose parts come from two tables
//! seems as good with one part of it as with both, and turns into a walk through a whole room later. `lateral (… offset 0)`
//! leaves the planner no choice. It is the same in the reads.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use domain::Seq;
use storage::{Remembered, record};
use tokio_postgres::Row;

use super::need::Needs;
use super::state::{Answer, AppState, CursorState, MemberState, RoomState, State, StoredText};
use crate::error::Fault;
use crate::key::{AppKey, DeviceKey, RoomKey};
use crate::rows;
use crate::session::{Call, Session};

/// Takes the heads of the apps, in an order that is the same on every node. Whatever is read after it in this transaction is
/// what the commits up to the heads have made.
const LOCK: &str = "select a.id, h.app, h.commit from app_head h join app a on a.key = h.app
    where h.app = any($1::integer[]) order by h.app for no key update of h";

const ROOMS: &str = "select q.place, r.key, r.version, h.seq, h.messages, h.last_message, h.commit,
        c.user_id, c.delivered, c.read, c.read_messages, c.commit
    from unnest($1::integer[], $2::text[], $3::text[]) with ordinality q(app, id, user_id, place)
    join room r on r.app = q.app and r.id = q.id
    join room_head h on h.room = r.key
    left join lateral (select * from member_cursor c where c.room = r.key and c.user_id = q.user_id offset 0) c on true";

const FACTS: &str =
    "select q.place, r.kind, r.low, r.high, r.settings::text, r.created_at, r.joined, r.invited, r.owners, r.version
    from unnest($1::integer[], $2::text[]) with ordinality q(app, id, place)
    join room r on r.app = q.app and r.id = q.id";

const MEMBERS: &str =
    "select q.place, r.key, m.peer, m.state, m.level, m.invited_by, m.invited_at, m.stays::text, m.commit,
        c.delivered, c.read, c.read_messages, c.commit
    from unnest($1::integer[], $2::text[], $3::text[]) with ordinality q(app, id, user_id, place)
    join room r on r.app = q.app and r.id = q.id
    cross join lateral (select * from member m where m.room = r.key and m.user_id = q.user_id offset 0) m
    cross join lateral (select * from member_cursor c where c.room = r.key and c.user_id = q.user_id offset 0) c";

const COMMANDS: &str = "select q.place, d.key, m.fingerprint, r.key, r.id, m.seq, m.commit,
        case when m.number is not null then (select count(*) from
            (select 1 from remembered n where n.device = m.device and n.number > m.number limit 256) newer) end
    from unnest($1::integer[], $2::text[], $3::text[]) with ordinality q(app, device, client_id, place)
    join device d on d.app = q.app and d.id = q.device
    left join lateral (select * from remembered m where m.device = d.key and m.client_id = q.client_id offset 0) m on true
    left join room r on r.key = m.room";

const REACTIONS: &str = "select q.place, r.key, x.keys
    from unnest($1::integer[], $2::text[], $3::bigint[], $4::text[]) with ordinality q(app, id, target, user_id, place)
    join room r on r.app = q.app and r.id = q.id
    cross join lateral (select * from reaction x
        where x.room = r.key and x.target = q.target and x.user_id = q.user_id offset 0) x";

const REDACTED: &str = "select q.place, r.key, e.seq, e.kind, e.body::text, e.device, e.client_id
    from unnest($1::integer[], $2::text[], $3::bigint[]) with ordinality q(app, id, target, place)
    join room r on r.app = q.app and r.id = q.id
    cross join lateral (select * from event e where e.room = r.key and e.seq = q.target offset 0) e
    union all
    select q.place, r.key, e.seq, e.kind, '', e.device, e.client_id
    from unnest($1::integer[], $2::text[], $3::bigint[]) with ordinality q(app, id, target, place)
    join room r on r.app = q.app and r.id = q.id
    cross join lateral (select * from edit d where d.room = r.key and d.target = q.target offset 0) d
    cross join lateral (select * from event e where e.room = d.room and e.seq = d.seq offset 0) e";

const NUMBERS: &str = "select q.place, r.key, e.number
    from unnest($1::integer[], $2::text[], $3::bigint[]) with ordinality q(app, id, seq, place)
    join room r on r.app = q.app and r.id = q.id
    cross join lateral (select * from event e where e.room = r.key and e.seq = q.seq offset 0) e";

const PAIRS: &str = "select q.place
    from unnest($1::integer[], $2::text[], $3::text[]) with ordinality q(app, low, high, place)
    join room r on r.app = q.app and r.low = q.low and r.high = q.high where r.low is not null";

const USERS: &str = "select q.place, u.id, u.kind, u.display_name, u.admin, u.disabled, u.created_at, p.hash
    from unnest($1::integer[], $2::text[]) with ordinality q(app, id, place)
    join app_user u on u.app = q.app and u.id = q.id
    left join password p on p.app = q.app and p.user_id = q.id";

const DEVICES: &str = "select d.app, d.key, d.id, d.user_id, d.name, d.created_at, d.last_seen_at, d.refresh_generation
    from unnest($1::integer[], $2::text[]) q(app, id) join device d on d.app = q.app and d.id = q.id
    union
    select d.app, d.key, d.id, d.user_id, d.name, d.created_at, d.last_seen_at, d.refresh_generation
    from unnest($3::integer[], $4::text[]) q(app, user_id) join device d on d.app = q.app and d.user_id = q.user_id";

const FOLLOWERS: &str = "select q.place, f.commit
    from unnest($1::integer[], $2::text[]) with ordinality q(app, name, place)
    join follower f on f.app = q.app and f.name = q.name";

const ROOM_KEYS: &str = "select nextval('room_key') from generate_series(1, $1::bigint)";
const DEVICE_KEYS: &str = "select nextval('device_key') from generate_series(1, $1::bigint)";

/// What an answer is to.
#[derive(Clone, Copy)]
enum Question {
    Lock,
    Rooms,
    Facts,
    Members,
    Commands,
    Reactions,
    Redacted,
    Numbers,
    Pairs,
    Users,
    Devices,
    Followers,
    RoomKeys,
    DeviceKeys,
    /// Nothing is to be read from it.
    Begin,
}

/// Begins a transaction if none is, takes the heads and reads.
pub(super) async fn load(session: &Session, needs: &Needs<'_>, begin: Option<&'static str>) -> Result<State, Fault> {
    let apps = needs.apps.list();
    let (room_apps, room_ids) = (needs.rooms.column(|row| row.0.0), needs.rooms.column(|row| row.0.1.as_str()));
    let actors = needs.rooms.column(|row| row.1.as_str());
    let (fact_apps, fact_ids) = (needs.facts.column(|row| row.0), needs.facts.column(|row| row.1.as_str()));
    let (member_apps, member_rooms) =
        (needs.members.column(|row| row.0.0), needs.members.column(|row| row.0.1.as_str()));
    let member_users = needs.members.column(|row| row.1.as_str());
    let (command_apps, command_devices) =
        (needs.commands.column(|row| row.0), needs.commands.column(|row| row.1.as_str()));
    let client_ids = needs.commands.column(|row| row.2.as_str());
    let (reaction_apps, reaction_rooms) =
        (needs.reactions.column(|row| row.0.0), needs.reactions.column(|row| row.0.1.as_str()));
    let reaction_targets = needs.reactions.column(|row| rows::signed(row.1.0));
    let reaction_users = needs.reactions.column(|row| row.2.as_str());
    let (redacted_apps, redacted_rooms) =
        (needs.redacted.column(|row| row.0.0), needs.redacted.column(|row| row.0.1.as_str()));
    let redacted_targets = needs.redacted.column(|row| rows::signed(row.1.0));
    let (number_apps, number_rooms) =
        (needs.numbers.column(|row| row.0.0), needs.numbers.column(|row| row.0.1.as_str()));
    let number_seqs = needs.numbers.column(|row| rows::signed(row.1.0));
    let (pair_apps, lows) = (needs.pairs.column(|row| row.0), needs.pairs.column(|row| row.1.as_str()));
    let highs = needs.pairs.column(|row| row.2.as_str());
    let (user_apps, user_ids) = (needs.users.column(|row| row.0), needs.users.column(|row| row.1.as_str()));
    let (device_apps, device_ids) = (needs.devices.column(|row| row.0), needs.devices.column(|row| row.1.as_str()));
    let (owner_apps, owner_ids) = (needs.owners.column(|row| row.0), needs.owners.column(|row| row.1.as_str()));
    let (follower_apps, follower_names) = (needs.followers.column(|row| row.0), needs.followers.column(|row| row.1));
    let (new_rooms, new_devices) = (needs.new_rooms as i64, needs.new_devices as i64);

    let mut asked = Vec::new();
    let mut calls = Vec::new();
    let mut ask = |question: Question, is_needed: bool, call| {
        if is_needed {
            asked.push(question);
            calls.push(call);
        }
    };
    ask(Question::Begin, begin.is_some(), Call::new(begin.unwrap_or_default(), []));
    ask(Question::Lock, true, Call::new(LOCK, [&apps]));
    ask(Question::Rooms, !needs.rooms.is_empty(), Call::new(ROOMS, [&room_apps, &room_ids, &actors]));
    ask(Question::Facts, !needs.facts.is_empty(), Call::new(FACTS, [&fact_apps, &fact_ids]));
    ask(Question::Members, !needs.members.is_empty(), Call::new(MEMBERS, [&member_apps, &member_rooms, &member_users]));
    ask(
        Question::Commands,
        !needs.commands.is_empty(),
        Call::new(COMMANDS, [&command_apps, &command_devices, &client_ids]),
    );
    ask(
        Question::Reactions,
        !needs.reactions.is_empty(),
        Call::new(REACTIONS, [&reaction_apps, &reaction_rooms, &reaction_targets, &reaction_users]),
    );
    ask(
        Question::Redacted,
        !needs.redacted.is_empty(),
        Call::new(REDACTED, [&redacted_apps, &redacted_rooms, &redacted_targets]),
    );
    ask(Question::Numbers, !needs.numbers.is_empty(), Call::new(NUMBERS, [&number_apps, &number_rooms, &number_seqs]));
    ask(Question::Pairs, !needs.pairs.is_empty(), Call::new(PAIRS, [&pair_apps, &lows, &highs]));
    ask(Question::Users, !needs.users.is_empty(), Call::new(USERS, [&user_apps, &user_ids]));
    ask(
        Question::Devices,
        !needs.devices.is_empty() || !needs.owners.is_empty(),
        Call::new(DEVICES, [&device_apps, &device_ids, &owner_apps, &owner_ids]),
    );
    ask(Question::Followers, !needs.followers.is_empty(), Call::new(FOLLOWERS, [&follower_apps, &follower_names]));
    ask(Question::RoomKeys, new_rooms > 0, Call::new(ROOM_KEYS, [&new_rooms]));
    ask(Question::DeviceKeys, new_devices > 0, Call::new(DEVICE_KEYS, [&new_devices]));

    let answers = session.pipeline_all(&calls).await?;
    let mut state = State::default();
    for (question, answer) in asked.into_iter().zip(answers) {
        for row in &answer {
            state.take(question, needs, row)?;
        }
    }
    Ok(state)
}

/// The thing that a row is about.
fn place<T>(list: &[T], row: &Row) -> Result<usize, Fault> {
    let place = rows::get::<i64>(row, 0)? - 1;
    let place = usize::try_from(place).ok().filter(|place| *place < list.len());
    place.ok_or(Fault::Damaged("a row answers nothing"))
}

impl State {
    /// Takes a row in. A row that can't be read spoils only what it is about.
    fn take(&mut self, question: Question, needs: &Needs<'_>, row: &Row) -> Result<(), Fault> {
        match question {
            Question::Begin => Ok(()),
            Question::Lock => {
                let (key, head) = (rows::get(row, 1)?, rows::commit(row, 2)?);
                self.apps.insert(rows::app_id(row, 0)?, AppState { key, head });
                Ok(())
            }
            Question::Rooms => {
                let ((app, room), actor) = needs.rooms.list()[place(needs.rooms.list(), row)?];
                let taken = self.take_room((app, room), actor, row);
                self.spoil((app, room), taken);
                Ok(())
            }
            Question::Facts => {
                let (app, room) = needs.facts.list()[place(needs.facts.list(), row)?];
                let taken = rows::room(room.clone(), row, 1);
                let facts =
                    taken.map(|facts| self.rooms.get_mut(&(app, room.clone())).map(|state| state.facts = Some(facts)));
                self.spoil((app, room), facts.map(drop));
                Ok(())
            }
            Question::Members => {
                let ((app, room), user) = needs.members.list()[place(needs.members.list(), row)?];
                let taken = self.take_member(app, user, row);
                self.spoil((app, room), taken);
                Ok(())
            }
            Question::Commands => {
                let (app, device, client_id) = needs.commands.list()[place(needs.commands.list(), row)?];
                let key: DeviceKey = rows::get(row, 1)?;
                self.devices.insert((app, device.clone()), key);
                if let Some(fingerprint) = rows::get::<Option<i64>>(row, 2)? {
                    let room =
                        rows::get::<Option<RoomKey>>(row, 3)?.ok_or(Fault::Damaged("a remembered room is gone"))?;
                    let remembered = Remembered {
                        client_id: client_id.clone(),
                        fingerprint: fingerprint.cast_unsigned(),
                        room: rows::room_id(row, 4)?,
                        seq: rows::seq(row, 5)?,
                        commit: rows::commit(row, 6)?,
                    };
                    let answer = Answer { remembered, room, age: rows::get(row, 7)? };
                    self.answers.insert((key, client_id.clone()), answer);
                }
                Ok(())
            }
            Question::Reactions => {
                let (_, target, user) = needs.reactions.list()[place(needs.reactions.list(), row)?];
                self.reactions.insert((rows::get(row, 1)?, target, user.clone()), rows::reaction_keys(row, 2)?);
                Ok(())
            }
            Question::Redacted => {
                let ((app, room), target) = needs.redacted.list()[place(needs.redacted.list(), row)?];
                let taken = self.take_text(target, row);
                self.spoil((app, room), taken);
                Ok(())
            }
            Question::Numbers => {
                let (_, seq) = needs.numbers.list()[place(needs.numbers.list(), row)?];
                self.numbers.insert((rows::get(row, 1)?, seq), rows::number(row, 2)?);
                Ok(())
            }
            Question::Pairs => {
                let (app, low, high) = needs.pairs.list()[place(needs.pairs.list(), row)?];
                self.pairs.insert((app, low.clone(), high.clone()));
                Ok(())
            }
            Question::Users => {
                let (app, _) = needs.users.list()[place(needs.users.list(), row)?];
                let taken = self.take_user(app, row);
                self.spoil_accounts(taken);
                Ok(())
            }
            Question::Devices => {
                let taken = self.take_device(row);
                self.spoil_accounts(taken);
                Ok(())
            }
            Question::Followers => {
                let (app, name) = needs.followers.list()[place(needs.followers.list(), row)?];
                self.followers.insert((app, name), rows::commit(row, 1)?);
                Ok(())
            }
            Question::RoomKeys => {
                self.room_keys.push(rows::get(row, 0)?);
                Ok(())
            }
            Question::DeviceKeys => {
                self.device_keys.push(rows::get(row, 0)?);
                Ok(())
            }
        }
    }

    fn take_room(
        &mut self,
        (app, room): (AppKey, &domain::RoomId),
        actor: &domain::UserId,
        row: &Row,
    ) -> Result<(), Fault> {
        let key = rows::get(row, 1)?;
        if rows::get::<Option<&str>>(row, 7)?.is_some() {
            let state = CursorState { cursors: rows::cursors(row, 8)?, stored: true, moved: false };
            self.cursors.insert((key, actor.clone()), state);
        }
        if let Entry::Vacant(vacant) = self.rooms.entry((app, room.clone())) {
            let (version, head) = (rows::number(row, 2)?, rows::head(row, 3)?);
            vacant.insert(RoomState {
                key,
                version,
                head,
                facts: None,
                created: false,
                facts_moved: false,
                head_moved: false,
            });
        }
        Ok(())
    }

    fn take_member(&mut self, app: AppKey, user: &domain::UserId, row: &Row) -> Result<(), Fault> {
        let key: RoomKey = rows::get(row, 1)?;
        let (peer, member) = (rows::optional_user(row, 2)?, rows::member(user.clone(), row, 3)?);
        self.members.insert((key, user.clone()), MemberState { member, app, peer, moved: false });
        let state = CursorState { cursors: rows::cursors(row, 9)?, stored: true, moved: false };
        self.cursors.insert((key, user.clone()), state);
        Ok(())
    }

    fn take_text(&mut self, target: Seq, row: &Row) -> Result<(), Fault> {
        let key: RoomKey = rows::get(row, 1)?;
        let by = match (rows::get::<Option<DeviceKey>>(row, 5)?, rows::get::<Option<&str>>(row, 6)?) {
            (Some(device), Some(_)) => Some((device, rows::client_id(row, 6)?)),
            _ => None,
        };
        let (seq, kind) = (rows::seq(row, 2)?, rows::event_kind(row, 3)?);
        let body: String = rows::get(row, 4)?;
        if seq == target && kind == record::kind::MESSAGE {
            record::decode(kind, &body)?;
        }
        self.texts.entry((key, target)).or_default().push(StoredText { seq, kind, body, by });
        Ok(())
    }

    fn take_user(&mut self, app: AppKey, row: &Row) -> Result<(), Fault> {
        let password = rows::get::<Option<&str>>(row, 7)?.map(|hash| domain::PasswordHash(hash.into()));
        self.accounts.load_user(app, rows::user(row, 1)?, password);
        Ok(())
    }

    fn take_device(&mut self, row: &Row) -> Result<(), Fault> {
        self.accounts.load_device(rows::get(row, 0)?, rows::get(row, 1)?, rows::device(row, 2)?);
        Ok(())
    }

    fn spoil(&mut self, (app, room): (AppKey, &domain::RoomId), taken: Result<(), Fault>) {
        if let Err(fault) = taken {
            self.damaged.insert((app, room.clone()), Arc::from(fault.to_string()));
        }
    }

    fn spoil_accounts(&mut self, taken: Result<(), Fault>) {
        if let Err(fault) = taken {
            self.damaged_accounts = Some(Arc::from(fault.to_string()));
        }
    }
}
