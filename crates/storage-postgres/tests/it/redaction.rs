//! Deleting deletes: no row has the text any more, and after vacuum no version of a row has it.

use domain::{Action, Content};
use storage::conformance::world::{message_changes, say};
use storage::{Outcome, Work};

use crate::cluster::{client, shared};
use crate::load::crowd;

const SECRET: &str = "a secret nobody is to keep";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_text_is_in_no_row() {
    let database = shared().database().await;
    let node = database.open().await;
    let world = crowd(&node).await;
    let version = world.room("red").await.room.version;
    let work = world.work_as("c1", 42, world.work("ann", "red", message_changes(version, SECRET)));
    let Outcome::Done(sent) = world.commit(Work::Room(work)).await else { panic!("it is written") };
    world.act("ann", "red", Action::Edit { target: sent.seq, content: Content::plain(format!("{SECRET}!")) }).await;
    world.act("bob", "red", say("kept")).await;
    world.act("ann", "red", Action::Redact { target: sent.seq, reason: None }).await;

    let client = client(&database.url).await;
    let tables = "select c.oid::regclass::text from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'";
    for table in client.query(tables, &[]).await.unwrap() {
        let table: String = table.get(0);
        let found = format!("select 1 from {table} t where t::text like '%{SECRET}%'");
        assert!(client.query(&found, &[]).await.unwrap().is_empty(), "{table} has it");
    }
    let fingerprint = client.query_one("select fingerprint from remembered where client_id = 'c1'", &[]).await.unwrap();
    assert_eq!(fingerprint.get::<_, i64>(0), -1);
    client.batch_execute("vacuum event").await.unwrap();
    let dead = "select coalesce(sum(n_dead_tup), 0)::bigint from pg_stat_user_tables where relname like 'event%'";
    assert_eq!(client.query_one(dead, &[]).await.unwrap().get::<_, i64>(0), 0);
}
