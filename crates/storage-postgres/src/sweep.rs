//! Takes old versions of rows away soon after something was deleted.
//!
//! A row that has lost its text leaves its old version behind, until vacuum has passed. PostgreSQL's own comes when there is
//! much to do, which after a single deletion may be never. So the committer tells where it has deleted, and after a pause,
//! in which more may come together, the parts of `event` that hold it are vacuumed. Only pages that have changed since the
//! last time are looked at.

use std::time::Duration;

use domain::Seq;
use seldom::Seldom;
use tokio::sync::mpsc;

use crate::connect::Connector;
use crate::error::Fault;
use crate::key::RoomKey;
use crate::rows::{self, signed};

/// Deletions that may wait; if there are more, the parts that they are in are most likely known already.
pub(crate) const WAITING_MAX: usize = 1024;

const PARTS: &str = "select distinct e.tableoid::regclass::text from unnest($1::bigint[], $2::bigint[]) q(room, seq)
    join event e on e.room = q.room and e.seq = q.seq";

/// The task that does it.
pub(crate) struct Sweeper {
    pub(crate) connector: Connector,
    pub(crate) pause: Duration,
    /// Events that have lost their content.
    pub(crate) deleted: mpsc::Receiver<(RoomKey, Seq)>,
}

impl Sweeper {
    /// Works until nobody is left who deletes.
    pub(crate) async fn run(mut self) {
        let mut waiting = Vec::new();
        while let Some(first) = self.deleted.recv().await {
            waiting.push(first);
            if !self.deleted.is_closed() {
                tokio::time::sleep(self.pause).await;
            }
            while let Ok(next) = self.deleted.try_recv() {
                waiting.push(next);
            }
            match self.sweep(&waiting).await {
                Ok(()) => waiting.clear(),
                Err(fault) => {
                    static FAILED: Seldom = Seldom::new();
                    if let Some(left_out) = FAILED.due() {
                        tracing::warn!(error = %fault, left_out, "old versions of deleted texts could not be swept");
                    }
                    // It is tried again with the next deletion.
                    waiting.truncate(WAITING_MAX);
                }
            }
        }
    }

    async fn sweep(&self, events: &[(RoomKey, Seq)]) -> Result<(), Fault> {
        let session = self.connector.connect().await?;
        let rooms: Vec<RoomKey> = events.iter().map(|(room, _)| *room).collect();
        let seqs: Vec<i64> = events.iter().map(|(_, seq)| signed(seq.0)).collect();
        for row in session.query(PARTS, &[&rooms, &seqs]).await? {
            let part: &str = rows::get(&row, 0)?;
            session.script(&format!("vacuum (truncate off) {part}")).await?;
        }
        Ok(())
    }
}
