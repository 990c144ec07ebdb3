//! A cast of text to another type is PostgreSQL's input function of that type. Arrow's casts read
//! other texts, wrap a text into a list, and complain in other words.

use std::cell::Cell;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::numbers::rewrite_expressions;
use crate::functions::encoding::bytea_as_text;
use crate::functions::input::{input, reads};

/// Runs after type coercion, which adds casts of its own.
#[derive(Debug)]
pub(super) struct Input;

impl AnalyzerRule for Input {
    fn name(&self) -> &'static str {
        "postgres_input"
    }

    fn analyze(&self, plan: LogicalPlan, options: &ConfigOptions) -> Result<LogicalPlan> {
        let zone = options.execution.time_zone.as_deref().unwrap_or("UTC");
        let zone: Tz = zone.parse()?;
        let is_retyped = Cell::new(false);
        let rewrite = |expression: Expr, schema: &DFSchema| match expression {
            Expr::Cast(Cast { expr, field }) => {
                let of = expr.get_type(schema);
                let to = field.data_type();
                let function = match of {
                    Ok(DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) if reads(to) => {
                        input(Arc::clone(&field), zone)
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
                    Ok(DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
                        if *to == DataType::Utf8 =>
                    {
                        bytea_as_text()
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
        // The columns of everything above have another type as well.
        rewritten
            .transform_up_with_subqueries(|plan| plan.recompute_schema().map(Transformed::yes))
            .map(|transformed| transformed.data)
    }
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
