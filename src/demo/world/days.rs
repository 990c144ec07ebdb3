//! Days and moments, in UTC and without a clock.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::random::Random;

const MICROS_OF_SECOND: i64 = 1_000_000;
const MICROS_OF_DAY: i64 = 86_400 * MICROS_OF_SECOND;
/// Traffic of each hour of a day.
const TRAFFIC_OF_HOUR: [i64; 24] = [
    18, 12, 9, 8, 9, 14, 25, 40, 58, 70, 76, 78, 74, 72, 75, 78, 76, 74, 80, 90, 96, 84, 58, 34,
];

/// A day: days since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(pub(crate) i32);

impl Day {
    /// The first day of which the lake tells.
    pub(crate) const FIRST: Self = Self::new(2026, 5, 1);
    /// The last one.
    pub(crate) const LAST: Self = Self::new(2026, 10, 31);
    /// All of them.
    pub(crate) const COUNT: usize = (Self::LAST.0 - Self::FIRST.0 + 1) as usize;

    /// The day of this date. After Howard Hinnant's `days_from_civil`.
    pub(crate) const fn new(year: i32, month: i32, day: i32) -> Self {
        // Years begin in March, so that leap days are last.
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self(era * 146_097 + day_of_era - 719_468)
    }

    /// Year, month and day of the month. After Howard Hinnant's `civil_from_days`.
    pub(crate) fn date(self) -> (i32, i32, i32) {
        let days = self.0 + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = (shifted_month + 2) % 12 + 1;
        (era * 400 + year_of_era + i32::from(month <= 2), month, day)
    }

    /// 0 is Monday.
    pub(crate) fn weekday(self) -> i32 {
        (self.0 + 3).rem_euclid(7)
    }

    /// Days since the first.
    pub(crate) fn place(self) -> usize {
        (self.0 - Self::FIRST.0).clamp(0, Self::COUNT as i32 - 1) as usize
    }

    /// So many days later.
    pub(crate) fn plus(self, n_days: i32) -> Self {
        Self(self.0 + n_days)
    }

    /// Every day from this to `last`, both included.
    pub(crate) fn to(self, last: Self) -> impl Iterator<Item = Self> + Clone {
        (self.0..=last.0).map(Self)
    }

    /// Every day of which the lake tells.
    pub(crate) fn all() -> impl Iterator<Item = Self> + Clone {
        Self::FIRST.to(Self::LAST)
    }

    /// The moment at this time of the day.
    pub(crate) const fn at(self, hour: i64, minute: i64) -> Moment {
        Moment(self.0 as i64 * MICROS_OF_DAY + (hour * 60 + minute) * 60 * MICROS_OF_SECOND)
    }

    /// So many moments of the day in order, to the millisecond, more of them by day than by night.
    pub(crate) fn moments(self, n_moments: usize, random: &mut Random) -> Vec<Moment> {
        let mut moments: Vec<Moment> = (0..n_moments)
            .map(|_| {
                let hour = random.weighted(&TRAFFIC_OF_HOUR) as i64;
                self.at(hour, 0).plus_millis(random.below(3_600_000))
            })
            .collect();
        moments.sort_unstable();
        moments
    }

    /// `2026-05`, as months are named.
    pub(crate) fn month(self) -> String {
        let (year, month, _) = self.date();
        format!("{year:04}-{month:02}")
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// A moment: microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) i64);

impl Moment {
    pub(crate) fn plus_millis(self, n_millis: i64) -> Self {
        Self(self.0 + n_millis * 1_000)
    }

    pub(crate) fn plus_seconds(self, n_seconds: i64) -> Self {
        Self(self.0 + n_seconds * MICROS_OF_SECOND)
    }

    /// Milliseconds since 1970, as Delta logs have them.
    pub(crate) fn millis(self) -> i64 {
        self.0 / 1_000
    }

    pub(crate) fn day(self) -> Day {
        Day(self.0.div_euclid(MICROS_OF_DAY) as i32)
    }

    /// Hour, minute and second.
    pub(crate) fn time(self) -> (i64, i64, i64) {
        let seconds = self.0.rem_euclid(MICROS_OF_DAY) / MICROS_OF_SECOND;
        (seconds / 3_600, seconds / 60 % 60, seconds % 60)
    }

    /// `2026-05-01T12:00:00.125Z`.
    pub(crate) fn with_millis(self) -> String {
        let (hour, minute, second) = self.time();
        let millis = self.0.rem_euclid(MICROS_OF_SECOND) / 1_000;
        format!(
            "{}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z",
            self.day()
        )
    }

    /// When a file was changed.
    pub(crate) fn to_system_time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(self.0.max(0) as u64)
    }
}

/// `2026-05-01T12:00:00Z`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = self.time();
        write!(f, "{}T{hour:02}:{minute:02}:{second:02}Z", self.day())
    }
}
