//! The patterns of dates and times, taken apart into keywords and what stands between them
//! (`parse_format` in formatting.c).

/// What a keyword stands for. Upper and lower case mean the same but where names and letters are
/// written as the keyword is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// AM or PM: with dots or without.
    Half {
        dots: bool,
    },
    /// AD or BC: with dots or without.
    Era {
        dots: bool,
    },
    Century,
    DayName,
    DayShort,
    DayOfYear,
    IsoDayOfYear,
    DayOfMonth,
    DayOfWeek,
    IsoDayOfWeek,
    /// So many digits of a second's fraction.
    Fraction(u32),
    Milliseconds,
    Microseconds,
    Exact,
    Hour24,
    Hour12,
    Minute,
    Second,
    SecondsOfDay,
    IsoWeek,
    Week,
    WeekOfMonth,
    /// So many of the last digits of the ISO year.
    IsoYear(u32),
    /// So many of the last digits of the year.
    Year(u32),
    /// `Y,YYY`
    YearWithComma,
    Julian,
    MonthName,
    MonthShort,
    Month,
    Roman,
    Offset,
    ZoneHours,
    ZoneMinutes,
    Zone,
    Quarter,
}

/// How a keyword was written, which is how names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Capital,
    Lower,
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Field(Field),
    /// A character that is no letter and no digit: `-`, `/`.
    Separator(char),
    Space(char),
    /// Any other character, or one in quotes.
    Character(char),
}

/// A keyword with what stands before and behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) key: Key,
    pub(super) case: Case,
    /// `FM`: without zeros and spaces to fill.
    pub(super) fill: bool,
    /// `TM`: names in the session's language, which is English here, and not filled.
    pub(super) translated: bool,
    /// `TH` or `th` behind it.
    pub(super) ordinal: Option<Case>,
}

/// The keywords in upper case, longer ones before those they begin with.
#[rustfmt::skip] // A table.
const KEYWORDS: &[(&str, Key)] = &[
    ("A.D.", Key::Era { dots: true }), ("A.M.", Key::Half { dots: true }),
    ("AD", Key::Era { dots: false }), ("AM", Key::Half { dots: false }),
    ("B.C.", Key::Era { dots: true }), ("BC", Key::Era { dots: false }),
    ("CC", Key::Century),
    ("DAY", Key::DayName), ("DDD", Key::DayOfYear), ("DD", Key::DayOfMonth), ("DY", Key::DayShort),
    ("D", Key::DayOfWeek),
    ("FF1", Key::Fraction(1)), ("FF2", Key::Fraction(2)), ("FF3", Key::Fraction(3)),
    ("FF4", Key::Fraction(4)), ("FF5", Key::Fraction(5)), ("FF6", Key::Fraction(6)), ("FX", Key::Exact),
    ("HH24", Key::Hour24), ("HH12", Key::Hour12), ("HH", Key::Hour12),
    ("IDDD", Key::IsoDayOfYear), ("ID", Key::IsoDayOfWeek), ("IW", Key::IsoWeek),
    ("IYYY", Key::IsoYear(4)), ("IYY", Key::IsoYear(3)), ("IY", Key::IsoYear(2)), ("I", Key::IsoYear(1)),
    ("J", Key::Julian),
    ("MI", Key::Minute), ("MM", Key::Month), ("MONTH", Key::MonthName), ("MON", Key::MonthShort),
    ("MS", Key::Milliseconds),
    ("OF", Key::Offset),
    ("P.M.", Key::Half { dots: true }), ("PM", Key::Half { dots: false }),
    ("Q", Key::Quarter),
    ("RM", Key::Roman),
    ("SSSSS", Key::SecondsOfDay), ("SSSS", Key::SecondsOfDay), ("SS", Key::Second),
    ("TZH", Key::ZoneHours), ("TZM", Key::ZoneMinutes), ("TZ", Key::Zone),
    ("US", Key::Microseconds),
    ("WW", Key::Week), ("W", Key::WeekOfMonth),
    ("Y,YYY", Key::YearWithComma), ("YYYY", Key::Year(4)), ("YYY", Key::Year(3)), ("YY", Key::Year(2)),
    ("Y", Key::Year(1)),
];

/// The names that may be written with a capital.
const CAPITALS: &[(&str, Key)] = &[
    ("Day", Key::DayName),
    ("Dy", Key::DayShort),
    ("Month", Key::MonthName),
    ("Mon", Key::MonthShort),
];

/// Takes a pattern apart.
pub(super) fn nodes(pattern: &str) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut rest = pattern;
    while !rest.is_empty() {
        let prefix = rest.get(..2).unwrap_or_default();
        let fill = matches!(prefix, "FM" | "fm");
        let translated = matches!(prefix, "TM" | "tm");
        if fill || translated {
            rest = &rest[2..];
        }
        if let Some((key, case, length)) = keyword(rest) {
            rest = &rest[length..];
            let ordinal = match rest.get(..2) {
                Some("TH") => Some(Case::Upper),
                Some("th") => Some(Case::Lower),
                _ => None,
            };
            if ordinal.is_some() || rest.starts_with("SP") {
                rest = &rest[2..];
            }
            nodes.push(Node::Field(Field {
                key,
                case,
                fill,
                translated,
                ordinal,
            }));
        } else if let Some(quoted) = rest.strip_prefix('"') {
            rest = take_quoted(quoted, &mut nodes);
        } else {
            rest = match rest.starts_with("\\\"") {
                true => &rest[1..],
                false => rest,
            };
            let mut characters = rest.chars();
            nodes.extend(characters.next().map(between));
            rest = characters.as_str();
        }
    }
    nodes
}

/// The keyword with which a pattern goes on: itself, its case and its length.
fn keyword(rest: &str) -> Option<(Key, Case, usize)> {
    for (name, key) in CAPITALS {
        if rest.starts_with(name) {
            return Some((*key, Case::Capital, name.len()));
        }
    }
    for (name, key) in KEYWORDS {
        if rest.starts_with(name) {
            // `MON` begins `MONTH`, which comes first.
            return Some((*key, Case::Upper, name.len()));
        }
    }
    for (name, key) in KEYWORDS {
        let is_lower = |it: &&str| it.bytes().all(|byte| !byte.is_ascii_uppercase());
        let start = rest.get(..name.len()).filter(is_lower);
        if start.is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            return Some((*key, Case::Lower, name.len()));
        }
    }
    None
}

/// Takes what is in quotes; what is behind it.
fn take_quoted<'a>(quoted: &'a str, nodes: &mut Vec<Node>) -> &'a str {
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => nodes.extend(characters.next().map(Node::Character)),
            other => nodes.push(Node::Character(other)),
        }
    }
    characters.as_str()
}

fn between(character: char) -> Node {
    if character.is_ascii_graphic() && !character.is_ascii_alphanumeric() {
        Node::Separator(character)
    } else if character.is_ascii_whitespace() || character == '\u{b}' {
        Node::Space(character)
    } else {
        Node::Character(character)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(pattern: &str) -> Vec<Key> {
        let nodes = nodes(pattern).into_iter();
        nodes
            .filter_map(|node| match node {
                Node::Field(field) => Some(field.key),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_longest_keyword_counts() {
        assert_eq!(
            keys("YYYY-MM-DD HH24:MI:SS"),
            [
                Key::Year(4),
                Key::Month,
                Key::DayOfMonth,
                Key::Hour24,
                Key::Minute,
                Key::Second
            ]
        );
        assert_eq!(keys("Yyyy"), [Key::Year(1), Key::Year(3)]);
        assert_eq!(keys("Day"), [Key::DayName]);
        assert_eq!(keys("iyyyiw"), [Key::IsoYear(4), Key::IsoWeek]);
        assert_eq!(keys("\"YYYY\""), []);
    }

    #[test]
    fn what_is_quoted_is_taken_as_it_is() {
        assert_eq!(
            nodes("\"D\\\"\"\\\"x-"),
            [
                Node::Character('D'),
                Node::Character('"'),
                Node::Separator('"'),
                Node::Character('x'),
                Node::Separator('-')
            ]
        );
    }
}
