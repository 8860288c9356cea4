//! One connection: its task, its prepared statements, and statements that are sent together.
//!
//! Each connection has a task that moves its messages. Statements are prepared once per connection. Those that are begun
//! together are sent together and answered in order, so that several cost one round trip.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures_util::future::maybe_done;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Connection, Row, Statement};

use crate::error::Fault;

/// A connection with its prepared statements.
pub(crate) struct Session {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    doubtful: Arc<AtomicBool>,
}

/// A statement with what it is called with.
pub(crate) struct Call<'a> {
    pub(crate) sql: &'static str,
    pub(crate) arguments: Vec<&'a (dyn ToSql + Sync)>,
}

impl<'a> Call<'a> {
    pub(crate) fn new<const N: usize>(sql: &'static str, arguments: [&'a (dyn ToSql + Sync); N]) -> Self {
        Self { sql, arguments: arguments.to_vec() }
    }
}

/// What a statement is called with.
pub(crate) type Arguments<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Session {
    /// A session on a connection, whose messages a task of its own moves from now on.
    pub(crate) fn new<S, T>(client: Client, connection: Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let doubtful = Arc::new(AtomicBool::new(false));
        drive(connection, Arc::clone(&doubtful));
        Self { client, statements: Mutex::default(), doubtful }
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Whether the server has warned of a commit since this was asked last.
    pub(crate) fn take_doubt(&self) -> bool {
        self.doubtful.swap(false, Ordering::SeqCst)
    }

    /// Runs statements that are not prepared.
    pub(crate) async fn script(&self, sql: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Rows of one statement.
    pub(crate) async fn query(&self, sql: &'static str, arguments: Arguments<'_>) -> Result<Vec<Row>, Fault> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.query(&statement, arguments).await?)
    }

    /// The only row of a statement, if there is one.
    pub(crate) async fn query_opt(&self, sql: &'static str, arguments: Arguments<'_>) -> Result<Option<Row>, Fault> {
        Ok(self.query(sql, arguments).await?.into_iter().next())
    }

    /// Rows of statements that are sent together and run in this order: one round trip. The answer to each is given.
    pub(crate) async fn pipeline(&self, calls: &[Call<'_>]) -> Result<Vec<Result<Vec<Row>, Fault>>, Fault> {
        let mut statements = Vec::with_capacity(calls.len());
        for call in calls {
            statements.push(self.prepared(call.sql).await?);
        }
        let queries = calls.iter().zip(&statements);
        let mut queries: Vec<_> = queries
            .map(|(call, statement)| maybe_done(Box::pin(self.client.query(statement, &call.arguments))))
            .collect();
        // Each is sent when it is polled first.
        poll_fn(|context| {
            let mut all_done = true;
            for query in &mut queries {
                all_done &= Pin::new(query).poll(context).is_ready();
            }
            if all_done { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let answers = queries.iter_mut().map(|query| Pin::new(query).take_output().expect("all are done"));
        Ok(answers.map(|answer| answer.map_err(Fault::from)).collect())
    }

    /// The same where any error spoils all.
    pub(crate) async fn pipeline_all(&self, calls: &[Call<'_>]) -> Result<Vec<Vec<Row>>, Fault> {
        self.pipeline(calls).await?.into_iter().collect()
    }

    /// Prepares statements that are not yet.
    pub(crate) async fn prepare_all(&self, calls: &[Call<'_>]) -> Result<(), Fault> {
        for call in calls {
            self.prepared(call.sql).await?;
        }
        Ok(())
    }

    async fn prepared(&self, sql: &'static str) -> Result<Statement, Fault> {
        if let Some(statement) = self.lock().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.lock().insert(sql, statement.clone());
        Ok(statement)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves the messages of a connection until it ends.
fn drive<S, T>(mut connection: Connection<S, T>, doubtful: Arc<AtomicBool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            match message {
                Ok(AsyncMessage::Notice(notice)) => {
                    // A commit that stopped waiting for its standby is told as a warning, and looks like any other.
                    if notice.parsed_severity() == Some(Severity::Warning) {
                        if *notice.code() == SqlState::WARNING {
                            doubtful.store(true, Ordering::SeqCst);
                        }
                        tracing::warn!(message = notice.message(), "the database warns");
                    }
                }
                Ok(_) => {}
                // Whoever waits for an answer learns of it.
                Err(_) => break,
            }
        }
    });
}
