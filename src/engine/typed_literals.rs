//! Reads the quoted literals that are cast, before anything is planned: PostgreSQL finds what is wrong
//! with them while it parses, and says where they stand (`parser_coercion_errposition`).

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{self, CastKind, Expr, Value, ValueWithSpan, Visit, Visitor};

use super::parameters::type_of;
use crate::catalog::sql::Lines;
use crate::engine::walk::walk;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::input;
use crate::functions::output::Style;

/// Reads every literal of a query, or of an expression, that is cast to a type of known values.
///
/// # Errors
/// What PostgreSQL says of the first that is not of its type, with its place.
pub(super) fn check(query: &impl Visit, lines: &Lines, style: &Style) -> Result<()> {
    match walk(query, &mut TypedLiterals { lines, style }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct TypedLiterals<'a> {
    lines: &'a Lines,
    style: &'a Style,
}

impl Visitor for TypedLiterals<'_> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Error> {
        match expression {
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type,
                ..
            } => match expr.as_ref() {
                Expr::Value(value) => self.literal(value, data_type),
                _ => ControlFlow::Continue(()),
            },
            Expr::TypedString(typed) => self.literal(&typed.value, &typed.data_type),
            _ => ControlFlow::Continue(()),
        }
    }
}

impl TypedLiterals<'_> {
    fn literal(&self, value: &ValueWithSpan, data_type: &ast::DataType) -> ControlFlow<Error> {
        let (Value::SingleQuotedString(text), Some(oid)) = (&value.value, type_of(data_type))
        else {
            return ControlFlow::Continue(());
        };
        let is_placed = value.span.start.line > 0;
        match input::value(text, oid, self.style) {
            // What Lakegate alone does not read may still be cast by other means.
            Err(error) if is_placed && error.kind() != ErrorKind::FeatureNotSupported => {
                ControlFlow::Break(error.at(self.lines.position(value.span.start)))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
