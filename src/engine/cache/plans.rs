//! Plans of statements that are said again: over the columns of what they read, and no version of it.
//!
//! A plan is made of what the names of a statement were resolved to and of the columns of those relations, under the settings of
//! a session. As long as these are the same, what is read is put into the plan that was made before. What it is to be read
//! as (which files, which materialized views) is decided anew each time, after that.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlan, ScalarUDF, TableSource, Volatility};
use moka::sync::Cache;

use super::Results;
use super::statements::{Key, key, weight};
use crate::engine::Scene;
use crate::engine::access::{Checks, Policies};
use crate::engine::answer::Column;
use crate::engine::pin::Pinned;
use crate::engine::resolved::ViewKey;
use crate::engine::statement::Statement;
use crate::functions;

/// What a node of a plan takes in memory, about, in bytes: beside its columns, for each of these, and for each expression.
const NODE_BYTES: usize = 1 << 10;
const COLUMN_BYTES: usize = 100;
const EXPRESSION_BYTES: usize = 300;

/// A plan whose types are fitted.
#[derive(Debug)]
pub(in crate::engine) struct Fitted {
    /// Before that.
    pub(in crate::engine) logical: LogicalPlan,
    pub(in crate::engine) analyzed: LogicalPlan,
    pub(in crate::engine) columns: Vec<Column>,
}

/// The plans that are kept, of statements without parameters.
#[derive(Debug)]
pub(in crate::engine) struct Plans {
    known: Cache<Key, Arc<Kept>>,
}

/// A plan with [`Place`]s for what it reads.
#[derive(Debug)]
struct Kept {
    /// Made once for each time that names are resolved: those of the plan are resolved to the same as long as it is the same.
    policies: Arc<Policies>,
    /// The views of which stored rows are read.
    stored: HashSet<ViewKey>,
    fitted: Fitted,
    n_bytes: usize,
}

/// Stands in a plan for a relation.
#[derive(Clone, Debug)]
struct Place {
    relation: Relation,
    columns: SchemaRef,
}

/// Which of the relations of a statement.
#[derive(Clone, Debug)]
enum Relation {
    /// By its place among those that are pinned.
    Table(usize),
    /// What is stored of a view.
    Stored(ViewKey),
}

impl TableSource for Place {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.columns)
    }
}

impl Plans {
    /// Those that take so many bytes together.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            known: Cache::builder()
                .weigher(|_, kept: &Arc<Kept>| weight(kept.n_bytes))
                .max_capacity(bytes_max as u64)
                .build(),
        }
    }

    /// The plan of a statement over what was pinned, if it was planned before over the same columns.
    pub(in crate::engine) fn get(
        &self,
        statement: &Statement,
        scene: &Scene<'_>,
    ) -> Option<Fitted> {
        let kept = self.known.get(&key_of(statement, scene)?)?;
        let pinned = scene.pinned;
        let is_same = Arc::ptr_eq(&kept.policies, &pinned.policies)
            && kept.stored.len() == pinned.stored.len()
            && kept
                .stored
                .iter()
                .all(|key| pinned.stored.contains_key(key));
        if !is_same {
            return None;
        }
        // What reads other columns now cannot be put in.
        let analyzed = over(kept.fitted.analyzed.clone(), pinned).ok()?;
        Some(Fitted {
            logical: kept.fitted.logical.clone(),
            analyzed,
            columns: kept.fitted.columns.clone(),
        })
    }

    /// Keeps the plan of a statement, if all that it is made of is known to be the same the next time.
    pub(in crate::engine) fn keep(
        &self,
        statement: &Statement,
        scene: &Scene<'_>,
        results: &Results,
        fitted: &Fitted,
    ) {
        let Some(key) = key_of(statement, scene) else {
            return;
        };
        let mut columns = fitted.columns.iter();
        if columns.any(|column| functions::spelling(column.pg_type.oid).is_some()) {
            return;
        }
        let Ok(Some(size)) = size_if_lasting(&fitted.analyzed, scene, results) else {
            return;
        };
        let Ok(Some(logical_size)) = size_if_lasting(&fitted.logical, scene, results) else {
            return;
        };
        let pinned = scene.pinned;
        let (Ok(logical), Ok(analyzed)) = (
            placed(fitted.logical.clone(), pinned),
            placed(fitted.analyzed.clone(), pinned),
        ) else {
            return;
        };
        let kept = Kept {
            policies: Arc::clone(&pinned.policies),
            stored: pinned.stored.keys().cloned().collect(),
            fitted: Fitted {
                logical,
                analyzed,
                columns: fitted.columns.clone(),
            },
            n_bytes: size + logical_size,
        };
        self.known.insert(key, Arc::new(kept));
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        self.known.invalidate_all();
    }

    /// The bytes of all.
    pub(super) fn n_bytes(&self) -> u64 {
        self.known.run_pending_tasks();
        self.known.weighted_size()
    }
}

/// The key of a statement that is run over what was resolved before. What has parameters is planned with their values.
fn key_of(statement: &Statement, scene: &Scene<'_>) -> Option<Key> {
    let key = || key(statement, scene.context, Checks::Reading);
    scene.values.is_empty().then(key).flatten()
}

/// The relations of a plan by places. It fails where one provider is two of them, as a table's latest version is the one that
/// is named beside it: the next time they may be two.
fn placed(plan: LogicalPlan, pinned: &Pinned) -> DataFusionResult<LogicalPlan> {
    with_sources(plan, |source| {
        let provider = source_as_provider(source)?;
        let tables = pinned.tables.iter().enumerate();
        let tables = tables.map(|(index, table)| (&table.provider, Relation::Table(index)));
        let stored = pinned.stored.iter();
        let stored = stored.map(|(key, stored)| (&stored.provider, Relation::Stored(key.clone())));
        let mut meant = tables
            .chain(stored)
            .filter(|(known, _)| is_same(known, &provider));
        let (Some((_, relation)), None) = (meant.next(), meant.next()) else {
            return Err(unknown());
        };
        let columns = provider.schema();
        Ok(Arc::new(Place { relation, columns }))
    })
}

/// What was pinned in the places of a plan.
fn over(plan: LogicalPlan, pinned: &Pinned) -> DataFusionResult<LogicalPlan> {
    with_sources(plan, |source| {
        let place = source.downcast_ref::<Place>().ok_or_else(unknown)?;
        let provider = match &place.relation {
            Relation::Table(index) => pinned.tables.get(*index).map(|table| &table.provider),
            Relation::Stored(key) => pinned.stored.get(key).map(|stored| &stored.provider),
        };
        match provider {
            Some(provider) if provider.schema() == place.columns => {
                Ok(provider_as_source(Arc::clone(provider)))
            }
            _ => Err(unknown()),
        }
    })
}

fn with_sources(
    plan: LogicalPlan,
    source: impl Fn(&Arc<dyn TableSource>) -> DataFusionResult<Arc<dyn TableSource>>,
) -> DataFusionResult<LogicalPlan> {
    let put = plan.transform_down_with_subqueries(|node| match node {
        LogicalPlan::TableScan(mut scan) => {
            scan.source = source(&scan.source)?;
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        }
        other => Ok(Transformed::no(other)),
    });
    Ok(put?.data)
}

fn is_same(one: &Arc<dyn TableProvider>, other: &Arc<dyn TableProvider>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

/// Tells the walk that a plan is not one to be kept, or not over these relations; nobody reads it.
fn unknown() -> DataFusionError {
    DataFusionError::Plan("a plan reads what was not pinned".to_owned())
}

/// The bytes of a plan, about; `None` if anything in it was made for one run.
fn size_if_lasting(
    plan: &LogicalPlan,
    scene: &Scene<'_>,
    results: &Results,
) -> DataFusionResult<Option<usize>> {
    let (mut size, mut lasts) = (0, true);
    plan.apply_with_subqueries(|node| {
        size += NODE_BYTES + COLUMN_BYTES * node.schema().fields().len();
        // What a node of somebody else's holds is not known here.
        lasts &= !matches!(node, LogicalPlan::Extension(_));
        node.apply_expressions(|expression| {
            expression.apply(|inner| {
                size += EXPRESSION_BYTES;
                lasts &= match inner {
                    Expr::ScalarFunction(call) => is_of_all(&call.func, scene, results),
                    Expr::ScalarVariable(..) => false,
                    _ => true,
                };
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(match lasts {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    })?;
    Ok(lasts.then_some(size))
}

/// Whether a function is the same in all sessions of equal settings.
fn is_of_all(function: &Arc<ScalarUDF>, scene: &Scene<'_>, results: &Results) -> bool {
    let name = function.name();
    function.signature().volatility == Volatility::Immutable
        || results.of_arguments.contains(name)
        || results.of_style.contains(name)
        || {
            let registered = scene.state.scalar_functions().get(name);
            registered.is_some_and(|registered| Arc::ptr_eq(registered, function))
        }
}
