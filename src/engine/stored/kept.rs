//! How the states of a view lie in its stored table: in the view's own columns where those are states, and in columns
//! beside them that only the gateway looks at.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::Result as DataFusionResult;
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, LogicalTableSource, ident};

use super::check::Storable;
use super::merge::{UNDECIDED, typed};
use super::shape::Shape;
use super::states::{States, key_column, state_column};
use super::whole::Whole;
use crate::engine::pin::{PinnedRelation, PinnedTable, PinnedView, Relations};
use crate::materialize::{KeptColumn, KeptStates, stored_field};
use crate::sources::Version;

/// What the names of columns begin with that are beside the view's own.
const PREFIX: &str = "_lakegate_";

/// How a view is kept up over its relation, whichever version of that is read.
#[derive(Debug)]
pub(in crate::engine) struct Kept {
    pub(super) states: States,
    /// The stored columns of keys and of states, the keys' first.
    pub(super) columns: Vec<String>,
    /// The columns of the stored table: the view's own, and those beside them.
    pub(super) schema: SchemaRef,
    /// For each of those what it is, over columns of keys and states, and its type before it is stored.
    own: Vec<(Expr, DataType)>,
}

impl Kept {
    /// How a pinned view of a [`followed_table`] is kept up.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn of(
        table: &PinnedTable,
        storable: &Storable,
        session: &SessionState,
    ) -> Result<Self, Whole> {
        let mut shape = Shape::of(&storable.analyzed).map_err(Whole::Shapeless)?;
        let read = source_as_provider(&shape.base.source).map_err(|_| Whole::Fault)?;
        // What is read must be the table itself, and nothing that was made of it.
        if !std::ptr::addr_eq(Arc::as_ptr(&read), Arc::as_ptr(&table.provider)) {
            return Err(Whole::Tables);
        }
        // Columns are all that is looked at from here on, and no version of the table is held by them.
        shape.base.source = Arc::new(LogicalTableSource::new(table.provider.schema()));
        let states = States::of(shape, session)?;
        let outputs = states.shape.outputs.iter();
        let outputs = outputs.map(|output| states.output(output).map_err(|_| Whole::Fault));
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        let mut fields: Vec<_> = storable.schema.fields().iter().map(Arc::clone).collect();
        let types = storable.analyzed.schema().fields().iter();
        let types = types.map(|field| field.data_type().clone());
        let mut own: Vec<(Expr, DataType)> = outputs.into_iter().zip(types).collect();
        let n_own = own.len();
        let taken = fields.iter().map(|field| field.name().to_lowercase());
        let mut taken: HashSet<String> = taken.collect();
        let mut columns = Vec::new();
        for (column, data_type, kind) in parts(&states) {
            let found = own[..n_own]
                .iter()
                .position(|(output, own_type)| *output == column && *own_type == data_type);
            if let Some(found) = found {
                columns.push(fields[found].name().clone());
                continue;
            }
            let mut name = format!("{PREFIX}{kind}_{}", columns.len());
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            let field = stored_field(&name, &data_type).ok_or(Whole::Type)?;
            fields.push(Arc::new(field));
            own.push((column, data_type));
            columns.push(name);
        }
        Ok(Self {
            states,
            columns,
            schema: Arc::new(Schema::new(fields)),
            own,
        })
    }

    /// The rows that are stored, of a plan that gives keys and states. What is [`UNDECIDED`] stays the last column.
    pub(super) fn rows(&self, states: LogicalPlan) -> DataFusionResult<LogicalPlan> {
        let has_undecided = states.schema().has_column_with_unqualified_name(UNDECIDED);
        let plan = LogicalPlanBuilder::from(states);
        let fields = self.schema.fields().iter();
        let columns = self.own.iter().zip(fields);
        let columns = columns.map(|((column, data_type), field)| {
            let column = typed(column.clone(), data_type, plan.schema())?;
            Ok(column.alias(field.name()))
        });
        let mut columns = columns.collect::<DataFusionResult<Vec<_>>>()?;
        if has_undecided {
            columns.push(ident(UNDECIDED));
        }
        plan.project(columns)?.build()
    }

    /// The same rows by the order of their keys: equal values lie together, where they take little room, and readers who want
    /// some keys find them in few pages.
    pub(super) fn sorted(&self, rows: LogicalPlan) -> DataFusionResult<LogicalPlan> {
        let keys = self.columns.iter().take(self.states.keys.len());
        let keys: Vec<_> = keys.map(|key| ident(key).sort(true, false)).collect();
        match keys.is_empty() {
            true => Ok(rows),
            false => LogicalPlanBuilder::from(rows).sort(keys)?.build(),
        }
    }

    /// What the commit says of states that were made of a version of so many files of the table.
    pub(super) fn told(&self, table: &PinnedTable, version: u64, n_files: u64) -> KeptStates {
        let keys = self.states.keys.iter();
        let keys = keys.map(|key| ("key", key.expression.to_string()));
        let states = self.states.states.iter();
        let states = states.map(|state| (state.kind.name(), state.call.to_expr().to_string()));
        let told = keys.chain(states).zip(&self.columns);
        let columns = told.map(|((kind, of), column)| KeptColumn {
            kind: kind.to_owned(),
            of,
            column: column.clone(),
        });
        let relation = format!("{}.{}", table.schema, table.name);
        KeptStates::new(relation, version, n_files, columns.collect())
    }
}

/// The columns of keys and states, their types, and what they are in a word.
fn parts(states: &States) -> Vec<(Expr, DataType, &'static str)> {
    let keys = states.keys.iter().enumerate();
    let keys = keys.map(|(number, key)| (key_column(number), key.data_type.clone(), "key"));
    let kept = states.states.iter().enumerate();
    let kept = kept.map(|(number, state)| {
        let column = state_column(number);
        (column, state.data_type.clone(), state.kind.name())
    });
    keys.chain(kept).collect()
}

/// The one table that a view reads, if it reads no other relation and what came and went between versions of it is known.
pub(super) fn followed_table(view: &PinnedView) -> Option<Arc<PinnedTable>> {
    only_table(view)
        .filter(|table| table.lake.is_some() && matches!(table.version, Version::Delta(_)))
}

/// The one relation with rows that a view reads, if it is one.
fn only_table(view: &PinnedView) -> Option<Arc<PinnedTable>> {
    let mut found: Option<Arc<PinnedTable>> = None;
    let mut open: Vec<&Relations> = vec![&view.relations];
    while let Some(relations) = open.pop() {
        for relation in relations.values() {
            match relation {
                PinnedRelation::View(view) => open.push(&view.relations),
                PinnedRelation::Protected(_) => return None,
                PinnedRelation::Table(table) => match &found {
                    Some(known) if Arc::ptr_eq(known, table) => {}
                    Some(_) => return None,
                    None => found = Some(Arc::clone(table)),
                },
            }
        }
    }
    found
}
