//! Plans arrays, rows and comparisons of values whose type's name the planner would forget: addresses,
//! ranges and their kind (`functions::kept`), `uuid`, and arrays of them. A quoted literal or a parameter beside
//! such a value is of its type. <https://www.postgresql.org/docs/16/typeconv-oper.html>

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::functions_nested::make_array::make_array_udf;
use datafusion::logical_expr::expr::{BinaryExpr, Cast, Placeholder};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::kept_uses;
use crate::error::{Error, ErrorKind};
use crate::functions::input::value;
use crate::functions::kept::{as_type, beyond_decimals, kept_of};
use crate::functions::output::Style;
use crate::types::{self, MODIFIER_KEY, TYPE_KEY, oid};

/// The planner of them; everything else is left to DataFusion's.
#[derive(Debug)]
pub(super) struct NamedTypes;

impl ExprPlanner for NamedTypes {
    fn plan_binary_op(
        &self,
        binary: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let Some(operator) = comparison(&binary.op) else {
            return Ok(PlannerResult::Original(binary));
        };
        let RawBinaryExpr { op, left, right } = binary;
        Ok(match aligned(operator, left, right, schema)? {
            Aligned::Yes(left, right) => {
                let compared = BinaryExpr::new(Box::new(left), operator, Box::new(right));
                PlannerResult::Planned(Expr::BinaryExpr(compared))
            }
            Aligned::No(left, right) => PlannerResult::Original(RawBinaryExpr { op, left, right }),
        })
    }

    fn plan_array_literal(
        &self,
        elements: Vec<Expr>,
        schema: &DFSchema,
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let fields = elements.iter().filter(|it| !is_open(it));
        let fields = fields.map(|element| Ok(element.to_field(schema)?.1));
        let fields = fields.collect::<Result<Vec<FieldRef>>>()?;
        let Some(first) = fields.first().filter(|field| is_array_element(field)) else {
            return Ok(PlannerResult::Original(elements));
        };
        let of = types::of_field(first);
        if fields
            .iter()
            .any(|other| types::of_field(other).oid != of.oid)
        {
            return match fields.iter().find_map(|field| types::kept(field)) {
                Some(_) => Err(kept_uses::no_common_type("ARRAY", &fields)),
                None => Ok(PlannerResult::Original(elements)),
            };
        }
        // An array of arrays is of their type.
        let array = types::array_of(of.oid).unwrap_or(of.oid);
        let elements = elements.into_iter().map(|element| match is_open(&element) {
            true => of_type(element, first),
            false => element,
        });
        let list = make_array_udf().call(elements.collect());
        let mut named = Field::new("array", DataType::Null, true);
        let are_as_long = fields.iter().all(|other| types::of_field(other) == of);
        if are_as_long && of.modifier != -1 {
            let modifier = (MODIFIER_KEY.to_owned(), of.modifier.to_string());
            named = named.with_metadata([modifier].into());
        }
        let named = types::named(&Arc::new(named), array);
        Ok(PlannerResult::Planned(as_type(&named).call(vec![list])))
    }

    fn plan_struct_literal(
        &self,
        values: Vec<Expr>,
        is_named: bool,
    ) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(match is_named {
            true => PlannerResult::Original(values),
            false => PlannerResult::Planned(kept_uses::row_of(values)),
        })
    }
}

/// Whether an array of values has to be told what they are.
fn is_array_element(field: &Field) -> bool {
    let of = types::of_field(field).oid;
    let element = types::element_of(of).unwrap_or(of);
    let is_text = matches!(element, oid::UUID | oid::NAME | oid::VARCHAR | oid::BPCHAR);
    types::kept(field).is_some() || types::is_kept(element) || is_text
}

/// Two operands, and whether something was done for them.
pub(super) enum Aligned {
    Yes(Expr, Expr),
    No(Expr, Expr),
}

/// What is compared, so that both are kept alike.
///
/// # Errors
/// There is no such operator between their types.
pub(super) fn aligned(
    operator: Operator,
    left: Expr,
    right: Expr,
    schema: &DFSchema,
) -> Result<Aligned> {
    let (Ok((_, of_left)), Ok((_, of_right))) = (left.to_field(schema), right.to_field(schema))
    else {
        return Ok(Aligned::No(left, right));
    };
    if is_open(&right) && takes_literals(&of_left) {
        let right = of_type(right, &of_left);
        return Ok(Aligned::Yes(left, right));
    }
    if is_open(&left) && takes_literals(&of_right) {
        let left = of_type(left, &of_right);
        return Ok(Aligned::Yes(left, right));
    }
    if let Some(kept) = beyond(&right, &of_left) {
        let left = kept_of(types::of_field(&of_left).oid).call(vec![left]);
        return Ok(Aligned::Yes(left, kept));
    }
    if let Some(kept) = beyond(&left, &of_right) {
        let right = kept_of(types::of_field(&of_right).oid).call(vec![right]);
        return Ok(Aligned::Yes(kept, right));
    }
    match (is_kept(&of_left), is_kept(&of_right)) {
        (false, false) => Ok(Aligned::No(left, right)),
        (true, true) if are_alike(&of_left, &of_right) => Ok(Aligned::Yes(left, right)),
        (true, _) => match beside(right, &of_right, &of_left) {
            Some(right) => Ok(Aligned::Yes(left, right)),
            None => Err(undefined(operator, &of_left, &of_right)),
        },
        (false, true) => match beside(left, &of_left, &of_right) {
            Some(left) => Ok(Aligned::Yes(left, right)),
            None => Err(undefined(operator, &of_left, &of_right)),
        },
    }
}

/// A quoted literal beside a plain number or date, if it is one that no type of Arrow's holds.
fn beyond(literal: &Expr, beside: &Field) -> Option<Expr> {
    let Expr::Literal(ScalarValue::Utf8(Some(text)), _) = literal else {
        return None;
    };
    let of = types::of_field(beside).oid;
    let is_beyond = match beside.data_type() {
        DataType::Decimal128(..) | DataType::Decimal256(..) => beyond_decimals(text).is_some(),
        // Whatever the session's style, words are no dates of a calendar.
        DataType::Date32 => matches!(
            value(text, oid::DATE, &Style::default()),
            Ok(ScalarValue::Binary(_))
        ),
        _ => false,
    };
    let kept = types::named(&Arc::new(Field::new("", DataType::Binary, true)), of);
    is_beyond.then(|| of_type(literal.clone(), &kept))
}

/// A plain number or date as one that no type of Arrow's holds is kept.
fn beside(expression: Expr, of: &Field, kept: &Field) -> Option<Expr> {
    let kept = types::kept(kept)?;
    let fits = match kept {
        oid::NUMERIC => {
            let whole = of.data_type().is_integer() && !is_named(of);
            whole || types::of_field(of).oid == oid::NUMERIC
        }
        oid::DATE => *of.data_type() == DataType::Date32,
        _ => false,
    };
    fits.then(|| kept_of(kept).call(vec![expression]))
}

/// Whether values of two types that are both kept are compared as they are.
fn are_alike(one: &Field, other: &Field) -> bool {
    let (one, other) = (types::of_field(one).oid, types::of_field(other).oid);
    let is_address = |of: u32| matches!(of, oid::INET | oid::CIDR);
    one == other || (is_address(one) && is_address(other))
}

fn undefined(operator: Operator, left: &Field, right: &Field) -> DataFusionError {
    let (left, right) = (kept_uses::name_of(left), kept_uses::name_of(right));
    let message = format!("operator does not exist: {left} {operator} {right}");
    let hint = "No operator matches the given name and argument types. \
                You might need to add explicit type casts.";
    let error = Error::new(ErrorKind::UndefinedFunction, message).with_hint(hint);
    DataFusionError::External(Box::new(error))
}

/// Whether a literal beside a value is read as one of its type, and nothing else finds that.
fn takes_literals(field: &Field) -> bool {
    is_kept(field) || matches!(field.data_type(), DataType::List(_))
}

/// Whether a field's values, or the elements of its arrays, are kept.
pub(super) fn is_kept(field: &Field) -> bool {
    let mut data_type = field.data_type();
    while let DataType::List(element) = data_type {
        data_type = element.data_type();
    }
    let of = types::of_field(field).oid;
    let element = types::element_of(of).unwrap_or(of);
    matches!(data_type, DataType::Binary | DataType::BinaryView) && element != oid::BYTEA
}

fn is_named(field: &Field) -> bool {
    field.metadata().contains_key(TYPE_KEY)
}

/// Whether an expression has no type yet: a quoted literal, NULL, a parameter.
pub(super) fn is_open(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(ScalarValue::Utf8(_) | ScalarValue::Null, metadata) => {
            metadata.as_ref().is_none_or(|metadata| metadata.is_empty())
        }
        Expr::Placeholder(placeholder) => placeholder.field.is_none(),
        Expr::Alias(alias) => is_open(&alias.expr),
        _ => false,
    }
}

/// An expression without a type as one of a field's.
pub(super) fn of_type(expression: Expr, field: &Field) -> Expr {
    let field = Field::new("", field.data_type().clone(), true).with_metadata(
        types::named(&Arc::new(field.clone()), types::of_field(field).oid)
            .metadata()
            .clone(),
    );
    let field = Arc::new(field);
    match expression {
        Expr::Placeholder(Placeholder { id, .. }) => Expr::Placeholder(Placeholder {
            id,
            field: Some(field),
        }),
        other => Expr::Cast(Cast {
            expr: Box::new(other),
            field,
        }),
    }
}

fn comparison(operator: &BinaryOperator) -> Option<Operator> {
    Some(match operator {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        _ => return None,
    })
}
