//! The zone of a session: its offset at an instant and at a local time, and its abbreviation.

use std::hash::{Hash, Hasher};

use arrow::array::timezone::Tz;
use chrono::{
    DateTime, Datelike, Duration, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeZone,
};
use chrono_tz::OffsetName;

use super::datetime::MICROS_PER_DAY;

/// The zone in which a session sees instants.
#[derive(Clone, Copy, Debug)]
pub struct Zone {
    tz: Tz,
    /// Seconds east of Greenwich, where they are the same always.
    fixed: Option<i64>,
}

/// Zones have no order and no hash of their own: their names are compared.
impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self {
            tz: "UTC".parse().expect("UTC is a zone"),
            fixed: Some(0),
        }
    }
}

impl Zone {
    /// The zone of this name or offset; UTC if there is none such.
    pub fn of(name: &str) -> Self {
        match name.parse::<Tz>() {
            Ok(tz) => {
                let is_fixed =
                    name.starts_with(['+', '-']) || matches!(name, "UTC" | "Etc/UTC" | "GMT");
                let offset = tz.offset_from_utc_datetime(&naive(0)).fix();
                Self {
                    tz,
                    fixed: is_fixed.then(|| i64::from(offset.local_minus_utc())),
                }
            }
            Err(_) => Self::default(),
        }
    }

    /// The zone of this name, in any case; `None` if there is none such.
    pub fn named(name: &str) -> Option<Self> {
        iana_name(name).map(|name| Self::of(&name))
    }

    /// Seconds east of Greenwich, if they are the same always.
    pub fn fixed_offset(self) -> Option<i64> {
        self.fixed
    }

    /// Its name or offset, as [`Zone::of`] takes it.
    pub fn name(self) -> String {
        self.tz.to_string()
    }

    /// Seconds east of Greenwich at an instant, given in microseconds since 1970.
    pub fn offset_seconds(self, micros: i64) -> i64 {
        match self.fixed {
            Some(seconds) => seconds,
            None => {
                let offset = self.tz.offset_from_utc_datetime(&with_rules(naive(micros)));
                i64::from(offset.fix().local_minus_utc())
            }
        }
    }

    /// Seconds east of Greenwich under an abbreviation, as `pg_interpret_timezone_abbrev`: what it meant
    /// when it was used last until then, else what it meant first; what the zone has, where it never
    /// called a time so.
    pub fn offset_under(self, abbreviation: &str, micros: i64) -> i64 {
        let named = |at: i64| self.abbreviation(at).eq_ignore_ascii_case(abbreviation);
        let step = ABBREVIATIONS_STEP_DAYS * MICROS_PER_DAY;
        let earlier = std::iter::successors(Some(micros), |at| at.checked_sub(step));
        let earlier = earlier.take_while(|at| *at > FIRST_ZONES_MICROS);
        let first = micros.max(FIRST_ZONES_MICROS).checked_add(step);
        let later = std::iter::successors(first, |at| at.checked_add(step));
        let later = later.take_while(|at| *at < LAST_RULES_MICROS);
        let used = earlier.chain(later).find(|at| named(*at));
        self.offset_seconds(used.unwrap_or(micros))
    }

    /// The same at a local time, as `DetermineTimeZoneAbbrevOffset`.
    pub fn offset_of_abbreviation(self, abbreviation: &str, local_micros: i64) -> Option<i64> {
        let offset = self.offset_at_local(local_micros)?;
        let at = local_micros.checked_sub(offset * MICROS_PER_SECOND)?;
        Some(self.offset_under(abbreviation, at))
    }

    /// Seconds east of Greenwich at a local time. Of two readings the later (standard time) is
    /// taken; a time that the clocks leave out is read by the offset before.
    pub fn offset_at_local(self, local_micros: i64) -> Option<i64> {
        if let Some(seconds) = self.fixed {
            return Some(seconds);
        }
        let local = with_rules(naive(local_micros));
        let offset = match self.tz.offset_from_local_datetime(&local) {
            LocalResult::Single(offset) => offset,
            LocalResult::Ambiguous(_, later) => later,
            LocalResult::None => {
                let before = local.checked_sub_signed(Duration::hours(3))?;
                self.tz.offset_from_local_datetime(&before).latest()?
            }
        };
        Some(i64::from(offset.fix().local_minus_utc()))
    }

    /// What clocks call the zone at an instant: `CET`, `CEST`, `+05`.
    pub fn abbreviation(self, micros: i64) -> String {
        let at = with_rules(naive(micros));
        let written = self.tz.offset_from_utc_datetime(&at).fix().to_string();
        let written = written.strip_suffix(":00").unwrap_or(&written);
        match self.name().parse::<chrono_tz::Tz>() {
            // Zones without letters are called by their offset: `-0430`.
            Ok(zone) => match zone.offset_from_utc_datetime(&at).abbreviation() {
                Some(abbreviation) => abbreviation.to_owned(),
                None => written.replace(':', ""),
            },
            Err(_) => written.to_owned(),
        }
    }
}

/// The name of a zone as the database of zones spells it, whatever its case here.
pub fn iana_name(value: &str) -> Option<String> {
    let is_name = |name: &String| {
        name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.parse::<Tz>().is_ok()
    };
    let spellings = [
        value.to_owned(),
        value.to_ascii_uppercase(),
        capitalised(value),
    ];
    spellings.into_iter().find(is_name)
}

/// `america/new_york` as `America/New_York`.
fn capitalised(value: &str) -> String {
    let mut after_letter = false;
    value
        .chars()
        .map(|character| {
            let written = match after_letter {
                true => character.to_ascii_lowercase(),
                false => character.to_ascii_uppercase(),
            };
            after_letter = character.is_ascii_alphanumeric();
            written
        })
        .collect()
}

/// The last year of which the database of zones here knows the changes of summer time.
const LAST_RULES_YEAR: i32 = 2099;
/// 2100-01-01 in microseconds since 1970.
const LAST_RULES_MICROS: i64 = 4_102_444_800_000_000;
/// 1880-01-01, before which clocks went by the sun.
const FIRST_ZONES_MICROS: i64 = -2_840_140_800_000_000;
/// No abbreviation was ever used for a shorter time than this and then no more.
const ABBREVIATIONS_STEP_DAYS: i64 = 20;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// The same time in the last year with rules that begins on the same weekday and is as long: the rules
/// go on as they are, and name days of the week in months. PostgreSQL's `pg_localtime` goes back by
/// 400 years for it.
fn with_rules(at: NaiveDateTime) -> NaiveDateTime {
    if at.year() <= LAST_RULES_YEAR {
        return at;
    }
    let first_day = |year: i32| NaiveDate::from_yo_opt(year, 1);
    let wanted = first_day(at.year());
    let alike = (LAST_RULES_YEAR - 27..=LAST_RULES_YEAR).rev().find(|year| {
        let first = first_day(*year);
        first.map(|it| (it.weekday(), it.leap_year()))
            == wanted.map(|it| (it.weekday(), it.leap_year()))
    });
    alike.and_then(|year| at.with_year(year)).unwrap_or(at)
}

/// An instant of chrono's. Beyond its years no zone changes its offset.
fn naive(micros: i64) -> NaiveDateTime {
    DateTime::from_timestamp_micros(micros)
        .map_or(NaiveDateTime::MAX, |instant| instant.naive_utc())
}

/// The offsets of a zone, remembered by day.
#[derive(Debug)]
pub struct Offsets {
    zone: Zone,
    /// At the place of a day's number modulo [`DAYS_KEPT`]: a day on which the offset does not
    /// change, and the offset. Zones do not change: what is remembered stays true.
    days: Vec<(i64, i64)>,
}

/// Days remembered at a time: some three years.
const DAYS_KEPT: i64 = 1024;
/// No day of the calendar.
const NO_DAY: i64 = i64::MAX;

impl Offsets {
    /// Of a zone, with nothing remembered.
    pub fn of(zone: Zone) -> Self {
        Self {
            zone,
            days: Vec::new(),
        }
    }

    /// Seconds east of Greenwich at an instant.
    pub fn seconds(&mut self, micros: i64) -> i64 {
        if let Some(seconds) = self.zone.fixed {
            return seconds;
        }
        if self.days.is_empty() {
            self.days = vec![(NO_DAY, 0); 1024];
        }
        let day = micros.div_euclid(MICROS_PER_DAY);
        let place = usize::try_from(day.rem_euclid(DAYS_KEPT)).unwrap_or(0);
        if self.days[place].0 == day {
            return self.days[place].1;
        }
        // No zone has ever changed its offset and changed it back within six hours.
        let quarter = |quarter: i64| {
            let micros = day.saturating_mul(MICROS_PER_DAY);
            self.zone
                .offset_seconds(micros.saturating_add(quarter * MICROS_PER_DAY / 4))
        };
        let first = quarter(0);
        if (1..=4).all(|later| quarter(later) == first) {
            self.days[place] = (day, first);
            return first;
        }
        self.zone.offset_seconds(micros)
    }
}
