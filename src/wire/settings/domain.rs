//! The values a setting takes, and how they are kept and shown.

use super::list::Setting;
use super::{date_style, time_zone};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::input;
use crate::functions::output::Style;
use crate::types::{BYTES, DURATION, Encoding, KILOBYTES, Units, oid};
use crate::wire::failure::Failure;

/// The values a setting takes.
#[derive(Debug)]
pub(in crate::wire) enum Domain {
    /// Anything.
    Text,
    /// A program's name: printable ASCII, cut to PostgreSQL's length of a name.
    ApplicationName,
    /// on or off, in PostgreSQL's spellings.
    Bool,
    /// A whole number within these bounds.
    Integer(i64, i64),
    /// A number.
    Float,
    /// Milliseconds, or with a unit; 0 for none.
    Duration,
    /// The same, or nothing.
    DurationOrNothing,
    /// A whole number; 0 for the default.
    Probes { n_max: i64, default: &'static str },
    /// A time in this unit, shown without it; 0 for the default.
    Time {
        unit: &'static str,
        max: i64,
        default: &'static str,
    },
    /// Kilobytes, or with a unit.
    Kilobytes,
    /// The same, or -1 for any number.
    KilobytesOrAny,
    /// Bytes, or with a unit.
    Bytes,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Of PostgreSQL's values the first are honoured, the others are refused by name.
    Only(&'static [&'static str], &'static [&'static str]),
    /// An encoding that texts can be brought into and out of.
    ClientEncoding,
    /// A notation and an order of fields, or one of them.
    DateStyle,
    /// An instant, the name of a snapshot, or nothing for now.
    Moment,
    /// A list of schemas.
    SearchPath,
    /// An IANA name or an offset.
    TimeZone,
    /// Shown only.
    Fixed,
}

/// What a setting was before it is set.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) struct Before<'a> {
    /// The setting's name as it was written now.
    pub(in crate::wire) written: &'a str,
    /// Its value.
    pub(in crate::wire) now: &'a str,
    /// What RESET goes back to.
    pub(in crate::wire) default: &'a str,
}

/// What was not taken.
type Refused = Failure;

impl Domain {
    /// The value as it is kept and shown.
    ///
    /// # Errors
    /// `InvalidParameterValue` for what PostgreSQL refuses, `FeatureNotSupported` for what only
    /// Lakegate does.
    pub(in crate::wire) fn accept(
        &self,
        setting: &Setting,
        value: &str,
        before: Before<'_>,
    ) -> Result<String, Refused> {
        let kept = match self {
            Self::Text => Some(value.to_owned()),
            Self::ApplicationName => Some(program_name(value)),
            Self::Bool => return boolean(setting, value),
            Self::Integer(min, max) => return integer(setting, value, *min, *max),
            Self::Float => float(value),
            Self::Duration => shown(value, &DURATION, "ms"),
            Self::DurationOrNothing if value.trim().is_empty() => Some(String::new()),
            Self::DurationOrNothing => shown(value, &DURATION, "ms"),
            Self::Probes { n_max, default } => {
                integer(setting, value, 0, *n_max).map(|number| unless_zero(number, default))?
            }
            Self::Time { unit, max, default } => {
                let milliseconds = DURATION.read(value, unit);
                let milliseconds = milliseconds.ok_or_else(|| invalid(setting, value))?;
                let size = if *unit == "s" { 1000 } else { 1 };
                let number = (milliseconds + size / 2) / size;
                integer(setting, &number.to_string(), 0, *max)
                    .map(|number| unless_zero(number, default))?
            }
            Self::Kilobytes => shown(value, &KILOBYTES, "kB"),
            Self::KilobytesOrAny if value.trim() == "-1" => Some("-1".to_owned()),
            Self::KilobytesOrAny => shown(value, &KILOBYTES, "kB"),
            Self::Bytes => shown(value, &BYTES, "B"),
            Self::OneOf(words) => {
                return one_of(words, value).ok_or_else(|| not_among(before.written, words, value));
            }
            Self::Only(honoured, refused) => {
                if let Some(word) = one_of(refused, &switch(value)) {
                    return Err(unsupported(setting, &word));
                }
                one_of(honoured, &switch(value)).or_else(|| one_of(honoured, value))
            }
            Self::ClientEncoding => return client_encoding(setting, value),
            Self::DateStyle => {
                return date_style::accept(setting, value, before.now, before.default);
            }
            Self::Moment => moment(value),
            Self::SearchPath => Some(show_search_path(&search_path(value))),
            Self::TimeZone => time_zone::canonical(value),
            Self::Fixed => {
                let message = format!("parameter \"{}\" cannot be changed", setting.name);
                return Err(Error::new(ErrorKind::CantChangeRuntimeParam, message).into());
            }
        };
        kept.ok_or_else(|| invalid(setting, value))
    }
}

/// What says a moment: the name of a snapshot, of which is known here only that it may be one, or what
/// PostgreSQL reads as an instant. A version is of one table, and not of all.
fn moment(value: &str) -> Option<String> {
    let value = value.trim();
    let is_word = value.starts_with(|first: char| first.is_alphabetic() || first == '_');
    let digits = value.strip_prefix(['v', 'V']).unwrap_or("x");
    let is_version = digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_instant = || input::value(value, oid::TIMESTAMPTZ, &Style::default()).is_ok();
    let is_moment = value.is_empty() || (is_word && !is_version) || is_instant();
    is_moment.then(|| value.to_owned())
}

fn invalid(setting: &Setting, value: &str) -> Refused {
    Error::new(
        ErrorKind::InvalidParameterValue,
        format!(
            "invalid value for parameter \"{}\": \"{value}\"",
            setting.name
        ),
    )
    .into()
}

/// As `config_enum_lookup_by_name` and its caller in guc.c, with the words that are not hidden.
fn not_among(name: &str, words: &[&str], value: &str) -> Refused {
    let shown = words.iter().filter(|word| **word != "debug");
    let shown: Vec<&str> = shown.copied().collect();
    let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
    Error::new(ErrorKind::InvalidParameterValue, message)
        .with_hint(format!("Available values: {}.", shown.join(", ")))
        .into()
}

fn unsupported(setting: &Setting, value: &str) -> Refused {
    Error::unsupported(format!("setting \"{}\" to \"{value}\"", setting.name)).into()
}

/// PostgreSQL keeps 63 bytes, and shows what is not printable ASCII as `\xNN`.
fn program_name(value: &str) -> String {
    let mut name = String::new();
    for byte in value.bytes() {
        let shown = match byte {
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        };
        if name.len() + shown.len() > 63 {
            break;
        }
        name.push_str(&shown);
    }
    name
}

fn on_or_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

/// A Boolean in another spelling becomes `on` or `off`; other words stay.
fn switch(value: &str) -> String {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => "on".to_owned(),
        "false" | "no" | "0" => "off".to_owned(),
        _ => value.to_owned(),
    }
}

fn boolean(setting: &Setting, value: &str) -> Result<String, Refused> {
    match input::boolean(value) {
        Some(value) => Ok(on_or_off(value).to_owned()),
        None => Err(Error::new(
            ErrorKind::InvalidParameterValue,
            format!("parameter \"{}\" requires a Boolean value", setting.name),
        )
        .into()),
    }
}

fn integer(setting: &Setting, value: &str, min: i64, max: i64) -> Result<String, Refused> {
    let number: i64 = value.trim().parse().map_err(|_| invalid(setting, value))?;
    if (min..=max).contains(&number) {
        return Ok(number.to_string());
    }
    Err(Error::new(
        ErrorKind::InvalidParameterValue,
        format!(
            "{number} is outside the valid range for parameter \"{}\" ({min} .. {max})",
            setting.name
        ),
    )
    .into())
}

/// As PostgreSQL takes 0 where it means what the system does by itself.
fn unless_zero(number: String, default: &str) -> Option<String> {
    Some(match number.as_str() {
        "0" => default.to_owned(),
        _ => number,
    })
}

fn float(value: &str) -> Option<String> {
    let number: f64 = value.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then(|| number.to_string())
}

fn one_of(words: &[&str], value: &str) -> Option<String> {
    words
        .iter()
        .find(|word| word.eq_ignore_ascii_case(value))
        .map(|word| (*word).to_owned())
}

/// A number with a unit, as SHOW prints it.
fn shown(value: &str, units: &Units, base: &str) -> Option<String> {
    units.read(value, base).map(|number| units.show(number))
}

/// A duration as it is kept; `None` for no limit.
pub(in crate::wire) fn duration_of(value: &str) -> Option<std::time::Duration> {
    let milliseconds = DURATION.read(value, "ms")?;
    let milliseconds = u64::try_from(milliseconds)
        .ok()
        .filter(|value| *value > 0)?;
    Some(std::time::Duration::from_millis(milliseconds))
}

fn client_encoding(setting: &Setting, value: &str) -> Result<String, Refused> {
    match Encoding::of(value) {
        Some(Encoding::Other) => Err(unsupported(setting, value)),
        Some(encoding) => Ok(encoding.name().to_owned()),
        None => Err(invalid(setting, value)),
    }
}

/// The schemas of a search path, unquoted and folded.
pub(in crate::wire) fn search_path(value: &str) -> Vec<String> {
    let mut schemas = Vec::new();
    let mut schema = String::new();
    let mut in_quotes = false;
    let mut was_quoted = false;
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if in_quotes && characters.peek() == Some(&'"') => {
                characters.next();
                schema.push('"');
            }
            '"' => {
                in_quotes = !in_quotes;
                was_quoted = true;
            }
            ',' if !in_quotes => {
                schemas.push(std::mem::take(&mut schema));
                was_quoted = false;
            }
            ' ' if !in_quotes && (schema.is_empty() || was_quoted) => {}
            _ => schema.push(character),
        }
    }
    schemas.push(schema);
    schemas
        .into_iter()
        .map(|schema| schema.trim_end().to_owned())
        .collect()
}

fn show_search_path(schemas: &[String]) -> String {
    let shown: Vec<String> = schemas
        .iter()
        .map(|schema| {
            let plain = !schema.is_empty()
                && schema.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
                && schema
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            match plain {
                true => schema.clone(),
                false => format!("\"{}\"", schema.replace('"', "\"\"")),
            }
        })
        .collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::list::find;
    use super::*;

    fn check(name: &str, value: &str, expected: &str) {
        let setting = find(name).expect("the setting is in the list");
        let before = Before {
            written: name,
            now: setting.default,
            default: setting.default,
        };
        let got = match setting.domain.accept(setting, value, before) {
            Ok(kept) => kept,
            Err(failure) => failure.message,
        };
        assert_eq!(got, expected, "{name} = {value}");
    }

    #[test]
    fn values_are_kept_as_postgres_shows_them() {
        check("jit", "TRUE", "on");
        check("jit", "maybe", "parameter \"jit\" requires a Boolean value");
        check("statement_timeout", "60000", "1min");
        check("statement_timeout", "1500", "1500ms");
        check("statement_timeout", "2.5 s", "2500ms");
        check("tcp_keepalives_idle", "2min", "120");
        check("tcp_keepalives_idle", "0", "30");
        check("tcp_user_timeout", "1 s", "1000");
        check("tcp_keepalives_count", "0", "3");
        check(
            "tcp_keepalives_count",
            "200",
            "200 is outside the valid range for parameter \"tcp_keepalives_count\" (0 .. 127)",
        );
        check(
            "statement_timeout",
            "-1",
            "invalid value for parameter \"statement_timeout\": \"-1\"",
        );
        check("work_mem", "65536", "64MB");
        check(
            "extra_float_digits",
            "4",
            "4 is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)",
        );
        check("client_encoding", "'utf-8'", "UTF8");
        check("client_encoding", "unicode", "UTF8");
        check(
            "client_encoding",
            "latin2",
            "setting \"client_encoding\" to \"latin2\" is not supported",
        );
        check(
            "client_encoding",
            "klingon",
            "invalid value for parameter \"client_encoding\": \"klingon\"",
        );
        check("datestyle", "iso", "ISO, MDY");
        check("datestyle", "German", "German, DMY");
        check("bytea_output", "ESCAPE", "escape");
        check(
            "bytea_output",
            "base64",
            "invalid value for parameter \"bytea_output\": \"base64\"",
        );
        check("standard_conforming_strings", "true", "on");
        check(
            "server_version",
            "17",
            "parameter \"server_version\" cannot be changed",
        );
        check("search_path", "a, \"B c\"", "a, \"B c\"");
        check("search_path", "", "\"\"");
        check("search_path", "\"$user\", public", "\"$user\", public");
        check("application_name", "caf\u{e9}", "caf\\xc3\\xa9");
    }

    #[test]
    fn search_paths_are_split_at_commas_outside_quotes() {
        assert_eq!(search_path("a,b"), ["a", "b"]);
        assert_eq!(search_path("\"$user\", public"), ["$user", "public"]);
        assert_eq!(search_path("\"a,b\" , c"), ["a,b", "c"]);
    }
}
