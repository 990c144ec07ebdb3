//! Dates, times and moments as MySQL writes them, digit by digit. What the calendar does not have
//! is none: `0000-00-00`, `2026-00-10`.

use chrono::NaiveDate;

/// Microseconds.
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A number of these digits, and nothing else.
fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    text.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + i64::from(digit - b'0'))
    })
}

/// `YYYY-MM-DD`: days since 1970. There is no year 0.
pub(super) fn date(text: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else {
        return None;
    };
    let year = digits(&[y1, y2, y3, y4]).filter(|year| *year > 0)?;
    let (month, day) = (digits(&[m1, m2])?, digits(&[d1, d2])?);
    let day = NaiveDate::from_ymd_opt(
        i32::try_from(year).ok()?,
        u32::try_from(month).ok()?,
        u32::try_from(day).ok()?,
    )?;
    Some(day.to_epoch_days())
}

/// `YYYY-MM-DD HH:MM:SS`, with a fraction or without: microseconds since 1970.
pub(super) fn moment(text: &[u8]) -> Option<i64> {
    let (day, time) = text.split_at_checked(10)?;
    let (b' ', time) = time.split_first().map(|(first, rest)| (*first, rest))? else {
        return None;
    };
    let time = clock(time).filter(|time| *time < DAY)?;
    Some(i64::from(date(day)?) * DAY + time)
}

/// `HH:MM:SS` of one day or several, with a sign and a fraction or without: microseconds.
pub(super) fn time(text: &[u8]) -> Option<i64> {
    match text.strip_prefix(b"-") {
        Some(text) => clock(text).map(|time| -time),
        None => clock(text),
    }
}

fn clock(text: &[u8]) -> Option<i64> {
    let point = text.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = match point {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, b"0".as_slice()),
    };
    let mut parts = whole.split(|byte| *byte == b':');
    let mut next = || parts.next().and_then(digits);
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    if parts.next().is_some() || minutes > 59 || seconds > 59 {
        return None;
    }
    let n_missing = 6_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let micros = digits(fraction)? * 10_i64.pow(n_missing);
    Some(((hours * 60 + minutes) * 60 + seconds) * SECOND + micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(b"1970-01-02"), Some(1));
        assert_eq!(date(b"1969-12-31"), Some(-1));
        assert_eq!(date(b"9999-12-31"), Some(2_932_896));
        for none in [
            "0000-00-00",
            "2026-00-10",
            "2026-02-30",
            "2026-1-02",
            "0000-01-01",
        ] {
            assert_eq!(date(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn moments_keep_their_fractions() {
        assert_eq!(moment(b"1970-01-01 00:00:01"), Some(1_000_000));
        assert_eq!(moment(b"1970-01-01 00:00:00.5"), Some(500_000));
        assert_eq!(moment(b"1969-12-31 23:59:59.999999"), Some(-1));
        for none in [
            "1970-01-01",
            "1970-01-01 24:00:00",
            "0000-00-00 00:00:00",
            "1970-01-01T00:00:00",
        ] {
            assert_eq!(moment(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn times_may_be_longer_than_a_day() {
        assert_eq!(time(b"00:00:00.000001"), Some(1));
        assert_eq!(time(b"838:59:59"), Some(3_020_399 * SECOND));
        assert_eq!(time(b"-00:00:01"), Some(-SECOND));
        assert_eq!(time(b"00:60:00"), None);
        assert_eq!(time(b"00:00"), None);
        assert_eq!(time(b"00:00:00.0000001"), None);
    }
}
