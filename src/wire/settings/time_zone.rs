//! Time zones as PostgreSQL spells them, and as Arrow takes them.

use crate::functions::input;
use crate::functions::output::iana_name;

/// The zone as it is kept and shown; `None` if there is no such zone.
pub(super) fn canonical(value: &str) -> Option<String> {
    let value = value.trim();
    if let Ok(hours) = value.parse::<f64>() {
        return numeric(hours);
    }
    if let Some(offset) = shown_offset(value) {
        return Some(show_offset(offset));
    }
    // A POSIX zone without a name.
    if unnamed(value).is_some_and(|seconds| seconds % 60 == 0) {
        return Some(value.to_owned());
    }
    if let Some(name) = iana_name(value) {
        return Some(name);
    }
    let seconds = posix(value)?;
    Some(match value.contains(['+', '-']) {
        true => show_offset(seconds),
        // As pg_tzset in pgtz.c keeps it.
        false => value.to_ascii_uppercase(),
    })
}

/// `-02:00`, `12:00`: seconds, as they are written.
fn unnamed(value: &str) -> Option<i32> {
    match value.starts_with(|first: char| first.is_ascii_digit()) && value.contains(':') {
        true => input::offset(&format!("+{value}")),
        false => input::offset(value),
    }
}

/// The zone as Arrow takes it: an IANA name or an offset.
pub(in crate::wire) fn arrow_zone(kept: &str) -> String {
    let west = unnamed(kept).map(i32::wrapping_neg);
    match shown_offset(kept).or(west).or_else(|| posix(kept)) {
        Some(seconds) => {
            let sign = if seconds < 0 { '-' } else { '+' };
            let minutes = seconds.abs() / 60;
            format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
        None => kept.to_owned(),
    }
}

/// `SET TIME ZONE 5.5`: hours east of Greenwich.
fn numeric(hours: f64) -> Option<String> {
    let seconds = (hours * 3600.0).round();
    // PostgreSQL's zones are less than 168 hours away; Arrow's less than 24.
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (seconds.abs() < 86_400.0 && seconds % 60.0 == 0.0).then(|| show_offset(seconds as i32))
}

/// `GMT+2`, `EST5`: the sign says how far Greenwich is, so it is turned round.
fn posix(value: &str) -> Option<i32> {
    let split = value.find(|it: char| it.is_ascii_digit() || matches!(it, '+' | '-'))?;
    let (name, offset) = value.split_at(split);
    let is_abbreviation = name.len() >= 3 && name.chars().all(|c| c.is_ascii_alphabetic());
    let offset = match offset.starts_with(['+', '-']) {
        true => input::offset(offset),
        false => input::offset(&format!("+{offset}")),
    };
    offset.filter(|_| is_abbreviation).map(i32::wrapping_neg)
}

/// `<+02>-02`, as [`show_offset`] writes it.
fn shown_offset(value: &str) -> Option<i32> {
    let (offset, _) = value.strip_prefix('<')?.split_once('>')?;
    input::offset(offset)
}

fn show_offset(seconds: i32) -> String {
    let written = |seconds: i32| {
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.abs() / 60;
        match minutes % 60 {
            0 => format!("{sign}{:02}", minutes / 60),
            rest => format!("{sign}{:02}:{rest:02}", minutes / 60),
        }
    };
    // -0 is written as PostgreSQL does for UTC.
    let back = match seconds {
        0 => "-00".to_owned(),
        _ => written(-seconds),
    };
    format!("<{}>{back}", written(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, shown: Option<&str>, zone: &str) {
        let kept = canonical(value);
        assert_eq!(kept.as_deref(), shown, "{value}");
        if let Some(kept) = kept {
            assert_eq!(arrow_zone(&kept), zone, "{value}");
            assert_eq!(canonical(&kept).as_deref(), shown, "{kept}");
        }
    }

    #[test]
    fn zones_in_every_spelling() {
        check("UTC", Some("UTC"), "UTC");
        check("utc", Some("UTC"), "UTC");
        check("Europe/Berlin", Some("Europe/Berlin"), "Europe/Berlin");
        check(
            "america/new_york",
            Some("America/New_York"),
            "America/New_York",
        );
        check("2", Some("<+02>-02"), "+02:00");
        check("-7.5", Some("<-07:30>+07:30"), "-07:30");
        check("GMT-2", Some("<+02>-02"), "+02:00");
        check("-02:00", Some("-02:00"), "+02:00");
        check("12:00", Some("12:00"), "-12:00");
        check("foobar0", Some("FOOBAR0"), "+00:00");
        check("EST5", Some("EST5"), "-05:00");
        check("Mars/Olympus", None, "");
        check("", None, "");
    }
}
