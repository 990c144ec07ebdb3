//! What is compared, or chosen from, meets in the type that it meets in in PostgreSQL: numeric and
//! floating-point numbers in float8, dates and timestamps in microseconds. DataFusion takes
//! decimals, which make 0.1 + 0.2 equal to 0.3, and nanoseconds, which end in the year 2262.
//! <https://www.postgresql.org/docs/16/typeconv-oper.html>

use std::sync::Arc;

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::{
    Between, BinaryExpr, Case, InList, InSubquery, ScalarFunction,
};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, cast,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::numbers::rewrite_expressions;
use crate::error::{Error, ErrorKind};
use crate::functions::{input, spans};
use crate::types::{self, oid};

/// Functions that choose among their arguments, and the one that lists them.
const CHOOSING: &[&str] = &["coalesce", "greatest", "least", "make_array", "nullif"];

/// Runs before type coercion, which then finds one type.
#[derive(Debug)]
pub(super) struct Comparison;

impl AnalyzerRule for Comparison {
    fn name(&self) -> &'static str {
        "postgres_comparison"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| rewrite_expressions(plan, &rewrite))
            .map(|transformed| transformed.data)
    }
}

fn rewrite(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let expression = match expression {
        Expr::InSubquery(within) => return in_subquery(within, schema),
        other => other,
    };
    let is_compared = matches!(
        expression,
        Expr::BinaryExpr(_) | Expr::Between(_) | Expr::InList(_)
    );
    let operator = match &expression {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => *op,
        _ => Operator::Eq,
    };
    let mut expression = expression;
    let mut operands: Vec<&mut Expr> = match &mut expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
            vec![left.as_mut(), right.as_mut()]
        }
        Expr::Between(Between {
            expr, low, high, ..
        }) => vec![expr.as_mut(), low.as_mut(), high.as_mut()],
        Expr::InList(InList { expr, list, .. }) => {
            std::iter::once(expr.as_mut()).chain(list).collect()
        }
        Expr::Case(Case {
            when_then_expr,
            else_expr,
            ..
        }) => when_then_expr
            .iter_mut()
            .map(|(_, then)| then.as_mut())
            .chain(else_expr.iter_mut().map(AsMut::as_mut))
            .collect(),
        Expr::ScalarFunction(ScalarFunction { func, args }) if CHOOSING.contains(&func.name()) => {
            args.iter_mut().collect()
        }
        _ => return Ok(Transformed::no(expression)),
    };
    let has_changed = is_compared && characters(&mut operands, schema);
    let types = operands.iter().map(|operand| operand.get_type(schema));
    // Outer references of a correlated subquery have no type here.
    let Ok(types) = types.collect::<Result<Vec<_>>>() else {
        return Ok(Transformed::new_transformed(expression, has_changed));
    };
    if is_compared && types.iter().any(|of| matches!(of, DataType::Interval(_))) {
        lengths(&mut operands, &types);
        return Ok(Transformed::yes(expression));
    }
    if is_compared {
        comparable(&operands, &types, operator)?;
    }
    let Some(common) = common(&types).or_else(|| read_as(&types)) else {
        return Ok(Transformed::new_transformed(expression, has_changed));
    };
    quoted_uuids(&mut operands, &types);
    for (operand, of) in operands.iter_mut().zip(&types) {
        let is_open = is_text(of) && matches!(operand, Expr::Literal(..));
        if *of != common && !of.is_null() && (is_open || !is_text(of)) {
            let mut inner = std::mem::take(*operand);
            if is_open && common == DataType::BinaryView {
                inner = cast(inner, DataType::Binary);
            }
            **operand = cast(inner, common.clone());
        }
    }
    Ok(Transformed::yes(expression))
}

/// `x IN (SELECT y ..)` compares x and y.
fn in_subquery(within: InSubquery, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let rows = Arc::clone(&within.subquery.subquery);
    let (qualifier, field) = rows.schema().qualified_field(0);
    let of_rows = field.data_type().clone();
    let Ok(of_value) = within.expr.get_type(schema) else {
        return Ok(Transformed::no(Expr::InSubquery(within)));
    };
    let Some(common) = common(&[of_value.clone(), of_rows.clone()]) else {
        return Ok(Transformed::no(Expr::InSubquery(within)));
    };
    let mut within = within;
    if of_value != common {
        within.expr = Box::new(cast(*within.expr, common.clone()));
    }
    if of_rows != common {
        let name = field.name().clone();
        let column = Expr::Column(Column::new(qualifier.cloned(), &name));
        let fitted = LogicalPlanBuilder::from(rows.as_ref().clone())
            .project(vec![cast(column, common).alias(name)])?
            .build()?;
        within.subquery = within.subquery.with_plan(Arc::new(fitted));
    }
    Ok(Transformed::yes(Expr::InSubquery(within)))
}

/// Intervals are compared by their length: a month is 30 days.
fn lengths(operands: &mut [&mut Expr], types: &[DataType]) {
    let interval = DataType::Interval(IntervalUnit::MonthDayNano);
    for (operand, of) in operands.iter_mut().zip(types) {
        let inner = std::mem::take(*operand);
        let inner = match of {
            DataType::Interval(IntervalUnit::MonthDayNano) => inner,
            _ => cast(inner, interval.clone()),
        };
        **operand = spans::length().call(vec![inner]);
    }
}

/// A text is no number: PostgreSQL has no operator for the two, but for quoted literals, which have no
/// type yet.
fn comparable(operands: &[&mut Expr], types: &[DataType], operator: Operator) -> Result<()> {
    let is_number = |of: &DataType| of.is_numeric();
    let is_typed_text = |operand: &Expr, of: &DataType| {
        let is_open = matches!(operand, Expr::Literal(..) | Expr::Placeholder(_));
        is_text(of) && !is_open
    };
    let mut pairs = operands.iter().zip(types);
    let has_text = pairs.any(|(operand, of)| is_typed_text(operand, of));
    if !has_text || !types.iter().any(is_number) {
        return Ok(());
    }
    let names: Vec<String> = types
        .iter()
        .take(2)
        .map(|of| types::format_type(types::of_arrow(of).oid, -1).unwrap_or_default())
        .collect();
    let message = format!(
        "operator does not exist: {}",
        names.join(&format!(" {operator} "))
    );
    let error = Error::new(ErrorKind::UndefinedFunction, message).with_hint(
        "No operator matches the given name and argument types. You might need to add explicit type casts.",
    );
    Err(DataFusionError::External(Box::new(error)))
}

/// Compares what casts to `varchar` are of: they change nothing, and a file's statistics are known by
/// the column alone. Literals beside `character` lose the spaces at their end, as its values have.
fn characters(operands: &mut [&mut Expr], schema: &DFSchema) -> bool {
    let is_padded = |operand: &Expr| {
        let field = operand.to_field(schema).map(|(_, field)| field);
        field.is_ok_and(|field| types::of_field(&field).oid == oid::BPCHAR)
    };
    let has_padded = operands.iter().any(|operand| is_padded(operand));
    let mut has_changed = false;
    for operand in operands {
        match &mut **operand {
            Expr::ScalarFunction(call) if is_plain_varchar(call, schema) => {
                **operand = call.args.remove(0);
                has_changed = true;
            }
            Expr::Literal(ScalarValue::Utf8(Some(text)), _) if has_padded => {
                text.truncate(text.trim_end_matches(' ').len());
                has_changed = true;
            }
            _ => {}
        }
    }
    has_changed
}

/// Whether a call is a cast of a text to `varchar` without a length.
fn is_plain_varchar(call: &ScalarFunction, schema: &DFSchema) -> bool {
    let of = call.args.first().map(|text| text.get_type(schema));
    let is_of_text = matches!(of, Some(Ok(of)) if is_text(&of));
    call.func.name() == "varchar" && call.args.len() == 1 && is_of_text
}

/// The type that quoted literals have beside values of one type (`unknown` in PostgreSQL). Numerics
/// have no one type here, and DataFusion finds the others' by itself.
fn read_as(types: &[DataType]) -> Option<DataType> {
    let mut others = types.iter().filter(|of| !is_text(of) && !of.is_null());
    let first = others.next()?;
    let read = match first {
        DataType::Boolean | DataType::List(_) | DataType::Binary | DataType::BinaryView => {
            first.clone()
        }
        // A literal of another length is not equal, and no error.
        DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::Binary,
        _ => return None,
    };
    (others.all(|other| other == first) && types.iter().any(is_text)).then_some(read)
}

/// Bytes of a UUID, which Parquet files have as bytes of a fixed length.
const UUID_BYTES: i32 = 16;

/// Quoted UUIDs beside such bytes are theirs.
fn quoted_uuids(operands: &mut [&mut Expr], types: &[DataType]) {
    if types.contains(&DataType::FixedSizeBinary(UUID_BYTES)) {
        for operand in operands {
            if let Some(bytes) = uuid_bytes(operand) {
                **operand = bytes;
            }
        }
    }
}

/// The bytes of a quoted UUID; `None` of everything else.
fn uuid_bytes(operand: &Expr) -> Option<Expr> {
    let Expr::Literal(ScalarValue::Utf8(Some(text)), _) = operand else {
        return None;
    };
    let digits: String = input::uuid(text).ok()?.replace('-', "");
    let bytes: Option<Vec<u8>> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect();
    Some(Expr::Literal(ScalarValue::Binary(Some(bytes?)), None))
}

/// Where types meet; `None` where DataFusion finds the same.
fn common(types: &[DataType]) -> Option<DataType> {
    let has = |which: fn(&DataType) -> bool| types.iter().any(which);
    let are_all = |which: fn(&DataType) -> bool| {
        types
            .iter()
            .all(|of| which(of) || of.is_null() || is_text(of))
    };
    if are_all(DataType::is_numeric)
        && has(DataType::is_floating)
        && (has(is_decimal) || (has(is_float4) && has(is_float8)))
    {
        return Some(DataType::Float64);
    }
    if are_all(is_date_or_timestamp) && has(is_date) && has(is_timestamp) {
        // A zone counts for more than none.
        let zone = types.iter().find_map(|of| match of {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        });
        return Some(DataType::Timestamp(TimeUnit::Microsecond, zone));
    }
    None
}

pub(super) fn is_comparison(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

fn is_text(of: &DataType) -> bool {
    matches!(
        of,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

fn is_decimal(of: &DataType) -> bool {
    matches!(of, DataType::Decimal128(..) | DataType::Decimal256(..))
}

fn is_float4(of: &DataType) -> bool {
    *of == DataType::Float32
}

fn is_float8(of: &DataType) -> bool {
    *of == DataType::Float64
}

fn is_date(of: &DataType) -> bool {
    *of == DataType::Date32
}

fn is_timestamp(of: &DataType) -> bool {
    matches!(of, DataType::Timestamp(..))
}

fn is_date_or_timestamp(of: &DataType) -> bool {
    is_date(of) || is_timestamp(of)
}
