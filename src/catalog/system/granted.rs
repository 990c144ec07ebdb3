//! The views of `information_schema` about roles and privileges.

use super::SystemView;
use super::acl::{Listed, is_grantable, listed};
use super::data::Builtin;
use super::relations::lake_relations;
use super::table::Table;
use crate::auth::{Object, Privilege};
use crate::error::Result;

fn yes(is_so: bool) -> &'static str {
    if is_so { "YES" } else { "NO" }
}

/// The roles whose privileges the session has.
pub(super) fn enabled_roles(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let authority = view.snapshot.views.authority.as_ref();
    let rights = authority.rights_of(&view.actor);
    let named = authority.roles.keys().map(String::as_str);
    let fixed = crate::auth::PREDEFINED.iter().map(|role| role.name);
    let own = std::iter::once(view.actor.user.as_str());
    let own = own.filter(|user| !authority.exists(user));
    for name in named.chain(fixed).chain(own) {
        if rights.include(name) || name == view.actor.user {
            table.push(&[("role_name", name.into())])?;
        }
    }
    Ok(())
}

/// The memberships of the roles whose privileges the session has.
pub(super) fn applicable_roles(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let authority = view.snapshot.views.authority.as_ref();
    let rights = authority.rights_of(&view.actor);
    for membership in authority.memberships() {
        if rights.include(&membership.member) {
            table.push(&[
                ("grantee", membership.member.as_str().into()),
                ("role_name", membership.role.as_str().into()),
                ("is_grantable", yes(membership.has_admin).into()),
            ])?;
        }
    }
    Ok(())
}

/// The memberships that the session may hand on.
pub(super) fn administrable_role_authorizations(
    _: &Builtin,
    view: &SystemView,
    table: &mut Table,
) -> Result<()> {
    let authority = view.snapshot.views.authority.as_ref();
    let rights = authority.rights_of(&view.actor);
    for membership in authority.memberships() {
        if rights.include(&membership.member) && membership.has_admin {
            table.push(&[
                ("grantee", membership.member.as_str().into()),
                ("role_name", membership.role.as_str().into()),
                ("is_grantable", "YES".into()),
            ])?;
        }
    }
    Ok(())
}

/// The privileges on tables and views, those of PUBLIC too.
pub(super) fn table_privileges(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    on_tables(view, table, true)
}

/// As [`table_privileges`], without those of PUBLIC.
pub(super) fn role_table_grants(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    on_tables(view, table, false)
}

fn on_tables(view: &SystemView, table: &mut Table, with_public: bool) -> Result<()> {
    for (_, relation) in lake_relations(view) {
        let object = Object::relation(&relation.schema, &relation.name);
        for listed in listed(view, &object) {
            let (grantor, grantee, privilege, _) = listed;
            if grantee == "PUBLIC" && !with_public {
                continue;
            }
            let with_hierarchy = privilege == Privilege::Select;
            table.push(&[
                ("grantor", grantor.into()),
                ("grantee", grantee.into()),
                ("table_catalog", view.database.as_str().into()),
                ("table_schema", relation.schema.as_str().into()),
                ("table_name", relation.name.as_str().into()),
                ("privilege_type", privilege.word().into()),
                (
                    "is_grantable",
                    yes(is_grantable(view, &object, &listed)).into(),
                ),
                ("with_hierarchy", yes(with_hierarchy).into()),
            ])?;
        }
    }
    Ok(())
}

/// The privileges on columns, by themselves or with their tables, those of PUBLIC too.
pub(super) fn column_privileges(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    on_columns(view, table, true)
}

/// As [`column_privileges`], without those of PUBLIC.
pub(super) fn role_column_grants(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    on_columns(view, table, false)
}

fn on_columns(view: &SystemView, table: &mut Table, with_public: bool) -> Result<()> {
    let inventory = view.inventory.as_deref();
    for (_, relation) in lake_relations(view) {
        let columns = inventory.and_then(|inventory| inventory.columns(relation.oid));
        let whole = listed(view, &Object::relation(&relation.schema, &relation.name));
        let (schema, name) = (&relation.schema, &relation.name);
        for field in columns.into_iter().flat_map(|columns| columns.fields()) {
            let column = Object::Column(schema.clone(), name.clone(), field.name().clone());
            let own = match view.snapshot.views.authority.is_enforced {
                true => listed(view, &column),
                false => Vec::new(),
            };
            let mut all: Vec<Listed<'_>> = whole.clone();
            all.retain(|(.., privilege, _)| column.privileges().contains(privilege));
            all.extend(own);
            all.sort_unstable();
            all.dedup();
            for listed in all {
                let (grantor, grantee, privilege, _) = listed;
                if grantee == "PUBLIC" && !with_public {
                    continue;
                }
                table.push(&[
                    ("grantor", grantor.into()),
                    ("grantee", grantee.into()),
                    ("table_catalog", view.database.as_str().into()),
                    ("table_schema", schema.as_str().into()),
                    ("table_name", name.as_str().into()),
                    ("column_name", field.name().as_str().into()),
                    ("privilege_type", privilege.word().into()),
                    (
                        "is_grantable",
                        yes(is_grantable(view, &column, &listed)).into(),
                    ),
                ])?;
            }
        }
    }
    Ok(())
}
