//! Plans `interval * number`, `number * interval` and `interval / number`, which DataFusion lacks, and
//! differences of dates and of timestamps, which it counts otherwise. A date and an interval make a
//! timestamp, whose hours DataFusion forgets.
//! <https://www.postgresql.org/docs/16/functions-datetime.html>

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, cast};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::error::{Error, ErrorKind};
use crate::functions::{intervals, spans};

/// The planner of these operators; the others are left to DataFusion's.
#[derive(Debug)]
pub(super) struct IntervalOperators;

impl ExprPlanner for IntervalOperators {
    fn plan_binary_op(
        &self,
        binary: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let function = match binary.op {
            BinaryOperator::Multiply => intervals::multiplied(),
            BinaryOperator::Divide => intervals::divided(),
            BinaryOperator::Minus => return Ok(difference(binary, schema)),
            BinaryOperator::Plus => return sum(binary, schema),
            _ => return Ok(PlannerResult::Original(binary)),
        };
        let types = (binary.left.get_type(schema), binary.right.get_type(schema));
        let (Ok(of_left), Ok(of_right)) = types else {
            return Ok(PlannerResult::Original(binary));
        };
        let is_product = binary.op == BinaryOperator::Multiply;
        let (interval, number): (Expr, Expr) = match (is_interval(&of_left), is_interval(&of_right))
        {
            (true, false) if of_right.is_numeric() => (binary.left, binary.right),
            (false, true) if of_left.is_numeric() && is_product => (binary.right, binary.left),
            _ => return Ok(PlannerResult::Original(binary)),
        };
        let call = function.call(vec![interval, cast(number, DataType::Float64)]);
        Ok(PlannerResult::Planned(call))
    }
}

/// A date moved by an interval is a timestamp. Two times have no sum: it would be one of a time and an
/// interval, and either could be that.
fn sum(binary: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
    let types = (binary.left.get_type(schema), binary.right.get_type(schema));
    match types {
        (Ok(DataType::Date32), Ok(of)) if is_interval(&of) => {
            let sum = moved(binary.left, Operator::Plus, binary.right);
            return Ok(PlannerResult::Planned(sum));
        }
        (Ok(of), Ok(DataType::Date32)) if is_interval(&of) => {
            let sum = moved(binary.right, Operator::Plus, binary.left);
            return Ok(PlannerResult::Planned(sum));
        }
        (Ok(DataType::Time64(_)), Ok(DataType::Time64(_))) => {}
        _ => return Ok(PlannerResult::Original(binary)),
    }
    let message = "operator is not unique: time without time zone + time without time zone";
    let error = Error::new(ErrorKind::AmbiguousFunction, message).with_hint(
        "Could not choose a best candidate operator. You might need to add explicit type casts.",
    );
    Err(DataFusionError::External(Box::new(error)))
}

/// A date before or after an interval: `date_pl_interval` and `date_mi_interval` in date.c.
fn moved(date: Expr, op: Operator, interval: Expr) -> Expr {
    let midnight = cast(date, DataType::Timestamp(TimeUnit::Microsecond, None));
    Expr::BinaryExpr(BinaryExpr::new(Box::new(midnight), op, Box::new(interval)))
}

/// Dates are days apart, which is an integer; timestamps an interval of days and hours.
fn difference(binary: RawBinaryExpr, schema: &DFSchema) -> PlannerResult<RawBinaryExpr> {
    let types = (binary.left.get_type(schema), binary.right.get_type(schema));
    let (Ok(of_left), Ok(of_right)) = types else {
        return PlannerResult::Original(binary);
    };
    let is_local = |of: &DataType| matches!(of, DataType::Date32 | DataType::Timestamp(_, None));
    let is_instant = |of: &DataType| matches!(of, DataType::Timestamp(_, Some(_)));
    match (&of_left, &of_right) {
        (DataType::Date32, DataType::Date32) => {
            let days = Expr::BinaryExpr(BinaryExpr {
                left: Box::new(binary.left),
                op: Operator::Minus,
                right: Box::new(binary.right),
            });
            PlannerResult::Planned(cast(days, DataType::Int32))
        }
        (DataType::Date32, of) if is_interval(of) => {
            PlannerResult::Planned(moved(binary.left, Operator::Minus, binary.right))
        }
        (left, right)
            if (is_local(left) && is_local(right)) || (is_instant(left) && is_instant(right)) =>
        {
            let call = spans::between().call(vec![binary.left, binary.right]);
            PlannerResult::Planned(call)
        }
        _ => PlannerResult::Original(binary),
    }
}

fn is_interval(of: &DataType) -> bool {
    matches!(of, DataType::Interval(_))
}
