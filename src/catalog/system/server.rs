//! The database and the session's settings.

use super::acl::acl;
use super::data::Builtin;
use super::table::{Table, Value};
use super::{DATABASE_OID, OWNER_OID, SystemView};
use crate::auth::Object;
use crate::error::Result;

/// The OID of tablespace `pg_default`.
const DEFAULT_TABLESPACE_OID: u32 = 1663;

/// `pg_encoding` of UTF8.
const UTF8: i32 = 6;

/// The one database, under the name the session knows it by. The others that a client may name at
/// connect are this one, and `template0` and `template1` have nothing to be copied.
pub(super) fn pg_database(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    table.push(&[
        ("oid", DATABASE_OID.into()),
        ("datname", view.database.as_str().into()),
        ("datdba", OWNER_OID.into()),
        ("encoding", UTF8.into()),
        ("datlocprovider", "c".into()),
        ("datallowconn", true.into()),
        ("datconnlimit", (-1).into()),
        ("dattablespace", DEFAULT_TABLESPACE_OID.into()),
        ("datcollate", "C.UTF-8".into()),
        ("datctype", "C.UTF-8".into()),
        (
            "datacl",
            Value::Written(acl(view, &Object::Database).as_deref()),
        ),
    ])
}

/// The session's settings. Which of them SET takes is the session's business, so that all are
/// shown as a user's.
pub(super) fn pg_settings(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (name, setting) in view.settings.iter() {
        table.push(&[
            ("name", name.as_str().into()),
            ("setting", setting.as_str().into()),
            ("category", "Client Connection Defaults".into()),
            ("context", "user".into()),
            ("vartype", "string".into()),
            ("source", "session".into()),
            ("pending_restart", false.into()),
        ])?;
    }
    Ok(())
}
