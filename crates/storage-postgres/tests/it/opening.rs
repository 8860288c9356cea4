//! Opening: what is refused and how it is said, and the migrations.

use std::time::Duration;

use storage::Store;
use storage_postgres::{OpenError, PostgresOptions, PostgresStore};

use crate::cluster::{Cluster, client, shared};

type Expected = fn(&OpenError) -> bool;

async fn refusal(url: &str) -> OpenError {
    let options = PostgresOptions { connect_timeout: Duration::from_secs(5), ..PostgresOptions::new(url) };
    PostgresStore::open(options).await.expect_err(url)
}

#[tokio::test]
async fn what_can_t_be_opened_is_said_clearly() {
    let cluster = shared();
    let port = cluster.port;
    let admin = cluster.client("postgres").await;
    admin.batch_execute("create role guarded login password 'secret'").await.unwrap();
    admin.batch_execute("create database latin template template0 encoding 'LATIN1' locale 'C'").await.unwrap();
    let database = cluster.database().await;
    let newer = cluster.database().await;
    cluster.client(&newer.name).await.batch_execute("insert into migration (number) values (99)").await.unwrap();
    let foreign = cluster.empty_database().await;
    let at = |user: &str, database: &str| format!("postgres://{user}@127.0.0.1:{port}/{database}");

    let url = |error: &OpenError| matches!(error, OpenError::Url(_));
    let login = |error: &OpenError| matches!(error, OpenError::Login(_));
    let cases: [(String, Expected); 14] = [
        ("nonsense".into(), url),
        ("mysql://a@b/c".into(), url),
        ("postgres://".into(), url),
        (format!("postgres://127.0.0.1:{port}/x"), url),
        ("postgres://ann@/x".into(), url),
        (format!("postgres://ann@127.0.0.1:{port}/x?sslmode=maybe"), url),
        ("postgres://postgres@127.0.0.1:1/x".into(), |error| matches!(error, OpenError::Unreachable(_))),
        ("postgres://postgres@nowhere.invalid/x".into(), |error| matches!(error, OpenError::Unreachable(_))),
        (at("guarded:wrong", &database.name), login),
        (at("guarded", &database.name), login),
        (at("postgres", "nowhere"), |error| matches!(error, OpenError::NoDatabase(_))),
        (at("postgres", "latin"), |error| matches!(error, OpenError::Encoding(found) if found == "LATIN1")),
        (newer.url.clone(), |error| matches!(error, OpenError::Newer { found: 99, .. })),
        (format!("{}?sslmode=require", database.url), |error| matches!(error, OpenError::Tls(_))),
    ];
    for (url, expected) in &cases {
        let error = refusal(url).await;
        assert!(expected(&error), "{url}: {error:?}");
        assert!(!error.to_string().contains("secret") && !error.to_string().is_empty());
    }
    // Who may log in but not make tables is told so.
    let error = refusal(&at("guarded:secret", &foreign.name)).await;
    assert!(matches!(&error, OpenError::Refused(what) if what.contains("right to create tables")), "{error:?}");
}

#[tokio::test]
async fn servers_that_lose_data_are_refused() {
    let cluster = Cluster::stopped();
    cluster.tell("setting fsync = off");
    cluster.tell("start");
    let error = refusal(&cluster.url("postgres")).await;
    assert!(matches!(error, OpenError::NotDurable(_)), "{error:?}");
    let read_only = shared().database().await;
    let admin = shared().client("postgres").await;
    let set = format!("alter database {} set default_transaction_read_only = on", read_only.name);
    admin.batch_execute(&set).await.unwrap();
    let error = refusal(&read_only.url).await;
    assert!(matches!(error, OpenError::NotPrimary(_)), "{error:?}");
}

/// Nodes that come up together on an empty database bring it up once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_migrate_one_at_a_time() {
    let database = shared().empty_database().await;
    let (one, two, three) = tokio::join!(database.open(), database.open(), database.open());
    let epoch = one.epoch().await.unwrap();
    for node in [&two, &three] {
        assert_eq!(node.epoch().await.unwrap(), epoch);
    }
    let migrations = client(&database.url).await.query("select number from migration", &[]).await.unwrap();
    assert_eq!(migrations.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [1]);
    one.close().await;
    assert_eq!(database.open().await.epoch().await.unwrap(), epoch, "it stays");
    let other = shared().empty_database().await;
    assert_ne!(other.open().await.epoch().await.unwrap(), epoch, "another store has another");
}

/// A dump that is read into another server is another history.
#[tokio::test]
async fn another_server_has_another_epoch() {
    let database = shared().empty_database().await;
    let epoch = database.open().await.epoch().await.unwrap();
    let admin = client(&database.url).await;
    admin.batch_execute("update store set system = 'elsewhere'").await.unwrap();
    let (one, two) = tokio::join!(database.open(), database.open());
    let moved = one.epoch().await.unwrap();
    assert_ne!(moved, epoch);
    assert_eq!(two.epoch().await.unwrap(), moved);
    assert_eq!(database.open().await.epoch().await.unwrap(), moved, "it stays");
}

/// With `sslmode=require` the server's certificate is checked, and its name.
#[tokio::test]
async fn encrypted_connections_are_to_who_they_say() {
    let cluster = Cluster::stopped();
    cluster.tell("tls");
    cluster.tell("start");
    let url = format!("{}?sslmode=require", cluster.url("postgres"));
    let ca_file = Some(cluster.folder.join("ca.pem"));
    let options = PostgresOptions { ca_file: ca_file.clone(), ..PostgresOptions::new(&url) };
    let store = PostgresStore::open(options).await.unwrap();
    store.epoch().await.unwrap();
    let encrypted =
        "select bool_and(ssl) from pg_stat_activity join pg_stat_ssl using (pid) where application_name = 'starling'";
    let encrypted = cluster.client("postgres").await.query_one(encrypted, &[]).await.unwrap();
    assert!(encrypted.get::<_, bool>(0));

    let tls = |error: &OpenError| matches!(error, OpenError::Tls(_));
    let error = refusal(&url).await;
    assert!(tls(&error), "nobody the system trusts has signed it: {error:?}");
    let other_name = PostgresOptions { ca_file, ..PostgresOptions::new(url.replace("127.0.0.1", "localhost")) };
    let error = PostgresStore::open(other_name).await.unwrap_err();
    assert!(tls(&error), "it is not its name: {error:?}");
    let no_file = PostgresOptions { ca_file: Some("/nowhere/ca.pem".into()), ..PostgresOptions::new(&url) };
    let error = PostgresStore::open(no_file).await.unwrap_err();
    assert!(tls(&error), "{error:?}");
}

/// The tables lie where the search path of the URL says.
#[tokio::test]
async fn several_stores_may_share_a_database() {
    let database = shared().empty_database().await;
    let admin = client(&database.url).await;
    admin.batch_execute("create schema red; create schema blue").await.unwrap();
    let mut epochs = Vec::new();
    for schema in ["red", "blue"] {
        let url = format!("{}?options=-csearch_path%3D{schema}", database.url);
        let store = PostgresStore::open(PostgresOptions::new(url)).await.unwrap();
        epochs.push(store.epoch().await.unwrap());
    }
    assert_ne!(epochs[0], epochs[1]);
}
