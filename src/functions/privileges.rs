//! What a role may, as PostgreSQL's functions tell it: `pg_has_role`, `has_table_privilege` and its
//! kind.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::names::Names;
use super::scalar::{Argument, Scalar, oid_of, text};
use crate::auth::{Object, Privilege, Rights, RowSecurity, Standing};
use crate::catalog::system::{DATABASE_OID, is_system_schema, server_oid, wrapper_oid};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::warehouse::Wrapper;
use crate::types::oid;

/// The functions of this file.
pub(super) fn functions(names: &Arc<Names>) -> Vec<Arc<ScalarUDF>> {
    vec![
        has_role(names),
        on_object(names, "has_database_privilege", database),
        on_object(names, "has_schema_privilege", schema),
        on_object(names, "has_server_privilege", server),
        on_object(names, "has_foreign_data_wrapper_privilege", wrapper),
        on_object(names, "has_table_privilege", relation),
        on_object(names, "has_any_column_privilege", relation),
        on_column(names),
        row_security(names),
    ]
}

/// Finds the object that an argument means; `None` for an OID that no object has.
type FindObject = fn(&Names, &ScalarValue) -> Result<Option<Found>>;

/// An object, as far as privileges on it are asked for.
enum Found {
    Of(Object),
    /// A relation of the system.
    System {
        /// What there is to ask of it.
        kinds: &'static [Privilege],
        /// What PUBLIC may.
        of_public: Option<Privilege>,
    },
}

/// A function `(user, object, privilege)` or `(object, privilege)`.
fn on_object(names: &Arc<Names>, name: &'static str, find: FindObject) -> Arc<ScalarUDF> {
    let names = Arc::clone(names);
    let with_columns = name == "has_any_column_privilege";
    let body = move |row: &[ScalarValue]| {
        let (user, object, words) = match row {
            [object, words] => (None, object, words),
            _ => (Some(&row[0]), &row[1], &row[2]),
        };
        let asker = Asker::of(&names, user)?;
        let Some(found) = find(&names, object)? else {
            return Ok(ScalarValue::Boolean(None));
        };
        let object = match found {
            Found::Of(object) => object,
            Found::System { kinds, of_public } => {
                return asker.of_system(kinds, of_public, text(words));
            }
        };
        let kinds = match with_columns {
            true => Object::Column(String::new(), String::new(), String::new()),
            false => object.clone(),
        };
        let asked = asked(text(words), kinds.privileges())?;
        let has = asked
            .iter()
            .any(|(privilege, with_option)| match with_columns {
                true => asker.may_any_column(*privilege, &object, *with_option),
                false => asker.may(*privilege, &object, *with_option),
            });
        Ok(ScalarValue::from(has))
    };
    let any = Argument::Any;
    Scalar::new(name, &[any, any, any], oid::BOOL, body)
        .optional(1)
        .udf()
}

/// `has_column_privilege`: the column by its name or its number.
fn on_column(names: &Arc<Names>) -> Arc<ScalarUDF> {
    let names = Arc::clone(names);
    let body = move |row: &[ScalarValue]| {
        let (user, object, column, words) = match row {
            [object, column, words] => (None, object, column, words),
            _ => (Some(&row[0]), &row[1], &row[2], &row[3]),
        };
        let asker = Asker::of(&names, user)?;
        let (schema, name) = match relation(&names, object)? {
            Some(Found::Of(Object::Relation(schema, name))) => (schema, name),
            Some(Found::System { kinds, of_public }) => {
                return asker.of_system(kinds, of_public, text(words));
            }
            _ => return Ok(ScalarValue::Boolean(None)),
        };
        let Some(column) = names.column(&schema, &name, column)? else {
            return Ok(ScalarValue::Boolean(None));
        };
        let whole = Object::Relation(schema.clone(), name.clone());
        let column = Object::Column(schema, name, column);
        let asked = asked(text(words), column.privileges())?;
        let has = asked.iter().any(|(privilege, with_option)| {
            asker.may(*privilege, &whole, *with_option)
                || asker.may(*privilege, &column, *with_option)
        });
        Ok(ScalarValue::from(has))
    };
    let any = Argument::Any;
    Scalar::new(
        "has_column_privilege",
        &[any, any, any, any],
        oid::BOOL,
        body,
    )
    .optional(1)
    .udf()
}

/// Of whom is asked.
struct Asker<'a> {
    names: &'a Names,
    /// `None` for whom the statement runs as.
    role: Option<String>,
    is_public: bool,
}

impl<'a> Asker<'a> {
    fn of(names: &'a Names, user: Option<&ScalarValue>) -> Result<Self> {
        let is_public = user.is_some_and(|user| text(user) == "public");
        let role = match user.filter(|_| !is_public) {
            Some(user) => Some(role_of(names, user)?.unwrap_or_default()),
            None => None,
        };
        Ok(Self {
            names,
            role: role.filter(|role| *role != names.facts.actor.user),
            is_public,
        })
    }

    fn rights(&self) -> Rights<'_> {
        let authority = &self.names.snapshot.views.authority;
        match &self.role {
            // PUBLIC is no role: whoever has no role has its privileges.
            _ if self.is_public => authority.rights_of_role(""),
            Some(role) => authority.rights_of_role(role),
            None => authority.rights_of(&self.names.facts.actor),
        }
    }

    fn may(&self, privilege: Privilege, object: &Object, with_option: bool) -> bool {
        let rights = self.rights();
        match with_option {
            true => rights.may_grant(privilege, object),
            false => rights.may(privilege, object),
        }
    }

    fn may_any_column(&self, privilege: Privilege, object: &Object, with_option: bool) -> bool {
        let authority = &self.names.snapshot.views.authority;
        let mut columns = authority
            .grants()
            .filter(|grant| grant.object.owned() == *object);
        self.may(privilege, object, with_option)
            || columns.any(|grant| self.may(privilege, &grant.object, with_option))
    }

    fn of_system(
        &self,
        kinds: &[Privilege],
        of_public: Option<Privilege>,
        words: &str,
    ) -> Result<ScalarValue> {
        let asked = asked(words, kinds)?;
        let is_public = |(privilege, with_option): &(Privilege, bool)| {
            Some(*privilege) == of_public && !with_option
        };
        let has = self.rights().are_everything() || asked.iter().any(is_public);
        Ok(ScalarValue::from(has))
    }
}

/// As `convert_any_priv_string` in acl.c: words separated by commas, one of which must hold.
fn asked(words: &str, known: &[Privilege]) -> Result<Vec<(Privilege, bool)>> {
    let one = |word: &str| {
        let upper = word.trim().to_uppercase();
        let plain = upper.strip_suffix(" WITH GRANT OPTION");
        let privilege = Privilege::of_word(plain.unwrap_or(&upper).trim());
        match privilege.filter(|privilege| known.contains(privilege)) {
            Some(privilege) => Ok((privilege, plain.is_some())),
            None => Err(unrecognized(word)),
        }
    };
    words.split(',').map(one).collect()
}

fn database(names: &Names, named: &ScalarValue) -> Result<Option<Found>> {
    let is_own = match integer(named) {
        Some(oid) => oid == DATABASE_OID,
        None if text(named) == names.facts.database => true,
        None => {
            let message = format!("database \"{}\" does not exist", text(named));
            return Err(Error::new(ErrorKind::InvalidCatalogName, message));
        }
    };
    Ok(is_own.then_some(Found::Of(Object::Database)))
}

fn schema(names: &Names, named: &ScalarValue) -> Result<Option<Found>> {
    let name = match integer(named) {
        Some(oid) => names.schema(oid),
        None => match names.schema_oid(text(named)) {
            Some(_) => Some(text(named).to_owned()),
            None => {
                let message = format!("schema \"{}\" does not exist", text(named));
                return Err(Error::new(ErrorKind::InvalidSchemaName, message));
            }
        },
    };
    Ok(name.map(|name| match is_system_schema(&name) {
        true => Found::System {
            kinds: Object::schema("").privileges(),
            of_public: Some(Privilege::Usage),
        },
        false => Found::Of(Object::Schema(name)),
    }))
}

fn server(names: &Names, named: &ScalarValue) -> Result<Option<Found>> {
    let foreign = &names.snapshot.views.foreign;
    let name = match integer(named) {
        Some(oid) => foreign.servers.keys().find(|name| server_oid(name) == oid),
        None => Some(&foreign.server(text(named))?.name),
    };
    Ok(name.map(|name| Found::Of(Object::Server(name.clone()))))
}

fn wrapper(_: &Names, named: &ScalarValue) -> Result<Option<Found>> {
    let found = match integer(named) {
        Some(oid) => Wrapper::ALL.into_iter().find(|it| wrapper_oid(*it) == oid),
        None => Some(Wrapper::named(text(named))?),
    };
    Ok(found.map(|wrapper| Found::Of(Object::Wrapper(wrapper.name().to_owned()))))
}

fn relation(names: &Names, named: &ScalarValue) -> Result<Option<Found>> {
    let oid = match integer(named) {
        Some(oid) => oid,
        None => names.relation_oid(text(named))?.ok_or_else(|| {
            let message = format!("relation \"{}\" does not exist", text(named));
            Error::new(ErrorKind::UndefinedTable, message)
        })?,
    };
    let Some(place) = names.relation(oid) else {
        return Ok(None);
    };
    Ok(Some(match is_system_schema(&place.schema) {
        true => Found::System {
            kinds: Object::relation("", "").privileges(),
            of_public: (!is_guarded(&place.name)).then_some(Privilege::Select),
        },
        false => Found::Of(Object::relation(&place.schema, &place.name)),
    }))
}

/// Whether a relation of the system is not for everybody to read.
fn is_guarded(name: &str) -> bool {
    ["pg_authid", "pg_shadow", "omissions", "view_errors"].contains(&name)
}

/// The number of an argument that is one.
fn integer(named: &ScalarValue) -> Option<u32> {
    if !named.data_type().is_integer() {
        return None;
    }
    let oid = named.cast_to(&DataType::UInt32).ok();
    Some(oid.as_ref().map_or(0, oid_of))
}

/// `row_security_active`: whether policies decide about the rows that whom the statement runs as
/// reads of a relation (`row_security_active_name` in acl.c).
fn row_security(names: &Arc<Names>) -> Arc<ScalarUDF> {
    let names = Arc::clone(names);
    let body = move |row: &[ScalarValue]| {
        let asker = Asker::of(&names, None)?;
        let is_active = match relation(&names, &row[0])? {
            Some(Found::Of(object)) => {
                let decides = asker.rights().row_security(&object);
                matches!(decides, RowSecurity::On { .. })
            }
            _ => false,
        };
        Ok(ScalarValue::from(is_active))
    };
    let relation = [Argument::Any];
    Scalar::new("row_security_active", &relation, oid::BOOL, body).udf()
}

/// As the forms of `pg_has_role` in acl.c: `(user, role, privilege)` and `(role, privilege)`.
fn has_role(names: &Arc<Names>) -> Arc<ScalarUDF> {
    let names = Arc::clone(names);
    let body = move |row: &[ScalarValue]| {
        let (user, role, privilege) = match row {
            [role, privilege] => (None, role, privilege),
            _ => (Some(&row[0]), &row[1], &row[2]),
        };
        let (Some(user), Some(role)) = (subject(&names, user)?, role_of(&names, role)?) else {
            return Ok(ScalarValue::Boolean(None));
        };
        let checks = membership_privileges(text(privilege))?;
        let has = checks
            .iter()
            .any(|check| is_so(&names, &user, &role, *check));
        Ok(ScalarValue::from(has))
    };
    let any = Argument::Any;
    Scalar::new("pg_has_role", &[any, any, any], oid::BOOL, body)
        .optional(1)
        .udf()
}

/// Of whom is asked: a role that is named, or whom the statement runs as.
fn subject(names: &Names, named: Option<&ScalarValue>) -> Result<Option<String>> {
    match named {
        Some(named) => role_of(names, named),
        None => Ok(Some(names.facts.actor.user.clone())),
    }
}

/// A role by its name or its OID; `None` for an OID that no role has.
fn role_of(names: &Names, named: &ScalarValue) -> Result<Option<String>> {
    if let Some(oid) = integer(named) {
        return Ok(names.role(oid));
    }
    let name = text(named);
    match names.role_oid(name) {
        Some(_) => Ok(Some(name.to_owned())),
        None => {
            let message = format!("role \"{name}\" does not exist");
            Err(Error::new(ErrorKind::UndefinedObject, message))
        }
    }
}

/// What `pg_has_role` asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Member,
    Usage,
    Set,
    Admin,
}

/// As `convert_role_priv_string` in acl.c: words separated by commas, one of which must hold.
fn membership_privileges(words: &str) -> Result<Vec<Check>> {
    let known = |word: &str| {
        let option = [" WITH GRANT OPTION", " WITH ADMIN OPTION"];
        let upper = word.trim().to_uppercase();
        let plain = option.iter().find_map(|option| upper.strip_suffix(option));
        match (plain.unwrap_or(&upper), plain.is_some()) {
            ("MEMBER" | "USAGE" | "SET", true) => Some(Check::Admin),
            ("MEMBER", false) => Some(Check::Member),
            ("USAGE", false) => Some(Check::Usage),
            ("SET", false) => Some(Check::Set),
            _ => None,
        }
    };
    let words = words.split(',');
    words
        .map(|word| known(word).ok_or_else(|| unrecognized(word)))
        .collect()
}

fn unrecognized(word: &str) -> Error {
    let message = format!("unrecognized privilege type: \"{}\"", word.trim());
    Error::new(ErrorKind::InvalidParameterValue, message)
}

fn is_so(names: &Names, user: &str, role: &str, check: Check) -> bool {
    let (authority, actor) = (&names.snapshot.views.authority, &names.facts.actor);
    if user == actor.user && actor.standing == Standing::Open {
        return true;
    }
    let groups = match user == actor.user {
        true => &*actor.groups,
        false => &[],
    };
    let mut members = std::iter::once(user).chain(authority.groups_of(groups));
    members.any(|member| match check {
        Check::Member => authority.is_member(member, role),
        Check::Usage => authority.has_privileges_of(member, role),
        Check::Set => authority.can_set_role(member, role),
        Check::Admin => authority.is_admin(member, role),
    })
}
