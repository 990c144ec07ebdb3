//! SQL text as tokens: the statements that define what exists, read alike from files and from
//! clients, and what their readers share.

mod cursor;
mod definition;
mod foreign;
mod foreign_alter;
mod foreign_text;
mod grant;
mod key;
mod lines;
mod materialized;
mod names;
mod policy;
mod quote;
mod role;
mod schedule;
mod secrets;
mod setting;
mod snapshot;
mod span;
mod subject;
mod table;
mod view;

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

pub use cursor::{Cursor, at_end, is_word_or_sign, near};
pub use definition::{Commented, CreateView, Definition, Name, Owned, SelectText, definition};
pub use foreign::{
    CreateForeignTable, CreateMapping, CreateServer, Dropped, ForeignDefinition, ImportSchema,
    Imported, Mapped, OptionChange, changed_options,
};
pub use foreign_text::mapping_text;
pub use grant::{
    AlterDefaults, GrantObjects, GrantPrivilege, GrantRole, Privileges, RoleOption, RoleOptions,
};
pub use key::{AlterKeys, AlteredKind, KeyAction, KeyKindSpec, KeySpec};
pub use lines::Lines;
pub use materialized::{
    AlterMaterialized, CreateMaterialized, MaterializedOptions, Refresh, RefreshWhen, refresh,
};
pub use policy::{
    AlterPolicy, AlterRowSecurity, CreatePolicy, LabelColumn, MaskLabel, PolicyChange,
    RowSecurityChange,
};
pub use quote::{identifier, literal};
pub use role::{CreateRole, RoleSpec, SettingChange, SettingsOf};
pub use secrets::{shown, without_secrets};
pub use setting::{setting_assignment, setting_name, setting_value};
pub use snapshot::CreateSnapshot;
pub use span::span;

use crate::error::{Error, ErrorKind, Result};

/// The tokens of a text, in PostgreSQL's dialect.
///
/// # Errors
/// `SyntaxError` with its position: a string or comment that has no end.
pub fn tokens(text: &str, lines: &Lines) -> Result<Vec<TokenWithSpan>> {
    Tokenizer::new(&PostgreSqlDialect {}, text)
        .tokenize_with_location()
        .map_err(|error| {
            let message = error.message.to_lowercase();
            Error::new(ErrorKind::SyntaxError, message).at(lines.position(error.location))
        })
}

/// The tokens of each statement, empty ones left out.
pub fn statements(tokens: &[TokenWithSpan]) -> impl Iterator<Item = &[TokenWithSpan]> {
    tokens
        .split(|token| token.token == Token::SemiColon)
        .filter(|tokens| tokens.iter().any(is_word_or_sign))
}

/// A statement's first and last byte in `text`, space and comments around it left out.
pub fn extent(text: &str, lines: &Lines, tokens: &[TokenWithSpan]) -> (usize, usize) {
    let mut words = tokens.iter().filter(|token| is_word_or_sign(token));
    let first = words.next().expect("a statement has a token");
    let last = words.next_back().unwrap_or(first);
    (
        lines.byte(text, first.span.start),
        lines.byte(text, last.span.end),
    )
}

#[cfg(test)]
mod tests;
