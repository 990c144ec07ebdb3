//! The path of one statement: parse, bind names, pin versions, plan, execute.
//!
//! [`Engine::answer`] is the flow. A [`Statement`] comes only from [`Engine::parse`], a pinned
//! statement only from one, and a plan only from a pinned statement: nothing is planned over a
//! relation whose version is not fixed.

mod access;
mod answer;
mod arguments;
mod at_once;
mod bind;
mod cache;
mod checked_keys;
mod columns;
mod columns_read;
mod constant;
mod context;
mod copy;
mod derived_query;
mod execute;
mod explain;
mod failure;
mod freshness;
mod grouping;
mod history;
mod inventory;
mod judge_policy;
mod leakproof;
mod limits;
mod lock;
mod look_up;
mod merged;
mod moment;
mod named;
mod named_in_query;
mod nearest;
mod numerals;
mod ordinals;
mod output_name;
mod own_rows;
mod parameters;
mod parse;
mod pin;
mod plan;
mod planner_names;
mod protect;
mod protected;
mod query;
mod recursion;
mod references;
mod refuse;
mod renamed;
mod resolved;
mod rewrite;
mod rules;
mod scope;
mod session_command;
mod session_state;
mod session_style;
mod spelled;
mod statement;
mod stoppable;
mod stored;
mod system_columns;
mod system_table;
mod table_arguments;
mod temporary;
mod travel;
mod type_planner;
mod typed_literals;
mod unpinned;
mod views;
mod walk;
mod warm;

use std::sync::{Arc, OnceLock};

use datafusion::execution::SessionState;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

pub use answer::{Answer, Column, Description};
pub use cache::{Form, Results};
pub use context::StatementContext;
pub use copy::{Copy, CopyLayout, ForceQuote};
pub use explain::{ExplainFormat, ExplainOptions, columns as explain_columns};
pub use history::{CodeOf, History};
pub use limits::StatementLimits;
pub use moment::Moment;
pub use named_in_query::{references_of, stars_of};
pub use parameters::Parameter;
pub use session_state::base as base_state;
pub use spelled::Shown;
pub use statement::{
    Declare, Direction, Execute, Fetch, Mode, Prepare, SessionCommand, Statement, StatementKind,
};
pub use views::Defined;

use crate::auth::Authority;
use crate::catalog::Catalog;
use crate::catalog::sql::Lines;
use crate::error::{Error, ErrorKind, Result};
use crate::materialize::Materialized;
use access::{Access, Checks};
use cache::Descriptions;
use constant::Constants;
use datafusion::sql::sqlparser::ast::Query;
use inventory::ViewInventory;
use pin::Pinned;
use resolved::Resolved;
use rewrite::Rewriting;
use session_state::StatementState;
use travel::Clock;

/// Runs statements over a catalog, on a runtime of its own: a heavy query never delays the doors.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    catalog: Arc<Catalog>,
    base: SessionState,
    /// For plain plans alone, made when there is the first.
    plain: OnceLock<SessionState>,
    runtime: Handle,
    database: String,
    view_columns: ViewInventory,
    constants: Constants,
    results: Arc<Results>,
    history: Arc<History>,
    materialized: Arc<Materialized>,
    rewriting: Rewriting,
}

/// The statements of a message.
pub type Parsed = Arc<[Arc<Statement>]>;

impl Engine {
    /// An engine over a catalog. `base` is from [`base_state`]; `runtime` is for queries alone;
    /// `database` is the catalog's name; `results` keeps answers, `history` what was asked, and
    /// `materialized` the rows of views.
    pub fn new(
        catalog: Arc<Catalog>,
        base: SessionState,
        runtime: Handle,
        database: String,
        (results, history, materialized): (Arc<Results>, Arc<History>, Arc<Materialized>),
    ) -> Self {
        let inner = Inner {
            catalog,
            base,
            plain: OnceLock::new(),
            runtime,
            database,
            view_columns: ViewInventory::default(),
            constants: Constants::default(),
            results,
            history,
            materialized,
            rewriting: Rewriting::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Who may what, as it is now.
    pub fn authority(&self) -> Arc<Authority> {
        self.inner.catalog.authority()
    }

    /// Whether there is a snapshot of this name.
    pub fn knows_snapshot(&self, name: &str) -> bool {
        self.inner.catalog.views().snapshots.contains_key(name)
    }

    /// Splits a message into its statements. Empty statements are left out. `database` is the
    /// session's, which names of relations may have in front.
    ///
    /// # Errors
    /// `SyntaxError` with its position; what would write is `ReadOnlySqlTransaction`, what cannot
    /// be run exactly `FeatureNotSupported`.
    pub fn parse(&self, text: &str, database: &str) -> Result<Parsed> {
        let known = &self.inner.results.statements;
        if let Some(parsed) = known.parsed(text) {
            return Ok(parsed);
        }
        let statements = parse::parse(text, database)?;
        let parsed: Parsed = statements.into_iter().map(Arc::new).collect();
        known.keep_parsed(text, &parsed);
        Ok(parsed)
    }

    /// What a statement takes and gives. `declared` are the types the client gave for `$1`, `$2`...;
    /// 0 or absent ones are inferred. Cancel safe.
    ///
    /// # Errors
    /// Whatever planning finds wrong.
    pub async fn describe(
        &self,
        statement: &Arc<Statement>,
        declared: &[u32],
        context: &StatementContext,
    ) -> Result<Description> {
        if declared.is_empty()
            && let Some(constant) = self.inner.constants.get(statement, context)
        {
            return Ok(Description {
                parameters: Vec::new(),
                columns: constant.columns.clone(),
            });
        }
        if let Some(known) = self.inner.describe_at_once(statement, declared, context) {
            return Ok(known);
        }
        let inner = Arc::clone(&self.inner);
        let (statement, declared) = (Arc::clone(statement), declared.to_vec());
        let own = context.clone();
        let step = async move { inner.describe(&statement, &declared, &own).await };
        self.on_query_runtime(context, step.boxed()).await
    }

    /// Runs a statement on the query runtime. `parameters` are the values of `$1`, `$2` ..., of
    /// the types [`Engine::describe`] gave. `expected` are the columns that were described to the
    /// client, if any: another set now is an error (PostgreSQL's "cached plan must not change
    /// result type"). `shown` says which of them it reads as text. Cancel safe.
    ///
    /// # Errors
    /// Whatever planning finds wrong; failures while running come from [`Answer::next`].
    pub async fn answer(
        &self,
        statement: &Arc<Statement>,
        parameters: Vec<Parameter>,
        expected: Option<&[Column]>,
        shown: Shown,
        context: &StatementContext,
    ) -> Result<Answer> {
        if parameters.is_empty()
            && let Some(constant) = self.inner.constants.get(statement, context)
        {
            let answer = constant.answer()?;
            return match expected {
                Some(expected) => same_columns(answer, expected),
                None => Ok(answer),
            };
        }
        if let Some(answer) = self.inner.answer_at_once(statement, &parameters, context) {
            return match expected {
                Some(expected) => same_columns(answer, expected),
                None => Ok(answer),
            };
        }
        let inner = Arc::clone(&self.inner);
        let (statement, own) = (Arc::clone(statement), context.clone());
        let expected = expected.map(<[Column]>::to_vec);
        let step = async move {
            let answer = inner.answer(&statement, parameters, &shown, &own).await?;
            match expected {
                Some(expected) => same_columns(answer, &expected),
                None => Ok(answer),
            }
        };
        self.on_query_runtime(context, step.boxed()).await
    }

    /// Runs a step of a statement on the query runtime; a cancelled statement's step is dropped.
    async fn on_query_runtime<T: Send + 'static>(
        &self,
        context: &StatementContext,
        step: BoxFuture<'static, Result<T>>,
    ) -> Result<T> {
        let task = AbortOnDropHandle::new(self.inner.runtime.spawn(step));
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => Err(execute::canceled()),
            result = task => match result {
                Ok(result) => result,
                Err(panic) => Err(Error::internal(panic)),
            },
        }
    }
}

impl Inner {
    /// What statements with plain plans start from.
    fn plain(&self) -> &SessionState {
        let made = || session_state::plain(&self.base);
        // The base was made in the same way, and serves as well.
        let plain = || made().unwrap_or_else(|_| self.base.clone());
        self.plain.get_or_init(plain)
    }

    /// What the moments of a statement are computed with.
    fn clock<'a>(
        &'a self,
        state: &'a StatementState<'a>,
        context: &'a StatementContext,
        values: &'a [Parameter],
    ) -> Clock<'a> {
        Clock {
            catalog: &self.catalog,
            state,
            context,
            values,
            heeds_session: true,
        }
    }

    /// Pins every relation of a query.
    async fn pin(
        &self,
        query: &Query,
        lines: &Lines,
        clock: Clock<'_>,
        checks: Checks,
    ) -> Result<Pinned> {
        let access = Access::of(&self.catalog, clock.context, checks);
        let resolved = references::resolve(&self.catalog, query, lines, clock, &access).await?;
        self.pin_resolved(&resolved, query, lines, clock).await
    }

    /// As [`Self::pin`] for a statement, whose names may have been looked up before.
    async fn pin_statement(
        &self,
        statement: &Statement,
        query: &Query,
        clock: Clock<'_>,
        checks: Checks,
    ) -> Result<Pinned> {
        let (context, lines) = (clock.context, &statement.lines);
        let statements = &self.results.statements;
        let known = statements.bound(statement, context, checks, &self.catalog);
        statements.count(known.is_some());
        let resolved = match known {
            Some(known) => known,
            None => {
                let access = Access::of(&self.catalog, context, checks);
                let resolved = references::resolve(&self.catalog, query, lines, clock, &access);
                let resolved = Arc::new(resolved.await?);
                if let Some(authority) = access.latest() {
                    statements.keep_bound(statement, context, (checks, authority), &resolved);
                }
                resolved
            }
        };
        self.pin_resolved(&resolved, query, lines, clock).await
    }

    async fn pin_resolved(
        &self,
        resolved: &Resolved,
        query: &Query,
        lines: &Lines,
        clock: Clock<'_>,
    ) -> Result<Pinned> {
        let context = clock.context;
        if resolved.tells_of_stored_views() {
            self.look_at_views().await;
        }
        let inventory = self.inventory_for(resolved, clock).await?;
        let unknown = inventory::unknown(resolved, inventory.as_deref());
        let pinned = pin::pin(&self.catalog, resolved, inventory, context).await;
        let named = &resolved.references;
        let mut pinned = pinned.map_err(|failed| failed.in_query(query, named, lines))?;
        pinned.notices.extend(unknown);
        travel::narrow(&mut pinned, query, &self.catalog).await?;
        self.choose_stored(&mut pinned, context).await;
        let authority = &pinned.snapshot.views.authority;
        let may_everything = authority.may_everything(&context.facts.actor);
        let clear_cache = cache::clear_cache(&self.results, may_everything);
        pinned.own_functions.push(clear_cache);
        Ok(pinned)
    }

    async fn describe(
        &self,
        statement: &Statement,
        declared: &[u32],
        context: &StatementContext,
    ) -> Result<Description> {
        let query = query_of(statement)?;
        let state = session_state::of_statement(&self.base, context);
        let clock = self.clock(&state, context, &[]);
        let pinned = self
            .pin_statement(statement, query, clock, Checks::Names)
            .await?;
        let scene = Scene {
            query,
            lines: &statement.lines,
            pinned: &pinned,
            state: &state,
            context,
            values: &[],
        };
        let key = Descriptions::key(statement, &scene, declared);
        let descriptions = &self.results.descriptions;
        if let Some(known) = key.as_ref().and_then(|key| descriptions.get(key)) {
            return Ok(known);
        }
        let parameters = parameters::types(&scene, declared)?;
        let fields = parameters.iter().map(|it| Some(it.field())).collect();
        let plan = plan::plan(&scene, fields)?;
        let columns = match statement.kind {
            StatementKind::Explain { options, .. } => explain::columns(options),
            _ => columns::of_plan(&plan.logical, &execute::analyzed(&plan, &state)?),
        };
        let description = Description {
            parameters: parameters.iter().map(|it| it.pg_type).collect(),
            columns,
        };
        if let Some(key) = key {
            descriptions.keep(key, &description);
        }
        Ok(description)
    }
}

/// What a query is planned over.
#[derive(Clone, Copy, Debug)]
struct Scene<'a> {
    query: &'a Query,
    /// Those of the text the query stands in.
    lines: &'a Lines,
    pinned: &'a Pinned,
    state: &'a StatementState<'a>,
    context: &'a StatementContext,
    /// The values of `$1`, `$2` ...; none where it is only described.
    values: &'a [Parameter],
}

/// The query of a statement that has one.
fn query_of(statement: &Statement) -> Result<&Query> {
    match &statement.kind {
        StatementKind::Query(query)
        | StatementKind::Explain { query, .. }
        | StatementKind::Lock(query) => Ok(query),
        StatementKind::Copy(copy) => Ok(&copy.query),
        _ => {
            let message = "a statement without rows reached the engine's answers";
            Err(Error::internal(std::io::Error::other(message)))
        }
    }
}

/// An answer, if its columns are those that the client was told.
fn same_columns(answer: Answer, told: &[Column]) -> Result<Answer> {
    let same = answer.columns.len() == told.len()
        && answer
            .columns
            .iter()
            .zip(told)
            .all(|(now, told)| now.name == told.name && now.pg_type.oid == told.pg_type.oid);
    if same {
        return Ok(answer);
    }
    // As RevalidateCachedQuery in plancache.c.
    let message = "cached plan must not change result type";
    Err(Error::new(ErrorKind::FeatureNotSupported, message))
}
