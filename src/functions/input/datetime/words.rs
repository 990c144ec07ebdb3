//! The words of dates and times, as `datetktbl` in datetime.c has them.

use super::fields::{AM_PM, DAY, ERA, MONTH, Mask, WEEKDAY};

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// `infinity`
    Infinity,
    /// `-infinity`
    MinusInfinity,
    /// `epoch`
    Epoch,
    /// `allballs`: midnight in UTC.
    Midnight,
    /// `now`, `today`, `tomorrow`, `yesterday`: what the text means depends on when it is read.
    OfTheMoment,
    /// A month, from 1.
    Month(i64),
    /// A day of the week, which is not looked at.
    Weekday,
    Am,
    Pm,
    Ad,
    Bc,
    /// `at`, `on`
    Ignored,
    /// `dst` behind a zone: an hour of summer time.
    SummerTime,
    /// `j`, `jd`, `julian`: the next number counts days of the Julian calendar.
    Julian,
    /// `t`: a time follows.
    TimeFollows,
    /// A unit, which no date has.
    Unit,
}

/// Characters of a word that count (`TOKMAXLEN`).
const CHARACTERS_MAX: usize = 10;

/// The meaning of a word in lower case.
pub(super) fn word(text: &str) -> Option<Word> {
    let text: String = text.chars().take(CHARACTERS_MAX).collect();
    Some(match text.as_str() {
        "infinity" | "+infinity" => Word::Infinity,
        "-infinity" => Word::MinusInfinity,
        "epoch" => Word::Epoch,
        "allballs" => Word::Midnight,
        "now" | "today" | "tomorrow" | "yesterday" => Word::OfTheMoment,
        "am" => Word::Am,
        "pm" => Word::Pm,
        "ad" => Word::Ad,
        "bc" => Word::Bc,
        "at" | "on" => Word::Ignored,
        "dst" => Word::SummerTime,
        "j" | "jd" | "julian" => Word::Julian,
        "t" => Word::TimeFollows,
        "d" | "dow" | "doy" | "h" | "isodow" | "isoyear" | "m" | "mm" | "s" | "y" => Word::Unit,
        "sun" | "sunday" | "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "weds"
        | "wednesday" | "thu" | "thur" | "thurs" | "thursday" | "fri" | "friday" | "sat"
        | "saturday" => Word::Weekday,
        other => Word::Month(month(other)?),
    })
}

fn month(text: &str) -> Option<i64> {
    Some(match text {
        "jan" | "january" => 1,
        "feb" | "february" => 2,
        "mar" | "march" => 3,
        "apr" | "april" => 4,
        "may" => 5,
        "jun" | "june" => 6,
        "jul" | "july" => 7,
        "aug" | "august" => 8,
        "sep" | "sept" | "september" => 9,
        "oct" | "october" => 10,
        "nov" | "november" => 11,
        "dec" | "december" => 12,
        _ => return None,
    })
}

impl Word {
    /// The field that a word gives by itself, so that a second one is noticed.
    pub(super) fn mask(self) -> Mask {
        match self {
            Self::Month(_) => MONTH,
            Self::Weekday => WEEKDAY,
            Self::Am | Self::Pm => AM_PM,
            Self::Ad | Self::Bc => ERA,
            Self::SummerTime => super::fields::SUMMER_TIME | super::fields::SUMMER_ZONE,
            _ => 0,
        }
    }
}

/// The field that a month's number becomes when its name comes as well.
pub(super) const MONTH_AS_DAY: Mask = DAY;
