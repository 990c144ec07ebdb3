//! Casts of literals to numeric, which are numeric literals with the same digits: what is computed of
//! literals alone is known when the statement is planned, and has PostgreSQL's digits then.

use datafusion::sql::sqlparser::ast::{Expr, UnaryOperator, Value};

use super::normalize::call;

/// The digits of a literal that becomes one of numeric. What has more is left to the cast.
const DIGITS_MAX: usize = 70;

/// The cast of an expression to numeric without precision.
pub(super) fn numeric(expression: &Expr) -> Expr {
    let literal = match expression {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::Number(text, _) => of_text(text, value.span),
            _ => None,
        },
        _ => None,
    };
    literal.unwrap_or_else(|| call("numeric", vec![expression.clone()]))
}

/// A number of plain digits as a literal with a point, which is what makes it numeric.
fn of_text(text: &str, span: datafusion::sql::sqlparser::tokenizer::Span) -> Option<Expr> {
    let text = text.trim_ascii();
    let (is_negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit());
    let n_digits = whole.len() + fraction.len();
    if !are_digits(whole) || !are_digits(fraction) || !(1..=DIGITS_MAX).contains(&n_digits) {
        return None;
    }
    let value = Value::Number(format!("{whole}.{fraction}"), false);
    let number = Expr::Value(value.with_span(span));
    Some(match is_negative {
        false => number,
        true => Expr::Nested(Box::new(Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: Box::new(number),
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let literal = Expr::Value(Value::SingleQuotedString(text.to_owned()).into());
        assert_eq!(numeric(&literal).to_string(), expected);
    }

    #[test]
    fn plain_digits_become_literals() {
        check("12.50", "12.50");
        check("-3", "(-3.)");
        check(" +.5", ".5");
        check("NaN", "numeric('NaN')");
        check("1e5", "numeric('1e5')");
        check("", "numeric('')");
    }
}
