//! Refreshes materialized views: runs their queries as their owners, and has the rows stored with what they
//! were made of.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{FutureExt, TryStreamExt};
use tokio_util::sync::CancellationToken;

use super::check::Storable;
use super::state::State;
use super::untold;
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
use crate::materialize::{Making, Refreshed, Standing, Stored, StoredRows, ToStore};

/// How often a refresh begins anew because somebody else was faster with rows of another state.
const ATTEMPTS_MAX: usize = 5;

/// How many views are looked at for one question about all of them.
const LOOKED_AT_MAX: usize = 100;

/// What a refresh did.
struct Done {
    is_stored: bool,
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
            is_stored: done.as_ref().is_some_and(|done| done.is_stored),
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
                    is_stored: false,
                    version: rows.version,
                    n_rows: None,
                    inputs: made.shown_inputs(),
                });
            }
            let making = (state, as_of);
            if let Some(done) = self.store(name, stored, &pinned, making, &context).await? {
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

    /// Stores the rows of a pinned view; `None` if somebody else was faster.
    async fn store(
        &self,
        name: &FullName,
        before: Option<StoredRows>,
        pinned: &Pinned,
        (state, as_of): (State, DateTime<Utc>),
        context: &StatementContext,
    ) -> Result<Option<Done>> {
        let session = session_state::of_statement(&self.base, context);
        let logical = plan::logical_of_view(pinned, &session, context)?;
        let Storable {
            analyzed,
            columns,
            schema,
            depends_on_style,
        } = self.storable(logical, &session, context)?;
        let physical = execute::physical(analyzed, &session).await?;
        let task = context.limits.task_context(&session)?;
        let stop = context.cancel.child_token();
        let _stop = stop.clone().drop_guard();
        let rows = execute_stream(stoppable(physical, &stop)?, task)
            .map_err(|error| failure::from_datafusion(&error))?;
        let own = rows.schema();
        let rows = rows.map_err(|error| {
            let ours = failure::from_datafusion(&error);
            datafusion::common::DataFusionError::External(Box::new(ours))
        });
        let inputs = state.inputs.clone();
        let to_store = ToStore {
            name: name.clone(),
            before,
            making: Making {
                definition: state.definition,
                state: state.state,
                inputs: state.inputs,
                columns,
                depends_on_style,
                as_of,
            },
            schema,
            rows: Box::pin(RecordBatchStreamAdapter::new(own, rows)),
        };
        Ok(match self.materialized.store(to_store).await? {
            Stored::Conflict => None,
            Stored::Version { version, n_rows } => Some(Done {
                is_stored: true,
                version,
                n_rows: Some(n_rows),
                inputs: inputs
                    .iter()
                    .map(|input| format!("{} {}", input.relation, input.version))
                    .collect::<Vec<_>>()
                    .join(", "),
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

/// The view that was pinned by itself.
pub(super) fn own_view(pinned: &Pinned) -> Result<&Arc<PinnedView>> {
    let mut relations = pinned.relations.values();
    let found = relations.find_map(|relation| match relation {
        PinnedRelation::View(view) => Some(view),
        PinnedRelation::Table(_) | PinnedRelation::Protected(_) => None,
    });
    found.ok_or_else(|| Error::new(ErrorKind::InternalError, "a view was not pinned"))
}
