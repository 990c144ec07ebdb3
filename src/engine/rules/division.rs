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
        }) => {
            let left = Box::new(more_digits(*left, &right, schema));
            let quotient = Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::Divide,
                right,
            });
            Ok(Transformed::yes(rounded(quotient, schema)))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Digits after the point that a division of numerics has at least (`NUMERIC_MIN_SIG_DIGITS` in
/// numeric.c), and those that Arrow adds to the dividend's.
const DIVISION_DIGITS: i8 = 16;
const ARROW_ADDS: i8 = 4;

/// The dividend with so many digits that the quotient has PostgreSQL's and one more, as far as there is
/// room for them. Outer references of a correlated subquery have no type here, and keep theirs.
fn more_digits(left: Expr, right: &Expr, schema: &DFSchema) -> Expr {
    let (Ok(of_left), Ok(of_right)) = (left.get_type(schema), right.get_type(schema)) else {
        return left;
    };
    let is_exact = |of: &DataType| is_decimal(of) || of.is_integer();
    let (precision, scale) = match &of_left {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale)
            if is_exact(&of_right) =>
        {
            (*precision, *scale)
        }
        // What type coercion would make of it.
        other if other.is_integer() && is_decimal(&of_right) => (20, 0),
        _ => return left,
    };
    let is_wide = matches!(of_left, DataType::Decimal256(..));
    let most: u8 = if is_wide { 76 } else { 38 };
    let room = i8::try_from(most.saturating_sub(precision)).unwrap_or_default();
    let wanted = (DIVISION_DIGITS - ARROW_ADDS).max(scale) + 1;
    let missing = (wanted - scale).clamp(0, room);
    if missing == 0 {
        return left;
    }
    let (precision, scale) = (precision + missing.unsigned_abs(), scale + missing);
    cast(
        left,
        match is_wide {
            true => DataType::Decimal256(precision, scale),
            false => DataType::Decimal128(precision, scale),
        },
    )
}

/// A quotient of numerics without its last digit, rounded there: Arrow cuts off what is behind.
fn rounded(quotient: Expr, schema: &DFSchema) -> Expr {
    let to = match quotient.get_type(schema) {
        Ok(DataType::Decimal128(precision, scale)) if scale > 0 => {
            DataType::Decimal128(precision, scale - 1)
        }
        Ok(DataType::Decimal256(precision, scale)) if scale > 0 => {
            DataType::Decimal256(precision, scale - 1)
        }
        _ => return quotient,
    };
    cast(quotient, to)
}

fn is_decimal(of: &DataType) -> bool {
    matches!(of, DataType::Decimal128(..) | DataType::Decimal256(..))
}
