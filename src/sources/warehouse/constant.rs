//! Constants in a source's SQL, of types whose values are compared there as we would.

use std::ops::RangeInclusive;

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;

use super::condition::Dialect;
use super::quote::literal;
use super::relation::Comparable;

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

impl Dialect {
    /// The years whose dates are written alike there.
    fn years(self) -> RangeInclusive<i32> {
        match self {
            Self::Postgres | Self::Sqlite => 1..=9999,
            // <https://dev.mysql.com/doc/refman/8.4/en/datetime.html>
            Self::Mysql => 1000..=9999,
        }
    }

    /// The most digits behind the point of a number. SQLite takes those with a point for
    /// floating-point numbers; MySQL rounds what is longer.
    fn scale_max(self) -> i8 {
        match self {
            Self::Postgres => 38,
            Self::Mysql => 30,
            Self::Sqlite => -1,
        }
    }

    /// A constant, of a type that the column's values are compared with as we would.
    pub(super) fn constant(self, of: &Expr, beside: Comparable) -> Option<String> {
        let value = match of {
            Expr::Literal(value, _) => value,
            Expr::Cast(cast) => match cast.expr.as_ref() {
                Expr::Literal(value, _) if widens(&value.data_type(), cast.field.data_type()) => {
                    value
                }
                _ => return None,
            },
            _ => return None,
        };
        match (beside, value) {
            (Comparable::Boolean, ScalarValue::Boolean(Some(value))) => {
                Some(if *value { "TRUE" } else { "FALSE" }.to_owned())
            }
            (Comparable::Number, value) => number(value, self.scale_max()),
            (Comparable::Text { .. }, _) => {
                text_of(of).filter(|text| !text.contains('\0')).map(literal)
            }
            (Comparable::Date, ScalarValue::Date32(Some(days))) => {
                let day = date(*days).filter(|day| self.years().contains(&day.year()))?;
                Some(format!("DATE {}", literal(&day.to_string())))
            }
            (Comparable::Timestamp, ScalarValue::TimestampMicrosecond(Some(micros), None)) => {
                Some(format!("TIMESTAMP {}", literal(&self.moment(*micros)?)))
            }
            (Comparable::Instant, ScalarValue::TimestampMicrosecond(Some(micros), Some(_))) => {
                let moment = self.moment(*micros)?;
                Some(match self {
                    // Its session is in UTC.
                    Self::Mysql => format!("TIMESTAMP {}", literal(&moment)),
                    _ => format!("TIMESTAMPTZ {}", literal(&format!("{moment}+00"))),
                })
            }
            _ => None,
        }
    }

    /// A moment. To MySQL only whole seconds are said: it may round others to a column's precision.
    fn moment(self, micros: i64) -> Option<String> {
        let moment = DateTime::from_timestamp_micros(micros)?.naive_utc();
        let is_plain = self.years().contains(&moment.year());
        match self {
            Self::Mysql => (is_plain && micros % SECOND == 0)
                .then(|| moment.format("%Y-%m-%d %H:%M:%S").to_string()),
            _ => is_plain.then(|| moment.format("%Y-%m-%d %H:%M:%S%.6f").to_string()),
        }
    }
}

/// Whether a cast leaves every value what it is.
pub(super) fn widens(from: &DataType, to: &DataType) -> bool {
    let digits = |of: &DataType| match of {
        DataType::Int16 => Some((5, 0)),
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            Some((i16::from(*precision) - i16::from(*scale), i16::from(*scale)))
        }
        _ => None,
    };
    let is_text = |of: &DataType| {
        matches!(
            of,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    let is_instant =
        |of: &DataType| matches!(of, DataType::Timestamp(TimeUnit::Microsecond, Some(_)));
    if let (Some((whole, scale)), Some((whole_to, scale_to))) = (digits(from), digits(to)) {
        return whole <= whole_to && scale <= scale_to;
    }
    from == to || (is_text(from) && is_text(to)) || (is_instant(from) && is_instant(to))
}

/// The text that an expression is.
pub(super) fn text_of(of: &Expr) -> Option<&str> {
    match of {
        Expr::Literal(
            ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text),
            _,
        ) => text.as_deref(),
        Expr::Cast(cast) if widens(&DataType::Utf8, cast.field.data_type()) => text_of(&cast.expr),
        _ => None,
    }
}

/// A number's digits, of which at most so many are behind its point.
fn number(value: &ScalarValue, scale_max: i8) -> Option<String> {
    let digits = match value {
        ScalarValue::Int16(Some(value)) => value.to_string(),
        ScalarValue::Int32(Some(value)) => value.to_string(),
        ScalarValue::Int64(Some(value)) => value.to_string(),
        ScalarValue::Decimal128(Some(value), _, scale) if (0..=scale_max).contains(scale) => {
            decimal(*value, u32::from(scale.unsigned_abs()))?
        }
        _ => return None,
    };
    // A minus before a constant that is cast, or raised to a power, is another's.
    Some(match digits.starts_with('-') {
        true => format!("({digits})"),
        false => digits,
    })
}

fn decimal(value: i128, scale: u32) -> Option<String> {
    let sign = if value < 0 { "-" } else { "" };
    let one = 10_u128.checked_pow(scale)?;
    let (whole, fraction) = (value.unsigned_abs() / one, value.unsigned_abs() % one);
    Some(match scale {
        0 => format!("{sign}{whole}"),
        scale => {
            let width = usize::try_from(scale).ok()?;
            format!("{sign}{whole}.{fraction:0width$}")
        }
    })
}

fn date(days: i32) -> Option<NaiveDate> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    epoch.checked_add_signed(TimeDelta::try_days(days.into())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_digits() {
        let of = |value, scale| number(&ScalarValue::Decimal128(Some(value), 38, scale), 30);
        assert_eq!(of(-5, 2).as_deref(), Some("(-0.05)"));
        assert_eq!(of(12_345, 0).as_deref(), Some("12345"));
        assert_eq!(of(1, -2), None);
        assert_eq!(number(&ScalarValue::Decimal128(Some(5), 38, 1), -1), None);
    }
}
