//! What a person finds who looks into the database with psql.

use domain::Action;
use storage::conformance::world::{say, user};

use crate::cluster::{client, shared};
use crate::load::crowd;

#[tokio::test]
async fn everything_has_a_comment() {
    let database = shared().database().await;
    let silent = "select c.relname || coalesce('.' || a.attname, '') from pg_class c
        left join lateral (select 0 as attnum, null::name as attname
            union all select attnum, attname from pg_attribute
            where attrelid = c.oid and attnum > 0 and not attisdropped and not c.relispartition and c.relkind <> 'S') a on true
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
            and col_description(c.oid, a.attnum) is null and obj_description(c.oid, 'pg_class') is null
            or c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
            and a.attnum > 0 and col_description(c.oid, a.attnum) is null
        order by 1";
    let silent = client(&database.url).await.query(silent, &[]).await.unwrap();
    assert_eq!(silent.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test]
async fn events_have_one_index() {
    let database = shared().database().await;
    let indexes = "select indexdef from pg_indexes where tablename = 'event'";
    let indexes = client(&database.url).await.query(indexes, &[]).await.unwrap();
    let indexes: Vec<String> = indexes.iter().map(|row| row.get(0)).collect();
    assert!(indexes.len() == 1 && indexes[0].ends_with("(room, seq)"), "{indexes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_can_be_read() {
    let database = shared().database().await;
    let node = database.open().await;
    let world = crowd(&node).await;
    let first = world.act("ann", "red", say("hello")).await;
    world.act("bob", "red", say("\u{0} and ho")).await;
    world.act("cho", "red", Action::Invite { user: user("eve") }).await;
    let client = client(&database.url).await;
    let read =
        "select sender, kind, text from conversation where app = 'one' and room = 'red' and seq >= $1 order by seq";
    let rows = client.query(read, &[&i64::try_from(first.seq.0).unwrap()]).await.unwrap();
    let rows: Vec<(String, String, Option<String>)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let row =
        |sender: &str, kind: &str, text: Option<&str>| (sender.to_owned(), kind.to_owned(), text.map(String::from));
    let expected = [row("ann", "message", Some("hello")), row("bob", "message", None), row("cho", "member", None)];
    assert_eq!(rows, expected);
    let unread = "select unread from participant where app = 'one' and room = 'red' and user_id = 'ann'";
    assert_eq!(client.query_one(unread, &[]).await.unwrap().get::<_, i64>(0), 1);
}
