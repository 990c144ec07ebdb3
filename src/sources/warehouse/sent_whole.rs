//! Has sources answer more of a statement than conditions: groups and aggregates, the first rows by an
//! order, and joins, of tables of one server.
//!
//! DataFusion asks tables for columns, conditions and limits only. So this rule puts a scan of what
//! the source makes in place of an Aggregate or a Join; a Sort stays, over the few rows that come.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column as ColumnName, DFSchema, Result};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::expr::Sort as SortKey;
use datafusion::logical_expr::{
    Aggregate, Expr, Join, LogicalPlan, LogicalPlanBuilder, Projection, Sort, cast,
};
use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::optimizer::{ApplyOrder, OptimizerConfig};

use super::aggregate::{MISFIT, Made};
use super::part::{Part, column_name};
use super::provider::Foreign;
use super::quote::identifier;
use super::relation::{RemoteColumn, RemoteRelation};
use super::selection::Order;
use crate::sources::Size;

/// The most rows of an order that are asked for as such.
const ROWS_MAX: usize = 100_000;

/// The rule. It comes behind those that push conditions down, and takes what they left.
#[derive(Debug)]
pub struct SentWhole;

impl OptimizerRule for SentWhole {
    fn name(&self) -> &str {
        "sent_whole"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let sent = match &plan {
            LogicalPlan::Aggregate(aggregate) => grouped(aggregate),
            LogicalPlan::Sort(sort) => first_rows(sort),
            LogicalPlan::Join(join) => joined(join),
            _ => None,
        };
        Ok(sent.map_or_else(|| Transformed::no(plan), Transformed::yes))
    }
}

/// A scan of the groups and aggregates that the source makes.
fn grouped(aggregate: &Aggregate) -> Option<LogicalPlan> {
    let part = Part::of(&aggregate.input)?;
    let keys = aggregate.group_expr.iter().map(|key| part.key(key));
    let mut made = keys.collect::<Option<Vec<Made>>>()?;
    let fields = aggregate.schema.fields().iter().skip(made.len());
    for (function, field) in aggregate.aggr_expr.iter().zip(fields) {
        made.push(part.aggregate(function, field)?);
    }
    let selected = made.iter().enumerate().map(|(place, made)| {
        let name = identifier(&column_name(place));
        format!("{} AS {name}", made.selected())
    });
    let selected = selected.collect::<Vec<_>>().join(", ");
    // No two groups have the same keys.
    let keys = vec![(0..aggregate.group_expr.len()).collect()];
    let groups: Vec<&str> = made
        .iter()
        .filter_map(|made| made.group.as_deref())
        .collect();
    let group_by = match groups.as_slice() {
        [] => String::new(),
        groups => format!(" GROUP BY {}", groups.join(", ")),
    };
    let relation = RemoteRelation {
        sql: format!("(SELECT {selected} {}{group_by}) AS g", part.from()),
        columns: made
            .into_iter()
            .enumerate()
            .map(|(place, made)| RemoteColumn {
                sql: identifier(&column_name(place)),
                field: made.field.with_name(column_name(place)),
                comparable: made.comparable,
                misfit: MISFIT,
            })
            .collect(),
        size: Size::default(),
        ranges: Vec::new(),
        depends: false,
    };
    let foreign = Foreign::of_part(&part, (relation, keys), (Vec::new(), None));
    scan(foreign, &aggregate.schema)
}

/// A scan of what the source joins, if that is worth it.
fn joined(join: &Join) -> Option<LogicalPlan> {
    let part = Part::worth_joining(join)?;
    scan(rows_of(&part, None), &join.schema)
}

/// The same order over no more rows than are wanted of it.
fn first_rows(sort: &Sort) -> Option<LogicalPlan> {
    let n_rows = sort.fetch.filter(|n_rows| *n_rows <= ROWS_MAX)?;
    let input = ordered(&sort.input, &sort.expr, n_rows)?;
    Some(LogicalPlan::Sort(Sort {
        expr: sort.expr.clone(),
        input: Arc::new(input),
        fetch: sort.fetch,
    }))
}

fn ordered(plan: &LogicalPlan, keys: &[SortKey], n_rows: usize) -> Option<LogicalPlan> {
    // What is computed there is computed of all rows.
    if let Some(part) = Part::of(plan).filter(|part| !part.computes) {
        let keys = keys.iter().map(|key| part.ordered(key));
        let keys = keys.collect::<Option<Vec<_>>>()?.join(", ");
        return scan(rows_of(&part, Some(Order { keys, n_rows })), plan.schema());
    }
    // What is computed of the rows is computed of the first of them.
    let LogicalPlan::Projection(projection) = plan else {
        return None;
    };
    let keys = keys.iter().map(|key| below(key, projection));
    let keys = keys.collect::<Option<Vec<_>>>()?;
    let input = ordered(&projection.input, &keys, n_rows)?;
    let above = Projection::try_new(projection.expr.clone(), Arc::new(input));
    above.ok().map(LogicalPlan::Projection)
}

/// What is sorted by, as a column below a projection.
fn below(key: &SortKey, projection: &Projection) -> Option<SortKey> {
    let Expr::Column(column) = &key.expr else {
        return None;
    };
    let place = projection.schema.maybe_index_of_column(column)?;
    let expr = projection.expr[place].clone().unalias_nested().data;
    let by = SortKey::new(expr, key.asc, key.nulls_first);
    matches!(by.expr, Expr::Column(_)).then_some(by)
}

/// The rows of a part, or the first of them.
fn rows_of(part: &Part, order: Option<Order>) -> Foreign {
    let columns = part.columns.iter().enumerate().map(|(place, seen)| {
        let column = part.column(seen).clone();
        RemoteColumn {
            field: column.field.clone().with_name(column_name(place)),
            ..column
        }
    });
    let relation = RemoteRelation {
        sql: part.relation.sql.clone(),
        columns: columns.collect(),
        size: part.relation.size,
        ranges: Vec::new(),
        depends: false,
    };
    let of = (relation, part.seen_keys());
    Foreign::of_part(part, of, (part.conditions.clone(), order))
}

/// The scan of a relation whose columns are those of a schema, by its names and types.
fn scan(foreign: Foreign, schema: &DFSchema) -> Option<LogicalPlan> {
    let source = provider_as_source(Arc::new(foreign));
    let scan = LogicalPlanBuilder::scan(Part::scanned_as(), source, None).ok()?;
    let types: Vec<_> = scan
        .schema()
        .fields()
        .iter()
        .map(|field| field.data_type().clone())
        .collect();
    let columns = schema.iter().zip(types).enumerate();
    let columns = columns.map(|(place, ((qualifier, field), data_type))| {
        let name = column_name(place);
        let column = Expr::Column(ColumnName::new(Some(Part::scanned_as()), name));
        let column = match data_type == *field.data_type() {
            true => column,
            false => cast(column, field.data_type().clone()),
        };
        column.alias_qualified(qualifier.cloned(), field.name())
    });
    let columns: Vec<Expr> = columns.collect();
    scan.project(columns).ok()?.build().ok()
}
