//! A session's settings: SET, SHOW, RESET, and what a transaction's end does to them.

mod date_style;
mod domain;
mod list;
mod meaning;
mod time_zone;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use moka::sync::Cache;

use super::assume::{ROLE, SESSION_AUTHORIZATION, is_identity};
use super::failure::Failure;
use crate::auth::Ceilings;
use crate::error::{Error, ErrorKind, Limit};
use crate::functions::SetConfig;
use domain::Before;
use list::{SETTINGS, Setting, find};

/// Two-part names a session may set besides the list's.
const CUSTOM_SETTINGS_MAX: usize = 1_000;

type Values = Arc<BTreeMap<String, String>>;

/// A session's settings.
///
/// `session` holds what stays after the transaction, `current` also what SET LOCAL set. Both are
/// copied when they are changed while a copy is kept to go back to.
#[derive(Debug)]
pub(super) struct Settings {
    defaults: Values,
    session: Values,
    current: Values,
    /// As they were when the transaction, and then each savepoint, began.
    saved: Vec<(Values, Values)>,
    /// What `set_config()` asked for in the statement that runs.
    asked: Arc<Mutex<Vec<Asked>>>,
    /// What the client was last told.
    told: Option<Values>,
    /// What no value may go above.
    ceilings: Ceilings,
}

/// Settings that sessions began with. Those of a pool begin alike, and most never change
/// anything: each then holds what all of them hold.
#[derive(Debug)]
pub(super) struct Beginnings(Cache<Values, Values>);

/// Beginnings that are kept. An entry never goes stale: its key is all that it says.
const BEGINNINGS_MAX: u64 = 1_000;

impl Default for Beginnings {
    fn default() -> Self {
        Self(Cache::new(BEGINNINGS_MAX))
    }
}

/// A setting that `set_config()` is to set.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) value: Option<String>,
    pub(super) is_local: bool,
}

impl Settings {
    /// The settings that a session of this user starts with; `fixed` are those that the server
    /// itself decides, by their names in lower case.
    pub(super) fn new(user: &str, fixed: &[(&str, &str)]) -> Self {
        let mut values: BTreeMap<String, String> = SETTINGS
            .iter()
            .map(|setting| (setting.name.to_lowercase(), setting.default.to_owned()))
            .collect();
        values.insert("session_authorization".to_owned(), user.to_owned());
        for (name, value) in fixed {
            values.insert((*name).to_owned(), (*value).to_owned());
        }
        let values = Arc::new(values);
        Self {
            defaults: Arc::clone(&values),
            session: Arc::clone(&values),
            current: values,
            saved: Vec::new(),
            asked: Arc::default(),
            told: None,
            ceilings: Ceilings::default(),
        }
    }

    /// Shares what other sessions began with as well, before anything is set in this one.
    pub(super) fn share(&mut self, beginnings: &Beginnings) {
        let own = || Arc::clone(&self.defaults);
        let shared = beginnings.0.get_with(own(), own);
        self.session = Arc::clone(&shared);
        self.current = Arc::clone(&shared);
        self.defaults = shared;
    }

    /// Every setting by lower-case name, as SHOW prints it.
    pub(super) fn values(&self) -> &Values {
        &self.current
    }

    /// A setting's value, by its name in the list.
    pub(super) fn value(&self, name: &str) -> &str {
        self.current
            .get(&name.to_lowercase())
            .map_or("", String::as_str)
    }

    /// SHOW name: the setting's own spelling, and its value.
    ///
    /// # Errors
    /// There is no such setting.
    pub(super) fn show(&self, name: &str) -> Result<(String, String), Failure> {
        let value = self
            .current
            .get(&name.to_lowercase())
            .ok_or_else(|| unrecognized(name))?;
        let spelling = find(name).map_or(name, |setting| setting.name);
        Ok((spelling.to_owned(), value.clone()))
    }

    /// SHOW ALL: name, value and description of each.
    pub(super) fn show_all(&self) -> impl Iterator<Item = (&'static str, &str, &'static str)> {
        SETTINGS
            .iter()
            .map(|setting| (setting.name, self.value(setting.name), setting.description))
    }

    /// SET name = value; `None` for its default.
    ///
    /// # Errors
    /// There is no such setting, or it does not take this value.
    pub(super) fn set(
        &mut self,
        name: &str,
        value: Option<&str>,
        local: bool,
    ) -> Result<(), Failure> {
        let key = name.to_lowercase();
        let kept = accepted(&self.defaults, &self.current, name, value)?;
        within(&self.ceilings, name, kept.as_deref())?;
        if find(name).is_none() {
            self.limit_custom(&key)?;
        }
        put(&mut self.current, &key, kept.as_deref());
        if !local {
            put(&mut self.session, &key, kept.as_deref());
        }
        Ok(())
    }

    /// Sets what a start-up packet says; it becomes what RESET goes back to.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub(super) fn set_at_startup(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        if is_identity(&name.to_lowercase()) {
            // Whether it may be assumed is not known here.
            let message = format!("parameter \"{name}\" cannot be set at connection start");
            return Err(Error::new(ErrorKind::CantChangeRuntimeParam, message).into());
        }
        self.set(name, Some(value), false)?;
        self.keep_as_defaults();
        Ok(())
    }

    /// From now on no limit is set above these.
    pub(super) fn limit_by(&mut self, ceilings: Ceilings) {
        self.ceilings = ceilings;
    }

    /// What is set now is what RESET goes back to.
    pub(super) fn keep_as_defaults(&mut self) {
        self.defaults = Arc::clone(&self.session);
    }

    fn limit_custom(&self, key: &str) -> Result<(), Failure> {
        let n_custom = self.session.len().max(self.current.len()) - SETTINGS.len();
        if !self.current.contains_key(key) && n_custom >= CUSTOM_SETTINGS_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded(Limit::Configuration),
                format!("cannot have more than {CUSTOM_SETTINGS_MAX} customized options"),
            )
            .into());
        }
        Ok(())
    }

    /// RESET ALL. As whom the session runs stays (GUC_NO_RESET_ALL in guc_tables.c).
    pub(super) fn reset_all(&mut self) {
        let mut values = Arc::clone(&self.defaults);
        for name in [ROLE, SESSION_AUTHORIZATION, "is_superuser"] {
            if values.get(name) != self.current.get(name) {
                let kept = self.current.get(name).cloned();
                put(&mut values, name, kept.as_deref());
            }
        }
        self.session = Arc::clone(&values);
        self.current = values;
    }

    /// Sets what the session itself decides.
    pub(super) fn put(&mut self, name: &str, value: &str, local: bool) {
        put(&mut self.current, name, Some(value));
        if !local {
            put(&mut self.session, name, Some(value));
        }
    }

    /// The value that a role's setting would be kept with. This session's own limits are not asked:
    /// it is another's.
    ///
    /// # Errors
    /// There is no such setting, or it does not take this value.
    pub(super) fn accepted(&self, name: &str, value: &str) -> Result<String, Failure> {
        let kept = accepted(&self.defaults, &self.current, name, Some(value))?;
        Ok(kept.unwrap_or_default())
    }

    /// What `set_config()` does in a session: the value is checked at once, and set when the
    /// statement is done. Whether a role may be assumed is checked then.
    pub(super) fn set_config(&self) -> SetConfig {
        let (asked, defaults) = (Arc::clone(&self.asked), Arc::clone(&self.defaults));
        let (current, ceilings) = (Arc::clone(&self.current), self.ceilings.clone());
        SetConfig(Arc::new(move |name, value, is_local| {
            let kept = accepted(&defaults, &current, name, value).map_err(Failure::into_error)?;
            within(&ceilings, name, kept.as_deref()).map_err(Failure::into_error)?;
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.push(Asked {
                name: name.to_owned(),
                value: value.map(str::to_owned),
                is_local,
            });
            Ok(kept.unwrap_or_default())
        }))
    }

    /// The statement failed: what its `set_config()` asked for is not set.
    pub(super) fn forget_asked(&self) {
        self.take_asked();
    }

    /// What a statement's `set_config()` asked for.
    pub(super) fn take_asked(&self) -> Vec<Asked> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *asked)
    }

    /// A transaction begins: it is what the session's transactions are unless told otherwise.
    pub(super) fn begin_transaction(&mut self) {
        for name in ["isolation", "read_only", "deferrable"] {
            let default = self
                .value(&format!("default_transaction_{name}"))
                .to_owned();
            let own = format!("transaction_{name}");
            if self.value(&own) != default {
                put(&mut self.current, &own, Some(&default));
            }
        }
    }

    /// A transaction or savepoint begins.
    pub(super) fn save(&mut self) {
        let saved = (Arc::clone(&self.session), Arc::clone(&self.current));
        self.saved.push(saved);
    }

    /// RELEASE: what was set since then stays, unless an outer one is rolled back.
    pub(super) fn forget_savepoints(&mut self, n_kept: usize) {
        self.saved.truncate(1 + n_kept);
    }

    /// ROLLBACK TO: back to the savepoint that is then the last.
    pub(super) fn roll_back_to(&mut self, n_kept: usize) {
        self.saved.truncate(1 + n_kept);
        if let Some((session, current)) = self.saved.last() {
            self.session = Arc::clone(session);
            self.current = Arc::clone(current);
        }
    }

    /// COMMIT: what was set for the transaction alone ends with it.
    pub(super) fn commit(&mut self) {
        self.saved.clear();
        self.current = Arc::clone(&self.session);
    }

    /// ROLLBACK: what was set in the transaction ends with it.
    pub(super) fn roll_back(&mut self) {
        if let Some((session, _)) = self.saved.drain(..).next() {
            self.session = session;
        }
        self.current = Arc::clone(&self.session);
    }

    /// Whether nothing was set since [`Self::take_changes`].
    pub(super) fn is_told(&self) -> bool {
        let is_same = |told: &Values| Arc::ptr_eq(told, &self.current);
        self.told.as_ref().is_some_and(is_same)
    }

    /// The reported settings that the client does not know yet.
    pub(super) fn take_changes(&mut self) -> Vec<(&'static str, String)> {
        if self.is_told() {
            return Vec::new();
        }
        let told = self.told.replace(Arc::clone(&self.current));
        let told = |name: &str| told.as_ref()?.get(&name.to_lowercase());
        reported()
            .map(|setting| (setting.name, self.value(setting.name)))
            .filter(|(name, value)| told(name).map(String::as_str) != Some(value))
            .map(|(name, value)| (name, value.to_owned()))
            .collect()
    }
}

/// A value as it is kept; `None` to forget a name of two parts.
fn accepted(
    defaults: &Values,
    current: &Values,
    name: &str,
    value: Option<&str>,
) -> Result<Option<String>, Failure> {
    let key = name.to_lowercase();
    let of = |values: &'_ Values| values.get(&key).cloned().unwrap_or_default();
    let (now, default) = (of(current), of(defaults));
    let before = Before {
        written: name,
        now: &now,
        default: &default,
    };
    match (find(name), value) {
        (Some(setting), Some(value)) => setting.domain.accept(setting, value, before).map(Some),
        (Some(setting), None) => {
            // Fixed settings refuse their default as well.
            setting.domain.accept(setting, &default, before).map(Some)
        }
        (None, value) if is_custom(&key) => Ok(value.map(str::to_owned)),
        (None, _) => Err(unrecognized(name)),
    }
}

/// A limit that ALTER ROLE set for the session's role is lowered, and never raised.
fn within(ceilings: &Ceilings, name: &str, value: Option<&str>) -> Result<(), Failure> {
    let name = name.to_lowercase();
    let Some(ceiling) = ceilings.exceeded_by(&name, value.unwrap_or_default()) else {
        return Ok(());
    };
    let message = format!("permission denied to set parameter \"{name}\"");
    let detail =
        format!("The role's limit is {ceiling}; a session may lower it, and not raise it.");
    Err(Error::new(ErrorKind::InsufficientPrivilege, message)
        .with_detail(detail)
        .into())
}

/// As PostgreSQL, any name of two parts is taken; ours are known.
fn is_custom(key: &str) -> bool {
    let is_part = |part: &str| {
        let mut characters = part.chars();
        characters
            .next()
            .is_some_and(|first| first.is_alphabetic() || first == '_')
            && characters.all(|c| c.is_alphanumeric() || c == '_' || c == '$')
    };
    key.contains('.') && key.split('.').all(is_part) && !key.starts_with("lakegate.")
}

fn reported() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(|setting| setting.reported)
}

fn put(values: &mut Values, key: &str, value: Option<&str>) {
    match value {
        Some(value) => {
            Arc::make_mut(values).insert(key.to_owned(), value.to_owned());
        }
        None => {
            Arc::make_mut(values).remove(key);
        }
    }
}

fn unrecognized(name: &str) -> Failure {
    Error::new(
        ErrorKind::UndefinedObject,
        format!("unrecognized configuration parameter \"{name}\""),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new("bob", &[])
    }

    #[test]
    fn a_rollback_takes_back_what_was_set() {
        let mut settings = settings();
        settings.save();
        settings.set("application_name", Some("a"), false).unwrap();
        settings.save();
        settings.set("application_name", Some("b"), false).unwrap();
        settings.roll_back_to(1);
        assert_eq!(settings.value("application_name"), "a");
        settings.roll_back();
        assert_eq!(settings.value("application_name"), "");
    }

    #[test]
    fn set_local_ends_with_the_transaction() {
        let mut settings = settings();
        settings.save();
        settings
            .set("TimeZone", Some("Asia/Kolkata"), true)
            .unwrap();
        settings.set("application_name", Some("a"), false).unwrap();
        assert_eq!(&*settings.time_zone(), "Asia/Kolkata");
        settings.commit();
        assert_eq!(&*settings.time_zone(), "UTC");
        assert_eq!(settings.value("application_name"), "a");
    }

    #[test]
    fn reset_goes_back_to_what_the_client_started_with() {
        let mut settings = settings();
        settings.set_at_startup("extra_float_digits", "2").unwrap();
        settings
            .set("extra_float_digits", Some("3"), false)
            .unwrap();
        settings.reset_all();
        assert_eq!(settings.value("extra_float_digits"), "2");
    }

    #[test]
    fn names_of_two_parts_are_taken_and_others_are_not() {
        let mut settings = settings();
        settings.set("my.app", Some("1"), false).unwrap();
        assert_eq!(settings.show("my.app").unwrap().1, "1");
        for name in ["no_such", "lakegate.no_such", "a..b", ".a"] {
            let failure = settings.set(name, Some("1"), false).unwrap_err();
            assert_eq!(
                failure.message,
                format!("unrecognized configuration parameter \"{name}\"")
            );
        }
    }

    #[test]
    fn thirteen_settings_are_reported_and_then_only_changes() {
        let mut settings = settings();
        assert_eq!(settings.take_changes().len(), 13);
        assert!(settings.take_changes().is_empty());
        settings
            .set("timezone", Some("Europe/Berlin"), false)
            .unwrap();
        let changes = settings.take_changes();
        assert_eq!(changes, [("TimeZone", "Europe/Berlin".to_owned())]);
    }
}
