//! Parses what ALTER TABLE says of relations whose rows are not ours: owner, name, row security.
//! <https://www.postgresql.org/docs/16/sql-altertable.html>

use super::key::AlteredKind;
use super::names::name;
use super::policy::row_security_change;
use super::role::role_spec;
use super::{AlterRowSecurity, Cursor, Definition, Owned};
use crate::error::Result;

/// Reads ALTER TABLE if it says who owns the table, which rows are for whom, or what it is called, for
/// it may be a view; other forms of it write.
pub(super) fn is_definition_of_table(cursor: &mut Cursor<'_>) -> bool {
    let place = cursor.place();
    let is_table = cursor.skip_all(&["ALTER", "TABLE"]);
    let inside = cursor.place();
    while is_table && cursor.first().is_some() {
        let is_one = cursor.skip_all(&["OWNER", "TO"]) || cursor.skip_all(&["RENAME", "TO"]);
        if is_one || row_security_change(cursor).is_some() {
            cursor.go_back(inside);
            return true;
        }
        cursor.read();
    }
    cursor.go_back(place);
    false
}

/// ALTER TABLE, behind these words.
pub(super) fn alter_table(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    let name = name(cursor)?;
    if let Some(change) = row_security_change(cursor) {
        return Ok(Definition::AlterRowSecurity(AlterRowSecurity {
            on: name,
            is_view: false,
            if_exists,
            change,
        }));
    }
    if cursor.skip_all(&["RENAME", "TO"]) {
        return Ok(Definition::RenameView {
            kind: AlteredKind::Table,
            name,
            if_exists,
            to: cursor.name()?,
        });
    }
    cursor.expect("OWNER")?;
    cursor.expect("TO")?;
    Ok(Definition::AlterOwner {
        on: Owned::Table(name, if_exists),
        to: role_spec(cursor)?,
    })
}
