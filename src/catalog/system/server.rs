//! The database and the session's settings.

use super::acl::acl;
use super::data::Builtin;
use super::table::{Table, Value};
use super::{DATABASE_OID, OWNER_OID, SystemView};
use crate::auth::Object;
use crate::catalog::snapshot::oid_of;
use crate::error::Result;

/// The OID of tablespace `pg_default`.
const DEFAULT_TABLESPACE_OID: u32 = 1663;

/// `pg_encoding` of UTF8.
const UTF8: i32 = 6;

/// The one database, under the name the session knows it by, and as it was at each named snapshot. The
/// others that a client may name at connect are this one, and `template0` and `template1` have nothing
/// to be copied.
pub(super) fn pg_database(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let own = view.database.as_str();
    database(view, table, own, DATABASE_OID)?;
    let plain = own.split_once('@').map_or(own, |(plain, _)| plain);
    let snapshots = view.snapshot.views.snapshots.keys();
    let others = snapshots.map(|snapshot| format!("{plain}@{snapshot}"));
    let others = std::iter::once(plain.to_owned()).chain(others);
    for name in others.filter(|name| name != own) {
        database(view, table, &name, oid_of(&format!("database\0{name}")))?;
    }
    Ok(())
}

fn database(view: &SystemView, table: &mut Table, name: &str, oid: u32) -> Result<()> {
    table.push(&[
        ("oid", oid.into()),
        ("datname", name.into()),
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
