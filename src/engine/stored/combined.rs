//! What is stored of a view put together with what has changed below since: the rows that its query would give at the
//! versions that a statement has pinned.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as DataFusionResult;
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ident};
use datafusion::physical_plan::ExecutionPlan;

use super::kept::{Kept, followed_table};
use super::merge::{Parts, merged, of_each, of_rows, of_stored, typed};
use super::state::State;
use super::whole::Whole;
use crate::catalog::views::FullName;
use crate::engine::pin::{Pinned, PinnedTable, PinnedView};
use crate::engine::{Inner, execute, failure, plan, session_state};
use crate::error::Result;
use crate::materialize::{KeptStates, Made, StoredRows};
use crate::sources::{Change, Unfollowed, Version};

/// So many bytes are read in a moment: it is not asked whether that is half of a table.
const BYTES_AT_ONCE: u64 = 1 << 20;

/// The states of a view at the versions that a statement has pinned.
pub(super) struct Together {
    /// Which states they are.
    pub(super) kept: Arc<Kept>,
    /// Gives them: the columns [`super::states::key_name`] and [`super::states::state_name`], in order, one row for each
    /// group. Its types are fitted, in UTC.
    pub(super) plan: LogicalPlan,
    /// The same without having put the rows of a group into one, where that costs something and nothing went.
    pub(super) parts: Option<LogicalPlan>,
    /// Whether its extremes are those of the groups: what went may have been one.
    pub(super) has_extremes: bool,
    /// What is read of what is stored.
    pub(super) rows: StoredRows,
    /// How many files are read beside that: of rows that came below since, and of rows that went.
    pub(super) n_changed: (usize, usize),
    /// The bytes that are read.
    pub(super) n_bytes: u64,
}

/// Stored rows, and what has changed since.
pub(super) struct Followed {
    pub(super) rows: StoredRows,
    pub(super) change: Change,
}

impl Inner {
    /// The states of a materialized view at the versions that are pinned below it: those that are stored of exactly these,
    /// or of versions before, put together with what has changed since. With which zone and styles the session reads is
    /// not looked at here, but by [`super::fits`]; and what it may see, where names are bound.
    ///
    /// # Errors
    /// A store does not answer. Inside: why there are no states, or why it is cheaper to do without.
    pub(super) async fn together(
        &self,
        name: &FullName,
        (view, state): (&PinnedView, &State),
        pinned: &Pinned,
        latest: StoredRows,
    ) -> Result<Result<Together, Whole>> {
        let context = self.own_context();
        let session = session_state::of_statement(&self.base, &context);
        let Some(table) = followed_table(view) else {
            return Ok(Err(Whole::Tables));
        };
        let columns = table.provider.schema();
        let kept = match self.rewriting.kept(&state.definition, &columns) {
            Some(known) => known,
            None => {
                let logical = plan::logical_of(view, pinned, &session, &context)?;
                let storable = self.storable(logical, &session, &context)?;
                let kept = Kept::of(&table, &storable, &session).map(Arc::new);
                let definition = state.definition.clone();
                self.rewriting.keep_kept(definition, columns, &kept);
                kept
            }
        };
        let kept = match kept {
            Ok(kept) => kept,
            Err(whole) => return Ok(Err(whole)),
        };
        let followed = self.followed(name, (view, state), (&kept, &table), latest);
        let followed = followed.await?;
        let Followed { rows, change } = match followed {
            Ok(followed) => followed,
            Err(whole) => return Ok(Err(whole)),
        };
        if is_dear(&change) {
            return Ok(Err(Whole::Dearer));
        }
        let has_extremes = change.removed.provider.is_none() || !kept.states.has_extremes();
        let plans = put_together(&kept, &rows, &change, &session)
            .and_then(|plan| Ok((plan, side_by_side(&kept, &rows, &change)?)));
        let (plan, parts) = plans.map_err(|error| failure::from_datafusion(&error))?;
        let (added, removed) = (&change.added, &change.removed);
        Ok(Ok(Together {
            kept,
            plan,
            parts,
            has_extremes,
            n_changed: (added.n_files, removed.n_files),
            n_bytes: rows.rows.size.bytes + added.bytes + removed.bytes,
            rows,
        }))
    }

    /// The view's rows at what is pinned, of what is stored and what has changed since, as a stored table of that
    /// moment would give them.
    pub(super) async fn combined(
        &self,
        name: &FullName,
        view: (&PinnedView, &State),
        pinned: &Pinned,
        latest: StoredRows,
    ) -> Result<Result<(StoredRows, (usize, usize)), Whole>> {
        let together = match self.together(name, view, pinned, latest).await? {
            Ok(found) => found,
            Err(whole) => return Ok(Err(whole)),
        };
        if !together.has_extremes {
            return Ok(Err(Whole::Extreme));
        }
        let Together { kept, mut rows, .. } = together;
        let schema = rows.rows.provider.schema();
        let combined = kept
            .rows(together.plan)
            .and_then(|plan| Combined::new(name, plan, &schema));
        let combined = combined.map_err(|error| failure::from_datafusion(&error))?;
        rows.rows.provider = Arc::new(combined);
        Ok(Ok((rows, together.n_changed)))
    }

    /// The newest stored rows with states that are not newer than what is pinned, and what has changed since.
    pub(super) async fn followed(
        &self,
        name: &FullName,
        (view, state): (&PinnedView, &State),
        (kept, table): (&Kept, &PinnedTable),
        latest: StoredRows,
    ) -> Result<Result<Followed, Whole>> {
        let (Version::Delta(version), Some(lake)) = (&table.version, &table.lake) else {
            return Ok(Err(Whole::Tables));
        };
        let Some(rows) = self.not_newer(name, latest, *version).await? else {
            return Ok(Err(Whole::First));
        };
        let Some((made, told)) = told_of(&rows) else {
            return Ok(Err(Whole::First));
        };
        if made.definition != state.definition {
            return Ok(Err(Whole::Definition));
        }
        if !told
            .columns()
            .map(|column| &column.column)
            .eq(&kept.columns)
        {
            return Ok(Err(Whole::First));
        }
        if made.state == state.state {
            let change = Change {
                n_files: told.n_files,
                ..Change::default()
            };
            return Ok(Ok(Followed { rows, change }));
        }
        let versions = (told.version, *version);
        let lake = self
            .catalog
            .lake()
            .change(lake, versions, Some(told.n_files));
        let change = match lake.await? {
            Ok(change) => change,
            Err(unfollowed) => return Ok(Err(Whole::Unfollowed(unfollowed))),
        };
        // The table may have been made anew since, and counts its versions from 0 again.
        let is_same = change.identity_to.is_some() && change.identity_to == table.identity;
        let then = change
            .identity_from
            .map(|identity| State::at(view, identity));
        let was_read = then.is_some_and(|then| then.is_ok_and(|then| then.state == made.state));
        if !is_same || !was_read {
            return Ok(Err(Whole::Unfollowed(Unfollowed::Log)));
        }
        Ok(Ok(Followed { rows, change }))
    }

    /// The newest stored rows that were made of this version of their relation, or of one before.
    async fn not_newer(
        &self,
        name: &FullName,
        latest: StoredRows,
        version: u64,
    ) -> Result<Option<StoredRows>> {
        let Some(made) = &latest.made else {
            return Ok(None);
        };
        if made.states().is_some_and(|told| told.version <= version) {
            return Ok(Some(latest));
        }
        match made.earlier_at(version) {
            Some(earlier) => self.materialized.version(name, earlier).await,
            None => Ok(None),
        }
    }
}

/// What is said of stored rows and their states.
fn told_of(rows: &StoredRows) -> Option<(&Made, &KeptStates)> {
    let made = rows.made.as_ref()?;
    Some((made, made.states()?))
}

/// Whether so much has changed that the view's query reads less, or about as much.
pub(super) fn is_dear(change: &Change) -> bool {
    let changed = change.added.bytes.saturating_add(change.removed.bytes);
    changed > change.bytes || (changed > BYTES_AT_ONCE && changed > change.bytes / 2)
}

/// The states of stored rows and what has changed.
pub(super) fn put_together(
    kept: &Kept,
    rows: &StoredRows,
    change: &Change,
    // Made only where it is looked at: it takes longer than all the rest.
    session: &impl Deref<Target = SessionState>,
) -> DataFusionResult<LogicalPlan> {
    let states = &kept.states;
    let stored = of_stored(states, &rows.rows.provider, &kept.columns)?;
    let changed = |provider: &Option<Arc<dyn TableProvider>>| {
        let provider = provider.as_ref();
        provider.map(|rows| of_rows(states, rows)).transpose()
    };
    let parts = Parts {
        added: changed(&change.added.provider)?,
        removed: changed(&change.removed.provider)?,
        stored,
    };
    match (&parts.added, &parts.removed) {
        (None, None) => Ok(parts.stored),
        _ => merged(states, parts, session),
    }
}

/// The states of stored rows and below them those of each row that came since, a group of its own: whoever groups them again
/// need not have them grouped before. `None` if nothing came, or if something went.
fn side_by_side(
    kept: &Kept,
    rows: &StoredRows,
    change: &Change,
) -> DataFusionResult<Option<LogicalPlan>> {
    let (Some(added), None) = (&change.added.provider, &change.removed.provider) else {
        return Ok(None);
    };
    let states = &kept.states;
    let stored = of_stored(states, &rows.rows.provider, &kept.columns)?;
    let plan = LogicalPlanBuilder::from(stored).union(of_each(states, added)?)?;
    plan.build().map(Some)
}

/// Rows of a plan whose types are fitted, as a relation.
struct Combined {
    name: Arc<str>,
    plan: LogicalPlan,
    schema: SchemaRef,
}

impl Combined {
    /// The first columns of `plan`, with the names and types of `schema`.
    fn new(name: &FullName, plan: LogicalPlan, schema: &Schema) -> DataFusionResult<Self> {
        let plan = LogicalPlanBuilder::from(plan);
        let columns = schema.fields().iter().map(|field| {
            let column = typed(ident(field.name()), field.data_type(), plan.schema())?;
            Ok(column.alias(field.name()))
        });
        let columns = columns.collect::<DataFusionResult<Vec<_>>>()?;
        let plan = plan.project(columns)?.build()?;
        Ok(Self {
            name: format!("{}.{}", name.0, name.1).into(),
            schema: Arc::clone(plan.schema().inner()),
            plan,
        })
    }
}

impl fmt::Debug for Combined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Combined({})", self.name)
    }
}

#[async_trait::async_trait]
impl TableProvider for Combined {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let state = session.as_any().downcast_ref::<SessionState>();
        let state = state.ok_or_else(|| {
            DataFusionError::Internal("a session of another kind than the engine's".to_owned())
        })?;
        let mut plan = LogicalPlanBuilder::from(self.plan.clone());
        if let Some(projection) = projection {
            let columns = projection
                .iter()
                .map(|index| self.schema.field(*index).name());
            plan = plan.project(columns.map(ident))?;
        }
        let plan = plan.limit(0, limit)?.build()?;
        execute::physical_plan(plan, state).await
    }
}
