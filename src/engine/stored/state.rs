//! What a materialized view's rows are made of: a digest of its definition, and one of that and of the
//! versions of all that it reads.

use datafusion::common::TableReference;

use crate::engine::pin::{PinnedRelation, PinnedTable, PinnedView, Relations};
use crate::materialize::{Digest, Input};

/// What a view's rows are made of.
#[derive(Debug)]
pub(super) struct State {
    /// What the definition says, with the definitions below it.
    pub(super) definition: Digest,
    /// The same, and the versions of all that is read: equal ones mean equal rows.
    pub(super) state: Digest,
    /// What is read.
    pub(super) inputs: Vec<Input>,
}

/// Why a view's rows cannot be told apart from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Untold {
    /// It reads a relation that has no versions, or none that are settled yet.
    NoVersion(String),
    /// It reads a relation under policies, masks, or rights on some of its columns.
    Limited(String),
}

impl State {
    /// That of a pinned view.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn of(view: &PinnedView) -> Result<Self, Untold> {
        Self::with(view, None)
    }

    /// That of a pinned view if the one table that it reads were at another version, which has this identity. What is
    /// told of inputs is of the version that is pinned.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(super) fn at(view: &PinnedView, identity: [u8; 32]) -> Result<Self, Untold> {
        Self::with(view, Some(identity))
    }

    fn with(view: &PinnedView, identity: Option<[u8; 32]>) -> Result<Self, Untold> {
        let mut writing = Writing {
            identity,
            definition: blake3::Hasher::new(),
            state: blake3::Hasher::new(),
            inputs: Vec::new(),
        };
        // Another version of this program may compute other rows.
        writing.both(env!("CARGO_PKG_VERSION"));
        writing.view(view)?;
        let mut inputs = writing.inputs;
        inputs.sort_unstable_by(|a, b| a.relation.cmp(&b.relation));
        inputs.dedup();
        Ok(Self {
            definition: writing.definition.finalize().into(),
            state: writing.state.finalize().into(),
            inputs,
        })
    }
}

struct Writing {
    /// That of every table, in place of its own.
    identity: Option<[u8; 32]>,
    definition: blake3::Hasher,
    state: blake3::Hasher,
    inputs: Vec<Input>,
}

impl Writing {
    fn both(&mut self, text: &str) {
        for hasher in [&mut self.definition, &mut self.state] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
    }

    fn number(&mut self, number: usize) {
        for hasher in [&mut self.definition, &mut self.state] {
            hasher.update(&(number as u64).to_le_bytes());
        }
    }

    fn view(&mut self, pinned: &PinnedView) -> Result<(), Untold> {
        let view = &pinned.view;
        if !pinned.limits.is_empty() {
            return Err(Untold::Limited(format!("{}.{}", view.schema, view.name)));
        }
        for text in ["view", &view.schema, &view.name, &view.query] {
            self.both(text);
        }
        self.number(view.columns.len());
        for column in &view.columns {
            self.both(column);
        }
        self.relations(&pinned.relations)
    }

    fn relations(&mut self, relations: &Relations) -> Result<(), Untold> {
        let mut sorted: Vec<(&TableReference, &PinnedRelation)> = relations.iter().collect();
        sorted.sort_unstable_by_key(|(reference, _)| *reference);
        self.number(sorted.len());
        for (reference, relation) in sorted {
            for part in [
                reference.catalog(),
                reference.schema(),
                Some(reference.table()),
            ] {
                self.both(part.unwrap_or_default());
            }
            match relation {
                PinnedRelation::Table(table) => self.table(table)?,
                PinnedRelation::View(view) => self.view(view)?,
                PinnedRelation::Protected(protection) => {
                    let name = format!("{}.{}", protection.schema, protection.name);
                    return Err(Untold::Limited(name));
                }
            }
        }
        Ok(())
    }

    fn table(&mut self, table: &PinnedTable) -> Result<(), Untold> {
        let relation = format!("{}.{}", table.schema, table.name);
        let Some(identity) = self.identity.or(table.identity) else {
            return Err(Untold::NoVersion(relation));
        };
        for text in ["table", &table.schema, &table.name] {
            self.both(text);
        }
        self.state.update(&identity);
        self.inputs.push(Input {
            relation,
            version: table.version.to_string(),
        });
        Ok(())
    }
}
