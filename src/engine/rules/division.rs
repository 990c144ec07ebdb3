//! Divisions of numerics with as many digits as PostgreSQL's quotients have; DataFusion adds four to
//! the dividend's.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator, cast};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::numbers::rewrite_expressions;

/// Runs before type coercion, so that what surrounds a quotient is fitted to its type.
#[derive(Debug)]
pub(super) struct Division;

impl AnalyzerRule for Division {
    fn name(&self) -> &'static str {
        "postgres_division"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| rewrite_expressions(plan, &rewrite))
            .map(|transformed| transformed.data)
    }
}

fn rewrite(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Divide,
            right,
        }) => Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr {
            left: Box::new(more_digits(*left, &right, schema)),
            op: Operator::Divide,
            right,
        }))),
        other => Ok(Transformed::no(other)),
    }
}

/// Digits after the point that a division of numerics has at least (`NUMERIC_MIN_SIG_DIGITS` in
/// numeric.c), and those that Arrow adds to the dividend's.
const DIVISION_DIGITS: i8 = 16;
const ARROW_ADDS: i8 = 4;

/// The dividend with so many digits that the quotient has PostgreSQL's, as far as 38 hold them.
/// Outer references of a correlated subquery have no type here, and keep theirs.
fn more_digits(left: Expr, right: &Expr, schema: &DFSchema) -> Expr {
    let (Ok(of_left), Ok(of_right)) = (left.get_type(schema), right.get_type(schema)) else {
        return left;
    };
    let (precision, scale) = match (&of_left, &of_right) {
        (DataType::Decimal128(precision, scale), DataType::Decimal128(..)) => (*precision, *scale),
        (DataType::Decimal128(precision, scale), other) if other.is_integer() => {
            (*precision, *scale)
        }
        // What type coercion would make of it.
        (other, DataType::Decimal128(..)) if other.is_integer() => (20, 0),
        _ => return left,
    };
    let room = i8::try_from(38_u8.saturating_sub(precision)).unwrap_or_default();
    let missing = (DIVISION_DIGITS - ARROW_ADDS - scale).clamp(0, room);
    if missing == 0 {
        return left;
    }
    let wider = DataType::Decimal128(precision + missing.unsigned_abs(), scale + missing);
    cast(left, wider)
}
