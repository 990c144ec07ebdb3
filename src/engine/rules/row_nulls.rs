//! `IS NULL` of a row is true where all of its fields are NULL, `IS NOT NULL` where none is.
//! <https://www.postgresql.org/docs/16/functions-comparison.html>

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::functions::core::expr_ext::FieldAccessor;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::prelude::lit;

use crate::functions::WHOLE_ROW;

/// The same, asked of each field of a row of this type.
pub(super) fn of_each(expression: Expr, row_type: &DataType) -> Result<Transformed<Expr>> {
    let (row, is_null) = match expression {
        Expr::IsNull(row) => (*row, true),
        Expr::IsNotNull(row) => (*row, false),
        other => return Ok(Transformed::no(other)),
    };
    let fields = fields(row, row_type)
        .into_iter()
        .map(|field| match is_null {
            true => field.is_null(),
            false => field.is_not_null(),
        });
    let all = conjunction(fields).unwrap_or_else(|| lit(true));
    Ok(Transformed::yes(all))
}

fn fields(row: Expr, row_type: &DataType) -> Vec<Expr> {
    match (row, row_type) {
        (Expr::ScalarFunction(call), _) if call.func.name() == "row" => call.args,
        (Expr::ScalarFunction(call), _) if call.func.name() == WHOLE_ROW => {
            call.args.into_iter().skip(2).step_by(2).collect()
        }
        (row, DataType::Struct(fields)) => {
            let names = fields.iter().map(|field| field.name());
            names.map(|name| row.clone().field(name.as_str())).collect()
        }
        (row, _) => vec![row],
    }
}
