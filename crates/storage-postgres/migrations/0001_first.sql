-- The first schema. What a person asks for by name has its name in it; what is written with every message refers to its
-- room by a number. The views at the end put both together. See docs/adr/0013.
--
-- There are no foreign keys: only the committer writes, it checks everything itself, and each key costs a look-up per row.
-- Ids and words are compared byte by byte (collation "C"), like everywhere else in the program.

create table store (
    only_row boolean primary key default true check (only_row),
    epoch text not null,
    system text not null
);
comment on table store is 'The store itself; one row.';
comment on column store.only_row is 'Always true, so that there is one row.';
comment on column store.epoch is 'Which history this is: clients that know another one start anew. Set a new one after going back to a backup of the server''s files: update store set epoch = replace(gen_random_uuid()::text, ''-'', '''')';
comment on column store.system is 'The system identifier of the server that the epoch was made on. On another one, which a dump was read into, there will be a new epoch.';
insert into store (epoch, system) values (replace(gen_random_uuid()::text, '-', ''), '');

create table app (
    key integer primary key,
    id text collate "C" not null unique,
    name text not null,
    registration_open boolean not null,
    directory_open boolean not null,
    created_at timestamptz not null
);
comment on table app is 'Apps (tenants): isolated worlds of users and rooms.';
comment on column app.key is 'Number of the app in this database.';
comment on column app.id is 'Its id.';
comment on column app.name is 'The name people see.';
comment on column app.registration_open is 'Whether anyone may register.';
comment on column app.directory_open is 'Whether users may search for users they share no room with.';
comment on column app.created_at is 'When it was created.';

create table app_head (
    app integer primary key,
    commit bigint not null
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
comment on table app_head is 'Where the journal of each app ends. Who writes to an app locks its row first, so that its commits form one order.';
comment on column app_head.app is 'The app.';
comment on column app_head.commit is 'Its last commit.';

create table app_user (
    app integer not null,
    id text collate "C" not null,
    kind text not null,
    display_name text not null,
    admin boolean not null,
    disabled boolean not null,
    created_at timestamptz not null,
    primary key (app, id)
);
create index app_user_admin on app_user (app) where admin and not disabled;
comment on table app_user is 'Users.';
comment on column app_user.app is 'Their app.';
comment on column app_user.id is 'Their id.';
comment on column app_user.kind is 'person, bot or guest.';
comment on column app_user.display_name is 'The name to show.';
comment on column app_user.admin is 'Whether they administer the server.';
comment on column app_user.disabled is 'Whether the account is closed.';
comment on column app_user.created_at is 'When it was created.';

create table user_word (
    app integer not null,
    word text collate "C" not null,
    user_id text collate "C" not null,
    primary key (app, word, user_id)
);
create index user_word_of on user_word (app, user_id, word);
comment on table user_word is 'By what users are found: their id and the words of their name, case folded.';
comment on column user_word.app is 'The app.';
comment on column user_word.word is 'The word.';
comment on column user_word.user_id is 'The user.';

create table password (
    app integer not null,
    user_id text collate "C" not null,
    hash text not null,
    primary key (app, user_id)
);
comment on table password is 'Passwords of users who sign in by one.';
comment on column password.app is 'The app.';
comment on column password.user_id is 'The user.';
comment on column password.hash is 'Argon2id hash in PHC string format.';

create sequence device_key;
create table device (
    key bigint primary key,
    app integer not null,
    id text collate "C" not null,
    user_id text collate "C" not null,
    name text not null,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    refresh_generation bigint not null,
    unique (app, id)
);
create index device_of on device (app, user_id);
comment on sequence device_key is 'Numbers of devices.';
comment on table device is 'Devices: one for each login. A revoked device is gone.';
comment on column device.key is 'Number of the device in this database; never given out again.';
comment on column device.app is 'The app.';
comment on column device.id is 'Its id.';
comment on column device.user_id is 'Whose.';
comment on column device.name is 'The name given at login.';
comment on column device.created_at is 'When it signed in.';
comment on column device.last_seen_at is 'When its tokens were refreshed last.';
comment on column device.refresh_generation is 'Number of the refresh token that is good now.';

create sequence remembered_number;
create table remembered (
    device bigint not null,
    client_id text collate "C" not null,
    number bigint not null default nextval('remembered_number'),
    fingerprint bigint not null,
    room bigint not null,
    seq bigint not null,
    commit bigint not null,
    primary key (device, client_id)
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 10000);
comment on sequence remembered_number is 'In which order client ids were used.';
comment on table remembered is 'The last client ids of each device with the answers to their commands, so that a repeat gets the first answer. Only the last 256 of a device count; older ones are deleted now and then.';
comment on column remembered.device is 'The device.';
comment on column remembered.client_id is 'The device''s own id for the command.';
comment on column remembered.number is 'Grows from command to command.';
comment on column remembered.fingerprint is 'What the command was, to tell a repeat from a mix-up; -1 if its text was deleted.';
comment on column remembered.room is 'The room of the answer.';
comment on column remembered.seq is 'The seq of the answer.';
comment on column remembered.commit is 'The commit of the answer.';

create sequence room_key;
create table room (
    key bigint primary key,
    app integer not null,
    id text collate "C" not null,
    kind text not null,
    low text collate "C",
    high text collate "C",
    settings json not null,
    created_at timestamptz not null,
    joined integer not null,
    invited integer not null,
    owners integer not null,
    version bigint not null,
    unique (app, id)
) with (fillfactor = 80);
create unique index room_direct on room (app, low, high) where low is not null;
comment on sequence room_key is 'Numbers of rooms.';
comment on table room is 'Rooms: what checks of commands read. Follows from the events.';
comment on column room.key is 'Number of the room in this database.';
comment on column room.app is 'The app.';
comment on column room.id is 'Its id.';
comment on column room.kind is 'direct or group.';
comment on column room.low is 'One of the two users of a direct room: the one with the smaller id.';
comment on column room.high is 'The other one.';
comment on column room.settings is 'Name, topic, join (invite, open), history (joined, invited, members, anyone), and the levels needed to send, react, invite, remove, redact, change settings, change levels.';
comment on column room.created_at is 'When it was created.';
comment on column room.joined is 'How many members are joined.';
comment on column room.invited is 'How many are invited.';
comment on column room.owners is 'How many of the joined own it.';
comment on column room.version is 'Grows when any of this, a member, or a redaction changes.';

create table room_head (
    room bigint primary key,
    seq bigint not null,
    messages bigint not null,
    last_message bigint,
    commit bigint not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1);
comment on table room_head is 'Where the log of each room ends. Written with every message, in place.';
comment on column room_head.room is 'The room.';
comment on column room_head.seq is 'Seq of the last event.';
comment on column room_head.messages is 'Number of messages.';
comment on column room_head.last_message is 'Seq of the last message.';
comment on column room_head.commit is 'The commit of the last event.';

create table member (
    room bigint not null,
    user_id text collate "C" not null,
    app integer not null,
    peer text collate "C",
    state text not null,
    level smallint not null,
    invited_by text collate "C",
    invited_at bigint,
    stays json not null,
    commit bigint not null,
    primary key (room, user_id)
);
create index member_rooms on member (app, user_id, room);
create index member_joined on member (room, user_id) where state = 'joined';
comment on table member is 'Who has to do with a room. Follows from the events.';
comment on column member.room is 'The room.';
comment on column member.user_id is 'The user.';
comment on column member.app is 'The app of both.';
comment on column member.peer is 'The other user, if the room is direct.';
comment on column member.state is 'invited, joined or left.';
comment on column member.level is 'What they may do while joined, 0 to 100.';
comment on column member.invited_by is 'Who invited them, while invited.';
comment on column member.invited_at is 'Seq of the open invitation.';
comment on column member.stays is 'When they were in the room, as seqs: [[invited, joined, left or null], …].';
comment on column member.commit is 'The commit of the last change of this.';

create table member_cursor (
    room bigint not null,
    user_id text collate "C" not null,
    delivered bigint not null,
    read bigint not null,
    read_messages bigint not null,
    commit bigint not null,
    primary key (room, user_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1);
comment on table member_cursor is 'How far each member has got. Written with every message and every move, in place.';
comment on column member_cursor.room is 'The room.';
comment on column member_cursor.user_id is 'The user.';
comment on column member_cursor.delivered is 'Everything up to this seq has reached a device.';
comment on column member_cursor.read is 'Everything up to this seq has been read.';
comment on column member_cursor.read_messages is 'How many messages there are up to there.';
comment on column member_cursor.commit is 'The commit of the last move.';

create table event (
    room bigint not null,
    seq bigint not null,
    commit bigint not null,
    at timestamptz not null,
    number bigint not null,
    device bigint,
    kind smallint not null,
    sender text collate "C" not null,
    client_id text collate "C",
    body json not null,
    primary key (room, seq)
) partition by hash (room);
comment on table event is 'The log of every room. It has no further index, and nothing of it changes but what is redacted.';
comment on column event.room is 'The room.';
comment on column event.seq is 'Place in the room''s log: 1, 2, 3 …';
comment on column event.commit is 'The commit that wrote it.';
comment on column event.at is 'When it was accepted.';
comment on column event.number is 'How many messages the room has up to and with it.';
comment on column event.device is 'The device that sent it, if it has a client id.';
comment on column event.kind is '1 created, 2 settings, 3 member, 4 message, 5 edit, 6 redaction, 7 reaction.';
comment on column event.sender is 'Who caused it.';
comment on column event.client_id is 'The device''s own id for the command, on the first event of it.';
comment on column event.body is 'What happened. A message: text, markdown, mentions, data, reply_to; redacted_by and no text once it is deleted.';
do $$
begin
    for part in 0..15 loop
        -- A redacted text is an old version of its row until vacuum has passed, so it passes soon.
        execute format(
            'create table event_%s partition of event for values with (modulus 16, remainder %s)
             with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50,
                   autovacuum_vacuum_insert_scale_factor = 0.05)',
            lpad(part::text, 2, '0'), part);
        execute format('comment on table event_%s is %L', lpad(part::text, 2, '0'), 'A part of event: the rooms whose hash falls here.');
    end loop;
end $$;

create table edit (
    room bigint not null,
    target bigint not null,
    seq bigint not null,
    primary key (room, target, seq)
);
comment on table edit is 'The edits of each message; the last one is what it says now.';
comment on column edit.room is 'The room.';
comment on column edit.target is 'Seq of the message.';
comment on column edit.seq is 'Seq of the edit.';

create table reaction (
    room bigint not null,
    target bigint not null,
    user_id text collate "C" not null,
    keys text[] not null,
    primary key (room, target, user_id)
);
comment on table reaction is 'Each user''s set of reactions on a message.';
comment on column reaction.room is 'The room.';
comment on column reaction.target is 'Seq of the message.';
comment on column reaction.user_id is 'The user.';
comment on column reaction.keys is 'The set.';

create table reaction_count (
    room bigint not null,
    target bigint not null,
    key text collate "C" not null,
    count integer not null,
    primary key (room, target, key)
);
comment on table reaction_count is 'How many users have each reaction on a message.';
comment on column reaction_count.room is 'The room.';
comment on column reaction_count.target is 'Seq of the message.';
comment on column reaction_count.key is 'The reaction, usually an emoji.';
comment on column reaction_count.count is 'How many users.';

create table journal (
    app integer not null,
    commit bigint not null,
    at timestamptz not null,
    rooms bigint[] not null,
    first_seqs bigint[] not null,
    last_seqs bigint[] not null,
    touched bigint[] not null,
    primary key (app, commit)
);
comment on table journal is 'Every commit of every app, one row for each.';
comment on column journal.app is 'The app.';
comment on column journal.commit is 'The commit: 1, 2, 3 …';
comment on column journal.at is 'When it was written.';
comment on column journal.rooms is 'Rooms that got events.';
comment on column journal.first_seqs is 'Seq of the first of them, room by room.';
comment on column journal.last_seqs is 'Seq of the last of them, room by room.';
comment on column journal.touched is 'Rooms where only cursors moved.';

create table follower (
    app integer not null,
    name text collate "C" not null,
    commit bigint not null,
    primary key (app, name)
);
comment on table follower is 'How far each follower of the journal has come.';
comment on column follower.app is 'The app.';
comment on column follower.name is 'The follower.';
comment on column follower.commit is 'The commit it has reached.';

create table counter (
    app integer not null,
    day integer not null,
    name text collate "C" not null,
    amount bigint not null,
    primary key (app, day, name)
);
comment on table counter is 'What the statistics follower has counted.';
comment on column counter.app is 'The app.';
comment on column counter.day is 'Days since 1970.';
comment on column counter.name is 'What.';
comment on column counter.amount is 'How many.';

-- For a person with psql. A text with a NUL character can't be a text here, so that it shows as null.
create view conversation as
    select a.id as app, r.id as room, r.settings ->> 'name' as room_name, e.seq, e.at, e.sender,
        (array['created', 'settings', 'member', 'message', 'edit', 'redaction', 'reaction'])[e.kind] as kind,
        case when e.body::text like '%\\u0000%' then null else e.body ->> 'text' end as text,
        e.commit, e.client_id, e.body
    from event e join room r on r.key = e.room join app a on a.key = r.app;
comment on view conversation is 'Events with the names of their rooms: select * from conversation where app = ''default'' and room = ''…'' order by seq desc limit 20';
comment on column conversation.app is 'The app.';
comment on column conversation.room is 'The room.';
comment on column conversation.room_name is 'The name of the room.';
comment on column conversation.seq is 'Place in the room''s log.';
comment on column conversation.at is 'When it was accepted.';
comment on column conversation.sender is 'Who caused it.';
comment on column conversation.kind is 'What it is.';
comment on column conversation.text is 'The text of a message or edit.';
comment on column conversation.commit is 'The commit that wrote it.';
comment on column conversation.client_id is 'The sender''s own id for it.';
comment on column conversation.body is 'All of it.';

create view participant as
    select a.id as app, r.id as room, r.settings ->> 'name' as room_name, m.user_id, m.state, m.level,
        c.delivered, c.read, h.messages - c.read_messages as unread
    from member m join room r on r.key = m.room join app a on a.key = r.app
        join room_head h on h.room = m.room join member_cursor c on c.room = m.room and c.user_id = m.user_id;
comment on view participant is 'Members with the names of their rooms: select * from participant where app = ''default'' and user_id = ''…''';
comment on column participant.app is 'The app.';
comment on column participant.room is 'The room.';
comment on column participant.room_name is 'The name of the room.';
comment on column participant.user_id is 'The user.';
comment on column participant.state is 'invited, joined or left.';
comment on column participant.level is 'What they may do while joined, 0 to 100.';
comment on column participant.delivered is 'Everything up to this seq has reached a device.';
comment on column participant.read is 'Everything up to this seq has been read.';
comment on column participant.unread is 'How many messages have not been read.';
