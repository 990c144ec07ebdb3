//! In `VALUES ('1.2.3.4'::inet), ('1.2.3.5'), (NULL)` what has no type is of the type that another row
//! names. <https://www.postgresql.org/docs/16/typeconv-union-case.html>

use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, SetExpr, Value, Values};

/// Calls `change` with every `VALUES` of a query's body, the terms of its `UNION` and its kind among them.
pub(super) fn each_values(body: &mut SetExpr, change: &mut impl FnMut(&mut Values)) {
    match body {
        SetExpr::Values(values) => change(values),
        SetExpr::SetOperation { left, right, .. } => {
            each_values(left, change);
            each_values(right, change);
        }
        _ => {}
    }
}

/// Casts literals without a type to the first type that a cast in their column names.
pub(super) fn cast_alike(values: &mut Values) {
    let n_columns = values.rows.first().map_or(0, |row| row.len());
    for column in 0..n_columns {
        let mut cells = values.rows.iter().filter_map(|row| row.get(column));
        let Some(data_type) = cells.find_map(|cell| named_type(cell).cloned()) else {
            continue;
        };
        for row in &mut values.rows {
            if let Some(cell) = row.get_mut(column).filter(|cell| is_open(cell)) {
                *cell = Expr::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(cell.clone()),
                    data_type: data_type.clone(),
                    array: false,
                    format: None,
                };
            }
        }
    }
}

fn named_type(cell: &Expr) -> Option<&DataType> {
    match cell {
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            data_type,
            ..
        } => Some(data_type),
        Expr::TypedString(typed) => Some(&typed.data_type),
        Expr::Nested(inner) => named_type(inner),
        _ => None,
    }
}

fn is_open(cell: &Expr) -> bool {
    match cell {
        Expr::Value(value) => matches!(value.value, Value::Null | Value::SingleQuotedString(_)),
        _ => false,
    }
}
