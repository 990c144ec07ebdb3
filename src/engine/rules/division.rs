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
            let (left, right, most) = more_digits(*left, *right, schema);
            let quotient = Expr::BinaryExpr(BinaryExpr {
                left: Box::new(left),
                op: Operator::Divide,
                right: Box::new(right),
            });
            Ok(Transformed::yes(rounded(quotient, most, schema)))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Digits after the point that a division of numerics has at least (`NUMERIC_MIN_SIG_DIGITS` in
/// numeric.c), and those that Arrow adds to the dividend's.
const DIVISION_DIGITS: i8 = 16;
const ARROW_ADDS: i8 = 4;

/// The digits that a numeric of 128 and one of 256 bits hold.
const NARROW: u8 = 38;
const WIDE: u8 = 76;

/// The dividend with so many digits that the quotient has PostgreSQL's and one more, the divisor, and how many digits
/// the quotient is to have. Where 38 have no room for them, as in sums, more are divided, and it is an error
/// if the quotient is as large as that. Outer references of a correlated subquery have no type here, and keep theirs.
fn more_digits(left: Expr, right: Expr, schema: &DFSchema) -> (Expr, Expr, u8) {
    let (Ok(of_left), Ok(of_right)) = (left.get_type(schema), right.get_type(schema)) else {
        return (left, right, NARROW);
    };
    let of = match (digits(&of_left), digits(&of_right)) {
        (Some(left), Some(right)) if is_decimal(&of_left) || is_decimal(&of_right) => (left, right),
        _ => return (left, right, NARROW),
    };
    let ((precision, scale), (of_divisor, behind)) = of;
    let is_wide = |of: &DataType| matches!(of, DataType::Decimal256(..));
    let most = match is_wide(&of_left) {
        true => WIDE,
        false => NARROW,
    };
    let wanted = (DIVISION_DIGITS - ARROW_ADDS).max(scale) + 1;
    let missing = wanted - scale;
    let room = |most: u8| i8::try_from(most.saturating_sub(precision)).unwrap_or_default();
    let widened = |missing: i8| (precision + missing.unsigned_abs(), scale + missing);
    if most == NARROW && missing > room(NARROW) {
        let (precision, scale) = widened(missing.min(room(WIDE)));
        let left = cast(left, DataType::Decimal256(precision, scale));
        let right = cast(right, DataType::Decimal256(of_divisor, behind));
        let most = match is_wide(&of_right) {
            true => WIDE,
            false => NARROW,
        };
        return (left, right, most);
    }
    let missing = missing.clamp(0, room(most));
    if missing == 0 {
        return (left, right, most);
    }
    let (precision, scale) = widened(missing);
    let to = match most {
        WIDE => DataType::Decimal256(precision, scale),
        _ => DataType::Decimal128(precision, scale),
    };
    (cast(left, to), right, most)
}

/// The digits of a numeric, and of an integer as type coercion makes one of it: all, and those behind the point.
fn digits(of: &DataType) -> Option<(u8, i8)> {
    match of {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            Some((*precision, *scale))
        }
        other => other.is_integer().then_some((20, 0)),
    }
}

/// A quotient of numerics without its last digit, rounded there: Arrow cuts off what is behind.
fn rounded(quotient: Expr, most: u8, schema: &DFSchema) -> Expr {
    let to = match quotient.get_type(schema) {
        Ok(DataType::Decimal128(precision, scale)) if scale > 0 => {
            DataType::Decimal128(precision, scale - 1)
        }
        Ok(DataType::Decimal256(_, scale)) if scale > 0 && most == NARROW => {
            DataType::Decimal128(NARROW, scale - 1)
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
