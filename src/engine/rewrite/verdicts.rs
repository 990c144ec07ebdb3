//! What became of the materialized views that a statement might have been answered from.

use std::collections::BTreeMap;

use super::reason::Reason;
use crate::catalog::Snapshot;
use crate::catalog::views::{FullName, View};
use crate::engine::access::Access;

/// What became of the views that a statement might have been answered from, by their names.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Verdicts {
    views: BTreeMap<FullName, Verdict>,
    /// Whether views are read and nothing else, of those little, and nothing is done with the rows but what is plain.
    reads_little: bool,
}

/// What became of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Verdict {
    /// Its rows are read, of this version of its Delta table, with so many files beside it: of rows that came since, and
    /// of rows that went.
    Used(u64, (usize, usize)),
    /// They are not.
    Not(Reason),
}

impl Verdicts {
    /// The views that are read, each with what [`Verdict::Used`] says.
    pub(in crate::engine) fn used(&self) -> impl Iterator<Item = (String, u64, (usize, usize))> {
        self.views
            .iter()
            .filter_map(|(name, verdict)| match verdict {
                Verdict::Used(version, n_changed) => Some((shown(name), *version, *n_changed)),
                Verdict::Not(_) => None,
            })
    }

    /// Whether what is read is so little that several threads only get in each other's way.
    pub(in crate::engine) fn reads_little(&self) -> bool {
        self.reads_little
    }

    /// Notes whether it is.
    pub(super) fn set_reads_little(&mut self, reads_little: bool) {
        self.reads_little = reads_little;
    }

    /// The views that are not read, each with the reason.
    pub(in crate::engine) fn not_used(&self) -> impl Iterator<Item = (String, Reason)> {
        self.views
            .iter()
            .filter_map(|(name, verdict)| match verdict {
                Verdict::Used(..) => None,
                Verdict::Not(reason) => Some((shown(name), *reason)),
            })
    }

    /// Those of views whose names the statement may know.
    pub(in crate::engine) fn that_may_be_seen(
        mut self,
        access: &Access,
        snapshot: &Snapshot,
    ) -> Self {
        self.views.retain(|(schema, name), _| {
            let schema = snapshot.schemas.get(schema);
            let relation = schema.and_then(|schema| schema.relations.get(name));
            relation.is_some_and(|relation| access.may_see(relation))
        });
        self
    }

    /// One part of a statement may read a view, and another not; of several reasons the last is told.
    pub(super) fn tell(&mut self, view: &View, verdict: Verdict) {
        let name = (view.schema.clone(), view.name.clone());
        let known = self.views.entry(name).or_insert(verdict);
        if !matches!(known, Verdict::Used(..)) {
            *known = verdict;
        }
    }
}

/// A view as messages name it.
fn shown((schema, name): &FullName) -> String {
    format!("{schema}.{name}")
}
