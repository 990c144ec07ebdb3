//! The rows of a materialized view at the versions that a statement has pinned, for queries over the table below it.

use std::sync::Arc;

use datafusion::common::{Column, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use tokio_util::sync::CancellationToken;

use super::combined::Together;
use super::refresh::own_view;
use super::shape::{Call, Part, Shape};
use super::state::{State, Untold};
use super::states::{key_column, state_column};
use super::whole::Whole;
use super::{earlier_or_latest, fits, product};
use crate::auth::Authority;
use crate::catalog::Snapshot;
use crate::catalog::views::View;
use crate::engine::context::StatementContext;
use crate::engine::pin::{Pinned, PinnedTable};
use crate::engine::plan::Plan;
use crate::engine::rewrite::{Reason, Rows};
use crate::engine::{Inner, execute, pin, plan, session_state};
use crate::error::{Error, Result as OwnResult};
use crate::materialize::StoredRows;

/// What a view has of each of its groups, or of each of its rows if it does not group: one row each.
#[derive(Debug)]
pub(in crate::engine) struct StateRows {
    /// The version of its Delta table.
    pub(in crate::engine) version: u64,
    /// How many files are read beside it: of rows that came below since, and of rows that went.
    pub(in crate::engine) n_changed: (usize, usize),
    /// The bytes that are read.
    pub(in crate::engine) n_bytes: u64,
    /// Gives the rows.
    pub(in crate::engine) plan: LogicalPlan,
    /// The same columns with perhaps several rows of a group, for those who group them again: cheaper, where it is there.
    pub(in crate::engine) parts: Option<LogicalPlan>,
    /// The values over the relation's columns that rows hold, each with its column: keys of groups, or outputs.
    pub(in crate::engine) values: Vec<(Expr, Column)>,
    /// The aggregates that rows hold, each with its column.
    pub(in crate::engine) calls: Vec<(Call, Column)>,
}

impl Inner {
    /// The rows of a view that reads these tables and nothing else, as they are of the tables as a statement has pinned
    /// them, and the view's shape. Whoever may read the tables may be given them: they are made of nothing else. The shape of
    /// a view that joins several is that of [`product`].
    ///
    /// # Errors
    /// Why there are none.
    pub(in crate::engine) async fn state_rows(
        &self,
        view: &Arc<View>,
        tables: &[Arc<PinnedTable>],
        snapshot: &Arc<Snapshot>,
        context: &StatementContext,
    ) -> Result<Rows, Reason> {
        let name = (view.schema.clone(), view.name.clone());
        // Before the owner is found, who may be another by then.
        let authority = self.catalog.authority();
        let owner = self.context_of_owner(&name, &CancellationToken::new());
        let pinned = self.over_tables(view, tables, snapshot, (&owner, &authority));
        let pinned = pinned.map_err(|error| unreadable(&error, view))?;
        let pinned = pinned.ok_or(Reason::ViewShape)?;
        let own = own_view(&pinned).map_err(|error| unreadable(&error, view))?;
        let state = State::of(own).map_err(|untold| match untold {
            Untold::Limited(_) => Reason::Rights,
            Untold::NoVersion(_) => Reason::NoVersion,
        })?;
        let latest = self.materialized.latest(&name).await;
        let latest = latest.map_err(|error| unreadable(&error, view))?;
        let latest = latest.ok_or(Reason::NotStored)?;
        let key = latest.rows.digest.map(|rows| (state.state.clone(), rows));
        if let Some(known) = key.as_ref().and_then(|key| self.rewriting.rows(key)) {
            let made = latest.made.as_ref();
            let fits = made.is_some_and(|made| fits(made, context));
            return fits.then_some(known).ok_or(Reason::Session);
        }
        let now = latest.version;
        let together = self.together(&name, (own, &state), &pinned, latest.clone());
        let together = Box::pin(together).await;
        // A view that cannot be planned over this version has no rows of it either, and is told of as that.
        let together = together.map_err(|error| unreadable(&error, view));
        if let Ok(Ok(together)) = together {
            let made = together.rows.made.as_ref();
            if !made.is_some_and(|made| fits(made, context)) {
                return Err(Reason::Session);
            }
            // Files that went, and those of earlier rows, may be gone the next time.
            let is_lasting = together.rows.version == now && together.n_changed.1 == 0;
            let rows = states_of(together, &name);
            let rows = rows.map_err(|error| unreadable(&Error::internal(error), view))?;
            if let Some(key) = key.filter(|_| is_lasting) {
                self.rewriting.keep_rows(key, &rows);
            }
            return Ok(rows);
        }
        let found = earlier_or_latest(&self.materialized, &name, latest, &state).await;
        let found = found.map_err(|error| unreadable(&error, view))?;
        let rows = found.ok_or(match together {
            Ok(Err(Whole::Dearer)) => Reason::NoGain,
            _ => Reason::OtherVersion,
        })?;
        if !rows.made.as_ref().is_some_and(|made| fits(made, context)) {
            return Err(Reason::Session);
        }
        let key = state.state.clone();
        let shape = match self.rewriting.shape(&key) {
            Some(known) => known,
            None => {
                let shape = self.shape_of_view(&pinned, tables, &owner);
                let shape = shape.map_err(|error| unreadable(&error, view))?;
                self.rewriting.keep_shape(key, &shape);
                shape
            }
        }?;
        let rows = rows_of(&rows, &name, &shape).map_err(|error| unreadable(&error, view))?;
        Ok((shape, Arc::new(rows.ok_or(Reason::Unreadable)?)))
    }

    /// A view pinned over one version of each table; `None` if it reads something else.
    fn over_tables(
        &self,
        view: &Arc<View>,
        tables: &[Arc<PinnedTable>],
        snapshot: &Arc<Snapshot>,
        owner: (&StatementContext, &Arc<Authority>),
    ) -> OwnResult<Option<Pinned>> {
        let resolved = self.resolved_of(view, snapshot, owner)?;
        let wanted = resolved.tables.keys().map(|it| (&it.schema, &it.name));
        let is_it = wanted.eq(tables.iter().map(|it| (&it.schema, &it.name)));
        Ok(is_it.then(|| pin::pinned_over(&self.catalog, &resolved, tables)))
    }

    fn shape_of_view(
        &self,
        pinned: &Pinned,
        tables: &[Arc<PinnedTable>],
        owner: &StatementContext,
    ) -> OwnResult<Result<Arc<Shape>, Reason>> {
        let session = session_state::of_statement(&self.base, owner);
        let logical = plan::logical_of_view(pinned, &session, owner)?;
        let analyzed = execute::analyzed(&Plan { logical }, &session)?;
        let shape = match tables {
            [_] => Shape::of(&analyzed).ok(),
            several => product::of_joins(&analyzed, several).ok(),
        };
        // Groups that are left out are in none that would be made of them.
        let shape = shape.filter(|shape| shape.having.is_empty());
        Ok(shape.map(Arc::new).ok_or(Reason::ViewShape))
    }
}

/// The view's shape; and the keys of groups, what its aggregates give where that is known, and the counts and sums that they are
/// made of.
fn states_of(
    together: Together,
    (schema, name): &(String, String),
) -> datafusion::common::Result<Rows> {
    let states = &together.kept.states;
    let own = TableReference::partial(schema.as_str(), name.as_str());
    let mut columns: Vec<Expr> = (0..states.keys.len()).map(key_column).collect();
    let groups = states.shape.groups.iter();
    let mut calls: Vec<Call> = Vec::new();
    for (call, given) in groups.flat_map(|groups| &groups.calls).zip(&states.given) {
        let is_known = together.has_extremes || !states.is_of_extremes(given);
        if is_known && !calls.contains(call) {
            columns.push(given.clone().alias(format!("call_{}", calls.len())));
            calls.push(call.clone());
        }
    }
    // What averages and variances are made of, after what is asked for by itself: that may be the same in another type.
    for (number, state) in states.states.iter().enumerate() {
        if !state.is_extreme() && !calls.contains(&state.call) {
            columns.push(state_column(number).alias(format!("call_{}", calls.len())));
            calls.push(state.call.clone());
        }
    }
    let given = |plan: LogicalPlan| {
        let plan = LogicalPlanBuilder::from(plan).project(columns.clone())?;
        plan.alias(own.clone())?.build()
    };
    let parts = together.parts.map(given).transpose()?;
    let plan = given(together.plan)?;
    let mut named = plan.schema().columns().into_iter();
    let values = states.keys.iter().map(|key| key.expression.clone());
    let values = values.zip(named.by_ref()).collect();
    let calls = calls.into_iter().zip(named).collect();
    let rows = StateRows {
        version: together.rows.version,
        n_changed: together.n_changed,
        n_bytes: together.n_bytes,
        plan,
        parts,
        values,
        calls,
    };
    Ok((Arc::new(states.shape.clone()), Arc::new(rows)))
}

/// The stored rows of a view of this shape; `None` if they have other columns. Types are those of the stored
/// columns: what the view says of them beside that is said by whoever reads it.
fn rows_of(
    rows: &StoredRows,
    (schema, name): &(String, String),
    shape: &Shape,
) -> OwnResult<Option<StateRows>> {
    let Some(made) = &rows.made else {
        return Ok(None);
    };
    let own = TableReference::partial(schema.as_str(), name.as_str());
    let provider = Arc::clone(&rows.rows.provider);
    let plan = LogicalPlanBuilder::scan(own.clone(), provider_as_source(provider), None);
    let plan = plan.and_then(LogicalPlanBuilder::build);
    let plan = plan.map_err(Error::internal)?;
    let columns = made.columns.iter();
    let columns: Vec<Column> = columns
        .map(|column| Column::new(Some(own.clone()), &column.stored))
        .collect();
    let has = |column: &Column| plan.schema().has_column(column);
    if columns.len() != shape.outputs.len() || !columns.iter().all(has) {
        return Ok(None);
    }
    let (mut values, mut calls) = (Vec::new(), Vec::new());
    for (output, column) in shape.outputs.iter().zip(columns) {
        match (&shape.groups, Part::of(output)) {
            (None, _) => values.push((output.clone(), column)),
            (Some(groups), Some(Part::Key(number))) => {
                values.push((groups.keys[number].clone(), column));
            }
            (Some(groups), Some(Part::Call(number))) => {
                calls.push((groups.calls[number].clone(), column));
            }
            (Some(_), None) => {}
        }
    }
    Ok(Some(StateRows {
        version: rows.version,
        n_changed: (0, 0),
        n_bytes: rows.rows.size.bytes,
        plan,
        parts: None,
        values,
        calls,
    }))
}

/// The table answers as well.
fn unreadable(error: &Error, view: &View) -> Reason {
    let (schema, name) = (&view.schema, &view.name);
    tracing::debug!(%error, schema, name, "a view is not used");
    Reason::Unreadable
}
