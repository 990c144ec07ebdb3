//! The roles: those of the views folder, and the session's user.

use super::data::Builtin;
use super::table::{Table, Value};
use super::{OWNER_OID, SystemView};
use crate::auth::Role;
use crate::catalog::snapshot::oid_of;
use crate::error::Result;

/// Shown in place of a password's verifier, which nobody gets to see.
const MASK: &str = "********";

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
    let others = others.map(|role| of_role(role, oid_of(&role.name)));
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

/// What `pg_authid` and `pg_roles` both show of a role, in their order.
fn attributes<'a>(role: &Shown<'a>) -> [(&'static str, Value<'a>); 7] {
    [
        ("rolname", role.name.into()),
        ("rolsuper", role.is_superuser.into()),
        ("rolinherit", true.into()),
        ("rolcreaterole", role.is_superuser.into()),
        ("rolcreatedb", role.is_superuser.into()),
        ("rolcanlogin", role.can_login.into()),
        ("rolreplication", role.is_superuser.into()),
    ]
}

/// Roles, without their verifiers.
pub(super) fn pg_authid(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for role in shown(view) {
        let own = [
            ("rolbypassrls", role.is_superuser.into()),
            ("rolconnlimit", role.connections_max.into()),
            ("rolpassword", role.has_password.then_some(MASK).into()),
        ];
        let oid = [("oid", role.oid.into())];
        table.push(&[&oid[..], &attributes(&role), &own].concat())?;
    }
    Ok(())
}

/// As [`pg_authid`], in the columns of `pg_roles`.
pub(super) fn pg_roles(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for role in shown(view) {
        let own = [
            ("rolconnlimit", role.connections_max.into()),
            ("rolpassword", MASK.into()),
            ("rolbypassrls", role.is_superuser.into()),
            ("oid", role.oid.into()),
        ];
        table.push(&[&attributes(&role)[..], &own].concat())?;
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
