//! The statements look up what they need and walk through nothing else, however large the tables have become since they
//! were planned.

use domain::CommitNumber;
use storage::conformance::world::{device, message_changes, range, read_to, room, user};
use storage::{MemberFilter, Store, Work};

use crate::cluster::{client, shared};
use crate::load::crowd;

const MEMBERS: i32 = 3_000;
/// As many client ids as a device has before some of them are deleted, which may happen in any round.
const REMEMBERED: i32 = 200;
const ROUNDS: i64 = 10;
/// Rows of one table that one round may read.
const ROWS_PER_ROUND: i64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_rooms_cost_no_more_than_small_ones() {
    let database = shared().database().await;
    let admin = client(&database.url).await;
    let node = database.open().await;
    let world = crowd(&node).await;
    let version = world.room("red").await.room.version;
    let round = async |n: i64| {
        let work = world.work_as(&format!("c{n}"), 1, world.work("ann", "red", message_changes(version, "hello")));
        let sent = match world.commit(Work::Room(work)).await {
            storage::Outcome::Done(receipt) => receipt,
            other => panic!("{other:?}"),
        };
        world.act("bob", "red", read_to(None, Some(sent.seq.0))).await;
        let app = &world.app;
        let (before, id) = (CommitNumber(sent.commit.0 - 1), room("red"));
        for since in [CommitNumber(0), before] {
            node.changed_rooms(app, &user("bob"), since, 10).await.unwrap();
        }
        node.room(app, &id, &[&user("ann"), &user("bob")]).await.unwrap();
        node.entries(app, &id, &[range(1, sent.seq.0)], Some(&user("bob"))).await.unwrap();
        node.target(app, &id, sent.seq, &user("bob")).await.unwrap();
        node.last_edit(app, &id, sent.seq, &[range(1, 9)]).await.unwrap();
        node.members(app, &id, MemberFilter::Joined, Some(&user("bob")), 5).await.unwrap();
        node.share_rooms(app, &user("ann"), &[user("bob"), user("nobody")]).await.unwrap();
        node.recall(app, &device("ann-1"), &domain::ClientId::new("none").unwrap(), 1).await.unwrap();
        node.tallies(app, before).await.unwrap();
    };
    // Everything is planned while there is next to nothing.
    round(0).await;
    let grow = format!(
        "insert into member select r.key, 'm' || n, r.app, null, 'joined', 10, null, null, '[[1,1,null]]', 1
            from room r, generate_series(1, {MEMBERS}) n;
        insert into member_cursor select r.key, 'm' || n, 1, 1, 0, 1 from room r, generate_series(1, {MEMBERS}) n;
        insert into reaction select r.key, 1, 'm' || n, '{{a}}' from room r, generate_series(1, {MEMBERS}) n;
        insert into edit select r.key, 1, n from room r, generate_series(1, {MEMBERS}) n;
        insert into event select r.key, 1000000 + n, 1, now(), 0, null, 4, 'ann', null, '{{}}'
            from room r, generate_series(1, {MEMBERS}) n;
        insert into remembered select d.key, 'm' || n, n, 1, r.key, 1, 1
            from device d, room r, generate_series(1, {REMEMBERED}) n where r.id = 'blue';
        update member set state = 'joined'"
    );
    admin.batch_execute(&grow).await.unwrap();
    let read = "select relname::text, coalesce(idx_tup_fetch, 0) + seq_tup_read from pg_stat_user_tables order by 1";
    let settled =
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'starling'";
    admin.batch_execute("select pg_stat_force_next_flush()").await.unwrap();
    let before = admin.query(read, &[]).await.unwrap();
    for n in 1..=ROUNDS {
        round(n).await;
    }
    // A session tells what it has read at its end at the latest.
    node.close().await;
    while admin.query_one(settled, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        tokio::task::yield_now().await;
    }
    let after = admin.query(read, &[]).await.unwrap();
    for (before, after) in before.iter().zip(&after) {
        let (table, rows): (String, i64) = (after.get(0), after.get::<_, i64>(1) - before.get::<_, i64>(1));
        assert!(rows <= ROUNDS * ROWS_PER_ROUND, "{rows} rows of {table}");
    }
}
