//! The checker is put to the proof: a server that was built with planted bugs lies in one way at a time, and each lie must be
//! found, as what it is.

use std::collections::BTreeSet;

use testkit::history::Invariant;

use crate::{Run, episode};

/// Episodes in which a lie may go unnoticed before it counts as missed.
const ATTEMPTS: u64 = 5;

/// Each planted bug, and the promises of which it must break one. See `crates/planted`.
#[rustfmt::skip]
const BUGS: &[(&str, &[Invariant])] = &[
    ("ack-before-commit",         &[Invariant::AckedIsKept]),
    ("lost-on-kill",              &[Invariant::AckedIsKept]),
    ("redo-forgotten",            &[Invariant::AckedIsKept]),
    ("flush-left-out",            &[Invariant::ReadsAreFresh, Invariant::SeqsAreDense, Invariant::AckedIsKept]),
    ("dropped-dedup",             &[Invariant::OncePerClientId]),
    ("dedup-forgotten-on-restart", &[Invariant::OncePerClientId]),
    ("late-removal",              &[Invariant::RemovedSeesNothing]),
    ("removed-reads-history",     &[Invariant::RemovedSeesNothing]),
    ("removed-syncs-on",          &[Invariant::RemovedSeesNothing]),
    ("reordered-fan-out",         &[Invariant::PushesAreInOrder]),
    ("doubled-fan-out",           &[Invariant::PushesAreInOrder]),
    ("lost-fan-out",              &[Invariant::PushesAreInOrder]),
    ("torn-push",                 &[Invariant::OneEventPerSeq]),
    ("cursor-moved-back",         &[Invariant::CursorsMoveForward]),
    ("wrong-unread",              &[Invariant::UnreadFollowsCursors]),
    ("body-kept-after-redaction", &[Invariant::DeletedIsGone]),
    ("body-kept-on-disk",         &[Invariant::DeletedIsGone]),
    ("revoked-token-lives",       &[Invariant::RevokedIsDead]),
    ("gap-in-seqs",               &[Invariant::SeqsAreDense]),
    ("sync-skips-a-room",         &[Invariant::ReadsAreFresh, Invariant::DevicesConverge]),
    ("stale-read",                &[Invariant::ReadsAreFresh]),
    ("refused-but-written",       &[Invariant::RefusedIsNowhere]),
    ("wrong-receipt",             &[Invariant::AckedIsKept, Invariant::RealTimeOrder]),
];

/// Lets the server lie in each way, or in those that are named. True if all lies are found.
pub async fn run(run: &Run, only: &[String]) -> anyhow::Result<bool> {
    let mut lines = Vec::new();
    let mut missed = false;
    for (bug, expected) in BUGS.iter().filter(|(bug, _)| only.is_empty() || only.iter().any(|name| name == bug)) {
        let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
        let (mut found, mut episodes) = (BTreeSet::new(), 0);
        while found.is_disjoint(&expected) && episodes < ATTEMPTS {
            episodes += 1;
            let seed = Some(run.seed.unwrap_or(1) + episodes);
            let one = Run { planted: Some((*bug).to_owned()), seconds: 0, rounds: 0, seed, quiet: true, ..run.clone() };
            found.extend(episode::run(&one).await?);
        }
        let caught = !found.is_disjoint(&expected);
        missed |= !caught;
        let verdict = if caught { "caught" } else { "MISSED" };
        let found = found.into_iter().collect::<Vec<_>>().join(", ");
        println!("{verdict} {bug:<27} in episode {episodes}: {found}");
        lines.push(verdict);
    }
    let caught = lines.iter().filter(|verdict| **verdict == "caught").count();
    println!("{caught} of {} planted bugs were caught", lines.len());
    Ok(!missed)
}
