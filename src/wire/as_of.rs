//! The moment behind the `@` of a database's name: `lake@2026-11-01`, `lake@month_end`.
//!
//! It is how a tool travels in which one can type nothing but a database. What it says becomes the
//! session's `lakegate.as_of`, so that everything after it is as if that had been set.

use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::common::ScalarValue;

use crate::error::{Error, ErrorKind, Result};
use crate::functions::input;
use crate::functions::output::Style;
use crate::types::oid;

/// The setting that it becomes.
pub(super) const AS_OF: &str = "lakegate.as_of";

/// What stands behind the `@` of a database's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// An instant, as the setting has it, with its offset.
    Instant(String),
    /// What can only be the name of a snapshot.
    Snapshot(String),
}

impl Moment {
    /// The setting's value.
    pub(super) fn value(&self) -> &str {
        match self {
            Self::Instant(value) | Self::Snapshot(value) => value,
        }
    }
}

/// The database of a name, and the moment that it says.
///
/// # Errors
/// `InvalidParameterValue`: the instant has not come yet.
pub(super) fn split(name: &str) -> Result<Option<(&str, Moment)>> {
    let Some((database, said)) = name.split_once('@') else {
        return Ok(None);
    };
    // What has no offset is in UTC, whatever zone the session will have.
    let instant = match input::value(said, oid::TIMESTAMPTZ, &Style::default()) {
        Ok(ScalarValue::TimestampMicrosecond(Some(micros), _)) => {
            DateTime::<Utc>::from_timestamp_micros(micros)
        }
        _ => return Ok(Some((database, Moment::Snapshot(said.to_owned())))),
    };
    match instant {
        Some(instant) if instant <= Utc::now() => {
            let value = instant.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            Ok(Some((database, Moment::Instant(value))))
        }
        _ => {
            let message = format!("the instant of database \"{name}\" has not come yet");
            Err(Error::new(ErrorKind::InvalidParameterValue, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_may_say_a_moment() {
        fn check(name: &str, expected: Option<&(&str, Moment)>) {
            assert_eq!(
                split(name).expect("it is not to come").as_ref(),
                expected,
                "{name}"
            );
        }
        let instant = |value: &str| Moment::Instant(value.to_owned());
        check("lake", None);
        check(
            "lake@2026-01-02",
            Some(&("lake", instant("2026-01-02T00:00:00Z"))),
        );
        check(
            "lake@2026-01-02T03:04:05.5+01:00",
            Some(&("lake", instant("2026-01-02T02:04:05.500Z"))),
        );
        let snapshot = Moment::Snapshot("month_end".to_owned());
        check("lake@month_end", Some(&("lake", snapshot)));
        assert!(split("lake@2999-01-01").is_err());
    }
}
