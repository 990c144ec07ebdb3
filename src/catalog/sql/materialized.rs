//! Parses the statements about materialized views: CREATE, ALTER and REFRESH MATERIALIZED VIEW.
//! <https://www.postgresql.org/docs/16/sql-creatematerializedview.html>

use std::time::Duration;

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::names::{list, name};
use super::schedule::Schedule;
use super::setting::setting_value;
use super::span::span;
use super::view::{column_names, ends_with, renamed_or_given, rest, select_text};
use super::{AlteredKind, CreateView, Cursor, Definition, Lines, Name, literal};
use crate::error::{Error, ErrorKind, Result};

/// How the rows of a materialized view are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaterializedOptions {
    /// When they are made anew.
    pub refresh: RefreshWhen,
    /// How old they may be when they are read; `None` for not at all.
    pub max_staleness: Option<Span>,
}

/// When the rows of a materialized view are made anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RefreshWhen {
    /// When a relation below it has changed.
    #[default]
    OnCommit,
    /// When so much time has passed.
    Every(Span),
    /// At moments that recur.
    Cron(Box<Schedule>),
    /// When somebody says REFRESH.
    Manual,
}

/// A span of time, as it was written and as it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// As written.
    pub text: String,
    /// As meant.
    pub duration: Duration,
}

/// What CREATE MATERIALIZED VIEW says beside what CREATE VIEW does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateMaterialized {
    /// How its rows are kept.
    pub options: MaterializedOptions,
    /// Whether it is left out if a relation is called so.
    pub if_not_exists: bool,
    /// Whether its rows are made when it is.
    pub with_data: bool,
}

/// ALTER MATERIALIZED VIEW ... SET and RESET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterMaterialized {
    /// The view.
    pub name: Name,
    /// Whether it is passed over if it is not there.
    pub if_exists: bool,
    /// Options and their values; `None` for the default.
    pub changes: Vec<(String, Option<String>)>,
}

/// REFRESH MATERIALIZED VIEW.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// The view.
    pub name: Name,
    /// Whether its rows are made anew even if nothing below it has changed.
    pub is_full: bool,
}

impl MaterializedOptions {
    /// Sets an option; `None` sets it to its default.
    ///
    /// # Errors
    /// `InvalidParameterValue`: there is no such option, or it has no such value.
    pub fn set(&mut self, option: &str, value: Option<&str>) -> Result<()> {
        match option {
            "refresh" => self.refresh = value.map(refresh_when).transpose()?.unwrap_or_default(),
            "max_staleness" => {
                self.max_staleness = value
                    .map(|value| spanned(value).ok_or_else(|| invalid(option, value)))
                    .transpose()?
                    .filter(|span| !span.duration.is_zero());
            }
            _ => {
                let message = format!("unrecognized parameter \"{option}\"");
                return Err(Error::new(ErrorKind::InvalidParameterValue, message)
                    .with_hint("Parameters are refresh and max_staleness."));
            }
        }
        Ok(())
    }

    /// As a statement says them, with the parentheses; `None` if all are the defaults.
    pub fn text(&self) -> Option<String> {
        let mut said = Vec::new();
        if self.refresh != RefreshWhen::OnCommit {
            said.push(format!("refresh = {}", literal(&self.refresh.text())));
        }
        if let Some(span) = &self.max_staleness {
            said.push(format!("max_staleness = {}", literal(&span.text)));
        }
        (!said.is_empty()).then(|| format!("({})", said.join(", ")))
    }
}

impl RefreshWhen {
    /// As the option says it.
    pub fn text(&self) -> String {
        match self {
            Self::OnCommit => "on commit".to_owned(),
            Self::Every(span) => format!("every {}", span.text),
            Self::Cron(schedule) => format!("cron {}", schedule.text()),
            Self::Manual => "manual".to_owned(),
        }
    }
}

fn spanned(text: &str) -> Option<Span> {
    let text = text.trim();
    Some(Span {
        duration: span(text)?,
        text: text.to_owned(),
    })
}

fn refresh_when(value: &str) -> Result<RefreshWhen> {
    let value = value.trim();
    let words: Vec<String> = value.split_whitespace().map(str::to_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["on", "commit"] => Ok(RefreshWhen::OnCommit),
        ["manual"] => Ok(RefreshWhen::Manual),
        ["every", rest @ ..] => spanned(&rest.join(" "))
            .filter(|span| !span.duration.is_zero())
            .map(RefreshWhen::Every)
            .ok_or_else(|| invalid("refresh", value)),
        ["cron", ..] => {
            let (_, schedule) = value.split_at("cron".len());
            Schedule::read(schedule)
                .map(|schedule| RefreshWhen::Cron(Box::new(schedule)))
                .map_err(|why| invalid("refresh", value).with_detail(why))
        }
        _ => Err(invalid("refresh", value)),
    }
}

fn invalid(option: &str, value: &str) -> Error {
    let message = format!("invalid value for parameter \"{option}\": \"{value}\"");
    let hint = match option {
        "refresh" => {
            "It is 'on commit', 'every 5 minutes' or the like, 'cron 0 6 * * 1-5 Europe/Berlin' or the like, or 'manual'."
        }
        _ => "It is a span of time such as '5 minutes'.",
    };
    Error::new(ErrorKind::InvalidParameterValue, message).with_hint(hint)
}

/// CREATE MATERIALIZED VIEW, behind these words.
pub(super) fn create_materialized(
    text: &str,
    lines: &Lines,
    mut cursor: Cursor<'_>,
) -> Result<Definition> {
    let if_not_exists = cursor.skip_all(&["IF", "NOT", "EXISTS"]);
    let name = name(&mut cursor)?;
    let columns = column_names(&mut cursor)?;
    if let Some(word @ ("USING" | "TABLESPACE")) = cursor.peek().as_deref() {
        return Err(Error::unsupported(format!("{word} of a materialized view")));
    }
    let mut options = MaterializedOptions::default();
    if cursor.skip_any(&["WITH"]) {
        for (option, value) in option_list(&mut cursor, true)? {
            options.set(&option, value.as_deref())?;
        }
    }
    if cursor.peek().as_deref() == Some("TABLESPACE") {
        return Err(Error::unsupported("TABLESPACE of a materialized view"));
    }
    cursor.expect("AS")?;
    let (tokens, with_data) = without_data(rest(&mut cursor));
    Ok(Definition::CreateView(CreateView {
        name,
        columns,
        security_invoker: false,
        query: select_text(text, lines, &tokens).ok_or_else(|| cursor.unexpected())?,
        or_replace: false,
        materialized: Some(CreateMaterialized {
            options,
            if_not_exists,
            with_data,
        }),
    }))
}

/// The tokens without WITH DATA or WITH NO DATA at their end, and whether data is wanted.
fn without_data(mut tokens: Vec<&TokenWithSpan>) -> (Vec<&TokenWithSpan>, bool) {
    for (words, with_data) in [
        (["WITH", "NO", "DATA"].as_slice(), false),
        (["WITH", "DATA"].as_slice(), true),
    ] {
        if ends_with(&tokens, words) {
            tokens.truncate(tokens.len() - words.len());
            return (tokens, with_data);
        }
    }
    (tokens, true)
}

/// Options in parentheses, with their values if they are set.
fn option_list(cursor: &mut Cursor<'_>, are_set: bool) -> Result<Vec<(String, Option<String>)>> {
    cursor.expect_sign(&Token::LParen)?;
    let options = list(cursor, |cursor| {
        let name = cursor.name()?;
        let value = match are_set {
            true => {
                cursor.expect_sign(&Token::Eq)?;
                setting_value(cursor)?
            }
            false => None,
        };
        Ok((name, value))
    })?;
    cursor.expect_sign(&Token::RParen)?;
    Ok(options)
}

/// ALTER MATERIALIZED VIEW, behind these words.
pub(super) fn alter_materialized(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    let name = name(cursor)?;
    let kind = AlteredKind::Materialized;
    if let Some(altered) = renamed_or_given(cursor, kind, &name, if_exists) {
        return altered;
    }
    let is_set = cursor.peek().as_deref() == Some("SET");
    let changes = match cursor.peek().as_deref() {
        Some("SET" | "RESET") => {
            cursor.read();
            if cursor.first().map(|token| &token.token) != Some(&Token::LParen) {
                let what = cursor.peek().unwrap_or_default();
                let set = if is_set { "SET" } else { "RESET" };
                return Err(Error::unsupported(format!(
                    "{} ... {set} {what}",
                    kind.altered()
                )));
            }
            option_list(cursor, is_set)?
        }
        Some(action) => {
            return Err(Error::unsupported(format!(
                "{} ... {action}",
                kind.altered()
            )));
        }
        None => return Err(cursor.unexpected()),
    };
    Ok(Definition::AlterMaterialized(AlterMaterialized {
        name,
        if_exists,
        changes,
    }))
}

/// REFRESH MATERIALIZED VIEW. CONCURRENTLY says what is so anyway: nobody waits for a refresh.
/// <https://www.postgresql.org/docs/16/sql-refreshmaterializedview.html>
///
/// # Errors
/// `SyntaxError`: something else is there; `FeatureNotSupported`: WITH NO DATA.
pub fn refresh(lines: &Lines, tokens: &[TokenWithSpan], database: Option<&str>) -> Result<Refresh> {
    let mut cursor = Cursor::new(lines, tokens).in_database(database);
    for word in ["REFRESH", "MATERIALIZED", "VIEW"] {
        cursor.expect(word)?;
    }
    cursor.skip_any(&["CONCURRENTLY"]);
    let name = name(&mut cursor)?;
    let is_full = cursor.skip_all(&["WITH", "FULL"]);
    if cursor.skip_all(&["WITH", "NO", "DATA"]) {
        return Err(Error::unsupported(
            "REFRESH MATERIALIZED VIEW ... WITH NO DATA",
        ));
    }
    cursor.skip_all(&["WITH", "DATA"]);
    cursor.expect_end()?;
    Ok(Refresh { name, is_full })
}
