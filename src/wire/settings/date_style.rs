//! DateStyle, as `check_datestyle` in variable.c takes it.

use super::list::Setting;
use crate::error::{Error, ErrorKind};
use crate::wire::failure::Failure;

/// The notations and orders that a value names, each at most once.
#[derive(Clone, Copy, Debug, Default)]
struct Named {
    notation: Option<&'static str>,
    order: Option<&'static str>,
    /// German also sets the order, unless it is given.
    is_german: bool,
    has_conflict: bool,
}

/// The value as it is kept and shown. What it does not name stays as it is `now`; `default` is what
/// the word DEFAULT stands for.
///
/// # Errors
/// `InvalidParameterValue` with what is wrong.
pub(super) fn accept(
    setting: &Setting,
    value: &str,
    now: &str,
    default: &str,
) -> Result<String, Failure> {
    let mut named = Named::default();
    for word in words(setting, value)? {
        named.take(&word, default).ok_or_else(|| {
            invalid(
                setting,
                value,
                format!("Unrecognized key word: \"{word}\"."),
            )
        })?;
    }
    if named.has_conflict {
        let detail = "Conflicting \"datestyle\" specifications.".to_owned();
        return Err(invalid(setting, value, detail));
    }
    let (notation_now, order_now) = now.split_once(", ").unwrap_or(("ISO", "MDY"));
    let order_now = if named.is_german { "DMY" } else { order_now };
    Ok(format!(
        "{}, {}",
        named.notation.unwrap_or(notation_now),
        named.order.unwrap_or(order_now)
    ))
}

impl Named {
    /// Takes a word; `None` if it is none of PostgreSQL's.
    fn take(&mut self, word: &str, default: &str) -> Option<()> {
        let word = word.to_ascii_uppercase();
        let begins = |with: &str| word.starts_with(with);
        match word.as_str() {
            "ISO" => self.notation("ISO"),
            "SQL" => self.notation("SQL"),
            "GERMAN" => {
                self.notation("German");
                self.is_german |= self.order.is_none();
            }
            "YMD" => self.order("YMD"),
            "DMY" => self.order("DMY"),
            "MDY" | "US" => self.order("MDY"),
            "DEFAULT" => {
                let (notation, order) = default.split_once(", ")?;
                self.notation = self.notation.or(known(notation));
                self.order = self.order.or(known(order));
            }
            _ if begins("POSTGRES") => self.notation("Postgres"),
            _ if begins("EURO") => self.order("DMY"),
            _ if begins("NONEURO") => self.order("MDY"),
            _ => return None,
        }
        Some(())
    }

    fn notation(&mut self, notation: &'static str) {
        self.has_conflict |= self.notation.is_some_and(|before| before != notation);
        self.notation = Some(notation);
    }

    fn order(&mut self, order: &'static str) {
        self.has_conflict |= self.order.is_some_and(|before| before != order);
        self.order = Some(order);
    }
}

/// The constant that is equal to a word of a value that was kept.
fn known(word: &str) -> Option<&'static str> {
    ["ISO", "SQL", "German", "Postgres", "YMD", "DMY", "MDY"]
        .into_iter()
        .find(|known| *known == word)
}

/// The words between commas. An empty text has none; an empty word is no word
/// (`SplitIdentifierString`).
fn words(setting: &Setting, value: &str) -> Result<Vec<String>, Failure> {
    if value.trim().is_empty() {
        return Ok(Vec::new());
    }
    let words = value.split(',').map(|word| word.trim().trim_matches('"'));
    let words: Vec<String> = words.map(str::to_owned).collect();
    match words.iter().any(String::is_empty) {
        true => Err(invalid(
            setting,
            value,
            "List syntax is invalid.".to_owned(),
        )),
        false => Ok(words),
    }
}

fn invalid(setting: &Setting, value: &str, detail: String) -> Failure {
    Error::new(
        ErrorKind::InvalidParameterValue,
        format!(
            "invalid value for parameter \"{}\": \"{value}\"",
            setting.name
        ),
    )
    .with_detail(detail)
    .into()
}

#[cfg(test)]
mod tests {
    use super::super::list::find;
    use super::*;

    fn check(value: &str, now: &str, expected: &str) {
        let setting = find("DateStyle").expect("the setting is in the list");
        let got = accept(setting, value, now, "ISO, MDY");
        let got = got.unwrap_or_else(|failure| failure.detail.unwrap_or_default());
        assert_eq!(got, expected, "{value}");
    }

    #[test]
    fn what_is_not_named_stays() {
        check("sql", "ISO, DMY", "SQL, DMY");
        check("euro", "SQL, MDY", "SQL, DMY");
        check("German", "ISO, MDY", "German, DMY");
        check("german, ymd", "ISO, MDY", "German, YMD");
        check("postgresql, us", "ISO, DMY", "Postgres, MDY");
        check("default", "SQL, DMY", "ISO, MDY");
        check("", "SQL, DMY", "SQL, DMY");
        check("nope", "ISO, MDY", "Unrecognized key word: \"nope\".");
        check("iso,,mdy", "ISO, MDY", "List syntax is invalid.");
        let conflict = "Conflicting \"datestyle\" specifications.";
        check("iso, sql", "ISO, MDY", conflict);
        check("dmy, mdy", "ISO, MDY", conflict);
    }
}
