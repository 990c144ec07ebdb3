//! Parses ALTER FOREIGN TABLE, and what ALTER SERVER says of its owner.
//! <https://www.postgresql.org/docs/16/sql-alterforeigntable.html>

use super::foreign::{ForeignDefinition, changes};
use super::names::name;
use super::role::role_spec;
use super::view::renamed_or_given;
use super::{AlteredKind, Cursor, Definition, Owned};
use crate::error::{Error, Result};

/// Forms of ALTER FOREIGN TABLE about columns, which are the server's.
const OF_COLUMNS: [&str; 3] = ["ADD", "ALTER", "DROP"];

/// ALTER FOREIGN TABLE and ALTER SERVER, as far as they say what is said of views and schemas too: owner, name and
/// schema; `None`, and nothing read, if it is something else.
pub(super) fn alter_named(cursor: &mut Cursor<'_>) -> Option<Result<Definition>> {
    let place = cursor.place();
    let parsed = match () {
        () if cursor.skip_all(&["ALTER", "SERVER"]) => server_owner(cursor),
        () if cursor.skip_all(&["ALTER", "FOREIGN", "TABLE"]) => table_named(cursor),
        () => None,
    };
    if parsed.is_none() {
        cursor.go_back(place);
    }
    parsed.map(|parsed| parsed.and_then(|found| cursor.expect_end().map(|()| found)))
}

fn server_owner(cursor: &mut Cursor<'_>) -> Option<Result<Definition>> {
    let on = Owned::Server(cursor.name().ok()?);
    let is_owner = cursor.skip_all(&["OWNER", "TO"]);
    is_owner.then(|| role_spec(cursor).map(|to| Definition::AlterOwner { on, to }))
}

fn table_named(cursor: &mut Cursor<'_>) -> Option<Result<Definition>> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    cursor.skip_any(&["ONLY"]);
    let name = name(cursor).ok()?;
    renamed_or_given(cursor, AlteredKind::Foreign, &name, if_exists)
}

/// ALTER FOREIGN TABLE ... OPTIONS, behind the first three words.
pub(super) fn alter_table(cursor: &mut Cursor<'_>) -> Result<ForeignDefinition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    cursor.skip_any(&["ONLY"]);
    let name = name(cursor)?;
    match cursor.peek() {
        Some(action) if OF_COLUMNS.contains(&action.as_str()) || action == "RENAME" => {
            let what = format!("ALTER FOREIGN TABLE ... {action} of a column");
            Err(Error::unsupported(what)
                .with_hint("The columns are those of the table at its server."))
        }
        Some(action) if action != "OPTIONS" => Err(Error::unsupported(format!(
            "ALTER FOREIGN TABLE ... {action}"
        ))),
        _ => Ok(ForeignDefinition::AlterTable {
            name,
            if_exists,
            changes: changes(cursor)?,
        }),
    }
}
