//! Inner joins as one relation: the rows of all tables beside each other, under the conditions of the joins.
//!
//! So what is asked of joins has a shape over the columns of all, in whatever order they are joined and wherever the
//! conditions stand: and a view that joins the same tables by the same conditions may have it.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType, NullEquality, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

use super::shape::{Base, Call, Groups, Shape, Shapeless, is_of_row};
use crate::engine::columns_read::NamesOnly;
use crate::engine::pin::PinnedTable;

/// What stands between the name of a column and the number of its table. SQL text holds no such names.
const OF: char = '\u{1}';

/// The shape of an analyzed plan over inner joins of these tables, each of which is read once.
///
/// # Errors
/// Why it has none.
pub(in crate::engine) fn of_joins(
    plan: &LogicalPlan,
    tables: &[Arc<PinnedTable>],
) -> Result<Shape, Shapeless> {
    let shape = Shape::of_joins(plan)?;
    let mut making = Making {
        tables,
        is_read: vec![false; tables.len()],
        columns: HashMap::new(),
        filter: Vec::new(),
    };
    making.add(joins(plan).ok_or(Shapeless::Fault)?)?;
    if making.is_read.contains(&false) {
        return Err(Shapeless::Operator("join"));
    }
    for condition in shape.filter {
        making.condition(&condition)?;
    }
    let same = Same::of(&making.filter, tables);
    let over = |it: &Expr| Ok::<_, Shapeless>(same.named(making.over(it)?));
    let all = |list: &[Expr]| list.iter().map(over).collect::<Result<Vec<_>, _>>();
    let groups = shape.groups.map(|groups| {
        let call = |call: &Call| {
            Ok(Call {
                arguments: all(&call.arguments)?,
                filter: call.filter.as_ref().map(over).transpose()?,
                ..call.clone()
            })
        };
        // The columns of an order have other names as well, which nothing here changes.
        if groups.calls.iter().any(|call| !call.order_by.is_empty()) {
            return Err(Shapeless::BeyondRow);
        }
        Ok(Groups {
            keys: all(&groups.keys)?,
            calls: groups.calls.iter().map(call).collect::<Result<_, _>>()?,
        })
    });
    let groups = groups.transpose()?;
    let outputs = match groups {
        Some(_) => shape.outputs,
        None => all(&shape.outputs)?,
    };
    Ok(Shape {
        base: Base {
            name: TableReference::bare("joins"),
            source: Arc::new(NamesOnly(Arc::new(schema_of(tables)))),
        },
        filter: same.conditions(making.filter),
        groups,
        having: shape.having,
        outputs,
    })
}

/// The joins below all else.
fn joins(plan: &LogicalPlan) -> Option<&LogicalPlan> {
    match plan {
        LogicalPlan::Join(_) => Some(plan),
        LogicalPlan::Projection(it) => joins(&it.input),
        LogicalPlan::Filter(it) => joins(&it.input),
        LogicalPlan::SubqueryAlias(it) => joins(&it.input),
        LogicalPlan::Aggregate(it) => joins(&it.input),
        _ => None,
    }
}

/// The columns of all tables.
fn schema_of(tables: &[Arc<PinnedTable>]) -> Schema {
    let fields = tables.iter().enumerate().flat_map(|(number, table)| {
        let schema = table.provider.schema();
        let fields: Vec<_> = schema.fields().iter().map(Arc::clone).collect();
        let named = fields.into_iter();
        named.map(move |field| {
            let name = column_name(field.name(), number);
            field.as_ref().clone().with_name(name)
        })
    });
    Schema::new(fields.collect::<Vec<_>>())
}

fn column_name(name: &str, table: usize) -> String {
    format!("{name}{OF}{table}")
}

/// An expression over the columns of a table as one over those of all.
fn of_table(expression: &Expr, table: usize) -> Result<Expr, Shapeless> {
    let renamed = expression.clone().transform_up(|inner| {
        Ok(match inner {
            Expr::Column(column) => {
                let name = column_name(&column.name, table);
                Transformed::yes(Expr::Column(Column::new_unqualified(name)))
            }
            other => Transformed::no(other),
        })
    });
    renamed.map(|it| it.data).map_err(|_| Shapeless::Fault)
}

/// Joins that are being taken apart.
struct Making<'a> {
    tables: &'a [Arc<PinnedTable>],
    is_read: Vec<bool>,
    /// What the columns of the joins are, over those of all tables.
    columns: HashMap<Column, Expr>,
    /// Conditions over those.
    filter: Vec<Expr>,
}

impl Making<'_> {
    fn add(&mut self, plan: &LogicalPlan) -> Result<(), Shapeless> {
        let LogicalPlan::Join(join) = plan else {
            return self.add_table(plan);
        };
        let is_plain = join.join_type == JoinType::Inner
            && join.null_equality == NullEquality::NullEqualsNothing;
        if !is_plain {
            return Err(Shapeless::Operator("join"));
        }
        self.add(&join.left)?;
        self.add(&join.right)?;
        for (left, right) in &join.on {
            self.condition(&left.clone().eq(right.clone()))?;
        }
        if let Some(condition) = &join.filter {
            self.condition(condition)?;
        }
        Ok(())
    }

    fn add_table(&mut self, plan: &LogicalPlan) -> Result<(), Shapeless> {
        let shape = Shape::of(plan)?;
        if shape.groups.is_some() {
            return Err(Shapeless::GroupedTwice);
        }
        let read = source_as_provider(&shape.base.source).map_err(|_| Shapeless::Fault)?;
        let mut tables = self.tables.iter();
        let number = tables.position(|table| Arc::ptr_eq(&table.provider, &read));
        let number = number.ok_or(Shapeless::Operator("join"))?;
        if std::mem::replace(&mut self.is_read[number], true) {
            return Err(Shapeless::Operator("join"));
        }
        for condition in &shape.filter {
            self.filter.push(of_table(condition, number)?);
        }
        let columns = plan.schema().columns().into_iter();
        for (column, output) in columns.zip(&shape.outputs) {
            self.columns.insert(column, of_table(output, number)?);
        }
        Ok(())
    }

    fn condition(&mut self, condition: &Expr) -> Result<(), Shapeless> {
        is_of_row(condition)?;
        let conditions = split_conjunction_owned(self.over(condition)?);
        self.filter.extend(conditions.into_iter().map(in_order));
        Ok(())
    }

    /// An expression over the columns of the joins as one over those of all tables.
    fn over(&self, expression: &Expr) -> Result<Expr, Shapeless> {
        let mut is_known = true;
        let over = expression.clone().transform_up(|inner| {
            let Expr::Column(column) = &inner else {
                return Ok(Transformed::no(inner));
            };
            Ok(match self.columns.get(column) {
                Some(known) => Transformed::yes(known.clone()),
                None => {
                    is_known = false;
                    Transformed::no(inner)
                }
            })
        });
        let over = over.map_err(|_| Shapeless::Fault)?;
        is_known.then_some(over.data).ok_or(Shapeless::Fault)
    }
}

/// An equality with its sides in one order, whoever wrote it.
fn in_order(condition: Expr) -> Expr {
    match condition {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) if left.to_string().cmp(&right.to_string()) == Ordering::Greater => {
            Expr::eq(*right, *left)
        }
        other => other,
    }
}

/// Columns that are the same in all rows that meet conditions.
struct Same {
    /// Columns by the one that is taken in their place.
    one: HashMap<Column, Column>,
}

impl Same {
    fn of(filter: &[Expr], tables: &[Arc<PinnedTable>]) -> Self {
        let schema = schema_of(tables);
        let type_of = |column: &Column| {
            let field = schema.field_with_name(&column.name).ok()?;
            Some(field.data_type().clone())
        };
        let mut one: HashMap<Column, Column> = HashMap::new();
        for condition in filter {
            let Some((left, right)) = equal(condition) else {
                continue;
            };
            // Zeros of floats are equal, and two.
            let is_same =
                type_of(left).is_some_and(|it| !it.is_floating() && Some(it) == type_of(right));
            if !is_same {
                continue;
            }
            let (left, right) = (of_one(&one, left), of_one(&one, right));
            let (low, high) = match left <= right {
                true => (left, right),
                false => (right, left),
            };
            for known in one.values_mut().filter(|it| **it == high) {
                *known = low.clone();
            }
            one.insert(high, low.clone());
            one.entry(low.clone()).or_insert(low);
        }
        Self { one }
    }

    /// An expression in which each column is the one that is taken.
    fn named(&self, expression: Expr) -> Expr {
        let named = expression.clone().transform_up(|inner| {
            Ok(match inner {
                Expr::Column(column) => Transformed::yes(Expr::Column(of_one(&self.one, &column))),
                other => Transformed::no(other),
            })
        });
        named.map_or(expression, |it| it.data)
    }

    /// The same of conditions, where those that say which columns are the same are said in one way.
    fn conditions(&self, filter: Vec<Expr>) -> Vec<Expr> {
        let is_said = |condition: &Expr| {
            let is_same = |(left, right)| of_one(&self.one, left) == of_one(&self.one, right);
            equal(condition).is_some_and(is_same)
        };
        let others = filter.into_iter().filter(|it| !is_said(it));
        let others = others.map(|it| self.named(it));
        let mut said: Vec<(&Column, &Column)> = self.one.iter().filter(|(a, b)| a != b).collect();
        said.sort_unstable();
        let said = said.into_iter();
        let said = said.map(|(other, one)| {
            in_order(Expr::Column(one.clone()).eq(Expr::Column(other.clone())))
        });
        others.chain(said).collect()
    }
}

fn of_one(one: &HashMap<Column, Column>, column: &Column) -> Column {
    one.get(column).unwrap_or(column).clone()
}

/// The columns that a condition says to be equal.
fn equal(condition: &Expr) -> Option<(&Column, &Column)> {
    match condition {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => match (&**left, &**right) {
            (Expr::Column(left), Expr::Column(right)) => Some((left, right)),
            _ => None,
        },
        _ => None,
    }
}
