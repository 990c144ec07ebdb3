//! What a role may, as PostgreSQL's functions tell it: `pg_has_role`.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::names::Names;
use super::scalar::{Argument, Scalar, oid_of, text};
use crate::auth::Standing;
use crate::error::{Error, ErrorKind, Result};
use crate::types::oid;

/// The functions of this file.
pub(super) fn functions(names: &Arc<Names>) -> Vec<Arc<ScalarUDF>> {
    vec![has_role(names)]
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
    if named.data_type().is_integer() {
        let oid = match named.cast_to(&DataType::UInt32) {
            Ok(oid) => oid_of(&oid),
            Err(_) => 0,
        };
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
    match check {
        Check::Member => authority.is_member(user, role),
        Check::Usage => authority.has_privileges_of(user, role),
        Check::Set => authority.can_set_role(user, role),
        Check::Admin => authority.is_admin(user, role),
    }
}
