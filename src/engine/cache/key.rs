//! What an answer is kept under: everything that decides about its rows, and nothing else.
//!
//! A key is made of a pinned statement alone, and before it is planned. It has no name of a user: two
//! who read the same under equal policies share what is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::Arc;

use arrow::row::{RowConverter, SortField};
use datafusion::common::TableReference;

use super::canonical::Canonical;
use super::digest::Digest;
use super::reason::Reason;
use crate::engine::Scene;
use crate::engine::context::StatementContext;
use crate::engine::parameters::Parameter;
use crate::engine::pin::{PinnedRelation, PinnedTable, PinnedView, Relations};
use crate::engine::protect::{SessionCall, session_values};
use crate::engine::rewrite;
use crate::sources::Version;

/// The setting that says whether answers are kept and given.
const SETTING: &str = "lakegate.result_cache";

/// The name under which [`session_values`] tells what all roles may.
pub(super) const RIGHTS: &str = "rights";

/// The name under which it is told that the catalog is part of the key, of which functions tell.
const CATALOG: &str = "catalog";

/// A digest of everything that decides about an answer's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::engine) struct CacheKey([u8; 32]);

/// A key, and what of the session is part of it.
#[derive(Debug)]
pub(super) struct Keyed {
    pub(super) key: CacheKey,
    /// By the name of the function that tells it.
    pub(super) session: BTreeMap<String, String>,
}

impl CacheKey {
    /// The key of a statement over what was pinned for it.
    ///
    /// # Errors
    /// Why its rows are not told apart from others by any key.
    pub(super) fn of(scene: &Scene<'_>, canonical: &Canonical) -> Result<Keyed, Reason> {
        let (mut digest, session) = collected(scene, canonical)?;
        values(scene.values, &mut digest)?;
        let key = Self(digest.done());
        Ok(Keyed { key, session })
    }

    /// The key of what a statement takes and gives, where `declared` are the types of its parameters
    /// as far as they were given; `None` if nothing tells it apart from others.
    pub(super) fn of_description(
        scene: &Scene<'_>,
        canonical: &Canonical,
        declared: &[u32],
    ) -> Option<Self> {
        let (mut digest, _) = collected(scene, canonical).ok()?;
        digest.part("described");
        declared.hash(&mut digest);
        Some(Self(digest.done()))
    }
}

/// All that decides about a statement's rows but its parameters, and what of the session is in it.
fn collected(
    scene: &Scene<'_>,
    canonical: &Canonical,
) -> Result<(Digest, BTreeMap<String, String>), Reason> {
    let (pinned, context) = (scene.pinned, scene.context);
    if pinned.tables.is_empty() {
        return Err(Reason::NoTable);
    }
    if let Some(table) = pinned.tables.iter().find(|table| table.digest.is_none()) {
        return Err(without_digest(table));
    }
    let mut session = pinned.policies.session.clone();
    if pinned.reads_catalog() {
        session.insert(CATALOG.to_owned(), String::new());
    }
    let mut digest = Digest::default();
    digest.part(canonical.digest);
    digest.part(&context.facts.database);
    digest.part(context.time_zone.as_bytes());
    // Otherwise rewritten queries give what they give.
    digest.number(usize::from(rewrite::is_on(context, rewrite::FLOATS)));
    context.facts.style.hash(&mut digest);
    tell(&mut session, &canonical.session_calls, context);
    let mut writing = Writing {
        digest: &mut digest,
        scene,
        session: &mut session,
        views: Vec::new(),
    };
    writing.relations(&pinned.relations);
    digest.part(pinned.policies.fingerprint().as_bytes());
    for (name, value) in &session {
        digest.part(name);
        digest.part(value);
    }
    if session.contains_key(RIGHTS) {
        // Functions look rights up in what the statement sees to exist.
        digest.number(usize::try_from(pinned.snapshot.epoch).unwrap_or(usize::MAX));
    }
    Ok((digest, session))
}

/// Whether the session wants answers to be kept, and to be given what is kept.
pub(super) fn is_wanted(scene: &Scene<'_>) -> bool {
    let setting = scene.context.facts.settings.get(SETTING);
    setting.is_none_or(|value| value != "off")
}

/// Adds what calls tell of the session. Rights are known of where a policy asks for them, and are not
/// replaced by none.
fn tell(
    session: &mut BTreeMap<String, String>,
    calls: &BTreeSet<SessionCall>,
    context: &StatementContext,
) {
    for (name, value) in session_values(calls, context, String::new) {
        session.entry(name).or_insert(value);
    }
}

/// The functions whose answers are told apart by the catalog, if that is part of a key.
pub(super) fn of_catalog(
    session: &BTreeMap<String, String>,
    scene: &Scene<'_>,
) -> BTreeSet<String> {
    match session.contains_key(CATALOG) {
        true => scene.pinned.names_of_catalog(&scene.context.facts),
        false => BTreeSet::new(),
    }
}

fn without_digest(table: &PinnedTable) -> Reason {
    let name = format!("{}.{}", table.schema, table.name);
    match table.version {
        Version::Files(_) => Reason::JustChanged(name),
        _ => Reason::NoVersion(name),
    }
}

/// The values of parameters with their types, by the bytes that Arrow compares rows by: two values of one
/// type have the same only if they are the same.
fn values(parameters: &[Parameter], digest: &mut Digest) -> Result<(), Reason> {
    digest.number(parameters.len());
    for parameter in parameters {
        let data_type = parameter.value.data_type();
        digest.number(parameter.oid as usize);
        digest.part(format!("{data_type:?}"));
        let row = parameter.value.to_array().ok().and_then(|array| {
            let converter = RowConverter::new(vec![SortField::new(data_type)]).ok()?;
            converter.convert_columns(&[array]).ok()
        });
        match &row {
            Some(row) => digest.part(row.row(0).as_ref()),
            None => return Err(Reason::Parameter),
        }
    }
    Ok(())
}

/// Writes what references mean, down to the tables.
struct Writing<'a> {
    digest: &'a mut Digest,
    scene: &'a Scene<'a>,
    session: &'a mut BTreeMap<String, String>,
    /// Those that were written: one that is read by many is written once.
    views: Vec<*const PinnedView>,
}

impl Writing<'_> {
    fn relations(&mut self, relations: &Relations) {
        let mut sorted: Vec<(&TableReference, &PinnedRelation)> = relations.iter().collect();
        sorted.sort_unstable_by_key(|(reference, _)| *reference);
        self.digest.number(sorted.len());
        for (reference, relation) in sorted {
            reference.hash(self.digest);
            self.relation(relation);
        }
    }

    fn relation(&mut self, relation: &PinnedRelation) {
        match relation {
            PinnedRelation::Table(table) => self.table(table),
            PinnedRelation::View(view) => self.view(view),
            PinnedRelation::Protected(protection) => {
                self.digest.part("protection");
                self.digest.part(&protection.schema);
                self.digest.part(&protection.name);
                protection.query.hash(self.digest);
                self.digest.number(protection.masked.len());
                for column in &protection.masked {
                    self.digest.part(column);
                }
                self.relations(&protection.relations);
            }
        }
    }

    fn table(&mut self, table: &PinnedTable) {
        self.digest.part("table");
        self.digest.part(&table.schema);
        self.digest.part(&table.name);
        self.digest.part(table.digest.unwrap_or_default());
    }

    fn view(&mut self, pinned: &Arc<PinnedView>) {
        let place = Arc::as_ptr(pinned);
        if let Some(number) = self.views.iter().position(|known| *known == place) {
            self.digest.part("view again");
            return self.digest.number(number);
        }
        self.views.push(place);
        let view = &pinned.view;
        self.digest.part("view");
        self.digest.part(&view.schema);
        self.digest.part(&view.name);
        self.digest.part(&view.query);
        self.digest.number(view.columns.len());
        for column in &view.columns {
            self.digest.part(column);
        }
        let stored = self.scene.pinned.stored.get(&pinned.key);
        if let Some(stale) = stored.and_then(|stored| stored.stale) {
            // Older rows than those of the tables below.
            self.digest.part("stored");
            self.digest.part(stale);
        }
        tell(self.session, &pinned.session_calls, self.scene.context);
        self.relations(&pinned.relations);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A key of this number.
    pub(in crate::engine::cache) fn key(number: u8) -> CacheKey {
        CacheKey([number; 32])
    }

    #[test]
    fn parameters_are_told_apart_by_value_and_type() {
        use datafusion::common::ScalarValue;
        let of = |value: ScalarValue, oid: u32| {
            let mut digest = Digest::default();
            values(&[Parameter { value, oid }], &mut digest).expect("its type has bytes");
            digest.done()
        };
        assert_eq!(of(1_i64.into(), 20), of(1_i64.into(), 20));
        assert_ne!(of(1_i64.into(), 20), of(2_i64.into(), 20));
        assert_ne!(of(1_i64.into(), 20), of(1_i32.into(), 23));
        assert_ne!(of("a".into(), 25), of("a".into(), 3802));
        assert_ne!(of(0.0_f64.into(), 701), of((-0.0_f64).into(), 701));
        let list = |values: &[i32]| {
            let values: Vec<ScalarValue> = values.iter().map(|it| (*it).into()).collect();
            let list = ScalarValue::new_list_nullable(&values, &arrow::datatypes::DataType::Int32);
            ScalarValue::List(list)
        };
        assert_ne!(of(list(&[1, 2]), 1007), of(list(&[2, 1]), 1007));
    }
}
