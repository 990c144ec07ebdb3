//! The roles: those of the views folder, and the session's user.

use super::data::Builtin;
use super::table::Table;
use super::{OWNER_OID, SystemView};
use crate::auth::Role;
use crate::error::Result;

/// Shown in place of a password's verifier, which nobody gets to see.
const MASK: &str = "********";

/// The first OID that is not PostgreSQL's own (`FirstNormalObjectId` in transam.h).
const OID_MIN: u32 = 16_384;

/// A role as the catalog shows it.
struct Shown<'a> {
    name: &'a str,
    oid: u32,
    is_superuser: bool,
    can_login: bool,
    connections_max: i32,
    has_password: bool,
}

/// The session's user first: everything is shown as its own. One that no file defines came in on
/// trust, as superuser, or is a user of `--auth-file`.
fn shown(view: &SystemView) -> Vec<Shown<'_>> {
    let roles = &view.snapshot.views.roles;
    let user = view.user.as_str();
    let own = match roles.get(user) {
        Some(role) => of_role(role, OWNER_OID),
        None => Shown {
            name: user,
            oid: OWNER_OID,
            is_superuser: view
                .settings
                .get("is_superuser")
                .is_some_and(|on| on == "on"),
            can_login: true,
            connections_max: -1,
            has_password: false,
        },
    };
    let others = roles.values().filter(|role| role.name != user);
    let others = others.map(|role| of_role(role, oid(&role.name)));
    [own].into_iter().chain(others).collect()
}

fn of_role(role: &Role, oid: u32) -> Shown<'_> {
    Shown {
        name: &role.name,
        oid,
        is_superuser: role.is_superuser,
        can_login: role.can_login,
        connections_max: role.connections_max,
        has_password: role.password.is_some(),
    }
}

/// An OID that stays over restarts: in the 31 bits that clients read as a signed integer.
fn oid(name: &str) -> u32 {
    let hash = blake3::hash(name.as_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    OID_MIN + u32::from_le_bytes([a, b, c, d]) % (i32::MAX.unsigned_abs() - OID_MIN)
}

/// Roles, without their verifiers.
pub(super) fn pg_authid(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for role in shown(view) {
        table.push(&[
            ("oid", role.oid.into()),
            ("rolname", role.name.into()),
            ("rolsuper", role.is_superuser.into()),
            ("rolinherit", true.into()),
            ("rolcreaterole", role.is_superuser.into()),
            ("rolcreatedb", role.is_superuser.into()),
            ("rolcanlogin", role.can_login.into()),
            ("rolreplication", role.is_superuser.into()),
            ("rolbypassrls", role.is_superuser.into()),
            ("rolconnlimit", role.connections_max.into()),
            ("rolpassword", role.has_password.then_some(MASK).into()),
        ])?;
    }
    Ok(())
}

/// As [`pg_authid`], in the columns of `pg_roles`.
pub(super) fn pg_roles(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for role in shown(view) {
        table.push(&[
            ("rolname", role.name.into()),
            ("rolsuper", role.is_superuser.into()),
            ("rolinherit", true.into()),
            ("rolcreaterole", role.is_superuser.into()),
            ("rolcreatedb", role.is_superuser.into()),
            ("rolcanlogin", role.can_login.into()),
            ("rolreplication", role.is_superuser.into()),
            ("rolconnlimit", role.connections_max.into()),
            ("rolpassword", MASK.into()),
            ("rolbypassrls", role.is_superuser.into()),
            ("oid", role.oid.into()),
        ])?;
    }
    Ok(())
}

/// As [`pg_authid`], in the columns of `pg_user` and `pg_shadow`: the roles that may log in.
pub(super) fn pg_user(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for role in shown(view).iter().filter(|role| role.can_login) {
        table.push(&[
            ("usename", role.name.into()),
            ("usesysid", role.oid.into()),
            ("usecreatedb", role.is_superuser.into()),
            ("usesuper", role.is_superuser.into()),
            ("userepl", role.is_superuser.into()),
            ("usebypassrls", role.is_superuser.into()),
            ("passwd", MASK.into()),
        ])?;
    }
    Ok(())
}
