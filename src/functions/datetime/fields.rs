//! The fields of a moment or an interval, as `extract_date`, `timestamp_part_common`,
//! `timestamptz_part_common`, `time_part_common` and `interval_part_common` compute them.

use super::civil::{Civil, MICROS_PER_SECOND};
use super::unit::{Unit, unrecognized, unsupported};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::output::MICROS_PER_DAY;

/// What a field is taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Days since 1970.
    Date(i32),
    /// Microseconds of the day.
    Time(i64),
    /// Microseconds since 1970 by some clock.
    Timestamp(i64),
    /// Microseconds since 1970 in UTC, and the seconds that the session's clock is ahead.
    Instant(i64, i64),
    /// The counts of an interval.
    Interval { months: i64, days: i64, micros: i64 },
}

/// A field's value: a number over a power of ten, or what a moment without end gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    /// The number, and how many of its digits stand behind the point.
    Finite(i128, u32),
    /// Days and microseconds of a day: its fraction has no end in decimals.
    Julian(i64, i64),
    /// `Infinity` or `-Infinity`.
    Infinite(bool),
}

impl Part {
    /// As numeric with so many digits behind the point.
    ///
    /// # Errors
    /// It is infinite: Arrow's decimals have no infinities.
    pub(super) fn numeric(self, scale: i8) -> Result<i128> {
        let scale = u32::from(scale.unsigned_abs());
        match self {
            Self::Finite(value, own) if own <= scale => Ok(value * 10_i128.pow(scale - own)),
            Self::Finite(value, own) => Ok(value / 10_i128.pow(own - scale)),
            Self::Julian(days, micros) => {
                let unit = 10_i128.pow(scale);
                let day = i128::from(MICROS_PER_DAY);
                let fraction = (i128::from(micros) * unit + day / 2) / day;
                Ok(i128::from(days) * unit + fraction)
            }
            Self::Infinite(_) => Err(Error::unsupported("numeric \"Infinity\"")),
        }
    }

    /// As double precision.
    #[expect(
        clippy::cast_precision_loss,
        reason = "date_part gives double precision, as PostgreSQL's does"
    )]
    pub(super) fn float(self) -> f64 {
        match self {
            Self::Finite(value, 0) => value as f64,
            Self::Finite(value, scale) => value as f64 / 10_f64.powi(scale.cast_signed()),
            Self::Julian(days, micros) => days as f64 + micros as f64 / MICROS_PER_DAY as f64,
            Self::Infinite(is_negative) => match is_negative {
                true => f64::NEG_INFINITY,
                false => f64::INFINITY,
            },
        }
    }
}

/// A field of a moment. NULL for a field that goes round and round of a moment without end.
///
/// # Errors
/// A unit that there is not, or that moments of the type have not.
pub(super) fn part(moment: &Moment, unit: Option<Unit>, name: &str) -> Result<Option<Part>> {
    let type_name = match moment {
        Moment::Date(_) => "date",
        Moment::Time(_) => "time without time zone",
        Moment::Timestamp(_) => "timestamp without time zone",
        Moment::Instant(..) => "timestamp with time zone",
        Moment::Interval { .. } => "interval",
    };
    let unit = unit.ok_or_else(|| unrecognized(name, type_name))?;
    let value = match *moment {
        Moment::Date(days) => of_date(days, unit),
        Moment::Time(micros) => of_time(micros, unit),
        Moment::Timestamp(micros) => return of_timestamp(micros, unit, name, type_name),
        Moment::Instant(micros, offset) => {
            return of_instant(micros, offset, unit, name, type_name);
        }
        Moment::Interval {
            months,
            days,
            micros,
        } => of_interval((months, days, micros), unit),
    };
    value.map(Some).ok_or_else(|| unsupported(name, type_name))
}

fn whole(value: i64) -> Part {
    Part::Finite(i128::from(value), 0)
}

fn of_date(days: i32, unit: Unit) -> Option<Part> {
    let civil = Civil::of(i64::from(days) * MICROS_PER_DAY);
    match unit {
        Unit::Epoch => Some(whole(i64::from(days) * 86_400)),
        Unit::Julian => Some(whole(civil.julian())),
        unit => of_calendar(civil, unit),
    }
}

/// The fields that a date has as well.
fn of_calendar(civil: Civil, unit: Unit) -> Option<Part> {
    let year = civil.year;
    Some(whole(match unit {
        Unit::Day => civil.day,
        Unit::Month => civil.month,
        Unit::Quarter => (civil.month - 1) / 3 + 1,
        Unit::Week => civil.iso_week().1,
        Unit::Year => without_zero(year),
        // Centuries and millennia count from 1, decades from the year 0.
        Unit::Decade if year >= 0 => year / 10,
        Unit::Decade => -((8 - (year - 1)) / 10),
        Unit::Century if year > 0 => (year + 99) / 100,
        Unit::Century => -((99 - (year - 1)) / 100),
        Unit::Millennium if year > 0 => (year + 999) / 1000,
        Unit::Millennium => -((999 - (year - 1)) / 1000),
        Unit::IsoYear => without_zero(civil.iso_week().0),
        Unit::DayOfWeek => civil.weekday(),
        Unit::IsoDayOfWeek => match civil.weekday() {
            0 => 7,
            weekday => weekday,
        },
        Unit::DayOfYear => civil.day_of_year(),
        _ => return None,
    }))
}

/// There is no year 0 BC.
fn without_zero(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

/// The fields of a clock.
fn of_clock(civil: Civil, unit: Unit) -> Option<Part> {
    let micros = civil.second * MICROS_PER_SECOND + civil.micros;
    Some(match unit {
        Unit::Microseconds => whole(micros),
        Unit::Milliseconds => Part::Finite(i128::from(micros), 3),
        Unit::Second => Part::Finite(i128::from(micros), 6),
        Unit::Minute => whole(civil.minute),
        Unit::Hour => whole(civil.hour),
        _ => return None,
    })
}

fn of_time(micros: i64, unit: Unit) -> Option<Part> {
    match unit {
        Unit::Epoch => Some(Part::Finite(i128::from(micros), 6)),
        unit => {
            // 24:00:00 is a time.
            let hours = micros / (3600 * MICROS_PER_SECOND);
            let civil = Civil {
                hour: hours,
                ..Civil::of(micros)
            };
            of_clock(civil, unit)
        }
    }
}

fn of_timestamp(micros: i64, unit: Unit, name: &str, of: &str) -> Result<Option<Part>> {
    if matches!(micros, i64::MIN | i64::MAX) {
        return of_infinity(micros < 0, unit, name, of);
    }
    let civil = Civil::of(micros);
    let value = match unit {
        Unit::Epoch => Some(Part::Finite(i128::from(micros), 6)),
        Unit::Julian => Some(Part::Julian(
            civil.julian(),
            micros.rem_euclid(MICROS_PER_DAY),
        )),
        unit => of_clock(civil, unit).or_else(|| of_calendar(civil, unit)),
    };
    value.map(Some).ok_or_else(|| unsupported(name, of))
}

fn of_instant(micros: i64, offset: i64, unit: Unit, name: &str, of: &str) -> Result<Option<Part>> {
    if matches!(micros, i64::MIN | i64::MAX) {
        return of_infinity(micros < 0, unit, name, of);
    }
    let value = match unit {
        Unit::Epoch => Part::Finite(i128::from(micros), 6),
        Unit::Timezone => whole(offset),
        Unit::TimezoneHour => whole(offset / 3600),
        Unit::TimezoneMinute => whole(offset / 60 % 60),
        unit => {
            let local = micros.saturating_add(offset * MICROS_PER_SECOND);
            return of_timestamp(local, unit, name, of);
        }
    };
    Ok(Some(value))
}

/// As `NonFiniteTimestampTzPart`.
fn of_infinity(is_negative: bool, unit: Unit, name: &str, of: &str) -> Result<Option<Part>> {
    match unit {
        Unit::Timezone | Unit::TimezoneHour | Unit::TimezoneMinute
            if of == "timestamp without time zone" =>
        {
            Err(unsupported(name, of))
        }
        Unit::Year
        | Unit::Decade
        | Unit::Century
        | Unit::Millennium
        | Unit::Julian
        | Unit::IsoYear
        | Unit::Epoch => Ok(Some(Part::Infinite(is_negative))),
        _ => Ok(None),
    }
}

fn of_interval((months, days, micros): (i64, i64, i64), unit: Unit) -> Option<Part> {
    let of_second = micros % (60 * MICROS_PER_SECOND);
    Some(match unit {
        Unit::Microseconds => whole(of_second),
        Unit::Milliseconds => Part::Finite(i128::from(of_second), 3),
        Unit::Second => Part::Finite(i128::from(of_second), 6),
        Unit::Minute => whole(micros / (60 * MICROS_PER_SECOND) % 60),
        Unit::Hour => whole(micros / (3600 * MICROS_PER_SECOND)),
        Unit::Day => whole(days),
        Unit::Month => whole(months % 12),
        Unit::Quarter => whole(months % 12 / 3 + 1),
        Unit::Year => whole(months / 12),
        Unit::Decade => whole(months / 120),
        Unit::Century => whole(months / 1200),
        Unit::Millennium => whole(months / 12_000),
        Unit::Epoch => {
            // A year has 365.25 days and a month 30, computed in quarters of a day.
            let quarters = i128::from(months / 12) * 1461
                + i128::from(months % 12) * 120
                + i128::from(days) * 4;
            let seconds = quarters * i128::from(86_400 / 4);
            let value = seconds * i128::from(MICROS_PER_SECOND) + i128::from(micros);
            Part::Finite(value, 6)
        }
        _ => return None,
    })
}

/// The error of a moment beyond PostgreSQL's.
pub(super) fn timestamp_out_of_range() -> Error {
    Error::new(ErrorKind::DatetimeFieldOverflow, "timestamp out of range")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(moment: Moment, name: &str, expected: Part) {
        let found = part(&moment, Unit::named(name), name).expect("the type has the unit");
        assert_eq!(found, Some(expected), "{name} of {moment:?}");
    }

    #[test]
    fn fields_are_those_of_the_manual() {
        let moment = Moment::Timestamp(982_355_920_120_000);
        check(moment, "century", Part::Finite(21, 0));
        check(moment, "decade", Part::Finite(200, 0));
        check(moment, "doy", Part::Finite(47, 0));
        check(moment, "milliseconds", Part::Finite(40_120_000, 3));
        check(moment, "qtr", Part::Finite(1, 0));
        check(moment, "epoch", Part::Finite(982_355_920_120_000, 6));
    }

    #[test]
    fn years_before_christ_have_no_zero() {
        let day = |year| {
            Moment::Date(
                i32::try_from(crate::functions::calendar::day_of(year, 6, 1)).expect("near"),
            )
        };
        check(day(0), "year", Part::Finite(-1, 0));
        check(day(0), "century", Part::Finite(-1, 0));
        check(day(-99), "century", Part::Finite(-1, 0));
        check(day(-100), "century", Part::Finite(-2, 0));
        check(day(0), "decade", Part::Finite(0, 0));
        check(day(-1), "decade", Part::Finite(-1, 0));
    }
}
