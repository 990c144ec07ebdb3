//! The Gregorian calendar, extended both ways, in days since 1970.
//!
//! Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": `days_from_civil`,
//! `civil_from_days`.

/// The day of a date. A day or month beyond its range counts on from the last.
pub(super) fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day.
pub(super) fn date_of(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, Days, NaiveDate};

    use super::*;

    #[test]
    fn every_day_of_800_years_is_that_of_chrono() {
        let first = NaiveDate::from_ymd_opt(1600, 1, 1).expect("a date");
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date");
        for n_days in 0..2 * 146_097 {
            let date = first + Days::new(n_days);
            let day = date.signed_duration_since(epoch).num_days();
            let civil = (date.year().into(), date.month().into(), date.day().into());
            assert_eq!(date_of(day), civil);
            assert_eq!(day_of(civil.0, civil.1, civil.2), day);
        }
    }
}
