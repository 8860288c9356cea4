//! The bound: what SQLite alone does with the same rows, so that figures of a busy or slow machine can be read as ratios.
//!
//! One thread, one table clustered by (room, seq), the same settings, the same number of rows in each durable transaction;
//! no port, no checks, no heads, cursors, journal or client ids.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};

use crate::costs::Costs;
use crate::sample::Dice;
use crate::town::TEXT_BYTES;

/// Length of the WAL at which it is copied into the database, in transactions; about what the store does.
const CHECKPOINT_TRANSACTIONS: u64 = 200;

/// A database with the one table.
pub struct Bare {
    db: Connection,
    heads: Vec<i64>,
    dice: Dice,
    commits: u64,
}

impl Bare {
    /// An empty one, in a folder of its own.
    pub fn new(folder: &Path, rooms: usize) -> Self {
        std::fs::create_dir_all(folder).expect("the folder can be made");
        let db = Connection::open(folder.join("bare.db")).expect("a database can be made");
        db.execute_batch(
            "PRAGMA page_size = 2048; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
             PRAGMA cache_size = -16384; PRAGMA cache_spill = OFF;
             CREATE TABLE log (key INTEGER PRIMARY KEY, commit_number INTEGER, number INTEGER, at INTEGER, sender INTEGER,
                 device INTEGER, client_id TEXT, fingerprint INTEGER, kind INTEGER, body TEXT) STRICT;",
        )
        .expect("the schema is right");
        Self { db, heads: vec![0; rooms], dice: Dice::new(11), commits: 0 }
    }

    /// Appends about that many rows, and gives rows per second and microseconds of processor time per row.
    pub fn append(&mut self, rows: u64, per_commit: u64) -> (f64, f64) {
        let body = format!("{{\"text\":\"{}\"}}", "x".repeat(TEXT_BYTES));
        let commits = rows / per_commit;
        let (start, before) = (Instant::now(), Costs::now());
        for _ in 0..commits {
            self.commit(per_commit, &body);
        }
        let (cpu, _) = Costs::now().since(&before, commits * per_commit);
        ((commits * per_commit) as f64 / start.elapsed().as_secs_f64(), cpu)
    }

    fn commit(&mut self, rows: u64, body: &str) {
        let Self { db, heads, dice, commits } = self;
        db.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
        let mut insert =
            db.prepare_cached("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").expect("the table is there");
        for row in 0..rows {
            let room = dice.below(heads.len());
            heads[room] += 1;
            let (key, number) = ((room as i64) << 32 | heads[room], heads[room]);
            let client_id = format!("c-{}", *commits * rows + row);
            let at = 1_770_000_000_000_i64 + i64::try_from(row).unwrap_or(0);
            insert
                .execute(params![key, *commits, number, at, number % 1000, 7, client_id, key ^ at, 4, body])
                .expect("the key is new");
        }
        drop(insert);
        db.execute_batch("COMMIT").expect("the disk works");
        *commits += 1;
        if commits.is_multiple_of(CHECKPOINT_TRANSACTIONS) {
            db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).expect("nobody else checkpoints");
        }
    }
}
