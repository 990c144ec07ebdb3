//! Texts that a PostgreSQL 16 was asked about, in sessions of every DateStyle.

use super::*;
use crate::functions::output::{FieldOrder, Zone};

fn style(order: FieldOrder) -> Style {
    let mut style = Style {
        zone: Zone::of("Europe/Berlin"),
        ..Style::default()
    };
    style.notation.order = order;
    style
}

/// Checks the date of a text, or the first word of its error's message.
fn check_date(text: &str, order: FieldOrder, expected: &str) {
    let got = match date(text, &style(order)) {
        Ok(days) => {
            let day = chrono::NaiveDate::default() + chrono::Duration::days(days.into());
            day.to_string()
        }
        Err(error) => {
            let message = error.message();
            message.split(' ').next().unwrap_or_default().to_owned()
        }
    };
    assert_eq!(got, expected, "{text}");
}

fn check_moment(text: &str, expected: &str) {
    let got = match timestamptz(text, &style(FieldOrder::MonthDayYear)) {
        Ok(micros) => match chrono::DateTime::from_timestamp_micros(micros) {
            Some(moment) => moment.naive_utc().to_string(),
            None => micros.to_string(),
        },
        Err(error) => error.message().to_owned(),
    };
    assert_eq!(got, expected, "{text}");
}

#[test]
fn dates_in_every_order() {
    use FieldOrder::{DayMonthYear, MonthDayYear, YearMonthDay};
    for order in [DayMonthYear, MonthDayYear, YearMonthDay] {
        for text in [
            "1999-01-08",
            "January 8, 1999",
            "1999-Jan-08",
            "Jan-08-1999",
            "08-Jan-1999",
            "19990108",
            "990108",
            "1999.008",
            "J2451187",
            "Fri Jan 08 1999",
        ] {
            check_date(text, order, "1999-01-08");
        }
    }
    check_date("1/8/1999", MonthDayYear, "1999-01-08");
    check_date("1/8/1999", DayMonthYear, "1999-08-01");
    check_date("1/8/1999", YearMonthDay, "date/time");
    check_date("01/02/03", MonthDayYear, "2003-01-02");
    check_date("01/02/03", DayMonthYear, "2003-02-01");
    check_date("01/02/03", YearMonthDay, "2001-02-03");
    check_date("08.01.99", DayMonthYear, "1999-01-08");
    check_date("99-Jan-08", YearMonthDay, "1999-01-08");
    check_date("99-Jan-08", MonthDayYear, "date/time");
    check_date("08-Jan-99", YearMonthDay, "date/time");
    check_date("08-Jan-99", MonthDayYear, "1999-01-08");
    check_date("Jan-08-99", DayMonthYear, "1999-01-08");
    check_date("2023-02-29", MonthDayYear, "date/time");
    check_date("1999-01", MonthDayYear, "invalid");
    check_date("10:00", MonthDayYear, "invalid");
    check_date("", MonthDayYear, "invalid");
    check_date("44-03-15 BC", YearMonthDay, "-0043-03-15");
}

#[test]
fn moments() {
    check_moment("Wed Dec 17 07:37:16 1997 PST", "1997-12-17 15:37:16");
    check_moment("1997-12-17T073716Z", "1997-12-17 07:37:16");
    check_moment("1997-12-17 07:37:16.5 PM", "1997-12-17 18:37:16.500");
    check_moment("12/17/1997 07:37 America/New_York", "1997-12-17 12:37:00");
    check_moment("1997-06-17 07:37 europe/berlin", "1997-06-17 05:37:00");
    check_moment("20240229 010203.25", "2024-02-29 00:02:03.250");
    check_moment("1997-06-17 00:00 MET DST", "1997-06-16 22:00:00");
    check_moment("2024-02-29 24:00", "2024-02-29 23:00:00");
    check_moment("2024-02-29 allballs", "2024-02-29 00:00:00");
    check_moment("infinity", &i64::MAX.to_string());
    check_moment(
        "2024-02-29 01:00+16",
        "time zone displacement out of range: \"2024-02-29 01:00+16\"",
    );
    check_moment(
        "2024-02-29 01:00 Mars/Olympus",
        "time zone \"mars/olympus\" not recognized",
    );
    check_moment(
        "2024-02-29 13:00 PM",
        "date/time field value out of range: \"2024-02-29 13:00 PM\"",
    );
    check_moment("now", "the date or time 'now' is not supported");
    check_moment(
        "2024-02-29 1:2:3:4",
        "invalid input syntax for type timestamp with time zone: \"2024-02-29 1:2:3:4\"",
    );
}

#[test]
fn times() {
    let check = |text: &str, expected: Option<i64>| {
        let got = time(text, &style(FieldOrder::MonthDayYear)).ok();
        assert_eq!(got, expected.map(|seconds| seconds * 1_000_000), "{text}");
    };
    check("04:05:06", Some(14_706));
    check("040506", Some(14_706));
    check("0405", Some(14_700));
    check("04:05 PM", Some(57_900));
    check("24:00", Some(86_400));
    check("24:00:01", None);
    check("12:30 AM", Some(1800));
    check("04:05:06-08", Some(14_706));
    check("2003-04-12 04:05:06 America/New_York", Some(14_706));
    check("allballs", Some(0));
    check("10", None);
    check("25:00", None);
}
