//! Numbers as PostgreSQL computes them: integers that overflow fail, and casts to integers round.
//! DataFusion wraps the one and truncates the other.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{BinaryExpr, Cast, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator, cast};
use datafusion::optimizer::analyzer::AnalyzerRule;

use crate::functions::integers::{Checked, checked, narrowed, rint};
use crate::functions::of_float;

/// Runs after type coercion: the operands of an operator have one type then.
#[derive(Debug)]
pub(super) struct Numbers;

impl AnalyzerRule for Numbers {
    fn name(&self) -> &'static str {
        "postgres_numbers"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| rewrite_expressions(plan, &rewrite))
            .map(|transformed| transformed.data)
    }
}

/// Rewrites every expression of a plan, from the inside out, keeping the names of its columns.
pub(super) fn rewrite_expressions(
    plan: LogicalPlan,
    rewrite: &dyn Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = &plan {
        schema.merge(&DFSchema::try_from_qualified_schema(
            scan.table_name.clone(),
            &scan.source.schema(),
        )?);
    }
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expression| {
        let name = names.save(&expression);
        let rewritten = expression.transform_up(|inner| rewrite(inner, &schema))?;
        Ok(rewritten.update_data(|expression| name.restore(expression)))
    })
}

fn rewrite(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let Some(operation) = operation(op) else {
                return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr {
                    left,
                    op,
                    right,
                })));
            };
            let (of_left, of_right) = (left.get_type(schema), right.get_type(schema));
            match (of_left, of_right) {
                (Ok(of_left), Ok(of_right))
                    if of_left == of_right
                        && match operation {
                            Checked::Divide => of_left.is_floating(),
                            _ => of_left.is_signed_integer(),
                        } =>
                {
                    let call = ScalarFunction::new_udf(checked(operation), vec![*left, *right]);
                    Ok(Transformed::yes(Expr::ScalarFunction(call)))
                }
                // Outer references of a correlated subquery have no type here.
                _ => Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr {
                    left,
                    op,
                    right,
                }))),
            }
        }
        Expr::Cast(Cast { expr, field }) if field.data_type().is_signed_integer() => {
            let Ok(of) = expr.get_type(schema) else {
                return Ok(Transformed::no(Expr::Cast(Cast { expr, field })));
            };
            let inner = rounded(expr.as_ref(), &of);
            let has_changed = inner.is_some();
            let inner = inner.unwrap_or(*expr);
            if is_narrower(field.data_type(), &of) && !fits(&inner, field.data_type()) {
                let call = ScalarFunction::new_udf(narrowed(field), vec![inner]);
                return Ok(Transformed::yes(Expr::ScalarFunction(call)));
            }
            let expr = Box::new(inner);
            let cast = Expr::Cast(Cast { expr, field });
            Ok(Transformed::new_transformed(cast, has_changed))
        }
        Expr::Cast(Cast { expr, field })
            if matches!(
                field.data_type(),
                DataType::Decimal128(..) | DataType::Decimal256(..)
            ) && expr.get_type(schema).is_ok_and(|of| of.is_floating()) =>
        {
            let call = ScalarFunction::new_udf(of_float(field), vec![*expr]);
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        }
        Expr::ScalarFunction(call) if call.func.name() == "round" && call.args.len() == 1 => {
            match call.args[0].get_type(schema) {
                Ok(DataType::Float64) => {
                    let call = ScalarFunction::new_udf(rint(), call.args);
                    Ok(Transformed::yes(Expr::ScalarFunction(call)))
                }
                _ => Ok(Transformed::no(Expr::ScalarFunction(call))),
            }
        }
        other => Ok(Transformed::no(other)),
    }
}

fn operation(operator: Operator) -> Option<Checked> {
    match operator {
        Operator::Plus => Some(Checked::Add),
        Operator::Minus => Some(Checked::Subtract),
        Operator::Multiply => Some(Checked::Multiply),
        Operator::Divide => Some(Checked::Divide),
        _ => None,
    }
}

/// A number made whole as PostgreSQL makes it: numeric rounds halves away from zero, as Arrow's
/// change of scale does; float8 to the even neighbour.
fn rounded(expression: &Expr, of: &DataType) -> Option<Expr> {
    match of {
        DataType::Decimal128(precision, scale) if *scale > 0 => Some(cast(
            expression.clone(),
            DataType::Decimal128(*precision, 0),
        )),
        DataType::Decimal256(precision, scale) if *scale > 0 => Some(cast(
            expression.clone(),
            DataType::Decimal256(*precision, 0),
        )),
        DataType::Float64 if !is_rint(expression) => Some(Expr::ScalarFunction(
            ScalarFunction::new_udf(rint(), vec![expression.clone()]),
        )),
        DataType::Float32 => {
            let wide = cast(expression.clone(), DataType::Float64);
            Some(Expr::ScalarFunction(ScalarFunction::new_udf(
                rint(),
                vec![wide],
            )))
        }
        _ => None,
    }
}

/// Whether a type of integers lacks values of another type of numbers.
fn is_narrower(to: &DataType, of: &DataType) -> bool {
    match of {
        DataType::Int16 => false,
        DataType::Int32 => *to == DataType::Int16,
        DataType::Int64 => matches!(to, DataType::Int16 | DataType::Int32),
        other => other.is_numeric(),
    }
}

/// Whether an expression is a literal that a type holds: the planner knows what such a cast is.
fn fits(expression: &Expr, to: &DataType) -> bool {
    matches!(expression, Expr::Literal(value, _) if value.cast_to(to).is_ok())
}

fn is_rint(expression: &Expr) -> bool {
    matches!(expression, Expr::ScalarFunction(call) if call.func.name() == "rint")
}
