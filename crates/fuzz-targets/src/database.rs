//! Database files that somebody else wrote, or a disk: what restore, the doctor and the store make of them.
//!
//! Both targets begin with a small sound database. What they must not do is panic or hang; and where the doctor finds
//! nothing, everything can be read.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bus::LocalBus;
use domain::{AccountChange, Action, App, AppId, AppSettings, Command, Content, DEFAULT_APP, RoomId, Timestamp};
use engine::{Engine, EngineOptions, Secrets};
use rusqlite::Connection;
use storage::{Store, Unit, Work};
use storage_sqlite::{OpenError, Options, SqliteStore, doctor, restore, seal};
use testkit::{ManualClock, World};
use tokio::time::timeout;

use crate::people::{GROUP, actor, prepare};
use crate::rows::{change, read_all};

/// What a SQLite database begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// The file in a data folder.
const DATABASE_FILE: &str = "starling.db";
/// Offsets in a change of a byte: one number for such pieces, one for the byte in it.
const PIECE_BYTES: usize = 64;
/// How long a damaged store may take to carry out a command, or to say that it can't.
const PATIENCE: Duration = Duration::from_secs(10);

/// A whole file, if it begins as a database does. If not: changes of bytes in a sound backup, four bytes each: which
/// piece of it (2, little-endian), which byte of the piece, and what it becomes.
pub(crate) fn run_file(bytes: &[u8]) {
    let mut file = if bytes.starts_with(MAGIC) { bytes.to_vec() } else { backup().to_vec() };
    if !bytes.starts_with(MAGIC) {
        for change in bytes.chunks_exact(4) {
            let piece = usize::from(u16::from_le_bytes([change[0], change[1]]));
            let place = (piece * PIECE_BYTES + usize::from(change[2]) % PIECE_BYTES) % file.len();
            file[place] = change[3];
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (whole, from, restored) =
        (folder.path().join("whole"), folder.path().join("backup.db"), folder.path().join("restored"));
    std::fs::create_dir(&whole).expect("the folder is new");
    std::fs::write(whole.join(DATABASE_FILE), &file).expect("a temporary file can be written");
    // Else hardly anything would come past the sums of the pages, which have tests of their own. It fails where the file is
    // no database at all.
    if seal(&whole).is_ok() {
        file = std::fs::read(whole.join(DATABASE_FILE)).expect("it was written");
    }
    std::fs::write(&from, &file).expect("a temporary file can be written");
    if expect_kind(restore(&from, &restored)).is_some() {
        check_folder(&restored);
    } else {
        assert!(!restored.join(DATABASE_FILE).exists(), "a restore that failed leaves nothing behind");
    }
    // Damage that comes later is in no backup.
    check_folder(&whole);
}

/// Lines that change a value each in a sound backup; see [`change`].
pub(crate) fn run_rows(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join(DATABASE_FILE);
    std::fs::write(&path, backup()).expect("a temporary file can be written");
    let db = Connection::open(&path).expect("a sound database can be opened");
    db.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = OFF")
        .expect("a sound database can be written");
    // Only if something was changed there is something to see.
    if bytes.split(|byte| *byte == b'\n').filter(|line| change(&db, line)).count() > 0 {
        db.close().expect("nothing is under way");
        seal(folder.path()).expect("it is a database still");
        check_folder(folder.path());
    }
}

fn check_folder(folder: &Path) {
    let findings = expect_kind(doctor(folder));
    let options = Options { readers: 1, writer_cache_kib: 256, reader_cache_kib: 256, ..Options::default() };
    let Some(store) = expect_kind(SqliteStore::open(folder, &options)) else {
        assert!(findings.is_none_or(|findings| !findings.is_empty()), "a healthy database can be opened");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(async {
        let store = Arc::new(store);
        let read = timeout(PATIENCE, read_all(&*store)).await.expect("reading comes to an end");
        match (&findings, &read) {
            (Some(findings), Err(error)) if findings.is_empty() => panic!("the doctor is content, but: {error}"),
            _ => {}
        }
        timeout(PATIENCE, work(store.clone())).await.expect("working comes to an end");
        store.close().await;
    });
}

/// Lets an engine do what it does after a start: whether it succeeds depends on the damage.
async fn work(store: Arc<SqliteStore>) {
    let app = default_app();
    let (options, secrets) = (EngineOptions::new(app.clone()), Secrets { token_key: [7; 32] });
    let (bus, clock) = (Arc::new(LocalBus::default()), Arc::new(ManualClock::default()));
    let Ok(engine) = Engine::start(options, secrets, store, bus, clock).await else { return };
    for user in ["ann", "bob"] {
        let action = Action::Send { content: Content::plain("still here?"), reply_to: None };
        let room = RoomId::new(GROUP).expect("a constant");
        let _ = engine.execute(&actor(&app, user), Command { room: room.clone(), action }, None).await;
        let since = domain::CommitNumber(0);
        let _ = engine.query(&actor(&app, user), engine::Sync { since }).await;
        let history = engine::History { room, cut: domain::Cut::Newest, limit: 50 };
        let _ = engine.query(&actor(&app, user), history).await;
    }
    engine.stop().await;
}

/// What went well; what didn't must have gone wrong for a reason that an operator understands.
fn expect_kind<T>(result: Result<T, OpenError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(OpenError::Damaged(_) | OpenError::Sqlite(_) | OpenError::Newer { .. }) => None,
        Err(error) => panic!("not what is wrong with a damaged database: {error}"),
    }
}

fn default_app() -> AppId {
    AppId::new(DEFAULT_APP).expect("a constant")
}

/// A sound backup, which is the same in every run but for its epoch.
fn backup() -> &'static [u8] {
    static BACKUP: OnceLock<Vec<u8>> = OnceLock::new();
    BACKUP.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(async {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let store = SqliteStore::open(folder.path(), &Options::default()).expect("the folder is new");
            let store = Arc::new(store);
            let settings = AppSettings::open("Fuzzed");
            let app = App { id: default_app(), settings, created_at: Timestamp(0) };
            let work = Work::Account(vec![AccountChange::CreateApp(app)]);
            store.commit(Unit { app: default_app(), at: Timestamp(0), work }).await.expect("the disk works");
            let world = World::over(store.clone(), Arc::default(), |_| {}).await;
            prepare(&world.engine, &*store, &default_app(), Timestamp(0)).await;
            // The statistics follow by themselves.
            let head = store.head(&default_app()).await.expect("the store answers");
            while store.follower(&default_app(), "statistics").await.expect("the store answers") < head {
                tokio::task::yield_now().await;
            }
            let path = folder.path().join("backup.db");
            store.backup(&path).expect("the disk works");
            world.engine.stop().await;
            assert_eq!(doctor(folder.path()).expect("the database can be read"), []);
            std::fs::read(path).expect("the backup was written")
        })
    })
}
