//! Moments that a view keeps down to a unit of time: what is still known of them.

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, Datelike, Timelike};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator};
use std::sync::Arc;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// A unit of time, of those that PostgreSQL's `date_trunc` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    /// By the one name that all write; another name is none that is known here.
    fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "second" => Self::Second,
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            _ => return None,
        })
    }

    /// Whether each of the other's begins where one of these does: weeks are in no month.
    fn is_within(self, other: Self) -> bool {
        self == other || (self < other && self != Self::Week)
    }

    /// Whether it begins at a moment, in microseconds since 1970.
    fn begins_at(self, micros: i64) -> bool {
        let Some(moment) = DateTime::from_timestamp_micros(micros) else {
            return false;
        };
        let is_midnight = micros.rem_euclid(MICROS_PER_DAY) == 0;
        match self {
            Self::Second => moment.timestamp_subsec_micros() == 0,
            Self::Minute => micros.rem_euclid(60 * MICROS_PER_SECOND) == 0,
            Self::Hour => moment.minute() == 0 && Self::Minute.begins_at(micros),
            Self::Day => is_midnight,
            Self::Week => is_midnight && moment.weekday().num_days_from_monday() == 0,
            Self::Month => is_midnight && moment.day() == 1,
            Self::Quarter => is_midnight && moment.day() == 1 && moment.month0() % 3 == 0,
            Self::Year => is_midnight && moment.ordinal0() == 0,
        }
    }
}

/// A moment of which a view has the beginning of its unit.
#[derive(Clone, Debug)]
pub(super) struct Grain {
    /// The moment, over the columns of the relation.
    of: Expr,
    unit: Unit,
    /// The function that gives other units of it, if the view calls one.
    truncate: Option<ScalarFunction>,
    /// The beginning of its unit as a moment, over the columns of the view.
    value: Expr,
}

impl Grain {
    /// That of a key, which is a column of the view.
    pub(super) fn of(
        key: &Expr,
        column: &Expr,
        type_of: impl Fn(&Expr) -> Option<DataType>,
    ) -> Option<Self> {
        let (of, unit, truncate) = match key {
            Expr::ScalarFunction(call) => {
                let (unit, of) = truncated(call)?;
                (of, unit, Some(call.clone()))
            }
            Expr::Cast(Cast { expr, field }) if *field.data_type() == DataType::Date32 => {
                (expr.as_ref(), Unit::Day, None)
            }
            _ => return None,
        };
        let data_type = type_of(of)?;
        match &data_type {
            // Days and hours of other zones begin at other moments.
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => {}
            DataType::Timestamp(TimeUnit::Microsecond, None) => {}
            _ => return None,
        }
        let value = match truncate {
            Some(_) => column.clone(),
            None => Expr::Cast(Cast::new(Box::new(column.clone()), data_type)),
        };
        Some(Self {
            of: of.clone(),
            unit,
            truncate,
            value,
        })
    }

    /// An expression over the moment as one over what the view has of it, if that is the same.
    pub(super) fn derived(&self, expression: &Expr) -> Option<Expr> {
        match expression {
            Expr::ScalarFunction(call) if call.func.name() == "date_trunc" => {
                let (unit, of) = truncated(call)?;
                let is_alike = |own: &ScalarFunction| own.func == call.func;
                let is_known = self.truncate.as_ref().is_none_or(is_alike);
                (*of == self.of && is_known && self.unit.is_within(unit)).then(|| self.called(call))
            }
            Expr::ScalarFunction(call) if matches!(call.func.name(), "extract" | "date_part") => {
                let [Expr::Literal(field, _), of] = call.args.as_slice() else {
                    return None;
                };
                let field = field.try_as_str().flatten()?;
                (*of == self.of && self.tells(field)).then(|| self.called(call))
            }
            Expr::Cast(Cast { expr, field }) if *field.data_type() == DataType::Date32 => {
                let is_whole = self.unit.is_within(Unit::Day) && **expr == self.of;
                is_whole.then(|| {
                    Expr::Cast(Cast {
                        expr: Box::new(self.value.clone()),
                        field: Arc::clone(field),
                    })
                })
            }
            Expr::IsNull(of) if **of == self.of => Some(self.value.clone().is_null()),
            Expr::IsNotNull(of) if **of == self.of => Some(self.value.clone().is_not_null()),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (&**left, &**right) {
                (of, Expr::Literal(value, _)) if *of == self.of => self.compared(*op, value),
                (Expr::Literal(value, _), of) if *of == self.of => self.compared(op.swap()?, value),
                _ => None,
            },
            _ => None,
        }
    }

    fn called(&self, call: &ScalarFunction) -> Expr {
        let args = vec![call.args[0].clone(), self.value.clone()];
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&call.func), args))
    }

    /// Whether a field of the moment is the same field of the beginning of its unit.
    fn tells(&self, field: &str) -> bool {
        let coarsest = match field.to_ascii_lowercase().as_str() {
            "minute" => Unit::Minute,
            "hour" => Unit::Hour,
            "day" | "dow" | "doy" | "isodow" => Unit::Day,
            "week" | "isoyear" => Unit::Week,
            "month" => Unit::Month,
            "quarter" => Unit::Quarter,
            "year" | "decade" | "century" | "millennium" => Unit::Year,
            _ => return false,
        };
        self.unit.is_within(coarsest)
    }

    /// A comparison of the moment, where its constant is at the beginning of a unit.
    fn compared(&self, op: Operator, value: &ScalarValue) -> Option<Expr> {
        let ScalarValue::TimestampMicrosecond(Some(micros), zone) = value else {
            return None;
        };
        // Moments are whole microseconds: what is after one is at the next.
        let (op, micros) = match op {
            Operator::GtEq | Operator::Lt => (op, *micros),
            Operator::Gt => (Operator::GtEq, micros.checked_add(1)?),
            Operator::LtEq => (Operator::Lt, micros.checked_add(1)?),
            _ => return None,
        };
        let begin = ScalarValue::TimestampMicrosecond(Some(micros), zone.clone());
        self.unit.begins_at(micros).then(|| {
            let (left, right) = (self.value.clone(), Expr::Literal(begin, None));
            Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
        })
    }
}

/// The unit and the moment of a call of `date_trunc`.
fn truncated(call: &ScalarFunction) -> Option<(Unit, &Expr)> {
    let [Expr::Literal(unit, _), of] = call.args.as_slice() else {
        return None;
    };
    let unit = Unit::named(unit.try_as_str().flatten()?)?;
    (call.func.name() == "date_trunc").then_some((unit, of))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> i64 {
        let moment = DateTime::parse_from_rfc3339(text).expect("it is a moment");
        moment.timestamp_micros()
    }

    #[test]
    fn units_begin_where_they_begin() {
        let check = |unit: Unit, text: &str, expected: bool| {
            assert_eq!(unit.begins_at(micros(text)), expected, "{unit:?} {text}");
        };
        check(Unit::Second, "2026-01-01T00:00:01Z", true);
        check(Unit::Second, "1969-12-31T23:59:59.5Z", false);
        check(Unit::Minute, "2026-01-01T00:01:00Z", true);
        check(Unit::Hour, "2026-01-01T00:01:00Z", false);
        check(Unit::Hour, "1960-01-01T05:00:00Z", true);
        check(Unit::Day, "2026-01-02T00:00:00Z", true);
        check(Unit::Day, "2026-01-02T00:00:00.000001Z", false);
        check(Unit::Week, "2026-01-05T00:00:00Z", true);
        check(Unit::Week, "2026-01-06T00:00:00Z", false);
        check(Unit::Month, "2026-02-01T00:00:00Z", true);
        check(Unit::Month, "2026-02-01T01:00:00Z", false);
        check(Unit::Quarter, "2026-04-01T00:00:00Z", true);
        check(Unit::Quarter, "2026-05-01T00:00:00Z", false);
        check(Unit::Year, "2026-01-01T00:00:00Z", true);
        check(Unit::Year, "2026-04-01T00:00:00Z", false);
        assert!(!Unit::Day.begins_at(i64::MAX));
    }

    #[test]
    fn weeks_are_in_no_month() {
        assert!(Unit::Day.is_within(Unit::Week) && Unit::Hour.is_within(Unit::Year));
        assert!(!Unit::Week.is_within(Unit::Month) && !Unit::Month.is_within(Unit::Week));
        assert!(Unit::Month.is_within(Unit::Quarter) && !Unit::Year.is_within(Unit::Month));
    }
}
