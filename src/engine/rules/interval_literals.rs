//! Intervals that are written with fields or a precision: `INTERVAL '1 2' DAY TO HOUR`,
//! `INTERVAL(2) '1.234'`. sqlparser drops the precision, and DataFusion plans no fields.
//! <https://www.postgresql.org/docs/16/datatype-datetime.html#DATATYPE-INTERVAL-INPUT>

use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, Interval, Value};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::normalize::call;
use crate::catalog::sql;
use crate::functions::INTERVAL_OF_FIELDS;

/// The tokens with `INTERVAL(2) 'text'` as `'text'::INTERVAL(2)`.
pub(in crate::engine) fn precisions_behind(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let words: Vec<usize> = (0..tokens.len())
        .filter(|index| sql::is_word_or_sign(&tokens[*index]))
        .collect();
    let mut written = tokens.to_vec();
    for places in words.windows(5) {
        let of = |place: usize| &tokens[places[place]].token;
        let is_interval = matches!(of(0), Token::Word(word)
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("interval"));
        let shape = (of(1), of(2), of(3), of(4));
        if let (
            Token::LParen,
            Token::Number(..),
            Token::RParen,
            text @ Token::SingleQuotedString(_),
        ) = shape
            && is_interval
        {
            // The text and the cast take the place of the word; the rest moves on by one.
            let interval = of(0).clone();
            let inner = [of(1).clone(), of(2).clone(), of(3).clone()];
            written[places[0]].token = text.clone();
            written[places[1]].token = Token::DoubleColon;
            written[places[2]].token = interval;
            written[places[3]].token = inner[0].clone();
            written[places[4]].token = inner[1].clone();
            let last = TokenWithSpan::new(inner[2].clone(), tokens[places[4]].span);
            let behind = places[4] + 1;
            written.insert(behind, last);
            // What follows may hold more of them, at places that have moved.
            let mut rest = precisions_behind(&written.split_off(behind + 1));
            written.append(&mut rest);
            break;
        }
    }
    written
}

/// `INTERVAL 'text'` as a cast of the text: DataFusion reads fewer texts.
pub(super) fn literal(interval: &Interval) -> Option<Expr> {
    let Expr::Value(value) = interval.value.as_ref() else {
        return None;
    };
    if !matches!(value.value, Value::SingleQuotedString(_)) {
        return None;
    }
    let text = interval.value.as_ref();
    let Some(first) = &interval.leading_field else {
        return Some(plain(text));
    };
    let fields = match &interval.last_field {
        None => first.to_string(),
        Some(last) => format!("{first} TO {last}"),
    };
    let digits = interval
        .leading_precision
        .or(interval.fractional_seconds_precision);
    Some(of_fields(text, &fields, digits))
}

/// A cast to an interval of fields; `None` for other casts.
pub(super) fn cast(expression: &Expr, data_type: &DataType) -> Option<Expr> {
    match data_type {
        DataType::Interval {
            fields: Some(fields),
            precision,
        } => Some(of_fields(expression, &fields.to_string(), *precision)),
        _ => None,
    }
}

fn of_fields(value: &Expr, fields: &str, digits: Option<u64>) -> Expr {
    let fields = Expr::Value(Value::SingleQuotedString(fields.to_owned()).into());
    let cut = call(INTERVAL_OF_FIELDS, vec![value.clone(), fields]);
    match digits {
        None => cut,
        Some(digits) => {
            let digits = Expr::Value(Value::Number(digits.to_string(), false).into());
            call("of_precision", vec![cut, digits])
        }
    }
}

fn plain(text: &Expr) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(text.clone()),
        data_type: DataType::Interval {
            fields: None,
            precision: None,
        },
        array: false,
        format: None,
    }
}
