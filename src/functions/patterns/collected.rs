//! What a pattern has read of a text, and the moment that it makes (`TmFromChar` and
//! `do_to_timestamp` in formatting.c).

use super::template::Key;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::calendar;
use crate::functions::datetime::{Civil, monday_of};

/// In which calendar a pattern names days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Weeks {
    #[default]
    Unsaid,
    Gregorian,
    Iso,
}

/// The values of the keywords; 0 where there was none.
#[derive(Clone, Debug, Default)]
pub(super) struct Collected {
    weeks: Weeks,
    hour: i64,
    is_afternoon: bool,
    has_half: bool,
    /// Whether hours are counted from 1 to 12.
    is_twelve_hours: bool,
    minute: i64,
    second: i64,
    seconds_of_day: i64,
    /// From Sunday, which is 1.
    weekday: i64,
    day: i64,
    day_of_year: i64,
    month: i64,
    millis: i64,
    micros: i64,
    year: i64,
    year_digits: u32,
    pub(super) is_before_christ: bool,
    week: i64,
    week_of_month: i64,
    century: i64,
    julian: i64,
    /// 0 where no zone was read.
    pub(super) zone_sign: i64,
    zone_hours: i64,
    zone_minutes: i64,
}

/// A moment as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) civil: Civil,
    /// Seconds east of Greenwich, if the text said so.
    pub(super) offset: Option<i64>,
}

impl Collected {
    /// Days of one calendar do not go with those of the other.
    pub(super) fn use_weeks_of(&mut self, key: Key) -> Result<()> {
        let weeks = match key {
            Key::IsoYear(_) | Key::IsoWeek | Key::IsoDayOfWeek | Key::IsoDayOfYear => Weeks::Iso,
            Key::Year(_)
            | Key::YearWithComma
            | Key::Month
            | Key::MonthName
            | Key::MonthShort
            | Key::Roman
            | Key::DayOfMonth
            | Key::DayOfYear
            | Key::DayOfWeek
            | Key::DayName
            | Key::DayShort
            | Key::Week
            | Key::WeekOfMonth => Weeks::Gregorian,
            _ => return Ok(()),
        };
        if self.weeks != Weeks::Unsaid && self.weeks != weeks {
            let message = "invalid combination of date conventions";
            return Err(
                Error::new(ErrorKind::InvalidDatetimeFormat, message).with_hint(
                    "Do not mix Gregorian and ISO week date conventions in a formatting template.",
                ),
            );
        }
        self.weeks = weeks;
        Ok(())
    }

    pub(super) fn set_half(&mut self, is_afternoon: bool) -> Result<()> {
        if self.has_half && self.is_afternoon != is_afternoon {
            return Err(conflicting("AM"));
        }
        self.has_half = true;
        self.is_twelve_hours = true;
        self.is_afternoon = is_afternoon;
        Ok(())
    }

    /// Keeps a number of so many characters for its keyword.
    pub(super) fn take(&mut self, key: Key, value: i64, length: usize, name: &str) -> Result<()> {
        let missing =
            |digits: usize| 10_i64.pow(u32::try_from(digits.saturating_sub(length)).unwrap_or(0));
        match key {
            // 12 hours are read as such where HH12 says so.
            Key::Hour12 => {
                self.is_twelve_hours = true;
                self.set(Key::Hour24, value, name)
            }
            Key::Milliseconds => self.set(key, value * missing(3), name),
            Key::Microseconds | Key::Fraction(_) => {
                self.set(Key::Microseconds, value * missing(6), name)
            }
            Key::Year(digits) | Key::IsoYear(digits) => {
                self.year_digits = digits;
                let value = match digits < 4 && length < 4 {
                    true => near_2020(value),
                    false => value,
                };
                self.set(Key::Year(4), value, name)
            }
            Key::IsoDayOfYear => self.set(Key::DayOfYear, value, name),
            Key::IsoWeek => self.set(Key::Week, value, name),
            Key::IsoDayOfWeek => self.set(Key::DayOfWeek, value % 7 + 1, name),
            key => self.set(key, value, name),
        }
    }

    /// Keeps a value.
    ///
    /// # Errors
    /// Another one was read before.
    pub(super) fn set(&mut self, key: Key, value: i64, name: &str) -> Result<()> {
        let kept = match key {
            Key::Hour24 => &mut self.hour,
            Key::Minute => &mut self.minute,
            Key::Second => &mut self.second,
            Key::SecondsOfDay => &mut self.seconds_of_day,
            Key::DayOfWeek => &mut self.weekday,
            Key::DayOfMonth => &mut self.day,
            Key::DayOfYear => &mut self.day_of_year,
            Key::Month => &mut self.month,
            Key::Milliseconds => &mut self.millis,
            Key::Microseconds => &mut self.micros,
            Key::Year(_) => &mut self.year,
            Key::Week => &mut self.week,
            Key::WeekOfMonth => &mut self.week_of_month,
            Key::Century => &mut self.century,
            Key::Julian => &mut self.julian,
            Key::ZoneHours => &mut self.zone_hours,
            Key::ZoneMinutes => &mut self.zone_minutes,
            // A quarter says no day.
            _ => return Ok(()),
        };
        if *kept != 0 && *kept != value {
            return Err(conflicting(name));
        }
        *kept = value;
        Ok(())
    }

    /// The moment. What was not read is that of the first day of the year 1 BC.
    ///
    /// # Errors
    /// There is no such moment.
    pub(super) fn moment(mut self, text: &str) -> Result<Moment> {
        let out_of_range = || {
            let message = format!("date/time field value out of range: \"{text}\"");
            Error::new(ErrorKind::DatetimeFieldOverflow, message)
        };
        let mut civil = self.clock()?;
        let is_day_checked = self.calendar(&mut civil)?;
        let is_time = (0..24).contains(&civil.hour)
            && (0..60).contains(&civil.minute)
            && (0..60).contains(&civil.second)
            && (0..1_000_000).contains(&civil.micros);
        let is_day = (1..=12).contains(&civil.month)
            && (1..=days_of_month(civil.year, civil.month)).contains(&civil.day);
        if !is_time || (is_day_checked && !is_day) {
            return Err(out_of_range());
        }
        let offset = match self.zone_sign {
            0 => None,
            _ if self.zone_hours > 15 || !(0..60).contains(&self.zone_minutes) => {
                return Err(out_of_range());
            }
            sign => Some(sign * (self.zone_hours * 60 + self.zone_minutes) * 60),
        };
        Ok(Moment { civil, offset })
    }

    fn clock(&self) -> Result<Civil> {
        let mut civil = Civil {
            year: 0,
            month: 1,
            day: 1,
            hour: self.seconds_of_day / 3600,
            minute: self.seconds_of_day / 60 % 60,
            second: self.seconds_of_day % 60,
            micros: self.millis * 1000 + self.micros,
        };
        for (kept, read) in [
            (&mut civil.second, self.second),
            (&mut civil.minute, self.minute),
            (&mut civil.hour, self.hour),
        ] {
            if read != 0 {
                *kept = read;
            }
        }
        if self.is_twelve_hours {
            if !(1..=12).contains(&civil.hour) {
                let message = format!("hour \"{}\" is invalid for the 12-hour clock", civil.hour);
                return Err(Error::new(ErrorKind::InvalidDatetimeFormat, message)
                    .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
            }
            if self.is_afternoon && civil.hour < 12 {
                civil.hour += 12;
            } else if !self.is_afternoon && civil.hour == 12 {
                civil.hour = 0;
            }
        }
        Ok(civil)
    }

    /// Puts the day into a moment; whether anything said one.
    fn calendar(&mut self, civil: &mut Civil) -> Result<bool> {
        let mut is_said = self.years(civil);
        if self.julian != 0 {
            (civil.year, civil.month, civil.day) = calendar::date_of(self.julian - 2_440_588);
            is_said = true;
        }
        if self.week != 0 && self.weeks == Weeks::Iso {
            // Weeks begin on Monday, and Sunday is the 1st of the days.
            let weekday = match self.weekday {
                0 => 0,
                1 => 6,
                weekday => weekday - 2,
            };
            let day = monday_of(civil.year, self.week) + weekday;
            (civil.year, civil.month, civil.day) = calendar::date_of(day);
            is_said = true;
        } else if self.week != 0 {
            self.day_of_year = (self.week - 1) * 7 + 1;
        }
        if self.week_of_month != 0 {
            self.day = (self.week_of_month - 1) * 7 + 1;
        }
        if self.day != 0 {
            civil.day = self.day;
            is_said = true;
        }
        if self.month != 0 {
            civil.month = self.month;
            is_said = true;
        }
        if self.day_of_year != 0 && (civil.month <= 1 || civil.day <= 1) {
            if civil.year == 0 && !self.is_before_christ {
                let message = "cannot calculate day of year without year information";
                return Err(Error::new(ErrorKind::InvalidDatetimeFormat, message));
            }
            let first = match self.weeks {
                Weeks::Iso => monday_of(civil.year, 1),
                _ => calendar::day_of(civil.year, 1, 1),
            };
            (civil.year, civil.month, civil.day) = calendar::date_of(first + self.day_of_year - 1);
            is_said = true;
        }
        Ok(is_said)
    }

    /// Puts the year into a moment; whether anything said one.
    fn years(&self, civil: &mut Civil) -> bool {
        let century = match self.is_before_christ {
            true => -self.century,
            false => self.century,
        };
        civil.year = match (self.year, century) {
            (0, 0) => return false,
            // The first year of the century.
            (0, 1..) => (century - 1) * 100 + 1,
            (0, _) => century * 100 + 1,
            // The two last digits of a year in the century.
            (year, century) if century != 0 && self.year_digits <= 2 => match year % 100 {
                0 => century * 100 + i64::from(century < 0),
                of_century if century >= 0 => (century - 1) * 100 + of_century,
                of_century => (century + 1) * 100 - of_century + 1,
            },
            (year, _) => {
                let year = if self.is_before_christ { -year } else { year };
                // 1 BC is the year 0.
                if year < 0 { year + 1 } else { year }
            }
        };
        true
    }
}

fn days_of_month(year: i64, month: i64) -> i64 {
    calendar::day_of(year, month + 1, 1) - calendar::day_of(year, month, 1)
}

/// The year nearest to 2020 with these last digits (`adjust_partial_year_to_2020`).
fn near_2020(year: i64) -> i64 {
    match year {
        ..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}

fn conflicting(name: &str) -> Error {
    let message = format!("conflicting values for \"{name}\" field in formatting string");
    Error::new(ErrorKind::InvalidDatetimeFormat, message)
        .with_detail("This value contradicts a previous setting for the same field type.")
}

#[cfg(test)]
mod tests {
    use super::super::read::read;
    use super::super::template::nodes;

    fn check(text: &str, pattern: &str, expected: &str) {
        let read = read(text, &nodes(pattern)).and_then(|read| read.moment(text));
        let shown = match read {
            Ok(moment) => {
                let it = moment.civil;
                format!(
                    "{}-{}-{} {}:{}:{}.{:06}",
                    it.year, it.month, it.day, it.hour, it.minute, it.second, it.micros
                )
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{text} by {pattern}");
    }

    /// Results of PostgreSQL's own regression suite (`horology`).
    #[test]
    fn moments_are_read_as_postgres_does() {
        check(
            "0097/Feb/16 --> 08:14:30",
            "YYYY/Mon/DD --> HH:MI:SS",
            "97-2-16 8:14:30.000000",
        );
        check(
            "1985 January 12",
            "YYYY FMMonth DD",
            "1985-1-12 0:0:0.000000",
        );
        check(
            "15 \"text between quote marks\" 98 54 45",
            "HH24 \"\\\"text between quote marks\\\"\" YY MI SS",
            "1998-1-1 15:54:45.000000",
        );
        check(
            "05121445482000",
            "MMDDHH24MISSYYYY",
            "2000-5-12 14:45:48.000000",
        );
        check(
            "2000January09Sunday",
            "YYYYFMMonthDDFMDay",
            "2000-1-9 0:0:0.000000",
        );
        check("19971116", "YYYYMMDD", "1997-11-16 0:0:0.000000");
        check("9-1116", "Y-MMDD", "2009-11-16 0:0:0.000000");
        check("2005527", "IYYYIWID", "2006-1-1 0:0:0.000000");
        check("2005 300", "YYYY DDD", "2005-10-27 0:0:0.000000");
        check(
            "2011-12-18 11:38 PM",
            "YYYY-MM-DD HH12:MI PM",
            "2011-12-18 23:38:0.000000",
        );
    }
}
