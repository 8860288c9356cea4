//! The bound: what SQLite alone does with the same rows, so that figures of a busy or slow machine can be read as ratios.
//!
//! One thread, one table clustered by (room, seq), the same settings, the same number of rows in each durable transaction;
//! no port, no checks, no heads, cursors, journal or client ids.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};

use crate::costs::Costs;
use crate::sample::Dice;

/// Length of the WAL at which it is copied into the database, in transactions; about what the store does.
const CHECKPOINT_TRANSACTIONS: u64 = 200;

/// Rows per second and microseconds of processor time per row.
pub fn appends(folder: &Path, rooms: usize, rows: u64, per_commit: u64) -> (f64, f64) {
    std::fs::create_dir_all(folder).expect("the folder can be made");
    let db = Connection::open(folder.join("bare.db")).expect("a database can be made");
    db.execute_batch(
        "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
         PRAGMA cache_size = -32768; PRAGMA cache_spill = OFF;
         CREATE TABLE log (key INTEGER PRIMARY KEY, commit_number INTEGER, number INTEGER, at INTEGER, sender INTEGER,
             device INTEGER, client_id TEXT, fingerprint INTEGER, kind INTEGER, body TEXT) STRICT;",
    )
    .expect("the schema is right");
    let mut heads = vec![0_i64; rooms];
    let mut dice = Dice::new(11);
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(180));
    let (start, before) = (Instant::now(), Costs::now());
    for commit in 0..rows / per_commit {
        db.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
        let mut insert =
            db.prepare_cached("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").expect("the table is there");
        for row in 0..per_commit {
            let room = dice.below(rooms);
            heads[room] += 1;
            let (key, number) = ((room as i64) << 32 | heads[room], heads[room]);
            let client_id = format!("c-{}", commit * per_commit + row);
            let at = 1_770_000_000_000_i64 + i64::try_from(row).unwrap_or(0);
            insert
                .execute(params![key, commit, number, at, number % 1000, 7, client_id, key ^ at, 4, body])
                .expect("the key is new");
        }
        drop(insert);
        db.execute_batch("COMMIT").expect("the disk works");
        if commit % CHECKPOINT_TRANSACTIONS == CHECKPOINT_TRANSACTIONS - 1 {
            db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).expect("nobody else checkpoints");
        }
    }
    let (cpu, _) = Costs::now().since(&before, rows);
    (rows as f64 / start.elapsed().as_secs_f64(), cpu)
}
