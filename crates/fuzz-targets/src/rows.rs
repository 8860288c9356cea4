//! The rows of a database: changing a value, and reading everything by the store's port.

use std::num::ParseIntError;

use domain::{ClientId, CommitNumber, Seq, SeqRange};
use rusqlite::Connection;
use rusqlite::types::Value;
use storage::{MemberFilter, Store, StoreError};

/// Tables with the columns that tell their rows apart.
const TABLES: &[(&str, &str)] = &[
    ("store", "key"),
    ("app", "key"),
    ("user_key", "key"),
    ("user", "key"),
    ("user_word", "app, word, user_id"),
    ("password", "user"),
    ("device_key", "key"),
    ("device", "key"),
    ("device_window", "device, chunk"),
    ("room", "key"),
    ("direct", "low, high"),
    ("member", "user, room"),
    ("log", "key"),
    ("redo", "key"),
    ("edit", "target, seq"),
    ("reaction", "event, user"),
    ("reaction_count", "event, key"),
    ("journal", "key"),
    ("follower", "app, name"),
    ("counter", "app, day, name"),
];
/// How much is read of what could be much.
const READ_MAX: usize = 50;

/// Does what a line says: `table column row value`. The value is `i` and a number, `t` and a text, `x` and bytes in hex,
/// `u` and the bytes of a text in hex, or `n` for NULL. Tells whether the line meant anything, and the schema allows it.
pub(crate) fn change(db: &Connection, line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line) else { return false };
    let mut words = line.splitn(4, ' ');
    let (Some(table), Some(column), Some(row), Some(value)) = (words.next(), words.next(), words.next(), words.next())
    else {
        return false;
    };
    let Some((table, keys)) = TABLES.iter().find(|(name, _)| *name == table) else { return false };
    // It becomes part of a statement.
    if column.is_empty() || !column.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return false;
    }
    // A text that is not one in UTF-8 can't be handed over as such.
    let as_is = if value.starts_with('u') { "CAST(?1 AS TEXT)" } else { "?1" };
    let (Ok(row), Some(value)) = (row.parse::<u16>(), value_of(value)) else { return false };
    let sql = format!(
        "UPDATE OR IGNORE {table} SET {column} = {as_is} WHERE ({keys}) = (SELECT {keys} FROM {table} ORDER BY {keys} LIMIT 1 OFFSET ?2)"
    );
    db.execute(&sql, (value, row)).is_ok_and(|changed| changed > 0)
}

fn value_of(text: &str) -> Option<Value> {
    let (kind, rest) = text.split_at_checked(1)?;
    match kind {
        "i" => rest.parse().ok().map(Value::Integer),
        "t" => Some(Value::Text(rest.to_owned())),
        "x" | "u" => bytes_of(rest).ok().map(Value::Blob),
        "n" => Some(Value::Null),
        _ => None,
    }
}

fn bytes_of(hex: &str) -> Result<Vec<u8>, ParseIntError> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap_or_default());
    pairs.map(|pair| u8::from_str_radix(pair, 16)).collect()
}

/// Reads everything that there is, or until something can't be read.
pub(crate) async fn read_all(store: &dyn Store) -> Result<(), StoreError> {
    store.epoch().await?;
    for app in store.apps().await?.into_iter().take(READ_MAX) {
        let app = app.id;
        store.head(&app).await?;
        store.has_admin(&app).await?;
        store.counts(&app, 0).await?;
        store.follower(&app, "statistics").await?;
        let mut after = CommitNumber(0);
        for _ in 0..READ_MAX {
            let journal = store.journal(&app, after, READ_MAX).await?;
            store.tallies(&app, after).await?;
            let Some(last) = journal.last() else { break };
            assert!(last.commit > after, "the journal goes on");
            after = last.commit;
        }
        let users = store.search_users(&app, "", None, READ_MAX).await?.users;
        store.search_users(&app, "a", None, READ_MAX).await?;
        let ids: Vec<_> = users.iter().map(|user| user.id.clone()).collect();
        store.users(&app, &ids).await?;
        for user in &ids {
            store.password(&app, user).await?;
            for device in store.devices(&app, user).await? {
                store.device(&app, &device.id).await?;
                let client_id = ClientId::new("c").expect("an id");
                store.recall(&app, &device.id, &client_id, 0).await?;
            }
            store.changed_rooms(&app, user, CommitNumber(0), READ_MAX).await?;
            store.changed_rooms(&app, user, CommitNumber(1), READ_MAX).await?;
            store.share_rooms(&app, user, &ids).await?;
            for other in &ids {
                store.direct_room(&app, [user, other]).await?;
            }
            for room in store.rooms_of(&app, user, MemberFilter::Present).await?.0 {
                let all: Vec<_> = ids.iter().collect();
                let Some(snapshot) = store.room(&app, &room, &all).await? else { continue };
                store.members(&app, &room, MemberFilter::Present, None, READ_MAX).await?;
                store.members(&app, &room, MemberFilter::Joined, None, READ_MAX).await?;
                let last = Seq(snapshot.head.seq.0.min(READ_MAX as u64));
                let range = SeqRange { first: Seq(1), last };
                store.entries(&app, &room, &[range], Some(user)).await?;
                for seq in 0..=last.0 + 1 {
                    store.target(&app, &room, Seq(seq), user).await?;
                }
            }
        }
    }
    Ok(())
}
