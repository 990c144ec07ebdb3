//! Limits: settings of which ALTER ROLE ... SET makes a ceiling. A session may go below it, and
//! never above.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Authority;
use crate::types::{BYTES, DURATION, KILOBYTES};

/// A setting that limits what a session may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A time; 0 is none.
    Time,
    /// A size, by itself in kilobytes; 0 is none.
    Memory,
    /// A size, by itself in bytes; 0 is none.
    Bytes,
    /// A size, by itself in kilobytes; -1 is none, and 0 allows nothing.
    TemporaryFiles,
}

/// The limits by their settings' names, in lower case.
const LIMITS: [(&str, Limit); 6] = [
    ("idle_in_transaction_session_timeout", Limit::Time),
    ("idle_session_timeout", Limit::Time),
    ("lakegate.max_scan_bytes", Limit::Bytes),
    ("lakegate.statement_memory", Limit::Memory),
    ("statement_timeout", Limit::Time),
    ("temp_file_limit", Limit::TemporaryFiles),
];

/// How much a limit's value allows. The order is that of how much it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Allowed {
    /// So many of the smallest unit.
    AtMost(i64),
    /// Any number.
    Anything,
}

impl Limit {
    /// The limit that a setting is, by its name in any case.
    pub fn of_setting(name: &str) -> Option<Self> {
        let mut limits = LIMITS.iter();
        let found = limits.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, limit)| *limit)
    }

    /// Whether it can have this value.
    pub fn takes(self, value: &str) -> bool {
        self.allowed(value).is_some()
    }

    /// The number of bytes, or of milliseconds, that a value allows; `None` for any number, and for
    /// what is no value.
    pub fn amount(self, value: &str) -> Option<u64> {
        let per_unit = match self {
            Self::Time | Self::Bytes => 1,
            Self::Memory | Self::TemporaryFiles => 1 << 10,
        };
        match self.allowed(value)? {
            Allowed::AtMost(number) => u64::try_from(number).ok()?.checked_mul(per_unit),
            Allowed::Anything => None,
        }
    }

    fn allowed(self, value: &str) -> Option<Allowed> {
        let number = match self {
            Self::TemporaryFiles if value.trim() == "-1" => return Some(Allowed::Anything),
            Self::TemporaryFiles | Self::Memory => KILOBYTES.read(value, "kB"),
            Self::Time => DURATION.read(value, "ms"),
            Self::Bytes => BYTES.read(value, "B"),
        };
        Some(match number? {
            0 if self != Self::TemporaryFiles => Allowed::Anything,
            number => Allowed::AtMost(number),
        })
    }
}

/// The ceilings of a role's sessions, by the names of settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ceilings(Arc<BTreeMap<String, String>>);

impl Ceilings {
    /// What ALTER ROLE ... SET says of a role's limits: for all roles, unless for its own.
    pub fn of(authority: &Authority, role: &str) -> Self {
        let limits = authority
            .settings_of(role)
            .filter(|setting| Limit::of_setting(&setting.name).is_some())
            .map(|setting| (setting.name.clone(), setting.value.clone()));
        Self(Arc::new(limits.collect()))
    }

    /// The ceiling of a setting, if a value is above it.
    pub fn exceeded_by(&self, name: &str, value: &str) -> Option<&str> {
        let (ceiling, limit) = (self.0.get(name)?, Limit::of_setting(name)?);
        // What cannot be read allows nothing.
        let ceiling_allows = limit.allowed(ceiling).unwrap_or(Allowed::AtMost(0));
        let is_within = limit
            .allowed(value)
            .is_some_and(|allowed| allowed <= ceiling_allows);
        (!is_within).then_some(ceiling)
    }

    /// A limit that is higher after a change, or gone.
    pub fn raised_by(&self, after: &Self) -> Option<&str> {
        let mut names = self.0.keys().map(String::as_str);
        names.find(|name| match after.0.get(*name) {
            Some(value) => self.exceeded_by(name, value).is_some(),
            None => Limit::of_setting(name)
                .is_some_and(|limit| limit.allowed(&self.0[*name]) != Some(Allowed::Anything)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ceilings(pairs: &[(&str, &str)]) -> Ceilings {
        let pairs = pairs.iter();
        let owned = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Ceilings(Arc::new(owned.collect()))
    }

    #[test]
    fn below_is_allowed_and_above_is_not() {
        let limited = ceilings(&[
            ("statement_timeout", "5min"),
            ("lakegate.statement_memory", "64MB"),
            ("lakegate.max_scan_bytes", "1GB"),
            ("temp_file_limit", "0"),
        ]);
        for (name, value) in [
            ("statement_timeout", "1ms"),
            ("statement_timeout", "300000"),
            ("lakegate.statement_memory", "65536"),
            ("lakegate.max_scan_bytes", "1048576kB"),
            ("temp_file_limit", "0"),
            ("idle_session_timeout", "0"),
            ("work_mem", "1TB"),
        ] {
            assert_eq!(limited.exceeded_by(name, value), None, "{name} = {value}");
        }
        for (name, value) in [
            ("statement_timeout", "0"),
            ("statement_timeout", "300001"),
            ("statement_timeout", "soon"),
            ("lakegate.statement_memory", "0"),
            ("lakegate.max_scan_bytes", "1073741825"),
            ("temp_file_limit", "-1"),
            ("temp_file_limit", "1"),
        ] {
            assert!(
                limited.exceeded_by(name, value).is_some(),
                "{name} = {value}"
            );
        }
    }

    #[test]
    fn to_take_a_limit_away_is_to_raise_it() {
        let before = ceilings(&[("statement_timeout", "5min")]);
        let check = |after: &[(&str, &str)], expected: Option<&str>| {
            assert_eq!(before.raised_by(&ceilings(after)), expected, "{after:?}");
        };
        check(&[("statement_timeout", "4min")], None);
        check(&[("statement_timeout", "6min")], Some("statement_timeout"));
        check(&[("statement_timeout", "0")], Some("statement_timeout"));
        check(&[], Some("statement_timeout"));
        let none = ceilings(&[("statement_timeout", "0")]);
        assert_eq!(none.raised_by(&ceilings(&[])), None);
    }

    #[test]
    fn amounts_are_in_bytes_and_milliseconds() {
        assert_eq!(Limit::Memory.amount("64"), Some(65_536));
        assert_eq!(Limit::TemporaryFiles.amount("0"), Some(0));
        assert_eq!(Limit::TemporaryFiles.amount("-1"), None);
        assert_eq!(Limit::Bytes.amount("0"), None);
        assert_eq!(Limit::Time.amount("2s"), Some(2000));
    }
}
