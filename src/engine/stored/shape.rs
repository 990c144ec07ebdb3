//! The shape of a query that reads one relation: which of its rows, grouped by what, with which aggregates.
//!
//! Two queries of one shape over one relation give the same rows, however they were written: views are seen through,
//! names are those of the relation's own columns, and aliases are gone. What stored rows can answer, and how they are
//! kept up, is decided by shapes alone.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError, TableReference};
use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment};
use datafusion::logical_expr::logical_plan::Aggregate;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{
    AggregateUDF, Expr, LogicalPlan, Projection, SortExpr, TableSource, Volatility,
};

use crate::engine::columns_read::NamesOnly;

/// The qualifiers of columns that stand for keys and for aggregates. SQL text holds no such names.
const KEY: &str = "\u{1}key";
const CALL: &str = "\u{1}call";

/// A query over one relation.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Shape {
    /// What is read.
    pub(in crate::engine) base: Base,
    /// Conditions on the relation's columns, all of which its rows must meet.
    pub(in crate::engine) filter: Vec<Expr>,
    /// How rows are grouped; `None` where each row gives one.
    pub(in crate::engine) groups: Option<Groups>,
    /// Conditions on parts of groups ([`Part`]), all of which groups must meet.
    pub(in crate::engine) having: Vec<Expr>,
    /// The columns that come out: over parts of groups where there are groups, else over the relation's columns.
    pub(in crate::engine) outputs: Vec<Expr>,
}

/// A relation as a plan reads it. In expressions its columns have their names and no qualifier.
#[derive(Clone)]
pub(in crate::engine) struct Base {
    /// What the plan calls it.
    pub(in crate::engine) name: TableReference,
    /// Which it is.
    pub(in crate::engine) source: Arc<dyn TableSource>,
}

impl std::fmt::Debug for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name)
    }
}

/// How rows are grouped.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct Groups {
    /// Over the relation's columns; without any, all rows are one group, also where there are none.
    pub(in crate::engine) keys: Vec<Expr>,
    /// What is computed of each group.
    pub(in crate::engine) calls: Vec<Call>,
}

/// A call of an aggregate.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct Call {
    /// The aggregate.
    pub(in crate::engine) function: Arc<AggregateUDF>,
    /// Over the relation's columns; `count(*)` has one that is a constant.
    pub(in crate::engine) arguments: Vec<Expr>,
    /// Whether equal arguments are taken once.
    pub(in crate::engine) is_distinct: bool,
    /// Which rows are taken, over the relation's columns.
    pub(in crate::engine) filter: Option<Expr>,
    /// In which order they are taken.
    pub(in crate::engine) order_by: Vec<SortExpr>,
    /// What is said of NULLs.
    pub(in crate::engine) nulls: Option<NullTreatment>,
}

impl Call {
    /// Whether it has no more to it than a function and its arguments, and perhaps a filter.
    pub(in crate::engine) fn is_plain(&self) -> bool {
        !self.is_distinct && self.order_by.is_empty() && self.nulls.is_none()
    }

    /// Whether it counts rows, whatever is in them.
    pub(in crate::engine) fn counts_rows(&self) -> bool {
        let is_constant =
            |argument: &Expr| matches!(argument, Expr::Literal(value, _) if !value.is_null());
        self.function.name() == "count" && self.is_plain() && self.arguments.iter().all(is_constant)
    }

    /// As an expression over the relation's columns.
    pub(in crate::engine) fn to_expr(&self) -> Expr {
        Expr::AggregateFunction(AggregateFunction::new_udf(
            Arc::clone(&self.function),
            self.arguments.clone(),
            self.is_distinct,
            self.filter.clone().map(Box::new),
            self.order_by.clone(),
            self.nulls,
        ))
    }
}

/// A part of a group, as outputs and HAVING name it: by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine) enum Part {
    /// One of [`Groups::keys`].
    Key(usize),
    /// One of [`Groups::calls`].
    Call(usize),
}

impl Part {
    /// The column that stands for it.
    pub(in crate::engine) fn column(self) -> Column {
        let (qualifier, number) = match self {
            Self::Key(number) => (KEY, number),
            Self::Call(number) => (CALL, number),
        };
        Column::new(Some(qualifier), number.to_string())
    }

    /// The part that an expression is, if it is nothing else.
    pub(in crate::engine) fn of(expression: &Expr) -> Option<Self> {
        let Expr::Column(column) = expression else {
            return None;
        };
        let number = column.name.parse().ok()?;
        match column.relation.as_ref()?.table() {
            KEY => Some(Self::Key(number)),
            CALL => Some(Self::Call(number)),
            _ => None,
        }
    }
}

/// Why a query has no shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine) enum Shapeless {
    /// It joins, unites, limits, or reads something else than one relation.
    Operator(&'static str),
    /// Groups are grouped once more.
    GroupedTwice,
    /// By several sets of keys at once.
    GroupingSets,
    /// It has a subquery, a window or another expression that looks beyond its row.
    BeyondRow,
    /// It calls a function that gives something else each time.
    Volatile,
    /// It says of a column that it is of another type than its values'.
    Described,
    /// A fault of ours.
    Fault,
}

impl Shape {
    /// That of an analyzed plan.
    ///
    /// # Errors
    /// Why it has none.
    pub(in crate::engine) fn of(plan: &LogicalPlan) -> Result<Self, Shapeless> {
        Self::over(plan, of_scan)
    }

    /// That of an analyzed plan over joins, as if they were a relation: in expressions its columns have their names and
    /// qualifiers.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(in crate::engine) fn of_joins(plan: &LogicalPlan) -> Result<Self, Shapeless> {
        Self::over(plan, of_join)
    }

    fn over(
        plan: &LogicalPlan,
        leaf: fn(&LogicalPlan) -> Result<Self, Shapeless>,
    ) -> Result<Self, Shapeless> {
        match plan {
            // Columns keep their places.
            LogicalPlan::SubqueryAlias(alias) => Self::over(&alias.input, leaf),
            LogicalPlan::Projection(projection) => {
                let Projection { input, expr, .. } = projection;
                let below = Self::over(input, leaf)?;
                let outputs = expr.iter();
                let outputs = outputs.map(|it| below.expressed(it, input.schema()));
                let outputs = outputs.collect::<Result<_, _>>()?;
                Ok(Self { outputs, ..below })
            }
            LogicalPlan::Filter(filter) => {
                let mut shape = Self::over(&filter.input, leaf)?;
                let condition = shape.expressed(&filter.predicate, filter.input.schema())?;
                let conjuncts = split_conjunction_owned(condition);
                match shape.groups {
                    None => shape.filter.extend(conjuncts),
                    Some(_) => shape.having.extend(conjuncts),
                }
                Ok(shape)
            }
            LogicalPlan::Aggregate(aggregate) => {
                let below = Self::over(&aggregate.input, leaf)?;
                below.grouped(aggregate)
            }
            other => leaf(other),
        }
    }

    /// Its rows grouped as an aggregate groups them.
    fn grouped(self, aggregate: &Aggregate) -> Result<Self, Shapeless> {
        if self.groups.is_some() {
            return Err(Shapeless::GroupedTwice);
        }
        let is_set = |key: &Expr| matches!(key, Expr::GroupingSet(_));
        if aggregate.group_expr.iter().any(is_set) {
            return Err(Shapeless::GroupingSets);
        }
        let schema = aggregate.input.schema();
        let keys = aggregate.group_expr.iter();
        let keys: Vec<Expr> = keys
            .map(|key| self.expressed(key, schema))
            .collect::<Result<_, _>>()?;
        let calls = aggregate.aggr_expr.iter();
        let calls: Vec<Call> = calls
            .map(|call| self.call(call, schema))
            .collect::<Result<_, _>>()?;
        // Outputs are told by their places.
        if keys.len() + calls.len() != aggregate.schema.fields().len() {
            return Err(Shapeless::Fault);
        }
        let keys_out = (0..keys.len()).map(Part::Key);
        let parts = keys_out.chain((0..calls.len()).map(Part::Call));
        Ok(Self {
            outputs: parts.map(|part| Expr::Column(part.column())).collect(),
            groups: Some(Groups { keys, calls }),
            ..self
        })
    }

    fn call(&self, call: &Expr, schema: &DFSchema) -> Result<Call, Shapeless> {
        let Expr::AggregateFunction(called) = self.expressed(call, schema)? else {
            return Err(Shapeless::Fault);
        };
        let parameters = called.params;
        Ok(Call {
            function: called.func,
            arguments: parameters.args,
            is_distinct: parameters.distinct,
            filter: parameters.filter.map(|filter| *filter),
            order_by: parameters.order_by,
            nulls: parameters.null_treatment,
        })
    }

    /// An expression over columns of this schema, which are the outputs, as one over what those are made of.
    ///
    /// # Errors
    /// Why there is none.
    pub(in crate::engine) fn expressed(
        &self,
        expression: &Expr,
        schema: &DFSchema,
    ) -> Result<Expr, Shapeless> {
        is_of_row(expression)?;
        let expressed = expression.clone().transform_up(|inner| match inner {
            Expr::Column(column) => {
                let index = schema.index_of_column(&column)?;
                let output = self.outputs.get(index);
                let output = output.ok_or_else(|| DataFusionError::Internal(column.flat_name()))?;
                Ok(Transformed::yes(output.clone()))
            }
            Expr::Alias(alias) => Ok(Transformed::yes(*alias.expr)),
            other => Ok(Transformed::no(other)),
        });
        let expressed = expressed.map_err(|_| Shapeless::Fault)?;
        Ok(expressed.data)
    }
}

/// Whether an expression is one over columns of one row, and the same for the same values.
///
/// # Errors
/// Why it is not.
pub(in crate::engine) fn is_of_row(expression: &Expr) -> Result<(), Shapeless> {
    let mut shapeless = None;
    let walked = expression.apply(|inner| {
        shapeless = refused(inner);
        Ok(match shapeless {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    });
    match shapeless {
        Some(shapeless) => Err(shapeless),
        None => walked.map(|_| ()).map_err(|_| Shapeless::Fault),
    }
}

fn of_join(plan: &LogicalPlan) -> Result<Shape, Shapeless> {
    let LogicalPlan::Join(join) = plan else {
        return Err(Shapeless::Operator(operator(plan)));
    };
    let columns = join.schema.columns().into_iter();
    Ok(Shape {
        base: Base {
            name: TableReference::bare("joins"),
            source: Arc::new(NamesOnly(Arc::clone(join.schema.inner()))),
        },
        filter: Vec::new(),
        groups: None,
        having: Vec::new(),
        outputs: columns.map(Expr::Column).collect(),
    })
}

fn of_scan(plan: &LogicalPlan) -> Result<Shape, Shapeless> {
    let LogicalPlan::TableScan(scan) = plan else {
        return Err(Shapeless::Operator(operator(plan)));
    };
    if scan.fetch.is_some() || !scan.filters.is_empty() {
        return Err(Shapeless::Operator("scan"));
    }
    let columns = scan.projected_schema.fields().iter();
    let outputs = columns.map(|field| Expr::Column(Column::new_unqualified(field.name())));
    Ok(Shape {
        base: Base {
            name: scan.table_name.clone(),
            source: Arc::clone(&scan.source),
        },
        filter: Vec::new(),
        groups: None,
        having: Vec::new(),
        outputs: outputs.collect(),
    })
}

/// Why an expression itself, not those in it, is not one over columns of one row.
fn refused(expression: &Expr) -> Option<Shapeless> {
    let volatility = match expression {
        Expr::ScalarFunction(call) => call.func.signature().volatility,
        Expr::AggregateFunction(call) => call.func.signature().volatility,
        Expr::Alias(alias) => {
            let metadata = alias.metadata.as_ref();
            let is_described = metadata.is_some_and(|metadata| !metadata.inner().is_empty());
            return is_described.then_some(Shapeless::Described);
        }
        Expr::Column(_)
        | Expr::Literal(..)
        | Expr::BinaryExpr(_)
        | Expr::Like(_)
        | Expr::SimilarTo(_)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::InList(_) => return None,
        _ => return Some(Shapeless::BeyondRow),
    };
    (volatility == Volatility::Volatile).then_some(Shapeless::Volatile)
}

/// What users call an operator.
fn operator(plan: &LogicalPlan) -> &'static str {
    match plan {
        LogicalPlan::Join(_) => "join",
        LogicalPlan::Union(_) => "union",
        LogicalPlan::Sort(_) => "sort",
        LogicalPlan::Limit(_) => "limit",
        LogicalPlan::Window(_) => "window",
        LogicalPlan::Distinct(_) => "distinct on",
        LogicalPlan::Unnest(_) => "unnest",
        LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => "values",
        LogicalPlan::RecursiveQuery(_) => "recursion",
        _ => "operator",
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::MemTable;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// The shape of a query over `t (a, b, n, word)`, as text.
    async fn shape(sql: &str) -> Result<Shape, Shapeless> {
        let int = |name: &str| Field::new(name, DataType::Int64, true);
        let word = Field::new("word", DataType::Utf8, true);
        let schema = Schema::new(vec![int("a"), int("b"), int("n"), word]);
        let table = MemTable::try_new(Arc::new(schema), vec![Vec::new()]).expect("it is empty");
        let context = SessionContext::new();
        let registered = context.register_table("t", Arc::new(table));
        registered.expect("there is no other");
        let view = "create view v as select b as x, n + 1 as more, a from t where b > 0";
        let made = context.sql(view).await.expect("it is planned");
        made.collect().await.expect("it is made");
        let planned = context.sql(sql).await.expect("it is planned");
        let state = context.state();
        let analyzer = state.analyzer();
        let plan = planned.into_unoptimized_plan();
        let plan = analyzer.execute_and_check(plan, state.config_options(), |_, _| {});
        Shape::of(&plan.expect("it is analyzed"))
    }

    fn texts(expressions: &[Expr]) -> Vec<String> {
        expressions.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn names_are_those_of_the_relation() {
        let found = shape(
            "select x as k, sum(more) filter (where a > 1) / 2 as half, count(*) \
             from (select * from v where more < 9) as s group by x having count(*) > 1",
        );
        let found = found.await.expect("it has a shape");
        assert_eq!(found.base.name, TableReference::bare("t"));
        assert_eq!(
            texts(&found.filter),
            ["b > Int64(0)", "n + Int64(1) < Int64(9)"]
        );
        let groups = found.groups.expect("it groups");
        assert_eq!(texts(&groups.keys), ["b"]);
        let calls: Vec<Expr> = groups.calls.iter().map(Call::to_expr).collect();
        let calls = texts(&calls);
        assert_eq!(
            calls,
            [
                "sum(n + Int64(1)) FILTER (WHERE a > Int64(1))",
                "count(Int64(1))"
            ]
        );
        assert!(groups.calls[1].counts_rows() && !groups.calls[0].counts_rows());
        assert_eq!(found.having.len(), 1);
        assert_eq!(Part::of(&found.outputs[0]), Some(Part::Key(0)));
        assert_eq!(Part::of(&found.outputs[1]), None);
        assert_eq!(Part::of(&found.outputs[2]), Some(Part::Call(1)));
    }

    #[tokio::test]
    async fn rows_by_themselves_have_a_shape() {
        let found = shape("select word, x from (select word, b + n as x from t) where x > 3");
        let found = found.await.expect("it has a shape");
        assert!(found.groups.is_none() && found.having.is_empty());
        assert_eq!(texts(&found.filter), ["b + n > Int64(3)"]);
        assert_eq!(texts(&found.outputs), ["word", "b + n"]);
    }

    #[tokio::test]
    async fn what_reads_more_than_rows_of_one_relation_has_none() {
        for (sql, expected) in [
            (
                "select 1 from t join v on v.x = t.b",
                Shapeless::Operator("join"),
            ),
            (
                "select a from t union all select b from t",
                Shapeless::Operator("union"),
            ),
            (
                "select a from t order by a limit 1",
                Shapeless::Operator("limit"),
            ),
            (
                "select sum(n) over () from t",
                Shapeless::Operator("window"),
            ),
            (
                "select max(c) from (select count(*) as c from t group by a)",
                Shapeless::GroupedTwice,
            ),
            (
                "select a, count(*) from t group by rollup(a)",
                Shapeless::GroupingSets,
            ),
            ("select a from t where random() < 0.5", Shapeless::Volatile),
            ("select (select max(a) from t) from t", Shapeless::BeyondRow),
        ] {
            let found = shape(sql).await;
            assert_eq!(found.err(), Some(expected), "{sql}");
        }
    }
}
