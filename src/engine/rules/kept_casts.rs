//! Casts from and to types that Arrow lacks (`functions::kept`), and of objects to their names.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Cast;

use super::kept_uses::{external, field_of, is_text, name_of};
use super::named_types::{is_kept, of_type};
use crate::engine::planner_names::SessionFunctions;
use crate::error::{Error, ErrorKind};
use crate::functions;
use crate::functions::input::input;
use crate::functions::kept::{as_type, beyond_decimals, kept_of};
use crate::functions::output::{Style, output};
use crate::types::{self, MODIFIER_KEY, format_type, oid};

/// What of a session casts depend on.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Session<'a> {
    /// How it writes and reads values.
    pub(in crate::engine) style: Style,
    /// The functions that are its own, by name.
    pub(in crate::engine) functions: &'a SessionFunctions<'a>,
}

/// A cast from or to a kept type.
pub(super) fn rewrite(
    cast: Cast,
    schema: &DFSchema,
    session: Session<'_>,
) -> Result<Transformed<Expr>> {
    let Session {
        style,
        functions: of_session,
    } = session;
    let Cast { expr, field: to } = cast;
    let unchanged =
        |expr: Box<Expr>, to: FieldRef| Ok(Transformed::no(Expr::Cast(Cast { expr, field: to })));
    let Some(of) = field_of(&expr, schema) else {
        return unchanged(expr, to);
    };
    if let Some(kept) = beyond_its_type(&expr, &to, &style)? {
        return Ok(Transformed::yes(kept));
    }
    let expr = match spelled(expr, &of, &to, of_session) {
        Ok(spelled) => return Ok(Transformed::yes(spelled)),
        Err(expr) => expr,
    };
    if !is_kept(&of) && !is_kept(&to) {
        return match number_of_object(&of, &to) {
            Some(field) => Ok(Transformed::yes(Expr::Cast(Cast { expr, field }))),
            None => unchanged(expr, to),
        };
    }
    let (of_oid, to_oid) = (types::of_field(&of).oid, types::of_field(&to).oid);
    let by_text = |expr: Box<Expr>| {
        let text = Arc::new(Field::new("", DataType::Utf8, true));
        let text = output(text, Style::default()).call(vec![*expr]);
        Transformed::yes(input(Arc::clone(&to), style).call(vec![text]))
    };
    Ok(match (of_oid, to_oid) {
        // As network_show in network.c: a cast to text names the length of the network always.
        (oid::INET, oid::TEXT | oid::VARCHAR) => {
            let shown = Arc::new(Field::new("", DataType::Binary, true));
            let shown = as_type(&types::named(&shown, oid::CIDR)).call(vec![*expr]);
            Transformed::yes(output(to, style).call(vec![shown]))
        }
        _ if is_text(to.data_type()) => return unchanged(expr, to),
        // Read by the type's input function.
        _ if is_text(of.data_type()) || of.data_type().is_null() => return unchanged(expr, to),
        (oid::CIDR, oid::INET) => Transformed::yes(as_type(&to).call(vec![*expr])),
        (oid::INET, oid::CIDR) => Transformed::yes(kept_of(oid::CIDR).call(vec![*expr])),
        (one, other) if one == other => {
            Transformed::yes(as_type(&types::named(&to, one)).call(vec![*expr]))
        }
        (oid::TIME | oid::TIMESTAMPTZ, oid::TIMETZ)
        | (oid::TIMETZ, oid::TIME)
        | (oid::NUMERIC, oid::FLOAT4 | oid::FLOAT8)
        | (oid::MACADDR, oid::MACADDR8)
        | (oid::DATE, oid::TIMESTAMP | oid::TIMESTAMPTZ) => by_text(expr),
        (one, other)
            if types::element_of(one)
                .and(types::element_of(other))
                .is_some() =>
        {
            let what = format!("a cast of {} to {}", name_of(&of), name_of(&to));
            return Err(external(Error::unsupported(what)));
        }
        (one, other) => {
            let name = |of: u32| format_type(of, -1).unwrap_or_default();
            let message = format!("cannot cast type {} to {}", name(one), name(other));
            return Err(external(Error::new(ErrorKind::CannotCoerce, message)));
        }
    })
}

/// What the number of an object is cast to: to DataFusion it would keep the name of the object's type.
fn number_of_object(of: &Field, to: &FieldRef) -> Option<FieldRef> {
    let is_number = to.metadata().is_empty() && to.data_type().is_integer();
    functions::spelling(types::of_field(of).oid)?;
    is_number.then(|| types::named(to, types::of_field(to).oid))
}

/// A cast to text of an object, which is its name and not the number that it is, or of an array of objects;
/// else what was to be cast.
fn spelled(
    expr: Box<Expr>,
    of: &Field,
    to: &FieldRef,
    of_session: &SessionFunctions<'_>,
) -> std::result::Result<Expr, Box<Expr>> {
    let of_oid = types::of_field(of).oid;
    let spelling = functions::spelling(of_oid).and_then(|name| of_session.get(name));
    let Some(spelling) = spelling else {
        return Err(expr);
    };
    match to.data_type() {
        text if is_text(text) => Ok(spelling.call(vec![*expr])),
        // Of an array the function gives what its input is read from.
        DataType::List(element)
            if types::element_of(of_oid).is_some() && is_text(element.data_type()) =>
        {
            let (expr, field) = (Box::new(spelling.call(vec![*expr])), Arc::clone(to));
            Ok(Expr::Cast(Cast { expr, field }))
        }
        _ => Err(expr),
    }
}

/// A quoted literal that is a number or a date which the type of its cast does not hold: it is kept.
fn beyond_its_type(expr: &Expr, to: &Field, style: &Style) -> Result<Option<Expr>> {
    let Expr::Literal(ScalarValue::Utf8(Some(text)), _) = expr else {
        return Ok(None);
    };
    let to_oid = types::of_field(to).oid;
    let is_beyond = match to.data_type() {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            match beyond_decimals(text) {
                Some(_) if text.trim().eq_ignore_ascii_case("nan") => true,
                // As apply_typmod_special has it.
                Some(_) => return Err(external(numeric_overflow(*precision, *scale))),
                None => false,
            }
        }
        DataType::Date32 => {
            let value = functions::input::value(text, oid::DATE, style).map_err(external)?;
            matches!(value, ScalarValue::Binary(_))
        }
        DataType::List(element) => match element.data_type() {
            DataType::Decimal128(..) | DataType::Date32 => {
                let value = functions::input::value(text, to_oid, style).map_err(external)?;
                let list = Field::new("", value.data_type(), true);
                let list = types::named(&Arc::new(list), to_oid);
                return Ok(is_kept(&list).then(|| of_type(expr.clone(), &list)));
            }
            _ => false,
        },
        _ => false,
    };
    let mut field = Field::new("", DataType::Binary, true);
    let modifier = types::of_field(to).modifier;
    if modifier != -1 {
        let modifier = (MODIFIER_KEY.to_owned(), modifier.to_string());
        field = field.with_metadata([modifier].into());
    }
    let field = types::named(&Arc::new(field), to_oid);
    Ok(is_beyond.then(|| of_type(expr.clone(), &field)))
}

fn numeric_overflow(precision: u8, scale: i8) -> Error {
    let detail =
        format!("A field with precision {precision}, scale {scale} cannot hold an infinite value.");
    let kind = ErrorKind::NumericValueOutOfRange;
    Error::new(kind, "numeric field overflow").with_detail(detail)
}
