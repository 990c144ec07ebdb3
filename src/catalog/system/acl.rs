//! Privileges as `aclitem`s, and `pg_default_acl`.

use super::data::Builtin;
use super::roles::role_oid;
use super::table::{Table, Value};
use super::{OWNER_OID, SystemView};
use crate::auth::{Authority, Object, Privilege};
use crate::catalog::snapshot::oid_of;
use crate::catalog::sql::identifier;
use crate::error::Result;

/// The privileges that one role granted to another: `grantee=letters/grantor`.
struct Item<'a> {
    /// `None` is PUBLIC.
    grantee: Option<&'a str>,
    grantor: &'a str,
    /// Each with whether it may be granted on.
    privileges: Vec<(Privilege, bool)>,
}

/// Who owns an object, by its OID and its name.
pub(super) fn owner<'a>(view: &'a SystemView, object: &Object) -> (u32, &'a str) {
    let authority = &view.snapshot.views.authority;
    if !authority.is_enforced {
        return (OWNER_OID, super::roles::owner_of_all(view));
    }
    let owner = authority.owner_of(object);
    let oid = role_oid(authority, &view.actor, owner);
    (oid.unwrap_or(OWNER_OID), owner)
}

/// The privileges on an object as `aclitem[]`; `None` where nothing was granted or taken away, so that
/// its owner has all and PUBLIC what it has by default.
pub(super) fn acl(view: &SystemView, object: &Object) -> Option<String> {
    let authority = view.snapshot.views.authority.as_ref();
    if !authority.is_enforced {
        return None;
    }
    let items = items(authority, object);
    (!items.is_empty()).then(|| array(items.iter().map(text)))
}

/// As `aclitem[]` is written.
fn array(items: impl Iterator<Item = String>) -> String {
    let quoted = items.map(|item| {
        let escaped = item.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"")
    });
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

/// As `aclitemout` in acl.c.
fn text(item: &Item<'_>) -> String {
    let letters = item.privileges.iter().map(|(privilege, has_option)| {
        let star = if *has_option { "*" } else { "" };
        format!("{}{star}", privilege.letter())
    });
    format!(
        "{}={}/{}",
        item.grantee.map(identifier).unwrap_or_default(),
        letters.collect::<String>(),
        identifier(item.grantor)
    )
}

/// The grants on an object, those of its owner and of PUBLIC by default first.
fn items<'a>(authority: &'a Authority, object: &Object) -> Vec<Item<'a>> {
    let granted = grants(authority, object);
    let is_changed = object
        .of_public()
        .iter()
        .any(|privilege| authority.is_withdrawn(object, *privilege));
    // What initdb granted is not the default, and is always there.
    let is_public_schema = *object == Object::schema("public");
    if granted.is_empty() && !is_changed && !is_public_schema {
        return Vec::new();
    }
    let mut items = Vec::new();
    let owner = authority.owner_of(object);
    if !matches!(object, Object::Column(..)) {
        items.push(Item {
            grantee: Some(owner),
            grantor: owner,
            privileges: object.privileges().iter().map(|it| (*it, false)).collect(),
        });
    }
    let built_in = object.of_public().iter();
    let built_in = built_in.filter(|privilege| !authority.is_withdrawn(object, **privilege));
    let built_in: Vec<_> = built_in.map(|privilege| (*privilege, false)).collect();
    if !built_in.is_empty() {
        items.push(Item {
            grantee: None,
            grantor: owner,
            privileges: built_in,
        });
    }
    items.extend(granted);
    items
}

fn grants<'a>(authority: &'a Authority, object: &Object) -> Vec<Item<'a>> {
    let mut items: Vec<Item<'a>> = Vec::new();
    let mut add = |grantee: Option<&'a str>, grantor: &'a str, privilege, has_option| {
        let mut known = items.iter_mut();
        let known = known.find(|item| item.grantee == grantee && item.grantor == grantor);
        match known {
            Some(item) => {
                // Granted by name and on all tables, it is one.
                if !item.privileges.iter().any(|(it, _)| *it == privilege) {
                    item.privileges.push((privilege, has_option));
                }
            }
            None => items.push(Item {
                grantee,
                grantor,
                privileges: vec![(privilege, has_option)],
            }),
        }
    };
    for grant in authority.grants().filter(|grant| grant.object == *object) {
        let grantee = grant.grantee.as_deref();
        add(grantee, &grant.grantor, grant.privilege, grant.has_option);
    }
    if !matches!(object, Object::Column(..)) {
        let owner = authority.owner_of(object);
        for grant in authority.default_grants() {
            if grant.reaches(authority, object) {
                add(
                    grant.grantee.as_deref(),
                    owner,
                    grant.privilege,
                    grant.has_option,
                );
            }
        }
    }
    for item in &mut items {
        item.privileges.sort_unstable();
    }
    items
}

/// A grant as `information_schema` lists it: grantor, grantee, privilege, and whether it was granted
/// with the grant option.
pub(super) type Listed<'a> = (&'a str, &'a str, Privilege, bool);

/// The privileges on an object that are, or were, of somebody whom a session may know of: granted
/// by or to a role whose privileges it has.
pub(super) fn listed<'a>(view: &'a SystemView, object: &Object) -> Vec<Listed<'a>> {
    let authority = view.snapshot.views.authority.as_ref();
    if !authority.is_enforced {
        let owner = super::roles::owner_of_all(view);
        let all = object.privileges().iter();
        return all.map(|it| (owner, owner, *it, true)).collect();
    }
    let rights = authority.rights_of(&view.actor);
    let mut items = items(authority, object);
    if items.is_empty() && !matches!(object, Object::Column(..)) {
        let owner = authority.owner_of(object);
        items.push(Item {
            grantee: Some(owner),
            grantor: owner,
            privileges: object.privileges().iter().map(|it| (*it, false)).collect(),
        });
    }
    let known = items.into_iter().filter(|item| {
        let grantee = item.grantee;
        grantee.is_none_or(|grantee| rights.include(grantee)) || rights.include(item.grantor)
    });
    known
        .flat_map(|item| {
            let grantee = item.grantee.unwrap_or("PUBLIC");
            let listed = item.privileges.into_iter();
            listed
                .map(move |(privilege, has_option)| (item.grantor, grantee, privilege, has_option))
        })
        .collect()
}

/// Whether a privilege that is listed may be granted on: with the option, or by whoever has the
/// privileges of the object's owner (`information_schema.sql` of PostgreSQL asks `pg_has_role`).
pub(super) fn is_grantable(view: &SystemView, object: &Object, listed: &Listed<'_>) -> bool {
    let (_, grantee, _, has_option) = listed;
    let authority = view.snapshot.views.authority.as_ref();
    let acts_for_owner = || {
        let rights = authority.rights_of_role(grantee);
        rights.include(authority.owner_of(object))
    };
    *has_option || acts_for_owner()
}

/// What ALTER DEFAULT PRIVILEGES said.
pub(super) fn pg_default_acl(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let authority = view.snapshot.views.authority.as_ref();
    let said = authority.default_grants();
    let mut keys: Vec<_> = said
        .filter_map(|it| Some((it.owner.as_deref()?, it.schema.as_deref(), it.on_schemas)))
        .collect();
    keys.dedup();
    for (owner, schema, on_schemas) in keys {
        let mut items: Vec<Item<'_>> = Vec::new();
        for grant in authority.default_grants().filter(|it| {
            let key = (it.owner.as_deref(), it.schema.as_deref(), it.on_schemas);
            key == (Some(owner), schema, on_schemas)
        }) {
            let grantee = grant.grantee.as_deref();
            let privilege = (grant.privilege, grant.has_option);
            match items.iter_mut().find(|item| item.grantee == grantee) {
                Some(item) => item.privileges.push(privilege),
                None => items.push(Item {
                    grantee,
                    grantor: owner,
                    privileges: vec![privilege],
                }),
            }
        }
        let text = array(items.iter().map(text));
        let namespace = schema.and_then(|name| Some(view.snapshot.schemas.get(name)?.oid));
        let key = format!("default\0{owner}\0{schema:?}\0{on_schemas}");
        table.push(&[
            ("oid", oid_of(&key).into()),
            (
                "defaclrole",
                role_oid(authority, &view.actor, owner)
                    .unwrap_or_default()
                    .into(),
            ),
            ("defaclnamespace", namespace.unwrap_or_default().into()),
            ("defaclobjtype", if on_schemas { "n" } else { "r" }.into()),
            ("defaclacl", Value::Written(Some(&text))),
        ])?;
    }
    Ok(())
}
