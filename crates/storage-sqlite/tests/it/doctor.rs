//! The doctor finds each kind of damage, and nothing in a healthy database.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;
use storage::Store;
use storage::conformance::world::say;
use storage_sqlite::{OpenError, Rule, doctor, seal};

use crate::world::{fresh, lively};

/// One way to damage a database, and the rule that must be found broken.
const DAMAGES: &[(Rule, &str)] = &[
    (Rule::References, "UPDATE log SET sender = 999999 WHERE key = (SELECT max(key) FROM log WHERE kind > 0)"),
    (Rule::References, "UPDATE log SET sender = 999999 WHERE key = (SELECT max(key) FROM log WHERE kind = 0)"),
    (Rule::References, "UPDATE log SET device = 999999 WHERE key = (SELECT max(key) FROM log WHERE kind > 0)"),
    (Rule::References, "UPDATE device SET user = 999999"),
    (
        Rule::References,
        "INSERT INTO log (key, commit_number, number, at, sender, device, kind, body)
         SELECT (9999 << 32) | 1, commit_number, number, at, sender, device, kind, body FROM log LIMIT 1",
    ),
    (
        Rule::References,
        "INSERT INTO log (key, kind, commit_number, number, sender, delivered, read)
         SELECT key + 900, kind, commit_number, number, sender, delivered, read FROM log WHERE kind = 0 LIMIT 1",
    ),
    (Rule::References, "UPDATE member SET slot = slot + 900 WHERE user_id = 'bob'"),
    (Rule::References, "UPDATE member SET slot = 1 WHERE user_id = 'bob'"),
    (Rule::References, "UPDATE log SET kind = 4 WHERE kind = 0"),
    (Rule::References, "INSERT INTO device_window VALUES (999999, 0, x'')"),
    (Rule::References, "UPDATE member SET user_id = 'zed' WHERE user_id = 'ann'"),
    (Rule::Readable, "UPDATE log SET body = '{' WHERE key = (SELECT max(key) FROM log WHERE kind > 0)"),
    (Rule::Readable, "UPDATE log SET kind = 99 WHERE key = (SELECT max(key) FROM log WHERE kind > 0)"),
    (Rule::Readable, "UPDATE member SET intervals = 'x' WHERE user_id = 'ann'"),
    (Rule::SeqsDense, "DELETE FROM log WHERE key = (SELECT min(key) + 5 FROM log WHERE kind > 0)"),
    (Rule::Numbers, "UPDATE log SET number = number + 1 WHERE key = (SELECT min(key) + 5 FROM log WHERE kind > 0)"),
    (Rule::Commits, "UPDATE log SET commit_number = 1 WHERE key = (SELECT min(key) + 5 FROM log WHERE kind > 0)"),
    (Rule::Commits, "UPDATE log SET commit_number = 99999 WHERE key = (SELECT max(key) FROM log WHERE kind > 0)"),
    (Rule::Heads, "UPDATE log SET last_message = NULL"),
    (Rule::Heads, "UPDATE log SET last_message = last_message - 1 WHERE last_message IS NOT NULL"),
    (Rule::Heads, "UPDATE log SET last_message = 1 WHERE kind = 4"),
    (Rule::Rooms, "UPDATE room SET joined = joined + 1"),
    (Rule::Rooms, "UPDATE room SET invited = invited + 1"),
    (Rule::Rooms, "UPDATE room SET owners = owners + 1"),
    (Rule::Rooms, "UPDATE room SET version = version - 1"),
    (Rule::Rooms, "UPDATE room SET settings = json_set(settings, '$.name', 'other')"),
    (Rule::Rooms, "UPDATE room SET created_at = 1"),
    (Rule::Members, "UPDATE member SET level = 77 WHERE user_id = 'bob'"),
    (Rule::Members, "UPDATE member SET state = 'left' WHERE user_id = 'bob'"),
    (Rule::Members, "UPDATE member SET intervals = '[[1,1,null]]' WHERE user_id = 'bob'"),
    (Rule::Members, "UPDATE member SET invited_by = NULL WHERE user_id = 'dan'"),
    (Rule::Members, "UPDATE member SET peer = NULL"),
    (Rule::Members, "DELETE FROM member WHERE user_id = 'dan'"),
    (
        Rule::Members,
        "INSERT INTO member SELECT (SELECT key FROM user_key WHERE id = 'eve'), room, 'eve', peer, state,
                     level, slot, invited_by, invited_at, intervals, commit_number FROM member WHERE user_id = 'dan'",
    ),
    (Rule::Cursors, "UPDATE log SET delivered = 99999 WHERE kind = 0"),
    (Rule::Cursors, "UPDATE log SET read = delivered + 1 WHERE kind = 0"),
    (Rule::Cursors, "UPDATE log SET number = number + 1 WHERE kind = 0"),
    (Rule::Cursors, "UPDATE log SET commit_number = 99999 WHERE kind = 0"),
    (Rule::Cursors, "UPDATE log SET key = key + 900 WHERE kind = 0"),
    (Rule::Cursors, "DELETE FROM log WHERE kind = 0"),
    (Rule::Edits, "DELETE FROM edit WHERE seq = (SELECT max(seq) FROM edit)"),
    (Rule::Edits, "INSERT INTO edit SELECT target, seq + 1 FROM edit"),
    (Rule::Reactions, "DELETE FROM reaction"),
    (Rule::Reactions, "UPDATE reaction SET keys = '[\"x\"]'"),
    (Rule::Reactions, "DELETE FROM reaction_count"),
    (Rule::Reactions, "UPDATE reaction_count SET count = count + 1"),
    (
        Rule::Redactions,
        "UPDATE log SET body = '{\"text\":\"still here\",\"redacted_by\":99}'
                        WHERE body LIKE '{\"redacted_by\"%'",
    ),
    (
        Rule::Redactions,
        "UPDATE log SET body = '{\"text\":\"as if nothing had been\"}' WHERE body LIKE '{\"redacted_by\"%'",
    ),
    (Rule::Redactions, "UPDATE log SET body = json_set(body, '$.text', 'still here') WHERE kind = 5"),
    (Rule::Journal, "DELETE FROM journal WHERE key = (SELECT max(key) FROM journal)"),
    (Rule::Journal, "DELETE FROM journal WHERE key = (SELECT min(key) + 3 FROM journal)"),
    (Rule::Journal, "UPDATE journal SET rooms = x'' WHERE key = (SELECT max(key) FROM journal WHERE rooms <> x'')"),
    (Rule::Journal, "UPDATE journal SET rooms = x'ff' WHERE key = (SELECT max(key) FROM journal)"),
    (Rule::Journal, "UPDATE journal SET rooms = x'010100' WHERE key = (SELECT max(key) FROM journal)"),
    (Rule::Journal, "UPDATE app SET head = head + 1"),
    (Rule::Directs, "DELETE FROM direct"),
    (Rule::Directs, "UPDATE direct SET room = (SELECT key FROM room WHERE kind = 'group')"),
    (Rule::Directs, "UPDATE room SET high = (SELECT key FROM user_key WHERE id = 'eve') WHERE kind = 'direct'"),
    (Rule::Directs, "UPDATE room SET low = high, high = low WHERE kind = 'direct'"),
    (Rule::UserWords, "DELETE FROM user_word WHERE word = 'ann'"),
    (Rule::UserWords, "INSERT INTO user_word SELECT app, 'zzz', user_id, user FROM user_word WHERE word = 'ann'"),
    (Rule::UserWords, "UPDATE user SET display_name = 'Somebody Else' WHERE key = (SELECT min(key) FROM user)"),
    (Rule::Windows, "INSERT INTO device_window SELECT min(key), 77, x'05' FROM device_key"),
    (Rule::Windows, "INSERT INTO device_window SELECT min(key), 77, x'0161000000000000000001ff7f01' FROM device_key"),
    (Rule::Windows, "UPDATE app SET windows_commit = 99999"),
    (Rule::Readable, "UPDATE device SET refresh_generation = -5"),
    (Rule::Readable, "UPDATE user SET kind = 'stone'"),
    (Rule::Readable, "UPDATE store SET epoch = CAST(x'ff' AS TEXT)"),
    (Rule::Readable, "INSERT INTO counter SELECT key, 1, CAST(x'6dff' AS TEXT), 1 FROM app"),
    (Rule::Readable, "INSERT INTO follower SELECT key, CAST(x'6dff' AS TEXT), 1 FROM app"),
    (Rule::Followers, "UPDATE follower SET commit_number = 99999"),
    (Rule::Followers, "INSERT INTO counter SELECT key, 1, 'messages', -1 FROM app"),
    (Rule::Followers, "INSERT INTO counter SELECT key, -1, 'messages', 1 FROM app"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_damage_is_found() {
    let (store, folder) = fresh();
    lively(store.clone()).await;
    assert_eq!(store.doctor().unwrap(), []);
    store.close().await;
    assert_eq!(doctor(folder.path()).unwrap(), []);
    let healthy = std::fs::read(folder.path().join("starling.db")).unwrap();
    let mut tested = BTreeSet::new();
    for (rule, sql) in DAMAGES {
        check(&healthy, *rule, |db| {
            let changed = db.execute(sql, []).unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert!(changed > 0, "changes nothing: {sql}");
        });
        tested.insert(rule.name());
    }
    // Not by SQL: a page that is no page.
    let last_page = healthy.len() - 2048;
    check_bytes(&healthy, |bytes| bytes[last_page..].fill(0x5a));
    // A version that SQLite doesn't know yet: it would only read the file.
    check_bytes(&healthy, |bytes| bytes[18] = 3);
    tested.insert(Rule::Integrity.name());
    assert_eq!(tested.len(), 18, "a rule has no test: {tested:?}");
}

/// The same of what waits in `redo`.
const DAMAGES_OF_WAITING: &[(Rule, &str)] = &[
    (Rule::Readable, "UPDATE redo SET records = substr(records, 1, length(records) - 1) WHERE length(records) > 1"),
    (Rule::Readable, "DELETE FROM log WHERE kind = 0"),
    (Rule::References, "UPDATE log SET key = key + 900 WHERE kind = 0"),
    (Rule::Journal, "UPDATE redo SET records = x'00'"),
    (Rule::Journal, "DELETE FROM redo"),
    (Rule::SeqsDense, "DELETE FROM redo WHERE key = (SELECT max(key) FROM redo WHERE length(records) > 1) - 3"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_damage_of_what_waits_is_found() {
    let (store, folder) = fresh();
    let world = lively(store.clone()).await;
    let mut last = domain::Seq(0);
    for n in 0..8 {
        last = world.act("ann", "red", say(&format!("{n} waits"))).await.seq;
    }
    let copy = |name: &str| {
        let path = folder.path().join(name);
        store.backup(&path).unwrap();
        path
    };
    let waiting = std::fs::read(copy("waiting.db")).unwrap();
    for (rule, sql) in DAMAGES_OF_WAITING {
        check(&waiting, *rule, |db| {
            let changed = db.execute(sql, []).unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert!(changed > 0, "changes nothing: {sql}");
        });
    }
    world.act("ann", "red", domain::Action::Redact { target: last, reason: None }).await;
    let redacted = std::fs::read(copy("redacted.db")).unwrap();
    store.close().await;
    check(&redacted, Rule::Redactions, |db| {
        let from = folder.path().join("waiting.db");
        db.execute("ATTACH ? AS before", [from.to_str().unwrap()]).unwrap();
        db.execute("INSERT OR REPLACE INTO main.redo SELECT * FROM before.redo", []).unwrap();
    });
}

fn check(healthy: &[u8], rule: Rule, damage: impl Fn(&Connection)) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("starling.db");
    std::fs::write(&file, healthy).unwrap();
    let db = Connection::open(&file).unwrap();
    db.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    damage(&db);
    drop(db);
    let findings = doctor(folder.path()).unwrap();
    assert!(findings.iter().any(|finding| finding.rule == rule), "{rule:?} not among {findings:?}");
    let told = findings.first().map(ToString::to_string).unwrap_or_default();
    assert!(told.contains(": "), "{told}");
}

fn check_bytes(healthy: &[u8], damage: impl Fn(&mut [u8])) {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = healthy.to_vec();
    damage(&mut bytes);
    std::fs::write(folder.path().join("starling.db"), bytes).unwrap();
    for sealed in [false, true] {
        // By its checksums, and without their help.
        if sealed {
            seal(folder.path()).unwrap();
        }
        let findings = doctor(folder.path()).unwrap();
        assert!(findings.iter().any(|finding| finding.rule == Rule::Integrity), "sealed: {sealed}: {findings:?}");
    }
}

#[test]
fn without_a_database_there_is_nothing_to_examine() {
    assert!(matches!(doctor(Path::new("/nonexistent")), Err(OpenError::Missing)));
}
