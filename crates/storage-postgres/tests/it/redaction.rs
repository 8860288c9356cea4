//! Deleting deletes: no row has the text any more, and soon no old version of a row has it.

use std::sync::Arc;
use std::time::Duration;

use domain::{Action, Content};
use storage::conformance::world::{message_changes, say};
use storage::{Outcome, Work};
use storage_postgres::{PostgresOptions, PostgresStore};

use crate::cluster::{client, shared};
use crate::load::crowd;

const SECRET: &str = "a secret nobody is to keep";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_text_is_in_no_row() {
    let database = shared().database().await;
    let options = PostgresOptions { sweep_pause: Duration::ZERO, ..database.options() };
    let node = Arc::new(PostgresStore::open(options).await.unwrap());
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
    // The line pointers of old versions are dead or unused; what is normal are the rows that there are.
    client.batch_execute("create extension pageinspect").await.unwrap();
    let part = "select e.tableoid::regclass::text from event e where seq = $1 and body ->> 'redacted_by' is not null";
    let part: String = client.query_one(part, &[&i64::try_from(sent.seq.0).unwrap()]).await.unwrap().get(0);
    let versions = format!(
        "select count(*) from generate_series(0, pg_relation_size('{part}') / 8192 - 1) page,
            heap_page_items(get_raw_page('{part}', page::integer)) item
        where position(convert_to('{SECRET}', 'UTF8') in coalesce(item.t_data, '')) > 0"
    );
    while client.query_one(&versions, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        tokio::task::yield_now().await;
    }
}
