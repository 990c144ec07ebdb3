//! What a catalog query knows of relations: of tables what the catalog has opened, of views what
//! planning them tells.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use futures::FutureExt;
use moka::Expiry;
use moka::future::Cache;

use super::access::Access;
use super::context::StatementContext;
use super::resolved::Resolved;
use super::travel::{Clock, Point};
use super::{Engine, Inner, pin, plan, references, session_state};
use crate::catalog::views::View;
use crate::catalog::{Inventory, MomentOf, Needs, Patience, Snapshot, ViewColumns};
use crate::error::Result;

/// How many states of the views are kept: that of the folder, and those of open transactions.
const STATES_MAX: u64 = 8;

/// How long views stay without columns that could not be planned: their sources may come back.
const BROKEN_AGE_MAX: Duration = Duration::from_secs(5);

/// The columns of all views. An entry with no
/// error in it never goes stale: other definitions or other columns below are another key.
#[derive(Debug)]
pub(super) struct ViewInventory(Cache<Key, Arc<ViewColumns>>);

/// The snapshot's epoch, the tables' generation, and the moment.
type Key = (u64, u64, Point);

impl Default for ViewInventory {
    fn default() -> Self {
        let states = Cache::builder().max_capacity(STATES_MAX);
        Self(states.expire_after(BrokenForAWhile).build())
    }
}

/// Lets what has errors go.
struct BrokenForAWhile;

impl Expiry<Key, Arc<ViewColumns>> for BrokenForAWhile {
    fn expire_after_create(
        &self,
        _: &Key,
        views: &Arc<ViewColumns>,
        _: Instant,
    ) -> Option<Duration> {
        let is_broken = views.values().any(Result::is_err);
        is_broken.then_some(BROKEN_AGE_MAX)
    }
}

/// What a client is told that is shown less than there is.
pub(super) fn unknown(resolved: &Resolved, inventory: Option<&Inventory>) -> Option<String> {
    if resolved.needs() < Needs::Inventory {
        return None;
    }
    let n_unknown = inventory.map_or(0, Inventory::n_unknown);
    let notice =
        format!("{n_unknown} tables have not been opened yet, their columns are not shown");
    (n_unknown > 0).then_some(notice)
}

impl Engine {
    /// What exists now, and the columns of everything, or why it has none.
    ///
    /// # Errors
    /// The lake cannot be listed.
    pub async fn inventory(&self) -> Result<(Arc<Snapshot>, Arc<Inventory>)> {
        let inner = Arc::clone(&self.inner);
        let context = self.inner.own_context();
        let own = context.clone();
        let step = async move {
            let snapshot = inner.catalog.refresh().await?;
            let inventory = inner.inventory(&snapshot, Patience::Whole, &own).await?;
            Ok((snapshot, inventory))
        };
        self.on_query_runtime(&context, step.boxed()).await
    }
}

impl Inner {
    /// What a statement must know of relations, if anything.
    ///
    /// # Errors
    /// The session's moment is none.
    pub(super) async fn inventory_for(
        &self,
        resolved: &Resolved,
        clock: Clock<'_>,
    ) -> Result<Option<Arc<Inventory>>> {
        // What existed at a moment is known by what had columns then.
        let looks_back = resolved.has_system_relations() && clock.looks_back();
        let patience = match resolved.needs() {
            Needs::Snapshot | Needs::Known if looks_back => Patience::Brief,
            Needs::Snapshot => return Ok(None),
            Needs::Known => Patience::None,
            Needs::Inventory => Patience::Brief,
        };
        let inventory = self.inventory(&resolved.snapshot, patience, clock.context);
        inventory.await.map(Some)
    }

    /// What is known of every relation, views among them, at the moment that the session reads at.
    ///
    /// # Errors
    /// The session's moment is none.
    async fn inventory(
        &self,
        snapshot: &Arc<Snapshot>,
        patience: Patience,
        context: &StatementContext,
    ) -> Result<Arc<Inventory>> {
        let state = session_state::of_statement(&self.base, context);
        let point = self.clock(&state, context, &[]).of_session(snapshot)?;
        let of_table = |schema: &str, name: &str| point.of_table(schema, name);
        let moment = (point != Point::Latest).then_some(&of_table as &MomentOf<'_>);
        let tables = self.catalog.inventory(snapshot, moment, patience).await;
        let tables = Arc::new(tables);
        let key = (snapshot.epoch, tables.generation(), point.clone());
        let views = match patience {
            Patience::None => self.view_columns.0.get(&key).await.unwrap_or_default(),
            Patience::Brief | Patience::Whole => {
                let planned = self.columns_of_views(snapshot, &tables, context);
                self.view_columns.0.get_with(key, planned.boxed()).await
            }
        };
        Ok(Arc::new(tables.with_views(&views)))
    }

    /// The columns of every view.
    async fn columns_of_views(
        &self,
        snapshot: &Arc<Snapshot>,
        tables: &Arc<Inventory>,
        context: &StatementContext,
    ) -> Arc<ViewColumns> {
        let mut columns = ViewColumns::new();
        let schemas = snapshot.schemas.values();
        for relation in schemas.flat_map(|schema| schema.relations.values()) {
            if let Some(view) = relation.view() {
                let planned = self.plan_view(view, snapshot, Some(tables), context);
                columns.insert(relation.oid, planned.await);
            }
        }
        Arc::new(columns)
    }

    /// The columns of a view, planned over what a snapshot has. The position of an error is one of
    /// the view's query.
    pub(super) async fn plan_view(
        &self,
        view: &Arc<View>,
        snapshot: &Arc<Snapshot>,
        inventory: Option<&Arc<Inventory>>,
        context: &StatementContext,
    ) -> Result<SchemaRef> {
        let state = session_state::of_statement(&self.base, context);
        let clock = self.clock(&state, context, &[]);
        let resolved = references::resolve_view(snapshot, view, clock, &Access::open())?;
        let inventory = inventory.map(Arc::clone);
        let pinned = pin::pin(&self.catalog, &resolved, inventory, context).await?;
        plan::columns_of_view(&pinned, &state, context)
    }
}
