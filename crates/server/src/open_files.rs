//! The limit of open files: every connection is one. Distributions set a low soft limit for programs that count bits in
//! fixed arrays; the hard one is what a process may really have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files kept for what is no connection: the store, the log, the listeners, whoever is just being refused.
const OTHER_FILES: u64 = 128;

/// Raises the limit as far as it goes, and gives how many connections fit under it: `connections_max` or fewer.
pub fn make_room(connections_max: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }) {
        tracing::warn!(%error, "the limit of open files can't be raised");
    }
    let files = getrlimit(Resource::Nofile).current;
    let fitting = fitting(connections_max, files);
    if fitting < connections_max {
        tracing::info!(
            connections_max,
            open_files_max = files,
            fitting,
            "fewer connections fit than configured: the limit of open files is too low (LimitNOFILE, ulimit -n)"
        );
    }
    fitting
}

fn fitting(connections_max: usize, files: Option<u64>) -> usize {
    let Some(files) = files else { return connections_max };
    let room = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    connections_max.min(room.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        for (connections_max, files, expect) in [
            (100_000, Some(1024), 896),
            (100_000, Some(1_048_576), 100_000),
            (500, Some(1024), 500),
            (500, None, 500),
            (500, Some(20), 1),
        ] {
            assert_eq!(fitting(connections_max, files), expect, "{connections_max} {files:?}");
        }
    }
}
