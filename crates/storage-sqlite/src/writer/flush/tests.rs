//! Tests of how much is flushed when, and of what stays in `redo`.

use domain::{CommitNumber, Content, EventBody, RoomId, Timestamp, UserId};

use super::*;
use crate::key::{AppKey, DeviceKey, UserKey};
use crate::schema::migrate;

const WAITING_BYTES: usize = 64 * 1024;
const EVENT_BYTES_MIN: usize = 200;
/// Rooms in which messages wait, and one beside them in which everybody reads.
const ROOMS: u64 = 50;
const READERS: u32 = 200;

fn message(room: u64, seq: u64, group: GroupNumber) -> FreshEvent {
    let event = Event {
        room: RoomId::new(format!("r{room}")).unwrap(),
        seq: Seq(seq),
        commit: CommitNumber(group.0),
        at: Timestamp(0),
        sender: UserId::new("ann").unwrap(),
        client_id: None,
        number: seq,
        body: EventBody::message(Content::plain("hi"), None),
    };
    FreshEvent { event: Arc::new(event), sender: UserKey(1), device: DeviceKey(1), fingerprint: 0, group }
}

#[test]
fn no_group_waits_for_a_room_in_which_much_waits() {
    let mut db = Connection::open_in_memory().unwrap();
    migrate(&mut db).unwrap();
    db.execute_batch(
        "INSERT INTO app VALUES (1, 'one', '', 0, 0, 0, 1, 0);
         INSERT INTO user_key VALUES (1, 1, 'ann');
         INSERT INTO room VALUES (1, 1, 'r1', 'group', NULL, NULL, '{}', 0, 1, 0, 1, 1);
         INSERT INTO log (key, kind, commit_number, number, sender, delivered, read)
         VALUES ((1 << 32) | (1 << 31) | 1, 0, 0, 0, 1, 0, 0)",
    )
    .unwrap();
    let waiting_bytes = 4 * TURN_BYTES;
    let mut flusher = Flusher::load(&db, waiting_bytes, &BTreeSet::new()).unwrap();
    let written = |db: &Connection| {
        let sql = "SELECT count(*), coalesce(max(key) & 0x7fffffff, 0) FROM log WHERE kind > 0";
        db.query_row(sql, [], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?))).unwrap()
    };
    let mut before = 0;
    for n in 1..=5_000_u64 {
        let (group, commit) = (flusher.group(), (AppKey(1), CommitNumber(n)));
        flusher.add_event(commit, RoomKey(1), message(1, n, group));
        let cursors = Cursors { delivered: Seq(n), read: Seq(n), read_messages: n, commit: CommitNumber(n) };
        flusher.move_cursors(commit, RoomKey(1), Slot(1), cursors);
        flusher.finish(&db).unwrap();
        flusher.committed();
        let (count, last) = written(&db);
        assert_eq!(count, last, "they are the first ones");
        assert!((count - before) as usize <= TURN_BYTES / EVENT_BYTES_MIN, "{} in one group", count - before);
        before = count;
    }
    assert!(before > 0 && before < 5_000);
    assert!(flusher.waiting_bytes <= waiting_bytes);
    // As after a crash.
    let mut flusher = Flusher::load(&db, waiting_bytes, &BTreeSet::new()).unwrap();
    assert_eq!(flusher.fresh.unflushed(RoomKey(1), usize::MAX).events.len() as u64, 5_000 - before);
    while !flusher.is_done() {
        flusher.flush_slice(&db).unwrap();
        flusher.committed();
    }
    assert_eq!(written(&db), (5_000, 5_000));
}

#[test]
fn redo_is_bounded_while_many_read_and_few_write() {
    let mut db = Connection::open_in_memory().unwrap();
    migrate(&mut db).unwrap();
    let mut flusher = Flusher::load(&db, WAITING_BYTES, &BTreeSet::new()).unwrap();
    let mut largest = 0;
    for n in 1..=1_000_u64 {
        let (group, commit) = (flusher.group(), (AppKey(1), CommitNumber(n)));
        flusher.add_event(commit, RoomKey((n % ROOMS) as u32), message(n % ROOMS, n, group));
        for slot in 0..READERS {
            let cursors = Cursors { delivered: Seq(n), read: Seq(n), read_messages: n, commit: CommitNumber(group.0) };
            flusher.move_cursors(commit, RoomKey(ROOMS as u32), Slot(slot), cursors);
        }
        flusher.finish(&db).unwrap();
        flusher.committed();
        let sql = "SELECT sum(length(records)) FROM redo";
        largest = largest.max(db.query_row(sql, [], |row| row.get::<_, usize>(0)).unwrap());
    }
    assert!((WAITING_BYTES / 4..3 * WAITING_BYTES).contains(&largest), "{largest} bytes");
    let waiting =
        (0..=ROOMS).map(|room| flusher.fresh.unflushed(RoomKey(room as u32), usize::MAX).bytes()).sum::<usize>();
    assert_eq!(flusher.waiting_bytes, waiting, "what is counted is what waits");
    while !flusher.is_done() {
        flusher.flush_slice(&db).unwrap();
        flusher.committed();
    }
    assert_eq!(flusher.rows.len(), 1);
}
