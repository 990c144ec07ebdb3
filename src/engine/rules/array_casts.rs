//! Casts of arrays: one of expressions is a cast of each, one of a literal is as deep as its braces say.

use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, CastKind, DataType, Expr, Value};

/// `ARRAY[a, b]::t[]` is `ARRAY[a::t, b::t]`, as `transformTypeCast` in parse_expr.c has it.
pub(super) fn array_of_casts(expression: &Expr) -> Option<Expr> {
    let Expr::Cast {
        kind: kind @ (CastKind::Cast | CastKind::DoubleColon),
        expr,
        data_type: DataType::Array(ArrayElemTypeDef::SquareBracket(element, None)),
        ..
    } = expression
    else {
        return None;
    };
    let Expr::Array(array) = expr.as_ref() else {
        return None;
    };
    let mut array = array.clone();
    for value in &mut array.elem {
        let data_type = match value {
            Expr::Array(_) => {
                let inner = ArrayElemTypeDef::SquareBracket(element.clone(), None);
                DataType::Array(inner)
            }
            _ => element.as_ref().clone(),
        };
        *value = Expr::Cast {
            kind: kind.clone(),
            expr: Box::new(value.clone()),
            data_type,
            array: false,
            format: None,
        };
    }
    (!array.elem.is_empty()).then_some(Expr::Array(array))
}

/// `'{{1},{2}}'::int4[]`: PostgreSQL's array types have any number of dimensions, Arrow's lists one
/// each. A literal says how many by its braces.
pub(super) fn deepen(expression: &Expr, data_type: &mut DataType) {
    let Expr::Value(value) = expression else {
        return;
    };
    let Value::SingleQuotedString(text) = &value.value else {
        return;
    };
    let is_brace = |it: &char| *it == '{' || it.is_ascii_whitespace();
    let braces = text.chars().take_while(is_brace).filter(|it| *it == '{');
    for _ in 1..braces.count() {
        let inner = std::mem::replace(data_type, DataType::JSON);
        *data_type = DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(inner), None));
    }
}
