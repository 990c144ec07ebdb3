//! The difference of two versions of a table: over the files that only one of them has.
//!
//! As bags, the rows of the later version are those of the earlier one with what came and without what went. So what
//! `EXCEPT ALL` leaves of two versions is what it leaves of what came and what went, and the files that both have need
//! not be read.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use datafusion::sql::sqlparser::ast::{
    Query, Select, SetExpr, SetOperator, SetQuantifier, TableFactor, Visitor,
};

use super::calls;
use crate::catalog::Catalog;
use crate::engine::pin::{Pinned, PinnedRelation, PinnedTable};
use crate::engine::scope::reference;
use crate::engine::walk::walk;
use crate::error::Result;
use crate::sources::{Change, ChangedRows, LakeTable, Version};

/// Has each `SELECT * ... EXCEPT ALL SELECT * ...` of a query that is of two versions of one table read what came and what
/// went alone, where that is known. What is told of the versions stays.
///
/// # Errors
/// The table's log cannot be read, or is damaged.
pub(in crate::engine) async fn narrow(
    pinned: &mut Pinned,
    query: &Query,
    catalog: &Catalog,
) -> Result<()> {
    if pinned.tables.iter().all(|table| table.at.is_none()) {
        return Ok(());
    }
    let mut found = Differences::default();
    let _: ControlFlow<()> = walk(query, &mut found);
    for (left, right) in found.pairs {
        let (Some(one), Some(other)) = (table(pinned, &left), table(pinned, &right)) else {
            continue;
        };
        let Some((lake, versions)) = two_versions(&one, &other) else {
            continue;
        };
        let (earlier, later) = (versions.0.min(versions.1), versions.0.max(versions.1));
        let change = catalog.lake().change(lake, (earlier, later), None).await?;
        let Ok(Change { added, removed, .. }) = change else {
            continue;
        };
        let (of_left, of_right) = match versions.0 <= versions.1 {
            true => (removed, added),
            false => (added, removed),
        };
        for (name, whole, rows) in [(left, one, of_left), (right, other, of_right)] {
            let part = PinnedRelation::Table(Arc::new(of_rows(&whole, rows)));
            pinned.relations.insert(name, part);
        }
    }
    Ok(())
}

fn table(pinned: &Pinned, name: &TableReference) -> Option<Arc<PinnedTable>> {
    match pinned.relations.get(name)? {
        PinnedRelation::Table(table) => Some(Arc::clone(table)),
        PinnedRelation::View(_) | PinnedRelation::Protected(_) => None,
    }
}

/// The table and its versions that two relations are, if they are of one table.
fn two_versions<'a>(
    one: &'a PinnedTable,
    other: &PinnedTable,
) -> Option<(&'a LakeTable, (u64, u64))> {
    let (Version::Delta(of_one), Version::Delta(of_other)) = (&one.version, &other.version) else {
        return None;
    };
    let lake = one.lake.as_ref()?;
    let is_same = (&one.schema, &one.name) == (&other.schema, &other.name);
    (is_same && other.lake.is_some()).then_some((lake, (*of_one, *of_other)))
}

/// Some rows of a table, in its place.
fn of_rows(whole: &PinnedTable, rows: ChangedRows) -> PinnedTable {
    let none = || -> Arc<dyn TableProvider> { Arc::new(EmptyTable::new(whole.provider.schema())) };
    PinnedTable {
        schema: whole.schema.clone(),
        name: whole.name.clone(),
        version: whole.version.clone(),
        digest: None,
        identity: None,
        at: whole.at,
        changed: whole.changed,
        provider: rows.provider.unwrap_or_else(none),
        lake: None,
    }
}

/// The differences of two relations that are each read at a moment of their own.
#[derive(Default)]
struct Differences {
    pairs: Vec<(TableReference, TableReference)>,
}

impl Differences {
    fn add(&mut self, body: &SetExpr) {
        let SetExpr::SetOperation {
            op,
            set_quantifier,
            left,
            right,
        } = body
        else {
            return;
        };
        self.add(left);
        self.add(right);
        let is_of_bags = *op == SetOperator::Except && *set_quantifier == SetQuantifier::All;
        if let (true, Some(left), Some(right)) = (is_of_bags, all_of(left), all_of(right)) {
            self.pairs.push((left, right));
        }
    }
}

impl Visitor for Differences {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.add(&query.body);
        ControlFlow::Continue(())
    }
}

/// The relation of which a query is all rows and columns, at a moment that is said there: then its name is marked, and
/// means this one place.
fn all_of(body: &SetExpr) -> Option<TableReference> {
    let SetExpr::Select(select) = body else {
        return None;
    };
    let [from] = select.from.as_slice() else {
        return None;
    };
    let TableFactor::Table {
        name,
        args: None,
        version: Some(_),
        sample: None,
        with_ordinality: false,
        ..
    } = &from.relation
    else {
        return None;
    };
    let is_alone = from.joins.is_empty() && is_everything(select);
    is_alone.then(|| reference(name)).flatten()
}

/// Whether a query has `*` and a relation, and nothing else.
fn is_everything(select: &Select) -> bool {
    let alone = Select {
        from: Vec::new(),
        ..select.clone()
    };
    let everything = calls::parsed("SELECT *").map(|query| query.body);
    everything.is_ok_and(|body| matches!(*body, SetExpr::Select(plain) if *plain == alone))
}
