//! Refreshes materialized views: runs their queries as their owners, and has the rows stored with what they
//! were made of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{FutureExt, TryStreamExt};
use tokio_util::sync::CancellationToken;

use super::increment::decided;
use super::state::State;
use super::untold;
use super::whole::Whole;
use crate::auth::{Actor, Object, Standing as ActorStanding};
use crate::catalog::sql::{MaterializedOptions, Refresh};
use crate::catalog::views::{FullName, View};
use crate::catalog::{Kind, Relation};
use crate::engine::access::{Access, Checks};
use crate::engine::context::StatementContext;
use crate::engine::pin::{Pinned, PinnedRelation, PinnedView};
use crate::engine::stoppable::stoppable;
use crate::engine::{Engine, Inner, execute, failure, pin, plan, references, session_state};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::SessionFacts;
use crate::materialize::{Input, Making, Refreshed, Standing, Stored, StoredRows, ToStore, Way};

/// How often a refresh begins anew because somebody else was faster with rows of another state.
const ATTEMPTS_MAX: usize = 5;

/// How many views are looked at for one question about all of them.
const LOOKED_AT_MAX: usize = 100;

/// What a refresh did.
struct Done {
    way: Way,
    version: u64,
    n_rows: Option<u64>,
    inputs: String,
}

impl Engine {
    /// REFRESH MATERIALIZED VIEW, as the session: the view must be its own. Cancel safe: what was not
    /// stored by then is not.
    ///
    /// # Errors
    /// There is no such view, it is somebody else's, or its rows cannot be made or stored.
    pub async fn refresh(
        &self,
        refresh: &Refresh,
        context: &StatementContext,
    ) -> Result<Refreshed> {
        let inner = Arc::clone(&self.inner);
        let (refresh, own) = (refresh.clone(), context.clone());
        let step = async move {
            let name = inner.view_to_refresh(&refresh, &own).await?;
            let refreshed = inner.refreshed(&name, refresh.is_full, &own.cancel).await;
            ended(refreshed)
        };
        self.on_query_runtime(context, step.boxed()).await
    }

    /// Makes the rows of a view anew if they are not those of now, as its owner would.
    ///
    /// # Errors
    /// The view's rows cannot be made or stored.
    pub async fn refresh_view(&self, name: &FullName) -> Result<Refreshed> {
        let inner = Arc::clone(&self.inner);
        let (name, context) = (name.clone(), self.inner.own_context());
        let cancel = context.cancel.clone();
        let step = async move { ended(inner.refreshed(&name, false, &cancel).await) };
        self.on_query_runtime(&context, step.boxed()).await
    }

    /// The materialized views, and how each is kept.
    pub fn materialized_views(&self) -> Vec<(FullName, MaterializedOptions)> {
        let views = self.inner.catalog.views();
        let known = views.iter();
        known
            .filter_map(|(name, view)| Some((name.clone(), view.materialized.clone()?)))
            .collect()
    }

    /// Notes until when a view is not refreshed by itself, as its refreshes fail.
    pub fn pause_view(&self, name: &FullName, until: DateTime<Utc>) {
        self.inner.materialized.paused(name, until);
    }

    /// How a view's refreshes go, as far as this process knows.
    pub fn standing(&self, name: &FullName) -> Standing {
        self.inner.materialized.standing(name)
    }
}

/// The refresh, or the error that it ended with.
fn ended(refreshed: Refreshed) -> Result<Refreshed> {
    match refreshed.error {
        Some(error) => Err(error),
        None => Ok(refreshed),
    }
}

impl Inner {
    /// The view that REFRESH names, if the session may refresh it.
    async fn view_to_refresh(
        &self,
        refresh: &Refresh,
        context: &StatementContext,
    ) -> Result<FullName> {
        let snapshot = context.snapshot(&self.catalog).await?;
        let access = Access::of(&self.catalog, context, Checks::Names);
        let schemas = match &refresh.name.schema {
            Some(schema) => std::slice::from_ref(schema),
            None => context.facts.search_path.as_slice(),
        };
        let mut found: Option<Arc<Relation>> = None;
        for schema in schemas.iter().filter(|schema| access.may_use(schema)) {
            found = snapshot.find(schema, &refresh.name.name, |it| access.may_see(it))?;
            if found.is_some() {
                break;
            }
        }
        let shown = &refresh.name.name;
        let Some(relation) = found else {
            let message = format!("relation \"{shown}\" does not exist");
            return Err(Error::new(ErrorKind::UndefinedTable, message));
        };
        let view = match &relation.kind {
            Ok(Kind::View(view)) => view,
            Ok(_) => {
                let message = format!("\"{shown}\" is not a materialized view");
                return Err(Error::new(ErrorKind::FeatureNotSupported, message));
            }
            Err(error) => return Err(error.clone()),
        };
        if view.materialized.is_none() {
            // As RangeVarCallbackOwnsTable in tablecmds.c.
            let message = format!("\"{shown}\" is not a table or materialized view");
            return Err(Error::new(ErrorKind::WrongObjectType, message));
        }
        let object = Object::relation(&relation.schema, &relation.name);
        let rights = snapshot.views.authority.rights_of(&context.facts.actor);
        if !rights.own(&object) {
            let message = format!("must be owner of materialized view {}", relation.name);
            return Err(Error::new(ErrorKind::InsufficientPrivilege, message));
        }
        Ok((relation.schema.clone(), relation.name.clone()))
    }

    /// Refreshes a view, and notes how that ended.
    async fn refreshed(
        &self,
        name: &FullName,
        is_full: bool,
        cancel: &CancellationToken,
    ) -> Refreshed {
        let _turn = self.materialized.turn(name).await;
        let started = Utc::now();
        let done = self.refresh(name, is_full, cancel).await;
        let (done, error) = match done {
            Ok(done) => (Some(done), None),
            Err(error) => (None, Some(error)),
        };
        let refreshed = Refreshed {
            name: name.clone(),
            started,
            ended: Utc::now(),
            way: done.as_ref().map(|done| done.way),
            version: done.as_ref().map(|done| done.version),
            n_rows: done.as_ref().and_then(|done| done.n_rows),
            inputs: done.map(|done| done.inputs).unwrap_or_default(),
            error,
        };
        self.materialized.refreshed(refreshed.clone());
        refreshed
    }

    async fn refresh(
        &self,
        name: &FullName,
        is_full: bool,
        cancel: &CancellationToken,
    ) -> Result<Done> {
        for _ in 0..ATTEMPTS_MAX {
            let stored = self.materialized.latest(name).await?;
            let context = self.context_of_owner(name, cancel);
            let as_of = Utc::now();
            let pinned = self.pinned_view(name, &context).await?;
            let view = own_view(&pinned)?;
            let state = State::of(view).map_err(untold)?;
            self.note_look(name, &state, stored.as_ref());
            if let Some(rows) = &stored
                && let Some(made) = &rows.made
                && made.state == state.state
                && !is_full
            {
                return Ok(Done {
                    way: Way::Nothing,
                    version: rows.version,
                    n_rows: None,
                    inputs: made.shown_inputs(),
                });
            }
            let making = (&state, as_of);
            let mut whole = is_full.then_some(Whole::Asked);
            let tried = self.store(name, (&stored, whole), &pinned, making, &context);
            let mut tried = Box::pin(tried).await;
            // First with less, in the end with all: each time there is less that may go wrong.
            while let Err(Failed {
                whole: Some(next),
                error,
            }) = &tried
                && error.kind() != ErrorKind::QueryCanceled
            {
                tracing::debug!(%error, "refresh incrementally");
                whole = Some(*next);
                let again = self.store(name, (&stored, whole), &pinned, making, &context);
                tried = Box::pin(again).await;
            }
            if let Some(done) = tried.map_err(|failed| failed.error)? {
                if let Some(now) = self.materialized.latest(name).await?
                    && let Ok(state) = State::of(own_view(&pinned)?)
                {
                    self.note_look(name, &state, Some(&now));
                }
                return Ok(done);
            }
        }
        let message = format!(
            "materialized view \"{}.{}\" is refreshed by others all the time",
            name.0, name.1
        );
        Err(Error::new(ErrorKind::SerializationFailure, message))
    }

    /// Stores the rows of a pinned view; `None` if somebody else was faster. If `whole` says why, all are computed.
    async fn store(
        &self,
        name: &FullName,
        (before, whole): (&Option<StoredRows>, Option<Whole>),
        pinned: &Pinned,
        (state, as_of): (&State, DateTime<Utc>),
        context: &StatementContext,
    ) -> Result<Option<Done>, Failed> {
        let session = session_state::of_statement(&self.base, context);
        let logical = plan::logical_of_view(pinned, &session, context)?;
        let storable = self.storable(logical, &session, context)?;
        let view = (own_view(pinned)?.as_ref(), state);
        let before_and_why = (before.as_ref(), whole);
        let planned = self.rows_to_store(name, view, &storable, before_and_why, &session);
        let planned = planned.await?;
        let is_undecided = Arc::new(AtomicBool::new(false));
        let failed = |error| Failed {
            whole: match (planned.whole, is_undecided.load(Ordering::Relaxed)) {
                (Some(_), _) => None,
                (None, true) => Some(Whole::Extreme),
                (None, false) => Some(Whole::Failed),
            },
            error,
        };
        let stop = context.cancel.child_token();
        let _stop = stop.clone().drop_guard();
        let rows = run(planned.plan.clone(), &session, context, &stop).await;
        let rows = decided(rows.map_err(failed)?, &is_undecided);
        let to_store = ToStore {
            name: name.clone(),
            before: before.clone(),
            making: Making {
                definition: state.definition.clone(),
                state: state.state.clone(),
                inputs: state.inputs.clone(),
                columns: storable.columns,
                depends_on_style: storable.depends_on_style,
                as_of,
                states: planned.states.clone(),
            },
            schema: Arc::clone(&planned.schema),
            rows,
        };
        let stored = self.materialized.store(to_store).await;
        Ok(match stored.map_err(failed)? {
            Stored::Conflict => None,
            Stored::Version { version, n_rows } => Some(Done {
                way: match planned.whole {
                    Some(whole) => Way::Whole(whole.code()),
                    None => Way::Incremental,
                },
                version,
                n_rows: Some(n_rows),
                inputs: shown(&state.inputs),
            }),
        })
    }

    /// The context of a view's owner: what it may not see does not get into the rows.
    pub(super) fn context_of_owner(
        &self,
        name: &FullName,
        cancel: &CancellationToken,
    ) -> StatementContext {
        let context = self.own_context();
        let authority = self.catalog.authority();
        let owner = authority.owner_of(&Object::relation(&name.0, &name.1));
        let actor = match authority.is_enforced {
            true => Actor {
                standing: ActorStanding::Proved,
                ..Actor::open(owner)
            },
            false => Actor::open(owner),
        };
        StatementContext {
            facts: Arc::new(SessionFacts {
                actor,
                ..SessionFacts::clone(&context.facts)
            }),
            cancel: cancel.clone(),
            ..context
        }
    }

    /// A view by itself, with all that it reads at its latest version.
    async fn pinned_view(&self, name: &FullName, context: &StatementContext) -> Result<Pinned> {
        let snapshot = self.catalog.snapshot().await?;
        let view = snapshot.views.view(name).map(Arc::clone);
        let view: Arc<View> = view
            .filter(|view| view.materialized.is_some())
            .ok_or_else(|| {
                let message = format!("materialized view \"{}.{}\" does not exist", name.0, name.1);
                Error::new(ErrorKind::UndefinedTable, message)
            })?;
        let state = session_state::of_statement(&self.base, context);
        let clock = self.clock(&state, context, &[]);
        let access = Access::of(&self.catalog, context, Checks::Reading);
        let resolved = references::resolve_view(&snapshot, &view, clock, &access)?;
        Ok(pin::pin(&self.catalog, &resolved, None, context).await?)
    }

    /// Looks at every materialized view, so that what is told of them is of now.
    pub(in crate::engine) async fn look_at_views(&self) {
        let views = self.catalog.views();
        let names = views.iter().filter(|(_, view)| view.materialized.is_some());
        for (name, _) in names.take(LOOKED_AT_MAX) {
            let looked = async {
                let context = self.context_of_owner(name, &CancellationToken::new());
                let pinned = self.pinned_view(name, &context).await?;
                let state = State::of(own_view(&pinned)?).map_err(untold)?;
                let stored = self.materialized.latest(name).await?;
                self.note_look(name, &state, stored.as_ref());
                Ok::<_, Error>(())
            };
            if let Err(error) = looked.await {
                tracing::debug!(%error, schema = name.0, name = name.1, "look at view");
            }
        }
    }
}

/// A refresh that failed, and why it may go well as a whole, if it was none.
struct Failed {
    error: Error,
    whole: Option<Whole>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, whole: None }
    }
}

/// Runs a plan whose types are fitted, until `stop` is cancelled.
async fn run(
    plan: LogicalPlan,
    session: &SessionState,
    context: &StatementContext,
    stop: &CancellationToken,
) -> Result<SendableRecordBatchStream> {
    let physical = execute::physical(plan, session).await?;
    let task = context.limits.task_context(session)?;
    let rows = execute_stream(stoppable(physical, stop)?, task)
        .map_err(|error| failure::from_datafusion(&error))?;
    let own = rows.schema();
    let rows = rows.map_err(|error| {
        let ours = failure::from_datafusion(&error);
        datafusion::common::DataFusionError::External(Box::new(ours))
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(own, rows)))
}

/// Inputs with their versions, as one text.
fn shown(inputs: &[Input]) -> String {
    let inputs = inputs.iter();
    let shown = inputs.map(|input| format!("{} {}", input.relation, input.version));
    shown.collect::<Vec<_>>().join(", ")
}

/// The view that was pinned by itself.
pub(super) fn own_view(pinned: &Pinned) -> Result<&Arc<PinnedView>> {
    let mut relations = pinned.relations.values();
    let found = relations.find_map(|relation| match relation {
        PinnedRelation::View(view) => Some(view),
        PinnedRelation::Table(_) | PinnedRelation::Protected(_) => None,
    });
    found.ok_or_else(|| Error::new(ErrorKind::InternalError, "a view was not pinned"))
}
