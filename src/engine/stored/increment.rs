//! What a refresh stores: the rows of a view made of those that are stored and of what has changed since, where that
//! is the same as to compute all, and else all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use super::check::Storable;
use super::combined::{Followed, is_dear, put_together};
use super::kept::{Kept, followed_table};
use super::merge::{UNDECIDED, decided_of, of_rows};
use super::state::State;
use super::whole::Whole;
use crate::catalog::views::FullName;
use crate::engine::pin::{PinnedTable, PinnedView};
use crate::engine::{Inner, failure};
use crate::error::{Error, ErrorKind, Result};
use crate::materialize::{KeptStates, StoredRows};
use crate::sources::Version;

/// What is to be stored of a view.
pub(super) struct Rows {
    /// Gives the rows.
    pub(super) plan: LogicalPlan,
    /// The stored columns.
    pub(super) schema: SchemaRef,
    /// The states among them.
    pub(super) states: Option<KeptStates>,
    /// Why all are computed; `None` where they are not.
    pub(super) whole: Option<Whole>,
}

impl Inner {
    /// What is to be stored of a view. If something else is known that speaks for all rows, it is `whole`; if it is
    /// [`Whole::Extreme`], it speaks for the groups whose extremes may have gone.
    pub(super) async fn rows_to_store(
        &self,
        name: &FullName,
        (view, state): (&PinnedView, &State),
        storable: &Storable,
        (before, whole): (Option<&StoredRows>, Option<Whole>),
        session: &SessionState,
    ) -> Result<Rows> {
        let kept = followed_table(view).ok_or(Whole::Tables).and_then(|table| {
            let kept = Kept::of(&table, storable, session)?;
            Ok((kept, table))
        });
        let (kept, table) = match kept {
            Ok(kept) => kept,
            Err(reason) => {
                return Ok(Rows {
                    plan: storable.analyzed.clone(),
                    schema: Arc::clone(&storable.schema),
                    states: None,
                    whole: Some(whole.unwrap_or(reason)),
                });
            }
        };
        // Groups whose extremes are not known are computed of their rows, where there is more than one group.
        let recomputes = whole == Some(Whole::Extreme) && !kept.states.keys.is_empty();
        let followed = match (before, whole.filter(|_| !recomputes)) {
            (_, Some(whole)) => Err(whole),
            (None, None) => Err(Whole::First),
            (Some(rows), None) => {
                let rows = rows.clone();
                let followed = self.followed(name, (view, state), (&kept, &table), rows);
                let followed = followed.await?;
                followed.and_then(|followed| match is_dear(&followed.change) {
                    true => Err(Whole::Dearer),
                    false => Ok(followed),
                })
            }
        };
        self.of_kept((&kept, &table), followed, recomputes, session)
            .await
    }

    async fn of_kept(
        &self,
        (kept, table): (&Kept, &PinnedTable),
        followed: std::result::Result<Followed, Whole>,
        recomputes: bool,
        session: &SessionState,
    ) -> Result<Rows> {
        let (Version::Delta(version), Some(lake)) = (&table.version, &table.lake) else {
            let message = "what is kept up is no Delta table";
            return Err(Error::new(ErrorKind::InternalError, message));
        };
        let (states, n_files, whole) = match followed {
            Ok(Followed { rows, change }) => {
                let states = put_together(kept, &rows, &change, &session);
                let states = match recomputes {
                    true => {
                        states.and_then(|merged| decided_of(&kept.states, merged, &table.provider))
                    }
                    false => states,
                };
                (states, Some(change.n_files), None)
            }
            Err(whole) => {
                let n_files = self.catalog.lake().n_files(lake, *version).await?;
                let states = of_rows(&kept.states, &table.provider);
                (states, n_files, Some(whole))
            }
        };
        let plan = states.and_then(|states| kept.sorted(kept.rows(states)?));
        Ok(Rows {
            plan: plan.map_err(|error| failure::from_datafusion(&error))?,
            schema: Arc::clone(&kept.schema),
            states: n_files.map(|n_files| kept.told(table, *version, n_files)),
            whole,
        })
    }
}

/// Rows without the column that says whether a state is not known. If one is not, they end with an error, and
/// `is_undecided` is set.
pub(super) fn decided(
    rows: SendableRecordBatchStream,
    is_undecided: &Arc<AtomicBool>,
) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let Some(at) = schema.fields().iter().position(|it| it.name() == UNDECIDED) else {
        return rows;
    };
    let mut fields: Vec<_> = schema.fields().iter().map(Arc::clone).collect();
    fields.remove(at);
    let schema = Arc::new(Schema::new(fields));
    let (own, is_undecided) = (Arc::clone(&schema), Arc::clone(is_undecided));
    let rows = rows.map(move |batch| {
        let batch = batch?;
        let mut columns = batch.columns().to_vec();
        let undecided = columns.remove(at);
        let undecided = undecided.as_boolean_opt();
        let is_known = undecided.is_some_and(|it| it.null_count() == 0 && !it.has_true());
        if !is_known {
            is_undecided.store(true, Ordering::Relaxed);
            let message = "the least or the greatest of a group is not known any more";
            let error = Error::new(ErrorKind::InternalError, message);
            return Err(DataFusionError::External(Box::new(error)));
        }
        Ok(RecordBatch::try_new(Arc::clone(&own), columns)?)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}
