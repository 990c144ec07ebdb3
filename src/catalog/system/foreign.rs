//! Servers of a warehouse, their user mappings, and the tables that are on them.

use super::acl::{acl, owner};
use super::data::Builtin;
use super::relations::lake_relations;
use super::roles::role_oid;
use super::table::{Table, Value};
use super::{Made, OWNER_OID, SystemView};
use crate::auth::{Object, Privilege};
use crate::catalog::Needs;
use crate::catalog::snapshot::oid_of;
use crate::error::Result;
use crate::sources::warehouse::{ForeignTable, Options, Server, Wrapper, is_secret};

/// The relations of this file.
pub(super) const PROJECTIONS: &[Made] = &[
    (
        "pg_catalog",
        "pg_foreign_data_wrapper",
        Needs::Snapshot,
        pg_foreign_data_wrapper,
    ),
    (
        "pg_catalog",
        "pg_foreign_server",
        Needs::Snapshot,
        pg_foreign_server,
    ),
    (
        "pg_catalog",
        "pg_foreign_table",
        Needs::Snapshot,
        pg_foreign_table,
    ),
    (
        "pg_catalog",
        "pg_user_mapping",
        Needs::Snapshot,
        pg_user_mapping,
    ),
    (
        "pg_catalog",
        "pg_user_mappings",
        Needs::Snapshot,
        pg_user_mappings,
    ),
    (
        "information_schema",
        "foreign_data_wrappers",
        Needs::Snapshot,
        foreign_data_wrappers,
    ),
    (
        "information_schema",
        "foreign_servers",
        Needs::Snapshot,
        foreign_servers,
    ),
    (
        "information_schema",
        "foreign_server_options",
        Needs::Snapshot,
        foreign_server_options,
    ),
    (
        "information_schema",
        "foreign_tables",
        Needs::Snapshot,
        foreign_tables,
    ),
    (
        "information_schema",
        "foreign_table_options",
        Needs::Snapshot,
        foreign_table_options,
    ),
    (
        "information_schema",
        "user_mappings",
        Needs::Snapshot,
        user_mappings,
    ),
    (
        "information_schema",
        "user_mapping_options",
        Needs::Snapshot,
        user_mapping_options,
    ),
];

/// What stands for a secret.
const MASK: &str = "********";

/// The OID of a wrapper.
pub fn wrapper_oid(wrapper: Wrapper) -> u32 {
    oid_of(&format!("wrapper\0{}", wrapper.name()))
}

/// The OID of a server.
pub fn server_oid(name: &str) -> u32 {
    oid_of(&format!("server\0{name}"))
}

fn mapping_oid(server: &str, role: Option<&str>) -> u32 {
    oid_of(&format!("mapping\0{server}\0{}", role.unwrap_or_default()))
}

fn servers(view: &SystemView) -> impl Iterator<Item = &Server> {
    view.snapshot
        .views
        .foreign
        .servers
        .values()
        .map(AsRef::as_ref)
}

fn of_server(server: &Server) -> Object {
    Object::Server(server.name.clone())
}

fn of_wrapper(wrapper: Wrapper) -> Object {
    Object::Wrapper(wrapper.name().to_owned())
}

/// Whether whom the statement runs as may use a server or a wrapper, and so be told how it is defined.
fn may_use(view: &SystemView, object: &Object) -> bool {
    view.rights().may(Privilege::Usage, object)
}

/// The servers that may be used.
fn usable(view: &SystemView) -> impl Iterator<Item = &Server> {
    servers(view).filter(|server| may_use(view, &of_server(server)))
}

/// Options as an array of `name=value`; `None` for none.
fn array(options: &Options) -> Option<String> {
    let quoted = |text: String| {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"")
    };
    let options: Vec<String> = shown(options)
        .map(|(name, value)| quoted(format!("{name}={value}")))
        .collect();
    (!options.is_empty()).then(|| format!("{{{}}}", options.join(",")))
}

/// Options without what they keep secret: where it is kept is not told either.
fn shown(options: &Options) -> impl Iterator<Item = (&str, &str)> {
    let options = options.iter();
    options.map(|(name, value)| match is_secret(name) {
        true => (name.as_str(), MASK),
        false => (name.as_str(), value.as_str()),
    })
}

fn pg_foreign_data_wrapper(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for wrapper in Wrapper::ALL {
        table.push(&[
            ("oid", wrapper_oid(wrapper).into()),
            ("fdwname", wrapper.name().into()),
            ("fdwowner", OWNER_OID.into()),
            (
                "fdwacl",
                Value::Written(acl(view, &of_wrapper(wrapper)).as_deref()),
            ),
        ])?;
    }
    Ok(())
}

fn pg_foreign_server(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for server in servers(view) {
        table.push(&[
            ("oid", server_oid(&server.name).into()),
            ("srvname", server.name.as_str().into()),
            ("srvowner", owner(view, &of_server(server)).0.into()),
            ("srvfdw", wrapper_oid(server.wrapper).into()),
            ("srvtype", server.server_type.as_deref().into()),
            ("srvversion", server.version.as_deref().into()),
            (
                "srvacl",
                Value::Written(acl(view, &of_server(server)).as_deref()),
            ),
            (
                "srvoptions",
                Value::Written(array(&server.options).as_deref()),
            ),
        ])?;
    }
    Ok(())
}

fn pg_foreign_table(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (_, relation) in lake_relations(view) {
        let Some(foreign) = relation.foreign() else {
            continue;
        };
        let options = array(&foreign.whole_options());
        table.push(&[
            ("ftrelid", relation.oid.into()),
            ("ftserver", server_oid(&foreign.server.name).into()),
            ("ftoptions", Value::Written(options.as_deref())),
        ])?;
    }
    Ok(())
}

/// Every mapping: its server, its role, the role's OID and its options.
fn mappings(view: &SystemView) -> impl Iterator<Item = (&Server, Option<&str>, u32, &Options)> {
    let authority = &view.snapshot.views.authority;
    servers(view).flat_map(move |server| {
        server.mappings.iter().map(move |(role, options)| {
            let role = role.as_deref();
            let oid = role.and_then(|role| role_oid(authority, &view.actor, role));
            (server, role, oid.unwrap_or_default(), options)
        })
    })
}

fn pg_user_mapping(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (server, role, user, options) in mappings(view) {
        table.push(&[
            ("oid", mapping_oid(&server.name, role).into()),
            ("umuser", user.into()),
            ("umserver", server_oid(&server.name).into()),
            ("umoptions", Value::Written(array(options).as_deref())),
        ])?;
    }
    Ok(())
}

/// As `pg_user_mappings` in system_views.sql: options are shown to whom the server is, and their own to those who
/// may use it.
fn pg_user_mappings(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (server, role, user, options) in mappings(view) {
        let of_server = of_server(server);
        let is_own = role == Some(view.actor.user.as_str()) && may_use(view, &of_server);
        let may_see = is_own || view.rights().own(&of_server);
        let options = array(options).filter(|_| may_see);
        table.push(&[
            ("umid", mapping_oid(&server.name, role).into()),
            ("srvid", server_oid(&server.name).into()),
            ("srvname", server.name.as_str().into()),
            ("umuser", user.into()),
            ("usename", role.unwrap_or("public").into()),
            ("umoptions", Value::Written(options.as_deref())),
        ])?;
    }
    Ok(())
}

fn foreign_data_wrappers(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let wrappers = Wrapper::ALL.into_iter();
    for wrapper in wrappers.filter(|wrapper| may_use(view, &of_wrapper(*wrapper))) {
        table.push(&[
            (
                "foreign_data_wrapper_catalog",
                view.database.as_str().into(),
            ),
            ("foreign_data_wrapper_name", wrapper.name().into()),
            (
                "authorization_identifier",
                owner(view, &Object::Database).1.into(),
            ),
        ])?;
    }
    Ok(())
}

fn foreign_servers(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for server in usable(view) {
        table.push(&[
            ("foreign_server_catalog", view.database.as_str().into()),
            ("foreign_server_name", server.name.as_str().into()),
            (
                "foreign_data_wrapper_catalog",
                view.database.as_str().into(),
            ),
            ("foreign_data_wrapper_name", server.wrapper.name().into()),
            ("foreign_server_type", server.server_type.as_deref().into()),
            ("foreign_server_version", server.version.as_deref().into()),
            (
                "authorization_identifier",
                owner(view, &of_server(server)).1.into(),
            ),
        ])?;
    }
    Ok(())
}

fn foreign_server_options(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for server in usable(view) {
        for (name, value) in shown(&server.options) {
            table.push(&[
                ("foreign_server_catalog", view.database.as_str().into()),
                ("foreign_server_name", server.name.as_str().into()),
                ("option_name", name.into()),
                ("option_value", value.into()),
            ])?;
        }
    }
    Ok(())
}

/// The foreign tables that one has a privilege on, with their schemas and names.
fn tables(view: &SystemView) -> Vec<(&str, &str, &ForeignTable)> {
    let rights = view.rights();
    let tables = lake_relations(view).filter_map(|(_, relation)| {
        let (schema, name) = (relation.schema.as_str(), relation.name.as_str());
        let foreign = relation.foreign()?;
        rights
            .may_any(schema, name)
            .then_some((schema, name, foreign.as_ref()))
    });
    tables.collect()
}

fn foreign_tables(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (schema, name, foreign) in tables(view) {
        table.push(&[
            ("foreign_table_catalog", view.database.as_str().into()),
            ("foreign_table_schema", schema.into()),
            ("foreign_table_name", name.into()),
            ("foreign_server_catalog", view.database.as_str().into()),
            ("foreign_server_name", foreign.server.name.as_str().into()),
        ])?;
    }
    Ok(())
}

fn foreign_table_options(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    for (schema, name, foreign) in tables(view) {
        for (option, value) in shown(&foreign.whole_options()) {
            table.push(&[
                ("foreign_table_catalog", view.database.as_str().into()),
                ("foreign_table_schema", schema.into()),
                ("foreign_table_name", name.into()),
                ("option_name", option.into()),
                ("option_value", value.into()),
            ])?;
        }
    }
    Ok(())
}

fn user_mappings(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let known = mappings(view).filter(|(server, ..)| may_use(view, &of_server(server)));
    for (server, role, ..) in known {
        table.push(&[
            ("authorization_identifier", role.unwrap_or("PUBLIC").into()),
            ("foreign_server_catalog", view.database.as_str().into()),
            ("foreign_server_name", server.name.as_str().into()),
        ])?;
    }
    Ok(())
}

fn user_mapping_options(_: &Builtin, view: &SystemView, table: &mut Table) -> Result<()> {
    let known = mappings(view).filter(|(server, ..)| may_use(view, &of_server(server)));
    for (server, role, _, options) in known {
        // Whose it is not is told that there is an option, and not what it says.
        let is_own = role == Some(view.actor.user.as_str());
        let may_see = is_own || view.rights().own(&of_server(server));
        for (name, value) in shown(options) {
            let value = may_see.then_some(value);
            table.push(&[
                ("authorization_identifier", role.unwrap_or("PUBLIC").into()),
                ("foreign_server_catalog", view.database.as_str().into()),
                ("foreign_server_name", server.name.as_str().into()),
                ("option_name", name.into()),
                ("option_value", value.into()),
            ])?;
        }
    }
    Ok(())
}
