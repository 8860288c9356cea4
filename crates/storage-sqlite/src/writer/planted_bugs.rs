//! What two planted bugs need in the writer: answers that go out before their time, and a WAL that is thrown away.
//!
//! Without them, an [`Early`] is empty and nothing else here is called.

use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use domain::EventBody;
use storage::Work;
use tokio::sync::oneshot;

use super::{Answer, Job};
use crate::connection::database_path;

/// How long `ack-before-commit` leaves between the answers and the commit.
const COMMIT_DELAY: Duration = Duration::from_millis(50);
/// Groups after which `lost-on-kill` moves the WAL into the database, where the start after a kill finds it.
pub(super) const LOST_GROUPS_MAX: u64 = 20;

/// Who is answered before the commit, with their places in the group.
#[derive(Default)]
pub(super) struct Early(Vec<(usize, oneshot::Sender<Answer>)>);

impl Early {
    /// Takes the answers to messages away. To answer anything else early would show at once, without a kill: who has
    /// just been invited could not join.
    pub(super) fn take(jobs: &mut [Job]) -> Self {
        let messages = jobs.iter_mut().enumerate().filter(|(_, job)| is_message(&job.unit.work));
        Self(messages.map(|(place, job)| (place, std::mem::replace(&mut job.answer, oneshot::channel().0))).collect())
    }

    /// Answers, and lets some time pass.
    pub(super) fn answer(self, outcomes: &[Answer]) {
        if self.0.is_empty() {
            return;
        }
        for (place, answer) in self.0 {
            // Whoever does not wait any more does not want the answer.
            let _ = answer.send(outcomes[place].clone());
        }
        sleep(COMMIT_DELAY);
    }
}

fn is_message(work: &Work) -> bool {
    matches!(work, Work::Room(work) if !work.changes.events.is_empty()
        && work.changes.events.iter().all(EventBody::is_message))
}

/// Removes what a server that was killed has left in the WAL. Nobody may have the database open.
pub(super) fn throw_wal_away(folder: &Path) -> io::Result<()> {
    let mut wal = database_path(folder).into_os_string();
    wal.push("-wal");
    match std::fs::remove_file(PathBuf::from(wal)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
