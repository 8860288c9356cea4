-- The first schema. Strings stand at the edge only: inside, everything refers to small integers.
-- No table has an index that is written once per message; see docs/adr/0002.

-- One row. epoch: which history this is; a restored backup begins another one.
CREATE TABLE store (
    key INTEGER PRIMARY KEY CHECK (key = 1),
    epoch TEXT NOT NULL
) STRICT;
INSERT INTO store (key, epoch) VALUES (1, lower(hex(randomblob(16))));

CREATE TABLE app (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    registration_open INTEGER NOT NULL,
    directory_open INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- The last commit.
    head INTEGER NOT NULL,
    -- Up to this commit device_window is complete.
    windows_commit INTEGER NOT NULL
) STRICT;

CREATE TABLE user_key (
    key INTEGER PRIMARY KEY,
    app INTEGER NOT NULL REFERENCES app (key),
    id TEXT NOT NULL,
    UNIQUE (app, id)
) STRICT;

CREATE TABLE user (
    key INTEGER PRIMARY KEY REFERENCES user_key (key),
    app INTEGER NOT NULL REFERENCES app (key),
    kind TEXT NOT NULL,
    display_name TEXT NOT NULL,
    admin INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX user_admin ON user (app) WHERE admin = 1;

-- Case-folded beginnings to find users by: the id, and the words of the display name.
CREATE TABLE user_word (
    app INTEGER NOT NULL,
    word TEXT NOT NULL,
    user_id TEXT NOT NULL,
    user INTEGER NOT NULL REFERENCES user (key),
    PRIMARY KEY (app, word, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_word_of ON user_word (user, word);

CREATE TABLE password (
    user INTEGER PRIMARY KEY REFERENCES user (key),
    hash TEXT NOT NULL
) STRICT;

CREATE TABLE device_key (
    key INTEGER PRIMARY KEY,
    app INTEGER NOT NULL REFERENCES app (key),
    id TEXT NOT NULL,
    UNIQUE (app, id)
) STRICT;

CREATE TABLE device (
    key INTEGER PRIMARY KEY REFERENCES device_key (key),
    user INTEGER NOT NULL REFERENCES user (key),
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    refresh_generation INTEGER NOT NULL
) STRICT;
CREATE INDEX device_of ON device (user);

-- The recent client ids of a device with their answers, packed; the newest chunk is the last.
CREATE TABLE device_window (
    device INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (device, chunk)
) STRICT, WITHOUT ROWID;

CREATE TABLE room (
    key INTEGER PRIMARY KEY,
    app INTEGER NOT NULL REFERENCES app (key),
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- The two users of a direct room, the smaller id first.
    low INTEGER REFERENCES user_key (key),
    high INTEGER REFERENCES user_key (key),
    settings TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    joined INTEGER NOT NULL,
    invited INTEGER NOT NULL,
    owners INTEGER NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (app, id)
) STRICT;

CREATE TABLE direct (
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    room INTEGER NOT NULL REFERENCES room (key),
    PRIMARY KEY (low, high)
) STRICT, WITHOUT ROWID;

CREATE TABLE member (
    user INTEGER NOT NULL REFERENCES user_key (key),
    room INTEGER NOT NULL REFERENCES room (key),
    user_id TEXT NOT NULL,
    -- The other user of a direct room.
    peer INTEGER,
    state TEXT NOT NULL,
    level INTEGER NOT NULL,
    -- Where the cursors lie: 1, 2, 3 … in the order in which users became members of the room. It is kept for ever.
    slot INTEGER NOT NULL,
    invited_by INTEGER REFERENCES user_key (key),
    invited_at INTEGER,
    -- JSON: [[invited, joined, left or null], …]
    intervals TEXT NOT NULL,
    commit_number INTEGER NOT NULL,
    PRIMARY KEY (user, room)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_of_room ON member (room, user_id);
CREATE INDEX member_joined ON member (room, user_id) WHERE state = 'joined';

-- What a message writes, side by side, so that it changes one page. There are two kinds of rows:
--
-- Events: key = room << 32 | seq, seq from 1 to 2^31 - 1. The head of a room is its last event: number is the count of
-- messages up to it, and last_message the seq of the last message (NULL in messages, which are it themselves). The
-- fingerprint stands where the client id does: on the first event of a command. delivered and read are NULL.
--
-- Cursors: key = room << 32 | 2^31 | slot of the member, one row for each member, right behind the room's newest events.
-- kind is 0, sender the member, number the count of messages up to what they have read, commit_number the commit that
-- moved them last. All else but delivered and read is NULL.
CREATE TABLE log (
    key INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    commit_number INTEGER NOT NULL,
    number INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    delivered INTEGER,
    read INTEGER,
    at INTEGER,
    device INTEGER,
    fingerprint INTEGER,
    last_message INTEGER,
    client_id TEXT,
    body TEXT
) STRICT;

-- The edits of a message; the last one is what it says now.
CREATE TABLE edit (
    target INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (target, seq)
) STRICT, WITHOUT ROWID;

-- A user's set of reactions on a message, as a JSON array.
CREATE TABLE reaction (
    event INTEGER NOT NULL,
    user INTEGER NOT NULL,
    keys TEXT NOT NULL,
    PRIMARY KEY (event, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE reaction_count (
    event INTEGER NOT NULL,
    key TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (event, key)
) STRICT, WITHOUT ROWID;

-- key = app << 44 | commit. rooms: packed (room, first seq, last seq); touched: packed rooms where only cursors moved;
-- answers: packed (device, client id with its answer) of commands that wrote no event which would tell them.
CREATE TABLE journal (
    key INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    rooms BLOB NOT NULL,
    touched BLOB NOT NULL,
    answers BLOB NOT NULL
) STRICT;

CREATE TABLE follower (
    app INTEGER NOT NULL REFERENCES app (key),
    name TEXT NOT NULL,
    commit_number INTEGER NOT NULL,
    PRIMARY KEY (app, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE counter (
    app INTEGER NOT NULL REFERENCES app (key),
    day INTEGER NOT NULL,
    name TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (app, day, name)
) STRICT, WITHOUT ROWID;
