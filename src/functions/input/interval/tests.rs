//! Intervals in every form.

use super::*;

fn check(text: &str, months: i32, days: i32, micros: i64) {
    let expected = IntervalMonthDayNano::new(months, days, micros * 1000);
    match value(text, IntervalNotation::Postgres) {
        Ok(got) => assert_eq!(got, expected, "{text}"),
        Err(error) => panic!("{text}: {}", error.message()),
    }
}

#[test]
fn intervals_in_every_form() {
    let (second, hour) = (MICROS_PER_SECOND, 3600 * MICROS_PER_SECOND);
    check("1 day", 0, 1, 0);
    check("1 year 2 mons -3 days", 14, -3, 0);
    check("1 day 02:03:04", 0, 1, 2 * hour + 184 * second);
    check("1-2 3 4:05:06", 14, 3, 4 * hour + 306 * second);
    check("@ 1 minute 2.5 secs ago", 0, 0, -62_500_000);
    check("90", 0, 0, 90 * second);
    check("-02:03", 0, 0, -7380 * second);
    check("1.5 years", 18, 0, 0);
    check("1.5 months", 1, 15, 0);
    check("1.5 days", 0, 1, 12 * hour);
    check("1.5 weeks", 0, 10, 12 * hour);
    check("5h30m", 0, 0, 5 * hour + 1800 * second);
    check("10:20.5", 0, 0, 620_500_000);
    check("P1Y2M3DT4H5M6.5S", 14, 3, 4 * hour + 306_500_000);
    check("P2W", 0, 14, 0);
    check("P0001-02-03T04:05:06", 14, 3, 4 * hour + 306 * second);
    check("2 centuries, 1 us", 2400, 0, 1);
    for wrong in [
        "",
        "soon",
        "1 dai",
        "1 2 days",
        "P",
        "P1",
        "1:2:3:4",
        "day",
        "1 day ago 2",
        "1 day 1 day",
        "1:20:05 5 us",
        "1 second 2 seconds",
        "123 2:03 -2:04",
    ] {
        assert!(value(wrong, IntervalNotation::Postgres).is_err(), "{wrong}");
    }
    check("1 2 hours", 0, 1, 2 * hour);
    let of = |text, last| {
        let read = of_fields(text, IntervalNotation::Postgres, last);
        last.cut(read.expect("it is an interval"))
    };
    let expected = IntervalMonthDayNano::new(0, 1, 2 * hour * 1000);
    assert_eq!(of("1 2", LastField::Hour), expected);
    assert_eq!(of("1 2:03:04", LastField::Hour), expected);
    let expected = IntervalMonthDayNano::new(0, 1, -123 * second * 1000);
    assert_eq!(of("1 -2:03", LastField::SecondOfMinute), expected);
    let expected = IntervalMonthDayNano::new(1, 0, 0);
    assert_eq!(of("1", LastField::Month), expected);
    let standard = value("-1-2 3 4:05:06", IntervalNotation::SqlStandard);
    let expected = IntervalMonthDayNano::new(-14, -3, -14_706_000_000_000);
    assert_eq!(standard.expect("it is an interval"), expected);
    let error = value("9999999999 years", IntervalNotation::Postgres).expect_err("it is too long");
    assert_eq!(error.kind(), ErrorKind::IntervalFieldOverflow);
}
