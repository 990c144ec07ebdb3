//! Lets values that Arrow has no type for (`functions::kept`) be used where what is done with them has
//! PostgreSQL's meaning: to DataFusion they are bytes, which it would join, cut and cast as such.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::{Between, BinaryExpr, InList, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator};

use super::comparison::is_comparison;
use super::kept_casts::{self, Session};
use super::named_types::{Aligned, aligned, is_kept, is_open};
use super::row_nulls;
use crate::error::{Error, ErrorKind};
use crate::functions;
use crate::functions::kept::as_type;
use crate::functions::output::{Style, output, writes};
use crate::types::{self, format_type, oid};

/// Checks a plan, and gives casts and choices among kept values their meaning.
///
/// # Errors
/// A use that PostgreSQL refuses, or that would be answered otherwise.
pub(in crate::engine) fn check(plan: LogicalPlan, session: Session<'_>) -> Result<LogicalPlan> {
    let mut changed = false;
    plan.transform_up_with_subqueries(|plan| {
        let rewritten = rewrite_plan(plan, session)?;
        changed |= rewritten.transformed;
        match changed {
            true => rewritten.map_data(LogicalPlan::recompute_schema),
            false => Ok(rewritten),
        }
    })
    .map(|transformed| transformed.data)
}

fn rewrite_plan(plan: LogicalPlan, session: Session<'_>) -> Result<Transformed<LogicalPlan>> {
    match &plan {
        LogicalPlan::TableScan(_) => return Ok(Transformed::no(plan)),
        LogicalPlan::Union(union) => check_union(union)?,
        _ => {}
    }
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expression| {
        let name = names.save(&expression);
        let rewritten = expression.transform_up(|inner| rewrite(inner, &schema, session))?;
        Ok(rewritten.update_data(|expression| name.restore(expression)))
    })
}

pub(super) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

pub(super) fn field_of(expression: &Expr, schema: &DFSchema) -> Option<FieldRef> {
    let field = expression.to_field(schema).ok()?.1;
    Some(field)
}

fn is_kept_expression(expression: &Expr, schema: &DFSchema) -> bool {
    field_of(expression, schema).is_some_and(|field| is_kept(&field))
}

/// The name of a field's type, for messages.
pub(super) fn name_of(field: &Field) -> String {
    match field.data_type() {
        DataType::Null => "unknown".to_owned(),
        _ if types::is_record(field) => "record".to_owned(),
        _ => format_type(types::of_field(field).oid, -1).unwrap_or_default(),
    }
}

/// `ROW(...)`.
pub(super) fn row_of(values: Vec<Expr>) -> Expr {
    functions::row().call(values)
}

fn rewrite(expression: Expr, schema: &DFSchema, session: Session<'_>) -> Result<Transformed<Expr>> {
    match expression {
        Expr::Cast(cast) => kept_casts::rewrite(cast, schema, session),
        Expr::BinaryExpr(binary) => rewrite_binary(binary, schema),
        Expr::Between(between) => rewrite_between(between, schema),
        Expr::InList(in_list) => rewrite_in_list(in_list, schema),
        Expr::ScalarFunction(call) if call.func.name() == "row" => Ok(record(call, schema)?),
        Expr::IsNull(ref row) | Expr::IsNotNull(ref row)
            if field_of(row, schema).is_some_and(|of| types::is_record(&of)) =>
        {
            let row_type = row.get_type(schema)?;
            row_nulls::of_each(expression, &row_type)
        }
        Expr::ScalarFunction(call) if takes_written(call.func.name()) => {
            Ok(Transformed::yes(concatenated(call, schema, session.style)))
        }
        other => match chosen(&other, schema)? {
            Some(of) => Ok(Transformed::yes(as_type(&of).call(vec![other]))),
            None => {
                check_others(&other, schema).map_err(external)?;
                Ok(Transformed::no(other))
            }
        },
    }
}

/// Functions whose arguments are what their types' output functions make of them.
const CONCATENATING: &[&str] = &["concat", "concat_ws"];

/// Functions whose arguments are cast to text, whatever they are.
const QUOTING: &[&str] = &["quote_literal", "quote_nullable"];

/// A quoted literal in a record has no type yet, and is not text.
fn record(call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_any_open = call.args.iter().any(is_open);
    let fields = call.args.into_iter().map(|argument| {
        if !is_open(&argument) {
            return Ok(argument);
        }
        let (_, field) = argument.to_field(schema)?;
        Ok(as_type(&types::named(&field, oid::UNKNOWN)).call(vec![argument]))
    });
    let row = ScalarFunction::new_udf(call.func, fields.collect::<Result<_>>()?);
    Ok(Transformed::new_transformed(
        Expr::ScalarFunction(row),
        is_any_open,
    ))
}

fn takes_written(name: &str) -> bool {
    CONCATENATING.contains(&name) || QUOTING.contains(&name)
}

/// As `concat_internal` in varlena.c: a boolean is `t`, where a cast of it is `true`.
fn concatenated(call: ScalarFunction, schema: &DFSchema, style: Style) -> Expr {
    let quotes = QUOTING.contains(&call.func.name());
    let written = call.args.into_iter().map(|argument| {
        let is_text = field_of(&argument, schema).is_none_or(|field| {
            let of = field.data_type();
            is_text(of) || of.is_null() || (quotes && !writes(of))
        });
        match is_text {
            true => argument,
            false => {
                let text = Arc::new(Field::new("", DataType::Utf8, true));
                output(text, style).call(vec![argument])
            }
        }
    });
    Expr::ScalarFunction(ScalarFunction::new_udf(call.func, written.collect()))
}

fn rewrite_binary(binary: BinaryExpr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let BinaryExpr { left, op, right } = binary;
    let is_any_kept = is_kept_expression(&left, schema) || is_kept_expression(&right, schema);
    let is_record = [&left, &right]
        .into_iter()
        .any(|operand| field_of(operand, schema).is_some_and(|of| types::is_record(&of)));
    if is_record || (is_any_kept && !is_comparison(op)) {
        let of = [&left, &right].map(|operand| field_of(operand, schema));
        let of = of.into_iter().flatten();
        let of = of.map(|field| name_of(&field)).collect::<Vec<_>>();
        let message = format!("the operator {op} between {}", of.join(" and "));
        return Err(external(Error::unsupported(message)));
    }
    if !is_any_kept {
        let binary = BinaryExpr { left, op, right };
        return Ok(Transformed::no(Expr::BinaryExpr(binary)));
    }
    Ok(match aligned(op, *left, *right, schema)? {
        Aligned::Yes(left, right) | Aligned::No(left, right) => {
            let binary = BinaryExpr::new(Box::new(left), op, Box::new(right));
            Transformed::yes(Expr::BinaryExpr(binary))
        }
    })
}

/// `x BETWEEN a AND b` as `x >= a AND x <= b`, of kept values.
fn rewrite_between(between: Between, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let operands = [&between.expr, &between.low, &between.high];
    if !operands
        .into_iter()
        .any(|operand| is_kept_expression(operand, schema))
    {
        return Ok(Transformed::no(Expr::Between(between)));
    }
    let compared = |operator: Operator, bound: Expr| {
        let (left, right) = match aligned(operator, *between.expr.clone(), bound, schema)? {
            Aligned::Yes(left, right) | Aligned::No(left, right) => (left, right),
        };
        let binary = BinaryExpr::new(Box::new(left), operator, Box::new(right));
        Ok::<Expr, DataFusionError>(Expr::BinaryExpr(binary))
    };
    let within =
        compared(Operator::GtEq, *between.low)?.and(compared(Operator::LtEq, *between.high)?);
    Ok(Transformed::yes(match between.negated {
        true => Expr::Not(Box::new(within)),
        false => within,
    }))
}

fn rewrite_in_list(in_list: InList, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let InList {
        expr,
        list,
        negated,
    } = in_list;
    let is_any_kept = list
        .iter()
        .chain([expr.as_ref()])
        .any(|operand| is_kept_expression(operand, schema));
    if !is_any_kept {
        let in_list = InList::new(expr, list, negated);
        return Ok(Transformed::no(Expr::InList(in_list)));
    }
    let mut alternatives = list.into_iter().map(|value| {
        let (left, right) = match aligned(Operator::Eq, *expr.clone(), value, schema)? {
            Aligned::Yes(left, right) | Aligned::No(left, right) => (left, right),
        };
        let binary = BinaryExpr::new(Box::new(left), Operator::Eq, Box::new(right));
        Ok::<Expr, DataFusionError>(Expr::BinaryExpr(binary))
    });
    let first = alternatives
        .next()
        .unwrap_or(Ok(Expr::Literal(ScalarValue::from(false), None)))?;
    let any = alternatives.try_fold(first, |any, next| {
        Ok::<Expr, DataFusionError>(any.or(next?))
    })?;
    Ok(Transformed::yes(match negated {
        true => Expr::Not(Box::new(any)),
        false => any,
    }))
}

pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

/// The type of what chooses among values of one named type: CASE, coalesce and their kind would forget it.
fn chosen(expression: &Expr, schema: &DFSchema) -> Result<Option<FieldRef>> {
    let values: Vec<&Expr> = match expression {
        Expr::Case(case) => {
            let branches = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
            branches
                .chain(case.else_expr.iter().map(AsRef::as_ref))
                .collect()
        }
        Expr::ScalarFunction(call) => match call.func.name() {
            "coalesce" | "nullif" | "greatest" | "least" => call.args.iter().collect(),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let fields = values.iter().filter(|value| !is_null(value));
    let fields: Option<Vec<FieldRef>> = fields.map(|value| field_of(value, schema)).collect();
    let fields = fields.unwrap_or_default();
    let Some(first) = fields.iter().find(|field| is_kept(field)) else {
        return Ok(None);
    };
    let is_other = |field: &FieldRef| types::of_field(field).oid != types::of_field(first).oid;
    if fields.iter().any(is_other) || fields.iter().any(|field| !is_kept(field)) {
        let what = match expression {
            Expr::ScalarFunction(call) => call.func.name().to_uppercase(),
            _ => "CASE".to_owned(),
        };
        return Err(no_common_type(&what, &fields));
    }
    Ok(Some(Arc::clone(first)))
}

fn is_null(expression: &Expr) -> bool {
    matches!(expression, Expr::Literal(value, _) if value.is_null())
}

/// As `select_common_type` in parse_coerce.c.
pub(super) fn no_common_type(what: &str, fields: &[FieldRef]) -> DataFusionError {
    let mut names = fields
        .iter()
        .map(|field| name_of(field))
        .collect::<Vec<_>>();
    names.dedup();
    let message = format!("{what} types {} cannot be matched", names.join(" and "));
    external(Error::new(ErrorKind::DatatypeMismatch, message))
}

fn check_union(union: &datafusion::logical_expr::Union) -> Result<()> {
    for (index, field) in union.schema.fields().iter().enumerate() {
        let inputs = union.inputs.iter();
        let fields: Vec<FieldRef> = inputs
            .map(|input| Arc::clone(&input.schema().fields()[index]))
            .collect();
        let has_kept = fields.iter().any(|input| is_kept(input));
        if has_kept
            && fields
                .iter()
                .any(|input| types::of_field(input).oid != types::of_field(field).oid)
        {
            return Err(no_common_type("UNION", &fields));
        }
    }
    Ok(())
}

/// Functions that take values of any type for what they are, or have them cast to text.
const TAKING_ALL: &[&str] = &[
    "array_length",
    "array_lower",
    "array_ndims",
    "array_upper",
    "as_type",
    "bpchar",
    "cardinality",
    "get_field",
    "input",
    "kept",
    "make_array",
    "numeric",
    "of_precision",
    "output",
    "pg_typeof",
    "row",
    "varchar",
];

fn check_others(expression: &Expr, schema: &DFSchema) -> crate::error::Result<()> {
    let (name, arguments): (&str, &[Expr]) = match expression {
        Expr::ScalarFunction(call) => {
            let name = call.func.name();
            let takes_all = TAKING_ALL.contains(&name) || name == functions::WHOLE_ROW;
            // Arrays of rows have no type of their own here.
            let is_list_of_rows = name == "make_array" && has_own_rows(&call.args, schema);
            if (takes_all && !is_list_of_rows) || functions::makes_ranges(name) {
                return check_ranges(name, &call.args, schema);
            }
            (name, &call.args)
        }
        Expr::AggregateFunction(call) if call.func.name() != "count" => {
            (call.func.name(), &call.params.args)
        }
        Expr::WindowFunction(call) => (call.fun.name(), &call.params.args),
        Expr::TryCast(cast) => ("TRY_CAST", std::slice::from_ref(cast.expr.as_ref())),
        Expr::Like(like) | Expr::SimilarTo(like) => {
            ("LIKE", std::slice::from_ref(like.expr.as_ref()))
        }
        Expr::Negative(expr) => ("-", std::slice::from_ref(expr.as_ref())),
        // Joins that subqueries become forget what type a row has.
        Expr::ScalarSubquery(query) => {
            let fields = query.subquery.schema().fields();
            return match fields.iter().any(|field| types::is_record(field)) {
                true => Err(Error::unsupported("a subquery whose value is a row")),
                false => Ok(()),
            };
        }
        _ => return Ok(()),
    };
    let kept = arguments.iter().find_map(|argument| {
        let field = field_of(argument, schema)?;
        (is_kept(&field) || types::is_record(&field)).then(|| name_of(&field))
    });
    match kept {
        Some(of) => Err(Error::unsupported(format!("{name}() of type {of}"))),
        None => Ok(()),
    }
}

/// Whether some are rows of a relation's own type.
fn has_own_rows(arguments: &[Expr], schema: &DFSchema) -> bool {
    let mut fields = arguments.iter().filter_map(|it| field_of(it, schema));
    fields.any(|of| types::is_record(&of) && types::of_field(&of).oid != oid::RECORD)
}

/// Multiranges are made of ranges of their own type.
fn check_ranges(name: &str, arguments: &[Expr], schema: &DFSchema) -> crate::error::Result<()> {
    let Some(wanted) = functions::range_taken_by(name) else {
        return Ok(());
    };
    let fields = arguments.iter().filter(|it| !is_open(it));
    let mut names = Vec::new();
    let mut is_other = false;
    for field in fields.filter_map(|argument| field_of(argument, schema)) {
        is_other |= types::of_field(&field).oid != wanted;
        names.push(name_of(&field));
    }
    if !is_other {
        return Ok(());
    }
    let message = format!("function {name}({}) does not exist", names.join(", "));
    Err(Error::new(ErrorKind::UndefinedFunction, message))
}
