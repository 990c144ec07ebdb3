//! Comparisons of rows that are written out, `(a, b) = (c, d)`: of their values one by one, as
//! `make_row_comparison_op` in parse_expr.c has it.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};

/// The comparison of two rows as one of their values; `None` for anything else.
pub(super) fn by_values(left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<Expr> {
    let (Expr::Tuple(left), Expr::Tuple(right)) = (left, right) else {
        return None;
    };
    if left.len() != right.len() || left.is_empty() {
        return None;
    }
    let pairs: Vec<(&Expr, &Expr)> = left.iter().zip(right).collect();
    let compared = match op {
        BinaryOperator::Eq => all(&pairs, &BinaryOperator::Eq, &BinaryOperator::And),
        BinaryOperator::NotEq => all(&pairs, &BinaryOperator::NotEq, &BinaryOperator::Or),
        BinaryOperator::Lt | BinaryOperator::LtEq => ordered(&pairs, BinaryOperator::Lt, op),
        BinaryOperator::Gt | BinaryOperator::GtEq => ordered(&pairs, BinaryOperator::Gt, op),
        _ => return None,
    };
    Some(Expr::Nested(Box::new(compared)))
}

fn all(pairs: &[(&Expr, &Expr)], op: &BinaryOperator, between: &BinaryOperator) -> Expr {
    let (first, rest) = pairs.split_first().expect("a row has a value");
    let first = binary(first.0.clone(), op.clone(), first.1.clone());
    rest.iter().fold(first, |before, (left, right)| {
        let compared = binary((*left).clone(), op.clone(), (*right).clone());
        binary(before, between.clone(), compared)
    })
}

/// By the first values, and where those are equal by the next; the last are compared by `last`.
fn ordered(pairs: &[(&Expr, &Expr)], strict: BinaryOperator, last: &BinaryOperator) -> Expr {
    let (first, rest) = pairs.split_first().expect("a row has a value");
    if rest.is_empty() {
        return binary(first.0.clone(), last.clone(), first.1.clone());
    }
    let before = binary(first.0.clone(), strict.clone(), first.1.clone());
    let equal = binary(first.0.clone(), BinaryOperator::Eq, first.1.clone());
    let next = Expr::Nested(Box::new(ordered(rest, strict, last)));
    let both = Expr::Nested(Box::new(binary(equal, BinaryOperator::And, next)));
    binary(before, BinaryOperator::Or, both)
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    let nested = |side: Expr| match side {
        // What binds less than a comparison.
        Expr::BinaryOp { .. } => Expr::Nested(Box::new(side)),
        side => side,
    };
    Expr::BinaryOp {
        left: Box::new(nested(left)),
        op,
        right: Box::new(nested(right)),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text);
        let mut parser = parser.expect("the text has tokens");
        let Expr::BinaryOp { left, op, right } = parser.parse_expr().expect("it is an expression")
        else {
            panic!("{text} has no operator");
        };
        let rewritten = by_values(&left, &op, &right).map(|it| it.to_string());
        assert_eq!(rewritten.as_deref(), expected);
    }

    #[test]
    fn rows_are_compared_value_by_value() {
        check("(a, b) = (c, d)", Some("((a = c) AND (b = d))"));
        check("(a, b) <> (c, d)", Some("((a <> c) OR (b <> d))"));
        check(
            "(a, b) <= (c, 1)",
            Some("((a < c) OR ((a = c) AND (b <= 1)))"),
        );
        check("(a, b) = (c, d, e)", None);
        check("(a, b) = c", None);
    }
}
