//! A cast of text to another type is PostgreSQL's input function of that type, and one to text its
//! output function. Arrow's casts read and write other texts, wrap a text into a list, and complain
//! in other words.

use std::cell::Cell;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::numbers::rewrite_expressions;
use crate::engine::session_style;
use crate::functions::characters::as_text;
use crate::functions::input::{input, reads};
use crate::functions::output::{output, writes};
use crate::types::{self, MODIFIER_KEY, TYPE_KEY};

/// Runs after type coercion, which adds casts of its own.
#[derive(Debug)]
pub(super) struct Input;

impl AnalyzerRule for Input {
    fn name(&self) -> &'static str {
        "postgres_input"
    }

    fn analyze(&self, plan: LogicalPlan, options: &ConfigOptions) -> Result<LogicalPlan> {
        let style = session_style::of(options);
        // Whether a column has another type, or forgot its type's name, which those above must learn.
        let is_retyped = Cell::new(false);
        let rewrite = |expression: Expr, schema: &DFSchema| match expression {
            Expr::Cast(Cast { expr, field }) => {
                let source = expr.to_field(schema).map(|(_, field)| field);
                let of = source.as_ref().map(|field| field.data_type().clone());
                let is_other = source.as_ref().is_ok_and(|field| is_named(field));
                if is_other && !is_named(&field) {
                    is_retyped.set(true);
                }
                let to = field.data_type();
                let function = match of {
                    Ok(DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) if reads(to) => {
                        input(Arc::clone(&field), style)
                    }
                    // One type of PostgreSQL has arrays of any number of dimensions.
                    Ok(DataType::List(of)) if is_deeper(&of, to) => {
                        let field = field.as_ref().clone();
                        let mut data_type = to.clone();
                        while is_deeper(&of, &data_type) {
                            data_type = DataType::new_list(data_type, true);
                        }
                        let field = Arc::new(field.with_data_type(data_type));
                        is_retyped.set(true);
                        return Ok(Transformed::yes(Expr::Cast(Cast { expr, field })));
                    }
                    Ok(of) if is_text(to) && is_text(&of) => {
                        if !is_other || is_named(&field) {
                            return Ok(Transformed::no(Expr::Cast(Cast { expr, field })));
                        }
                        let call = ScalarFunction::new_udf(as_text(), vec![*expr]);
                        let plain = Expr::ScalarFunction(call);
                        let is_same = of == *to;
                        // The other side of a comparison may keep its texts in another form.
                        return Ok(Transformed::yes(match is_same {
                            true => plain,
                            false => Expr::Cast(Cast {
                                expr: Box::new(plain),
                                field,
                            }),
                        }));
                    }
                    Ok(of) if is_text(to) && writes(&of) => output(Arc::clone(&field), style),
                    _ if is_other && !is_named(&field) => {
                        let field = with_own_name(&field);
                        return Ok(Transformed::yes(Expr::Cast(Cast { expr, field })));
                    }
                    _ => return Ok(Transformed::no(Expr::Cast(Cast { expr, field }))),
                };
                let call = ScalarFunction::new_udf(function, vec![*expr]);
                Ok(Transformed::yes(Expr::ScalarFunction(call)))
            }
            other => Ok(Transformed::no(other)),
        };
        let rewritten = plan
            .transform_up_with_subqueries(|plan| rewrite_expressions(plan, &rewrite))?
            .data;
        if !is_retyped.get() {
            return Ok(rewritten);
        }
        rewritten
            .transform_up_with_subqueries(|plan| plan.recompute_schema().map(Transformed::yes))
            .map(|transformed| transformed.data)
    }
}

/// Whether a field's type is another than its values tell.
fn is_named(field: &Field) -> bool {
    let metadata = field.metadata();
    metadata.contains_key(TYPE_KEY) || metadata.contains_key(MODIFIER_KEY)
}

/// A field that says its type even though its values tell it: the result of a cast to a field that
/// says nothing has the type's name of what is cast.
fn with_own_name(field: &FieldRef) -> FieldRef {
    let own = types::of_field(field).oid.to_string();
    let named = field.as_ref().clone();
    Arc::new(named.with_metadata([(TYPE_KEY.to_owned(), own)].into()))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

/// Whether lists of `element` are deeper than the lists they are cast to.
fn is_deeper(element: &FieldRef, to: &DataType) -> bool {
    match (element.data_type(), to) {
        (DataType::List(element), DataType::List(to)) => match to.data_type() {
            DataType::List(_) => is_deeper(element, to.data_type()),
            _ => true,
        },
        _ => false,
    }
}
