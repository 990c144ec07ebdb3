//! The roles: those of the views folder, PostgreSQL's predefined ones, and the session's user.

use super::data::Builtin;
use super::table::{Table, Value};
use super::{DATABASE_OID, OWNER_OID, SystemView};
use crate::auth::{Actor, Authority, OWNER, PREDEFINED, Role, Until, predefined};
use crate::catalog::snapshot::oid_of;
use crate::error::Result;

/// Shown in place of a password's verifier, which nobody gets to see.
const MASK: &str = "********";

/// The OID of a role; `None` if there is none of this name. Where there are no roles, everything is
/// shown as the session's own.
pub fn role_oid(authority: &Authority, actor: &Actor, name: &str) -> Option<u32> {
    let owner = owner_name(authority, actor);
    match predefined(name) {
        _ if name == owner => Some(OWNER_OID),
        Some(predefined) => Some(predefined.oid),
        None if authority.exists(name) || name == actor.user => Some(oid_of(name)),
        None => None,
    }
}

/// The name of the role with this OID.
pub fn role_name<'a>(authority: &'a Authority, actor: &'a Actor, oid: u32) -> Option<&'a str> {
    if oid == OWNER_OID {
        return Some(owner_name(authority, actor));
    }
    let fixed = PREDEFINED.iter().find(|role| role.oid == oid);
    let mut others = authority.roles.keys().chain([&actor.user]);
    fixed
        .map(|role| role.name)
        .or_else(|| others.find(|name| oid_of(name) == oid).map(String::as_str))
}

fn owner_name<'a>(authority: &Authority, actor: &'a Actor) -> &'a str {
    match authority.is_enforced {
        true => OWNER,
        false => &actor.user,
    }
}

/// The role that owns what nobody else does.
pub(super) fn owner_of_all(view: &SystemView) -> &str {
    owner_name(&view.snapshot.views.authority, &view.actor)
}

/// A role as the catalog shows it.
struct Shown {
    role: Role,
    oid: u32,
}

/// All roles. One that no file defines came in on trust, as superuser, or is a user of
/// `--auth-file`.
fn shown(view: &SystemView) -> Vec<Shown> {
    let (authority, actor) = (&view.snapshot.views.authority, &view.actor);
    let oid = |name: &str| role_oid(authority, actor, name).unwrap_or_default();
    let mut shown: Vec<Shown> = authority
        .roles
        .values()
        .map(|role| Shown {
            role: Role::clone(role),
            oid: oid(&role.name),
        })
        .collect();
    let has = |name: &str| authority.role(name).is_some();
    if authority.is_enforced && !has(OWNER) {
        let mut owner = Role::new(OWNER);
        owner.is_superuser = true;
        shown.push(superuser(owner, OWNER_OID));
    }
    let user = actor.user.as_str();
    if !has(user) && predefined(user).is_none() && !(authority.is_enforced && user == OWNER) {
        let on = |setting: &str| view.settings.get(setting).is_some_and(|on| on == "on");
        let mut own = Role::new(user);
        own.can_login = true;
        own.is_superuser = !authority.is_enforced && on("is_superuser");
        shown.push(superuser(own, oid(user)));
    }
    shown.extend(PREDEFINED.iter().map(|role| Shown {
        role: Role::new(role.name),
        oid: role.oid,
    }));
    shown
}

/// A role that no file defines: it has every attribute, or none.
fn superuser(mut role: Role, oid: u32) -> Shown {
    role.can_create_roles = role.is_superuser;
    role.can_create_databases = role.is_superuser;
    role.can_replicate = role.is_superuser;
    role.bypasses_row_security = role.is_superuser;
    Shown { role, oid }
}

/// What `pg_authid` and `pg_roles` both show of a role, in their order.
fn attributes(role: &Role) -> [(&'static str, Value<'_>); 7] {
    [
        ("rolname", role.name.as_str().into()),
        ("rolsuper", role.is_superuser.into()),
        ("rolinherit", role.inherits.into()),
        ("rolcreaterole", role.can_create_roles.into()),
        ("rolcreatedb", role.can_create_databases.into()),
        ("rolcanlogin", role.can_login.into()),
        ("rolreplication", role.can_replicate.into()),
    ]
}

/// VALID UNTIL, if it was said.
fn valid_until(role: &Role) -> Option<String> {
    (role.valid_until != Until::Always).then(|| role.valid_until.to_string())
}

/// ALTER ROLE ... SET, as `setconfig` holds it; in the database, or in all.
fn config_of(view: &SystemView, role: Option<&str>, in_database: bool) -> Option<String> {
    let authority = &view.snapshot.views.authority;
    let settings = authority.all_settings();
    let own: Vec<String> = settings
        .filter(|setting| setting.role.as_deref() == role && setting.in_database == in_database)
        .map(|setting| {
            let text = format!("{}={}", setting.name, setting.value);
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        })
        .collect();
    (!own.is_empty()).then(|| format!("{{{}}}", own.join(",")))
}

/// Roles, without their verifiers.
pub(super) fn pg_authid(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for Shown { role, oid } in shown(view) {
        let until = valid_until(&role);
        let own = [
            ("rolbypassrls", role.bypasses_row_security.into()),
            ("rolconnlimit", role.connections_max.into()),
            (
                "rolpassword",
                role.password.is_some().then_some(MASK).into(),
            ),
            ("rolvaliduntil", Value::Written(until.as_deref())),
        ];
        let oid = [("oid", oid.into())];
        table.push(&[&oid[..], &attributes(&role), &own].concat())?;
    }
    Ok(())
}

/// As [`pg_authid`], in the columns of `pg_roles`.
pub(super) fn pg_roles(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for Shown { role, oid } in shown(view) {
        let until = valid_until(&role);
        let config = config_of(view, Some(&role.name), false);
        let own = [
            ("rolconnlimit", role.connections_max.into()),
            ("rolpassword", MASK.into()),
            ("rolvaliduntil", Value::Written(until.as_deref())),
            ("rolbypassrls", role.bypasses_row_security.into()),
            ("rolconfig", Value::Written(config.as_deref())),
            ("oid", oid.into()),
        ];
        table.push(&[&attributes(&role)[..], &own].concat())?;
    }
    Ok(())
}

/// As [`pg_authid`], in the columns of `pg_user` and `pg_shadow`: the roles that may log in.
pub(super) fn pg_user(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for Shown { role, oid } in shown(view).iter().filter(|shown| shown.role.can_login) {
        let until = valid_until(role);
        let config = config_of(view, Some(&role.name), false);
        table.push(&[
            ("usename", role.name.as_str().into()),
            ("usesysid", (*oid).into()),
            ("usecreatedb", role.can_create_databases.into()),
            ("usesuper", role.is_superuser.into()),
            ("userepl", role.can_replicate.into()),
            ("usebypassrls", role.bypasses_row_security.into()),
            ("passwd", MASK.into()),
            ("valuntil", Value::Written(until.as_deref())),
            ("useconfig", Value::Written(config.as_deref())),
        ])?;
    }
    Ok(())
}

/// The roles that cannot log in, with their members.
pub(super) fn pg_group(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let authority = &view.snapshot.views.authority;
    for Shown { role, oid } in shown(view).iter().filter(|shown| !shown.role.can_login) {
        let members = memberships(authority).filter(|(of, ..)| *of == role.name);
        let oids: Vec<String> = members
            .filter_map(|(_, member, ..)| role_oid(authority, &view.actor, member))
            .map(|oid| oid.to_string())
            .collect();
        let list = format!("{{{}}}", oids.join(","));
        table.push(&[
            ("groname", role.name.as_str().into()),
            ("grosysid", (*oid).into()),
            ("grolist", Value::Written(Some(&list))),
        ])?;
    }
    Ok(())
}

/// Role, member, grantor, and the options ADMIN, INHERIT and SET.
type Row<'a> = (&'a str, &'a str, &'a str, [bool; 3]);

/// The memberships of predefined roles, and those that were granted.
fn memberships(authority: &Authority) -> impl Iterator<Item = Row<'_>> {
    let fixed = PREDEFINED.iter().flat_map(|member| {
        let roles = member.member_of.iter();
        roles.map(|role| (*role, member.name, OWNER, [false, true, true]))
    });
    let granted = authority.memberships().map(|it| {
        let options = [it.has_admin, it.inherits, it.can_set];
        (
            it.role.as_str(),
            it.member.as_str(),
            it.grantor.as_str(),
            options,
        )
    });
    fixed.chain(granted)
}

/// Who is a member of whom.
pub(super) fn pg_auth_members(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let authority = &view.snapshot.views.authority;
    let oid = |name: &str| match name {
        OWNER => OWNER_OID,
        name => role_oid(authority, &view.actor, name).unwrap_or_default(),
    };
    for (role, member, grantor, [has_admin, inherits, can_set]) in memberships(authority) {
        table.push(&[
            (
                "oid",
                oid_of(&format!("member\0{role}\0{member}\0{grantor}")).into(),
            ),
            ("roleid", oid(role).into()),
            ("member", oid(member).into()),
            ("grantor", oid(grantor).into()),
            ("admin_option", has_admin.into()),
            ("inherit_option", inherits.into()),
            ("set_option", can_set.into()),
        ])?;
    }
    Ok(())
}

/// The settings that sessions begin with.
pub(super) fn pg_db_role_setting(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let authority = &view.snapshot.views.authority;
    let roles = authority.roles.keys().map(|name| Some(name.as_str()));
    for role in roles.chain([Some(OWNER), None]) {
        let oid = role.and_then(|role| role_oid(authority, &view.actor, role));
        for (in_database, database) in [(false, 0), (true, DATABASE_OID)] {
            let Some(config) = config_of(view, role, in_database) else {
                continue;
            };
            table.push(&[
                ("setdatabase", database.into()),
                ("setrole", oid.unwrap_or_default().into()),
                ("setconfig", Value::Written(Some(&config))),
            ])?;
        }
    }
    Ok(())
}
