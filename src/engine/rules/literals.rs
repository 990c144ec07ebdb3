//! Whole numbers are integer where they fit, as PostgreSQL reads them; DataFusion reads bigint.
//! <https://www.postgresql.org/docs/16/sql-syntax-lexical.html#SQL-SYNTAX-CONSTANTS-NUMERIC>
//!
//! Only where a number is an operand or a value of its own. A bare number in ORDER BY or GROUP BY
//! is a position, and the arguments of most functions have types of their own.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, FunctionArg, FunctionArgExpr, FunctionArguments,
    Query, Select, SelectItem, UnaryOperator, Value, ValueWithSpan, VisitorMut,
};

use super::normalize::last_part;
use super::values_casts::each_values;
use crate::engine::walk::walk_mut;
use crate::functions::SERIES_LIST;

/// Functions whose result has the type of their arguments.
const TYPED_BY_ARGUMENTS: &[&str] = &[
    "coalesce",
    "nullif",
    "greatest",
    "least",
    "sum",
    "min",
    "max",
    SERIES_LIST,
];

/// Rewrites `1` to `1::int4`.
pub(in crate::engine) fn narrow(query: &mut Query) {
    // The visitor cannot break: its Break type has no values.
    let _: ControlFlow<Infallible> = walk_mut(query, &mut Narrower);
}

struct Narrower;

impl VisitorMut for Narrower {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        each_values(&mut query.body, &mut |values| {
            values
                .rows
                .iter_mut()
                .for_each(|row| row.iter_mut().for_each(narrow_one));
        });
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expression)
            | SelectItem::ExprWithAlias {
                expr: expression, ..
            } = item
            {
                narrow_one(expression);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Infallible> {
        match expression {
            Expr::BinaryOp { left, right, .. } => {
                narrow_one(left);
                narrow_one(right);
            }
            // Its own digits are what unconstrained numeric keeps of a constant.
            Expr::Cast {
                expr, data_type, ..
            } if is_numeric(data_type) && is_decimal(expr) => {
                *expression = expr.as_ref().clone();
            }
            // The digits as they are: as a decimal they may be more than any holds.
            Expr::Cast {
                expr, data_type, ..
            } if is_floating(data_type) => digits_as_text(expr),
            Expr::UnaryOp { expr, .. } | Expr::Nested(expr) => narrow_one(expr),
            Expr::Between {
                expr, low, high, ..
            } => {
                [expr, low, high]
                    .into_iter()
                    .for_each(|part| narrow_one(part));
            }
            Expr::Array(array) => array.elem.iter_mut().for_each(narrow_one),
            Expr::InList { expr, list, .. } => {
                narrow_one(expr);
                list.iter_mut().for_each(narrow_one);
            }
            Expr::Case {
                conditions,
                else_result,
                ..
            } => {
                conditions
                    .iter_mut()
                    .for_each(|when| narrow_one(&mut when.result));
                else_result.iter_mut().for_each(|result| narrow_one(result));
            }
            Expr::Function(function) => {
                let name = last_part(&function.name);
                if let FunctionArguments::List(list) = &mut function.args
                    && TYPED_BY_ARGUMENTS.contains(&name.as_str())
                {
                    for argument in &mut list.args {
                        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument {
                            narrow_one(argument);
                        }
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Whether a type is numeric without precision.
fn is_numeric(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Numeric(ExactNumberInfo::None) | DataType::Decimal(ExactNumberInfo::None)
    )
}

fn is_floating(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Real
            | DataType::Float(_)
            | DataType::DoublePrecision
            | DataType::Float4
            | DataType::Float8
    )
}

/// `1e300` as `'1e300'`, with the minus before it.
fn digits_as_text(expression: &mut Expr) {
    let digits = match expression {
        Expr::Value(ValueWithSpan {
            value: Value::Number(digits, _),
            ..
        }) => digits.clone(),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match expr.as_ref() {
            Expr::Value(ValueWithSpan {
                value: Value::Number(digits, _),
                ..
            }) => format!("-{digits}"),
            _ => return,
        },
        Expr::Nested(inner) => return digits_as_text(inner),
        _ => return,
    };
    *expression = Expr::Value(Value::SingleQuotedString(digits).into());
}

fn is_decimal(expression: &Expr) -> bool {
    match expression {
        Expr::Value(ValueWithSpan {
            value: Value::Number(digits, _),
            ..
        }) => digits.contains('.') && !digits.contains(['e', 'E']),
        _ => false,
    }
}

fn narrow_one(expression: &mut Expr) {
    let Expr::Value(ValueWithSpan {
        value: Value::Number(digits, _),
        ..
    }) = expression
    else {
        return;
    };
    if digits.parse::<i32>().is_ok() {
        *expression = Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(expression.clone()),
            data_type: DataType::Int4(None),
            array: false,
            format: None,
        };
    }
}
