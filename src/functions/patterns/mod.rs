//! `to_char`, `to_date`, `to_timestamp` and `to_number`: values written and read by patterns.
//! <https://www.postgresql.org/docs/16/functions-formatting.html>

mod collected;
mod moment;
mod number;
mod number_read;
mod numeral;
mod read;
mod scientific;
mod template;
mod to_number;

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::datetime::{Civil, instant, instants, of_seconds};
use super::output::{Interval, MICROS_PER_DAY, Style};
use super::overloads::{Gives, Kind, Overloaded, float, integer};
use super::scalar::text;
use crate::error::{Error, ErrorKind, Result};
use moment::Shown;
use numeral::Numeral;
use scientific::Decimal;
use template::Node;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The functions, for a session with this style.
pub(super) fn functions(style: Style) -> Vec<Arc<ScalarUDF>> {
    vec![
        to_char(style),
        to_date(),
        to_timestamp(style),
        to_number::function(),
    ]
}

/// The last pattern that was taken apart: all rows mostly have one.
#[derive(Debug)]
struct Last<T>(Mutex<Option<(String, Arc<T>)>>);

impl<T> Last<T> {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(None)))
    }

    fn get(&self, pattern: &str, take_apart: impl Fn(&str) -> Result<T>) -> Result<Arc<T>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, parts)) = last.as_ref()
            && known == pattern
        {
            return Ok(Arc::clone(parts));
        }
        let parts = Arc::new(take_apart(pattern)?);
        *last = Some((pattern.to_owned(), Arc::clone(&parts)));
        Ok(parts)
    }
}

fn nodes(pattern: &str) -> Result<Vec<Node>> {
    Ok(template::nodes(pattern))
}

fn to_char(style: Style) -> Arc<ScalarUDF> {
    let templates = Last::new();
    let numerals = Last::new();
    let function = Overloaded::stable("to_char").in_zone(style.zone);
    let moments = [Kind::Instant, Kind::Timestamp, Kind::Interval];
    let function = moments.into_iter().fold(function, |function, kind| {
        let templates = Arc::clone(&templates);
        function.with(&[kind, Kind::Text], Gives::Of(DataType::Utf8), move |row| {
            let pattern = text(&row[1]);
            let shown = shown(&row[0], style);
            let (Some(shown), false) = (shown, pattern.is_empty()) else {
                return Ok(ScalarValue::Utf8(None));
            };
            let nodes = templates.get(pattern, nodes)?;
            moment::write(&nodes, &shown).map(ScalarValue::from)
        })
    });
    let numbers = [Kind::Int4, Kind::Int8, Kind::Numeric, Kind::Float8];
    let function = numbers.into_iter().fold(function, |function, kind| {
        let numerals = Arc::clone(&numerals);
        function.with(&[kind, Kind::Text], Gives::Of(DataType::Utf8), move |row| {
            let numeral = numerals.get(text(&row[1]), Numeral::of)?;
            let written = match &row[0] {
                ScalarValue::Float64(Some(value)) => scientific::float(*value, &numeral),
                value => scientific::decimal(&Decimal::of(value)?, &numeral),
            };
            Ok(ScalarValue::from(written))
        })
    });
    function.udf()
}

/// What a value shows; nothing of one without end, of which `to_char` is NULL.
fn shown(value: &ScalarValue, style: Style) -> Option<Shown> {
    match value {
        ScalarValue::TimestampMicrosecond(Some(i64::MIN | i64::MAX), _) => None,
        ScalarValue::TimestampMicrosecond(Some(micros), None) => Some(Shown {
            civil: Civil::of(*micros),
            is_interval: false,
            zone: None,
        }),
        ScalarValue::TimestampMicrosecond(Some(micros), Some(_)) => {
            let offset = style.zone.offset_seconds(*micros);
            Some(Shown {
                civil: Civil::of(micros.saturating_add(offset * MICROS_PER_SECOND)),
                is_interval: false,
                zone: Some((style.zone.abbreviation(*micros), offset)),
            })
        }
        ScalarValue::IntervalMonthDayNano(Some(interval)) => {
            let interval = Interval {
                months: interval.months,
                days: interval.days,
                micros: interval.nanoseconds / 1000,
            };
            Some(Shown {
                civil: counts(interval),
                is_interval: true,
                zone: None,
            })
        }
        _ => None,
    }
}

/// The counts of an interval as the fields of a moment.
fn counts(interval: Interval) -> Civil {
    let seconds = interval.micros / MICROS_PER_SECOND;
    Civil {
        year: i64::from(interval.months / 12),
        month: i64::from(interval.months % 12),
        day: i64::from(interval.days),
        hour: seconds / 3600,
        minute: seconds / 60 % 60,
        second: seconds % 60,
        micros: interval.micros % MICROS_PER_SECOND,
    }
}

fn out_of_range(what: &str, given: &str) -> Error {
    let message = format!("{what} out of range: \"{given}\"");
    Error::new(ErrorKind::DatetimeFieldOverflow, message)
}

fn to_date() -> Arc<ScalarUDF> {
    let templates = Last::new();
    Overloaded::immutable("to_date")
        .with(
            &[Kind::Text, Kind::Text],
            Gives::Of(DataType::Date32),
            move |row| {
                let (given, pattern) = (text(&row[0]), text(&row[1]));
                let nodes = templates.get(pattern, nodes)?;
                let moment = read::read(given, &nodes)?.moment(given)?;
                let day = moment.civil.day_number();
                // As dates of literals: from 4714 BC to the last that is a timestamp as well.
                let is_date = (-2_440_588..=95_026_236).contains(&day);
                match i32::try_from(day) {
                    Ok(day) if is_date => Ok(ScalarValue::Date32(Some(day))),
                    _ => Err(out_of_range("date", given)),
                }
            },
        )
        .udf()
}

fn to_timestamp(style: Style) -> Arc<ScalarUDF> {
    let zone: Arc<str> = style.zone.name().into();
    let of_number = Arc::clone(&zone);
    let templates = Last::new();
    Overloaded::stable("to_timestamp")
        .in_zone(style.zone)
        .with(&[Kind::Float8], Gives::Of(instants(&style)), move |row| {
            of_seconds(float(&row[0])).map(|micros| instant(micros, &of_number))
        })
        .with(
            &[Kind::Text, Kind::Text],
            Gives::Of(instants(&style)),
            move |row| {
                let (given, pattern) = (text(&row[0]), text(&row[1]));
                let nodes = templates.get(pattern, nodes)?;
                let moment = read::read(given, &nodes)?.moment(given)?;
                let local = moment.civil.to_micros();
                let at = local
                    .filter(|local| *local >= -2_440_588 * MICROS_PER_DAY)
                    .and_then(|local| {
                        let offset = match moment.offset {
                            Some(offset) => offset,
                            None => style.zone.offset_at_local(local)?,
                        };
                        local.checked_sub(offset * MICROS_PER_SECOND)
                    });
                let at = at.ok_or_else(|| out_of_range("timestamp", given))?;
                Ok(instant(at, &zone))
            },
        )
        .udf()
}

/// The value of an integer argument, for those that are small enough.
fn whole(value: &ScalarValue) -> i128 {
    i128::from(integer(value))
}
