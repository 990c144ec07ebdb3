//! The units that `extract` and `date_trunc` know, under all their names (`DecodeUnits` and
//! `DecodeSpecial` in datetime.c).

use crate::error::{Error, ErrorKind};

/// A field of a moment or an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::functions) enum Unit {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Julian,
    IsoYear,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Epoch,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
}

/// Characters of a unit's name that count (`TOKMAXLEN`).
const CHARACTERS_MAX: usize = 10;

impl Unit {
    /// The unit of a name in any case.
    pub(in crate::functions) fn named(name: &str) -> Option<Self> {
        let name: String = name.to_lowercase().chars().take(CHARACTERS_MAX).collect();
        Some(match name.as_str() {
            "us" | "usec" | "usecond" | "useconds" | "usecs" | "microsecon" => Self::Microseconds,
            "ms" | "msec" | "msecond" | "mseconds" | "msecs" | "millisecon" => Self::Milliseconds,
            "s" | "sec" | "second" | "seconds" | "secs" => Self::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => Self::Minute,
            "h" | "hour" | "hours" | "hr" | "hrs" => Self::Hour,
            "d" | "day" | "days" => Self::Day,
            "w" | "week" | "weeks" => Self::Week,
            "mon" | "mons" | "month" | "months" => Self::Month,
            "qtr" | "quarter" => Self::Quarter,
            "y" | "year" | "years" | "yr" | "yrs" => Self::Year,
            "dec" | "decade" | "decades" | "decs" => Self::Decade,
            "c" | "cent" | "centuries" | "century" => Self::Century,
            "mil" | "millennia" | "millennium" | "mils" => Self::Millennium,
            "j" | "jd" | "julian" => Self::Julian,
            "isoyear" => Self::IsoYear,
            "dow" => Self::DayOfWeek,
            "isodow" => Self::IsoDayOfWeek,
            "doy" => Self::DayOfYear,
            "epoch" => Self::Epoch,
            "timezone" => Self::Timezone,
            "timezone_h" => Self::TimezoneHour,
            "timezone_m" => Self::TimezoneMinute,
            _ => return None,
        })
    }
}

impl Unit {
    /// Whether it is known to `DecodeSpecial` alone, as something that moments have.
    pub(in crate::functions) fn is_special(self) -> bool {
        matches!(
            self,
            Self::Julian
                | Self::IsoYear
                | Self::DayOfWeek
                | Self::IsoDayOfWeek
                | Self::DayOfYear
                | Self::Epoch
        )
    }
}

/// The error for a name that is no unit.
pub(super) fn unrecognized(name: &str, of: &str) -> Error {
    let name = name.to_lowercase();
    let message = format!("unit \"{name}\" not recognized for type {of}");
    Error::new(ErrorKind::InvalidParameterValue, message)
}

/// The error for a unit that a type has not.
pub(super) fn unsupported(name: &str, of: &str) -> Error {
    let name = name.to_lowercase();
    let message = format!("unit \"{name}\" not supported for type {of}");
    Error::new(ErrorKind::FeatureNotSupported, message)
}
