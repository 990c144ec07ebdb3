//! Which versions of a table its log still tells, and when each was committed.
//!
//! A version can be read if there is a checkpoint at or before it, or version 0, and every commit
//! from there to it (Delta protocol, "Action Reconciliation"). Commits are removed from the oldest on.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::log::{Kind, Listing};

/// The commits and checkpoints of a log.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// When each commit's file was written, in milliseconds since 1970, by version.
    commits: BTreeMap<u64, i64>,
    /// The versions with a whole checkpoint.
    checkpoints: BTreeSet<u64>,
    /// How many parts are there of checkpoints that have several, and of how many.
    parts: BTreeMap<(u64, u32), u32>,
}

/// Since when commits hold their time themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Enablement {
    /// The first version that does.
    pub(super) version: u64,
    /// Its time, in milliseconds since 1970; `None` if all versions do.
    pub(super) at: Option<i64>,
}

/// Where the version of an instant is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// Found, by when files were written.
    Version(u64),
    /// Among the times that commits from this version to that one hold.
    Within(u64, u64),
    /// There was no version yet, or none that is left.
    Before,
}

impl History {
    /// What a listing of the whole log tells.
    pub(super) fn of(listing: &Listing) -> Self {
        let mut history = Self::default();
        history.add(listing);
        history
    }

    /// The same and what a later listing tells besides.
    pub(super) fn and(&self, listing: &Listing) -> Self {
        let mut history = self.clone();
        history
            .parts
            .retain(|(version, _), _| listing.first().is_none_or(|first| *version < first));
        history.add(listing);
        history
    }

    fn add(&mut self, listing: &Listing) {
        for (version, kind, changed) in listing.files() {
            match kind {
                Kind::Commit => {
                    self.commits.insert(version, changed.timestamp_millis());
                }
                Kind::Checkpoint => {
                    self.checkpoints.insert(version);
                }
                Kind::Part { n_parts } => {
                    let n_there = self.parts.entry((version, n_parts)).or_default();
                    *n_there += 1;
                    if *n_there == n_parts {
                        self.checkpoints.insert(version);
                    }
                }
            }
        }
    }

    /// When a version was committed to the store.
    pub(super) fn changed(&self, version: u64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(*self.commits.get(&version)?)
    }

    /// The newest version.
    pub(super) fn latest(&self) -> Option<u64> {
        let commit = self.commits.last_key_value().map(|(version, _)| *version);
        commit.max(self.checkpoints.last().copied())
    }

    /// The oldest version that can be read.
    pub(super) fn oldest(&self) -> Option<u64> {
        match self.commits.contains_key(&0) {
            true => Some(0),
            false => self.checkpoints.first().copied(),
        }
    }

    /// Whether the log still tells what a version was.
    pub(super) fn is_readable(&self, version: u64) -> bool {
        let checkpoint = self.checkpoints.range(..=version).next_back();
        let first = checkpoint.map_or(0, |checkpoint| checkpoint + 1);
        (first..=version).all(|version| self.commits.contains_key(&version))
            && Some(version) <= self.latest()
    }

    /// The commits that lead to the newest version without a gap, of versions that can be read.
    fn contiguous(&self) -> impl Iterator<Item = (u64, i64)> {
        let oldest = self.oldest().unwrap_or_default();
        let mut next = self.latest();
        let mut run: Vec<(u64, i64)> = Vec::new();
        for (version, changed) in self.commits.range(oldest..).rev() {
            if Some(*version) != next {
                break;
            }
            run.push((*version, *changed));
            next = version.checked_sub(1);
        }
        run.into_iter().rev()
    }

    /// When each version was committed, by when files were written: made so that each is later than
    /// the one before, as the protocol's readers do where clocks went backward.
    pub(super) fn times(&self) -> Vec<(u64, i64)> {
        let mut last = i64::MIN;
        self.contiguous()
            .map(|(version, changed)| {
                last = changed.max(last.saturating_add(1));
                (version, last)
            })
            .collect()
    }

    /// Where the last version until an instant is found (protocol, "In-Commit Timestamps",
    /// "Recommendations for Readers of Tables with In-Commit Timestamps").
    pub(super) fn search(&self, instant: i64, enablement: Option<Enablement>) -> Search {
        let holds_own = |own: &Enablement| own.at.is_none_or(|at| instant >= at);
        let until = match enablement {
            Some(own) if holds_own(&own) => {
                let mut held = self
                    .contiguous()
                    .filter(|(version, _)| *version >= own.version);
                let first = held.next().map(|(version, _)| version);
                let last = held.last().map(|(version, _)| version);
                return match first {
                    Some(first) => Search::Within(first, last.unwrap_or(first)),
                    None => Search::Before,
                };
            }
            Some(own) => own.version,
            None => u64::MAX,
        };
        let times = self.times();
        let mut before = times
            .iter()
            .rev()
            .filter(|(version, at)| *version < until && *at <= instant);
        match before.next() {
            Some((version, _)) => Search::Version(*version),
            None => Search::Before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(commits: &[(u64, i64)], checkpoints: &[u64]) -> History {
        History {
            commits: commits.iter().copied().collect(),
            checkpoints: checkpoints.iter().copied().collect(),
            parts: BTreeMap::new(),
        }
    }

    #[test]
    fn what_is_left_can_be_read_from_a_checkpoint_on() {
        fn check(history: &History, oldest: Option<u64>, readable: &[u64], gone: &[u64]) {
            assert_eq!(history.oldest(), oldest);
            for version in readable {
                assert!(history.is_readable(*version), "{version}");
            }
            for version in gone {
                assert!(!history.is_readable(*version), "{version}");
            }
        }
        let whole = history(&[(0, 1), (1, 2), (2, 3)], &[]);
        check(&whole, Some(0), &[0, 1, 2], &[3, u64::MAX]);
        let cleaned = history(&[(3, 4), (4, 5), (5, 6)], &[4]);
        check(&cleaned, Some(4), &[4, 5], &[0, 3, 6]);
        let bare = history(&[(5, 6)], &[4]);
        check(&bare, Some(4), &[4, 5], &[3]);
        check(&history(&[(2, 3)], &[]), None, &[], &[2]);
    }

    #[test]
    fn times_only_grow() {
        let times = history(&[(0, 10), (1, 5), (2, 5), (3, 20)], &[]).times();
        assert_eq!(times, [(0, 10), (1, 11), (2, 12), (3, 20)]);
    }

    #[test]
    fn an_instant_has_the_last_version_until_then() {
        fn check(instant: i64, enablement: Option<(u64, Option<i64>)>, expected: Search) {
            let history = history(&[(0, 10), (1, 20), (2, 30), (3, 40)], &[]);
            let own = enablement.map(|(version, at)| Enablement { version, at });
            assert_eq!(history.search(instant, own), expected, "{instant}");
        }
        check(9, None, Search::Before);
        check(10, None, Search::Version(0));
        check(29, None, Search::Version(1));
        check(99, None, Search::Version(3));
        check(25, Some((2, Some(26))), Search::Version(1));
        // Files may lie: before the switch only commits before it count.
        check(35, Some((2, Some(36))), Search::Version(1));
        check(26, Some((2, Some(26))), Search::Within(2, 3));
        check(5, Some((0, None)), Search::Within(0, 3));
    }
}
