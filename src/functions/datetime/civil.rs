//! Moments taken apart into the fields that clocks and calendars show (`timestamp2tm` in timestamp.c).

use crate::functions::calendar;
use crate::functions::output::MICROS_PER_DAY;

/// Microseconds of a second.
pub(super) const MICROS_PER_SECOND: i64 = 1_000_000;
/// The Julian day of 1970-01-01.
const JULIAN_EPOCH: i64 = 2_440_588;

/// What clocks and calendars show. Year 0 is 1 BC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::functions) struct Civil {
    pub(in crate::functions) year: i64,
    pub(in crate::functions) month: i64,
    pub(in crate::functions) day: i64,
    pub(in crate::functions) hour: i64,
    pub(in crate::functions) minute: i64,
    pub(in crate::functions) second: i64,
    pub(in crate::functions) micros: i64,
}

impl Civil {
    /// Of microseconds since 1970 in the zone of the clock.
    pub(in crate::functions) fn of(micros: i64) -> Self {
        let (year, month, day) = calendar::date_of(micros.div_euclid(MICROS_PER_DAY));
        let of_day = micros.rem_euclid(MICROS_PER_DAY);
        let seconds = of_day / MICROS_PER_SECOND;
        Self {
            year,
            month,
            day,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            micros: of_day % MICROS_PER_SECOND,
        }
    }

    /// Microseconds since 1970; `None` beyond what they can count.
    pub(in crate::functions) fn to_micros(self) -> Option<i64> {
        let seconds = self.hour * 3600 + self.minute * 60 + self.second;
        self.day_number()
            .checked_mul(MICROS_PER_DAY)?
            .checked_add(seconds.checked_mul(MICROS_PER_SECOND)?)?
            .checked_add(self.micros)
    }

    /// Days since 1970.
    pub(in crate::functions) fn day_number(self) -> i64 {
        calendar::day_of(self.year, self.month, self.day)
    }

    /// Days of the Julian calendar.
    pub(in crate::functions) fn julian(self) -> i64 {
        self.day_number() + JULIAN_EPOCH
    }

    /// From Sunday, which is 0.
    pub(in crate::functions) fn weekday(self) -> i64 {
        (self.day_number() + 4).rem_euclid(7)
    }

    /// From 1 January, which is 1.
    pub(in crate::functions) fn day_of_year(self) -> i64 {
        self.day_number() - calendar::day_of(self.year, 1, 1) + 1
    }

    /// The year and the week in it as ISO 8601 counts them (`date2isoyear`, `date2isoweek`).
    pub(in crate::functions) fn iso_week(self) -> (i64, i64) {
        let from_monday = (self.weekday() + 6).rem_euclid(7);
        let thursday = self.day_number() - from_monday + 3;
        let (year, ..) = calendar::date_of(thursday);
        (year, (thursday - calendar::day_of(year, 1, 1)) / 7 + 1)
    }
}

/// The first day of an ISO year's week, in days since 1970 (`isoweek2j`).
pub(in crate::functions) fn monday_of(iso_year: i64, week: i64) -> i64 {
    let fourth = calendar::day_of(iso_year, 1, 4);
    let from_monday = (fourth + 3).rem_euclid(7);
    fourth - from_monday + (week - 1) * 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_those_of_iso_8601() {
        let week = |year, month, day| {
            let civil = Civil {
                year,
                month,
                day,
                ..Civil::default()
            };
            assert_eq!(
                monday_of(civil.iso_week().0, civil.iso_week().1),
                civil.day_number() - (civil.weekday() + 6) % 7
            );
            civil.iso_week()
        };
        assert_eq!(week(2005, 1, 1), (2004, 53));
        assert_eq!(week(2005, 1, 3), (2005, 1));
        assert_eq!(week(2012, 12, 31), (2013, 1));
        assert_eq!(week(2021, 1, 3), (2020, 53));
    }

    #[test]
    fn moments_come_back() {
        for micros in [0, -1, 1_590_499_825_575_401, -62_198_755_200_000_001] {
            assert_eq!(Civil::of(micros).to_micros(), Some(micros));
        }
    }
}
