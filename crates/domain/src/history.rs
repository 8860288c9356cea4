//! Which seqs make a page of a room's log.

use crate::{Seq, SeqRange};

/// Where a page lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The end of the log.
    Newest,
    /// Before this seq.
    Before(Seq),
    /// After this seq.
    After(Seq),
    /// Half before this seq, this one, half after.
    Around(Seq),
}

/// A page as seqs: since they are dense, it is known before anything is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRanges {
    /// What to read, ascending.
    pub ranges: Vec<SeqRange>,
    /// Whether there is more before.
    pub has_older: bool,
    /// Whether there is more after.
    pub has_newer: bool,
}

/// Cuts a page of at most `limit` seqs out of the visible ranges (ascending, apart).
pub fn page_ranges(visible: &[SeqRange], cut: Cut, limit: u64) -> PageRanges {
    let ranges = match cut {
        Cut::Newest => last_of(visible, limit),
        Cut::Before(seq) => last_of(&clip(visible, Seq(1), Seq(seq.0.saturating_sub(1))), limit),
        Cut::After(seq) => first_of(&clip(visible, Seq(seq.0.saturating_add(1)), Seq(u64::MAX)), limit),
        Cut::Around(seq) => {
            let older_all = clip(visible, Seq(1), Seq(seq.0.saturating_sub(1)));
            let newer_all = clip(visible, seq, Seq(u64::MAX));
            let (older_total, newer_total) = (total(&older_all), total(&newer_all));
            let older = older_total.min((limit / 2).max(limit.saturating_sub(newer_total)));
            let mut ranges = last_of(&older_all, older);
            ranges.extend(first_of(&newer_all, limit - older));
            merge(ranges)
        }
    };
    let (has_older, has_newer) = match (ranges.first(), ranges.last()) {
        (Some(first), Some(last)) => (
            visible.first().is_some_and(|range| range.first < first.first),
            visible.last().is_some_and(|range| range.last > last.last),
        ),
        _ => match cut {
            Cut::Newest | Cut::Around(_) => (false, false),
            Cut::Before(_) => (false, !visible.is_empty()),
            Cut::After(_) => (!visible.is_empty(), false),
        },
    };
    PageRanges { ranges, has_older, has_newer }
}

/// The ranges of a page in pieces of at most `piece` seqs, those nearest to the cut first, so that a page that is given up
/// after some pieces has no hole.
pub fn nearest_first(ranges: &[SeqRange], cut: Cut, piece: u64) -> Vec<SeqRange> {
    let forward = |ranges: &[SeqRange]| {
        let mut pieces = Vec::new();
        for range in ranges {
            let mut first = range.first;
            while first <= range.last {
                let last = Seq(first.0 + piece.max(1) - 1).min(range.last);
                pieces.push(SeqRange { first, last });
                first = last.next();
            }
        }
        pieces
    };
    let backward = |ranges: &[SeqRange]| {
        let mut pieces = forward(ranges);
        pieces.reverse();
        pieces
    };
    match cut {
        Cut::Newest | Cut::Before(_) => backward(ranges),
        Cut::After(_) => forward(ranges),
        Cut::Around(seq) => {
            let older = backward(&clip(ranges, Seq(1), Seq(seq.0.saturating_sub(1))));
            let newer = forward(&clip(ranges, seq, Seq(u64::MAX)));
            let (mut older, mut newer) = (older.into_iter(), newer.into_iter());
            let mut pieces = Vec::new();
            loop {
                let pair = [newer.next(), older.next()];
                if pair == [None, None] {
                    return pieces;
                }
                pieces.extend(pair.into_iter().flatten());
            }
        }
    }
}

fn length(range: &SeqRange) -> u64 {
    range.last.0 - range.first.0 + 1
}

fn total(ranges: &[SeqRange]) -> u64 {
    ranges.iter().map(length).sum()
}

fn clip(ranges: &[SeqRange], first: Seq, last: Seq) -> Vec<SeqRange> {
    let clipped = ranges.iter().map(|range| SeqRange { first: range.first.max(first), last: range.last.min(last) });
    clipped.filter(|range| range.first <= range.last).collect()
}

fn first_of(ranges: &[SeqRange], mut limit: u64) -> Vec<SeqRange> {
    let mut page = Vec::new();
    for range in ranges {
        if limit == 0 {
            break;
        }
        let take = length(range).min(limit);
        page.push(SeqRange { first: range.first, last: Seq(range.first.0 + take - 1) });
        limit -= take;
    }
    page
}

fn last_of(ranges: &[SeqRange], mut limit: u64) -> Vec<SeqRange> {
    let mut page = Vec::new();
    for range in ranges.iter().rev() {
        if limit == 0 {
            break;
        }
        let take = length(range).min(limit);
        page.push(SeqRange { first: Seq(range.last.0 - (take - 1)), last: range.last });
        limit -= take;
    }
    page.reverse();
    page
}

fn merge(ranges: Vec<SeqRange>) -> Vec<SeqRange> {
    let mut merged: Vec<SeqRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.last.0 + 1 == range.first.0 => last.last = range.last,
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(visible: &[(u64, u64)], cut: Cut, limit: u64, expect: &[(u64, u64)], more: (bool, bool)) {
        let visible: Vec<_> =
            visible.iter().map(|&(first, last)| SeqRange { first: Seq(first), last: Seq(last) }).collect();
        let page = page_ranges(&visible, cut, limit);
        let ranges: Vec<_> = page.ranges.iter().map(|range| (range.first.0, range.last.0)).collect();
        assert_eq!((ranges.as_slice(), (page.has_older, page.has_newer)), (expect, more), "{cut:?} {limit}");
    }

    #[test]
    fn pieces_come_nearest_first() {
        let check = |cut: Cut, expect: &[(u64, u64)]| {
            let ranges = [SeqRange { first: Seq(1), last: Seq(7) }, SeqRange { first: Seq(10), last: Seq(12) }];
            let pieces = nearest_first(&ranges, cut, 3);
            let pieces: Vec<_> = pieces.iter().map(|piece| (piece.first.0, piece.last.0)).collect();
            assert_eq!(pieces, expect, "{cut:?}");
        };
        check(Cut::Newest, &[(10, 12), (7, 7), (4, 6), (1, 3)]);
        check(Cut::After(Seq(0)), &[(1, 3), (4, 6), (7, 7), (10, 12)]);
        check(Cut::Around(Seq(5)), &[(5, 7), (4, 4), (10, 12), (1, 3)]);
    }

    #[test]
    fn pages_are_cut_from_visible_seqs() {
        let all = &[(1, 100)];
        check(all, Cut::Newest, 10, &[(91, 100)], (true, false));
        check(all, Cut::Newest, 200, &[(1, 100)], (false, false));
        check(all, Cut::Before(Seq(11)), 10, &[(1, 10)], (false, true));
        check(all, Cut::After(Seq(95)), 10, &[(96, 100)], (true, false));
        check(all, Cut::After(Seq(100)), 10, &[], (true, false));
        check(all, Cut::Before(Seq(1)), 10, &[], (false, true));
        check(all, Cut::Around(Seq(50)), 10, &[(45, 54)], (true, true));
        check(all, Cut::Around(Seq(99)), 10, &[(91, 100)], (true, false));
        check(all, Cut::Around(Seq(2)), 10, &[(1, 10)], (false, true));
        let holes = &[(2, 5), (9, 12)];
        check(holes, Cut::Newest, 6, &[(4, 5), (9, 12)], (true, false));
        check(holes, Cut::After(Seq(0)), 5, &[(2, 5), (9, 9)], (false, true));
        check(holes, Cut::Around(Seq(7)), 4, &[(4, 5), (9, 10)], (true, true));
        check(&[], Cut::Newest, 5, &[], (false, false));
        check(all, Cut::After(Seq(u64::MAX)), 5, &[], (true, false));
    }
}
