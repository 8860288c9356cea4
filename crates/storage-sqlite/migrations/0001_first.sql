-- The first schema. Strings stand at the edge only: inside, everything refers to small integers.
-- No table has an index that is written once per message; see docs/adr/0002.

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
    user INTEGER NOT NULL REFERENCES user (key),
    PRIMARY KEY (app, word, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_word_of ON user_word (user);

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

CREATE TABLE room_head (
    room INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    last_message INTEGER,
    commit_number INTEGER NOT NULL
) STRICT;

CREATE TABLE member (
    user INTEGER NOT NULL REFERENCES user_key (key),
    room INTEGER NOT NULL REFERENCES room (key),
    user_id TEXT NOT NULL,
    -- The other user of a direct room.
    peer INTEGER,
    state TEXT NOT NULL,
    level INTEGER NOT NULL,
    invited_by INTEGER REFERENCES user_key (key),
    invited_at INTEGER,
    -- JSON: [[invited, joined, left or null], …]
    intervals TEXT NOT NULL,
    commit_number INTEGER NOT NULL,
    PRIMARY KEY (user, room)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_of_room ON member (room, user_id);

-- key = user << 32 | room. There is one for each member.
CREATE TABLE cursor (
    key INTEGER PRIMARY KEY,
    delivered INTEGER NOT NULL,
    read INTEGER NOT NULL,
    read_messages INTEGER NOT NULL,
    commit_number INTEGER NOT NULL
) STRICT;

-- key = room << 32 | seq. The fingerprint stands where the client id does: on the first event of a command.
CREATE TABLE event (
    key INTEGER PRIMARY KEY,
    commit_number INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    device INTEGER NOT NULL,
    client_id TEXT,
    fingerprint INTEGER,
    kind INTEGER NOT NULL,
    body TEXT NOT NULL
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
