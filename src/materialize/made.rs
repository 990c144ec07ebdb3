//! What the commit that stores a materialized view's rows says of them: of what they were made, and how.
//!
//! It stands in the commit's `commitInfo`, under [`KEY`], so that rows and what is said of them are
//! there together or not at all, and every reader of Delta's history sees it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::columns::StoredColumn;

/// The field of `commitInfo`.
pub(super) const KEY: &str = "lakegate";

/// How this is written. What another number says is not read.
const FORMAT: u32 = 1;

/// How states of aggregates are written. Those of another number are not read.
const STATES_FORMAT: u32 = 1;

/// How many earlier states are told of.
pub(super) const EARLIER_MAX: usize = 100;

/// A digest, as text of hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest(String);

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(hash.to_hex().to_string())
    }
}

/// Of what stored rows were made, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    format: u32,
    /// What the definition says, with the definitions below it.
    pub definition: Digest,
    /// The definition and the versions of all that it reads: equal ones mean equal rows.
    pub state: Digest,
    /// What was read.
    pub inputs: Vec<Input>,
    /// The view's columns.
    pub columns: Vec<StoredColumn>,
    /// Whether the rows would be others in another time zone, or with other styles of output, than
    /// those of PostgreSQL's defaults, in which they were made.
    pub depends_on_style: bool,
    /// When the inputs were fixed to their versions, as RFC 3339 has it.
    as_of: String,
    /// The states that earlier versions of the stored table are, the latest first.
    pub earlier: Vec<Earlier>,
    /// The states of aggregates that are stored; `None` if the view has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    states: Option<KeptStates>,
}

/// The states of a view's aggregates, stored beside its rows or in them: what is needed to add rows that come below
/// the view, and to take away those that go, without reading the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptStates {
    format: u32,
    /// The one relation that is read.
    pub relation: String,
    /// The number of its version.
    pub version: u64,
    /// How many files it had then.
    pub n_files: u64,
    columns: Vec<KeptColumn>,
}

impl KeptStates {
    /// Those of a version of a relation, which had so many files. `columns` are those of the keys of groups, then those
    /// of the states.
    pub fn new(relation: String, version: u64, n_files: u64, columns: Vec<KeptColumn>) -> Self {
        Self {
            format: STATES_FORMAT,
            relation,
            version,
            n_files,
            columns,
        }
    }

    /// The columns of the keys of groups, then those of the states.
    pub fn columns(&self) -> impl Iterator<Item = &KeptColumn> {
        self.columns.iter()
    }
}

/// A stored column that is a key of groups, or a state of an aggregate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptColumn {
    /// `key`, or the state: `count`, `sum`, `min`, `max`.
    pub kind: String,
    /// Of what, over the relation's columns.
    pub of: String,
    /// As the Delta table calls it.
    pub column: String,
}

/// A relation that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its schema and name.
    pub relation: String,
    /// Its version, as users are told of it.
    pub version: String,
}

/// The state of an earlier version of the stored table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// The version.
    pub version: u64,
    /// What its rows are.
    pub state: Digest,
    /// The version of the relation of which states are stored with them, if any are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
}

/// What is known of rows before they are stored.
#[derive(Clone, Debug)]
pub struct Making {
    /// As in [`Made`].
    pub definition: Digest,
    /// As in [`Made`].
    pub state: Digest,
    /// As in [`Made`].
    pub inputs: Vec<Input>,
    /// As in [`Made`].
    pub columns: Vec<StoredColumn>,
    /// As in [`Made`].
    pub depends_on_style: bool,
    /// When the inputs were fixed to their versions.
    pub as_of: DateTime<Utc>,
    /// As in [`Made`].
    pub states: Option<KeptStates>,
}

impl Made {
    /// What is said of rows that take the place of those of a version.
    pub(super) fn of(making: Making, before: Option<(u64, &Self)>) -> Self {
        let last = before.map(|(version, made)| Earlier {
            version,
            state: made.state.clone(),
            input: made.states().map(|states| states.version),
        });
        let earlier = before.into_iter();
        let earlier = earlier.flat_map(|(_, made)| made.earlier.iter().cloned());
        Self {
            format: FORMAT,
            definition: making.definition,
            state: making.state,
            inputs: making.inputs,
            columns: making.columns,
            depends_on_style: making.depends_on_style,
            as_of: making.as_of.to_rfc3339(),
            earlier: last.into_iter().chain(earlier).take(EARLIER_MAX).collect(),
            states: making.states,
        }
    }

    /// What a commit says; `None` if it says nothing that is understood here.
    pub(super) fn of_commit(bytes: &[u8]) -> Option<Self> {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let said = lines.find_map(|line| {
            let mut action: serde_json::Value = serde_json::from_slice(line).ok()?;
            Some(action.get_mut("commitInfo")?.get_mut(KEY)?.take())
        })?;
        let made: Self = serde_json::from_value(said).ok()?;
        (made.format == FORMAT).then_some(made)
    }

    /// The states of aggregates that are stored, if there are any that are understood here.
    pub fn states(&self) -> Option<&KeptStates> {
        let states = self.states.as_ref();
        states.filter(|states| states.format == STATES_FORMAT)
    }

    /// The stored columns that are not the view's own.
    pub(super) fn beside(&self) -> impl Iterator<Item = &str> {
        let kept = self.states.iter().flat_map(KeptStates::columns);
        let kept = kept.map(|kept| kept.column.as_str());
        kept.filter(|name| !self.columns.iter().any(|own| own.stored == *name))
    }

    /// When the inputs were fixed to their versions.
    pub fn as_of(&self) -> Option<DateTime<Utc>> {
        let instant = DateTime::parse_from_rfc3339(&self.as_of).ok()?;
        Some(instant.with_timezone(&Utc))
    }

    /// The inputs with their versions, as one text.
    pub fn shown_inputs(&self) -> String {
        let shown = self.inputs.iter();
        let shown: Vec<String> = shown
            .map(|input| format!("{} {}", input.relation, input.version))
            .collect();
        shown.join(", ")
    }

    /// The earlier version with states that were made of this version of their relation, or else of the newest before.
    pub fn earlier_at(&self, version: u64) -> Option<u64> {
        let earlier = self.earlier.iter();
        let made_of = earlier.filter_map(|it| Some((it.input.filter(|of| *of <= version)?, it)));
        let newest = made_of.max_by_key(|(of, earlier)| (*of, earlier.version));
        newest.map(|(_, earlier)| earlier.version)
    }

    /// The earlier version whose rows are these.
    pub fn version_of(&self, state: &Digest) -> Option<u64> {
        let mut earlier = self.earlier.iter();
        let found = earlier.find(|earlier| earlier.state == *state);
        found.map(|earlier| earlier.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn making(state: &str) -> Making {
        Making {
            definition: blake3::hash(b"definition").into(),
            state: blake3::hash(state.as_bytes()).into(),
            inputs: vec![Input {
                relation: "s.t".to_owned(),
                version: "v3".to_owned(),
            }],
            columns: Vec::new(),
            depends_on_style: false,
            as_of: Utc::now(),
            states: None,
        }
    }

    #[test]
    fn earlier_states_are_found_by_the_version_they_were_made_of() {
        let made_of = |input, before: Option<(u64, &Made)>| {
            let states = KeptStates::new("s.t".to_owned(), input, 1, Vec::new());
            let states = Some(states);
            let making = Making {
                states,
                ..making("a")
            };
            Made::of(making, before)
        };
        let first = made_of(3, None);
        let second = made_of(7, Some((0, &first)));
        let third = made_of(9, Some((1, &second)));
        assert_eq!(third.earlier_at(8), Some(1));
        assert_eq!(third.earlier_at(7), Some(1));
        assert_eq!(third.earlier_at(4), Some(0));
        assert_eq!(third.earlier_at(2), None);
    }

    #[test]
    fn what_a_commit_says_is_read_as_it_was_written() {
        let made = Made::of(making("a"), None);
        let info = serde_json::json!({"commitInfo": {"operation": "WRITE", KEY: made}});
        let bytes = format!("{{\"protocol\":{{}}}}\n{info}\n");
        assert_eq!(Made::of_commit(bytes.as_bytes()), Some(made.clone()));
        assert_eq!(Made::of_commit(b"{\"commitInfo\":{}}\n"), None);
        assert_eq!(Made::of_commit(b"no json"), None);
        let other = bytes.replace("\"format\":1", "\"format\":2");
        assert_eq!(Made::of_commit(other.as_bytes()), None);
        assert_eq!(made.shown_inputs(), "s.t v3");
    }

    #[test]
    fn earlier_states_are_found_by_what_they_are() {
        let mut made = Made::of(making("0"), None);
        for version in 0..2 * EARLIER_MAX as u64 {
            made = Made::of(making(&(version + 1).to_string()), Some((version, &made)));
        }
        let of = |state: usize| blake3::hash(state.to_string().as_bytes()).into();
        assert_eq!(made.earlier.len(), EARLIER_MAX);
        assert_eq!(made.version_of(&of(2 * EARLIER_MAX - 1)), Some(199));
        assert_eq!(made.version_of(&of(2 * EARLIER_MAX)), None);
        assert_eq!(made.version_of(&of(3)), None);
    }
}
