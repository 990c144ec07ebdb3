//! Intervals that are restricted to fields: `INTERVAL '1 2' DAY TO HOUR`, `x::interval year to month`.
//! <https://www.postgresql.org/docs/16/datatype-datetime.html#DATATYPE-INTERVAL-INPUT>

use std::sync::Arc;

use arrow::datatypes::{DataType, IntervalUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::input::{LastField, of_fields};
use super::output::Style;
use super::overloads::{Gives, Kind, Overloaded};
use super::scalar::text;
use crate::error::{Error, Result};

/// The name of the function, which no SQL text holds.
pub const INTERVAL_OF_FIELDS: &str = "interval~";

/// The function of this file: a text or an interval, and the fields as SQL writes them.
pub(super) fn function(style: Style) -> Arc<ScalarUDF> {
    let notation = style.notation.intervals;
    let gives = || Gives::Of(DataType::Interval(IntervalUnit::MonthDayNano));
    Overloaded::stable(INTERVAL_OF_FIELDS)
        .with(&[Kind::Text, Kind::Text], gives(), move |row| {
            let last = last_field(text(&row[1]))?;
            let read = of_fields(text(&row[0]), notation, last)?;
            Ok(ScalarValue::IntervalMonthDayNano(Some(last.cut(read))))
        })
        .with(&[Kind::Interval, Kind::Text], gives(), |row| {
            let last = last_field(text(&row[1]))?;
            Ok(match &row[0] {
                ScalarValue::IntervalMonthDayNano(Some(of)) => {
                    ScalarValue::IntervalMonthDayNano(Some(last.cut(*of)))
                }
                other => other.clone(),
            })
        })
        .udf()
}

fn last_field(fields: &str) -> Result<LastField> {
    let fields = fields.to_ascii_lowercase();
    Ok(match fields.as_str() {
        "year" => LastField::Year,
        "month" | "year to month" => LastField::Month,
        "day" => LastField::Day,
        "hour" | "day to hour" => LastField::Hour,
        "minute" | "day to minute" | "hour to minute" => LastField::Minute,
        "second" | "day to second" | "hour to second" => LastField::Second,
        "minute to second" => LastField::SecondOfMinute,
        other => return Err(Error::unsupported(format!("INTERVAL {other}"))),
    })
}
