//! What of a session shows in its values: DateStyle, IntervalStyle, `bytea_output`,
//! `extra_float_digits` and TimeZone.
//! <https://www.postgresql.org/docs/16/runtime-config-client.html>

use std::collections::BTreeMap;

use super::zone::Zone;

/// How values are written as text, and ambiguous texts are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Style {
    /// The zone in which instants are shown, and read where a text names none.
    pub zone: Zone,
    /// Everything else.
    pub notation: Notation,
}

/// The settings of [`Style`] that depend on nothing but their own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Notation {
    /// The first word of DateStyle.
    pub dates: DateNotation,
    /// The second word of DateStyle.
    pub order: FieldOrder,
    /// IntervalStyle.
    pub intervals: IntervalNotation,
    /// `bytea_output`.
    pub bytes: BytesNotation,
    /// `extra_float_digits`.
    pub extra_float_digits: i32,
}

/// How dates and timestamps are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DateNotation {
    /// `1997-12-17 07:37:16-08`
    Iso,
    /// `12/17/1997 07:37:16.00 PST`
    Sql,
    /// `Wed Dec 17 07:37:16 1997 PST`
    Postgres,
    /// `17.12.1997 07:37:16.00 PST`
    German,
}

/// In which order the fields of a date come, where a text does not say it and ISO does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldOrder {
    /// Month, day, year.
    MonthDayYear,
    /// Day, month, year.
    DayMonthYear,
    /// Year, month, day; written as month, day, year.
    YearMonthDay,
}

/// How intervals are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntervalNotation {
    /// `1 year 2 mons 3 days 04:05:06`
    Postgres,
    /// `@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs`
    PostgresVerbose,
    /// `+1-2 +3 +4:05:06`
    SqlStandard,
    /// `P1Y2M3DT4H5M6S`
    Iso8601,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BytesNotation {
    /// `\x00ff`
    Hex,
    /// `\000\377`
    Escape,
}

impl Default for Notation {
    fn default() -> Self {
        Self {
            dates: DateNotation::Iso,
            order: FieldOrder::MonthDayYear,
            intervals: IntervalNotation::Postgres,
            bytes: BytesNotation::Hex,
            extra_float_digits: 1,
        }
    }
}

impl Notation {
    /// That of a session with these settings, by lower-case name, as SHOW prints them. What is
    /// absent is as PostgreSQL has it by default.
    pub fn of(settings: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| settings.get(name).map_or("", String::as_str);
        let (dates, order) = value("datestyle").split_once(", ").unwrap_or_default();
        Self {
            dates: match dates {
                "SQL" => DateNotation::Sql,
                "Postgres" => DateNotation::Postgres,
                "German" => DateNotation::German,
                _ => DateNotation::Iso,
            },
            order: match order {
                "DMY" => FieldOrder::DayMonthYear,
                "YMD" => FieldOrder::YearMonthDay,
                _ => FieldOrder::MonthDayYear,
            },
            intervals: match value("intervalstyle") {
                "postgres_verbose" => IntervalNotation::PostgresVerbose,
                "sql_standard" => IntervalNotation::SqlStandard,
                "iso_8601" => IntervalNotation::Iso8601,
                _ => IntervalNotation::Postgres,
            },
            bytes: match value("bytea_output") {
                "escape" => BytesNotation::Escape,
                _ => BytesNotation::Hex,
            },
            extra_float_digits: value("extra_float_digits").parse().unwrap_or(1),
        }
    }
}
