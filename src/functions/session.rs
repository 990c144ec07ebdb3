//! What the session and the server are: `current_user`, `version()`, settings, privileges.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::SessionFacts;
use super::names::Names;
use super::scalar::{Argument, Scalar, oid_of, text};
use super::signal;
use crate::auth::{Object, Privilege};
use crate::catalog::system::is_system_schema;
use crate::error::{Error, ErrorKind};
use crate::types::oid;

/// What `server_version` says. Tools choose their queries by it.
const POSTGRES_VERSION: &str = "16.6";

/// The OID of `name[]`.
const NAME_ARRAY: u32 = 1003;

/// The functions of this file.
pub(super) fn functions(names: &Arc<Names>) -> Vec<Arc<ScalarUDF>> {
    let mut functions = facts(&names.facts);
    functions.extend(schemas(names));
    functions.extend(settings(&names.facts));
    functions.extend(signal::functions(names));
    functions.extend(privileges());
    functions
}

/// What gives the system column `xmin`: every row may be new, so that tools that look for changes find all of
/// them. No name in SQL text holds a control character.
pub const XMIN: &str = "xmin\u{1}";

/// Smaller ones are not of transactions (`FirstNormalTransactionId` in transam.h).
const FIRST_NORMAL_XID: u32 = 3;

fn constant(name: &'static str, type_oid: u32, value: ScalarValue) -> Arc<ScalarUDF> {
    Scalar::new(name, &[], type_oid, move |_| Ok(value.clone())).udf()
}

fn facts(facts: &SessionFacts) -> Vec<Arc<ScalarUDF>> {
    let text = |value: &str| ScalarValue::from(value);
    let client_encoding = facts.settings.get("client_encoding");
    let client_encoding = client_encoding.map_or("UTF8", String::as_str);
    // Transactions have no numbers: tools compare this one with a later one, so it never falls.
    let transaction = chrono::Utc::now().timestamp();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of type xid is one of a circle"
    )]
    let xid = transaction as u32;
    let version = format!(
        "PostgreSQL {POSTGRES_VERSION} on {}-{} (Lakegate {})",
        std::env::consts::ARCH,
        std::env::consts::OS,
        env!("CARGO_PKG_VERSION"),
    );
    let mut functions: Vec<Arc<ScalarUDF>> = ["current_user", "user", "current_role"]
        .into_iter()
        .map(|name| constant(name, oid::NAME, text(&facts.actor.user)))
        .collect();
    functions.extend(
        ["current_database", "current_catalog"]
            .into_iter()
            .map(|name| constant(name, oid::NAME, text(&facts.database))),
    );
    functions.extend([
        constant("session_user", oid::NAME, text(&facts.actor.session_user)),
        constant("version", oid::TEXT, text(&version)),
        constant("pg_backend_pid", oid::INT4, facts.backend_pid.into()),
        constant("pg_is_in_recovery", oid::BOOL, false.into()),
        constant("pg_is_wal_replay_paused", oid::BOOL, false.into()),
        constant("txid_current", oid::INT8, transaction.into()),
        constant(XMIN, oid::XID, ScalarValue::UInt32(Some(xid))),
        // As `xid_age` in xid.c.
        Scalar::new(
            "xid_age",
            &[Argument::Of(oid::XID)],
            oid::INT4,
            move |row| {
                Ok(match row[0] {
                    ScalarValue::UInt32(Some(of)) if of >= FIRST_NORMAL_XID => {
                        xid.wrapping_sub(of).cast_signed().into()
                    }
                    ScalarValue::UInt32(Some(_)) => i32::MAX.into(),
                    _ => ScalarValue::Int32(None),
                })
            },
        )
        .udf(),
        // There are no locks; what pools say on return is true at once.
        constant(
            "pg_advisory_unlock_all",
            oid::VOID,
            ScalarValue::Utf8(Some(String::new())),
        ),
        constant("getdatabaseencoding", oid::NAME, text("UTF8")),
        constant("pg_client_encoding", oid::NAME, text(client_encoding)),
        constant("inet_server_addr", oid::TEXT, ScalarValue::Utf8(None)),
        constant("inet_client_addr", oid::TEXT, ScalarValue::Utf8(None)),
    ]);
    functions
}

fn schemas(names: &Arc<Names>) -> Vec<Arc<ScalarUDF>> {
    let facts = &names.facts;
    let snapshot = &names.snapshot;
    let rights = snapshot.views.authority.rights_of(&facts.actor);
    let is_usable = |schema: &str| rights.may(Privilege::Usage, &Object::schema(schema));
    let existing: Vec<String> = facts
        .search_path
        .iter()
        .filter(|schema| {
            is_system_schema(schema)
                || (snapshot.schemas.contains_key(*schema) && is_usable(schema))
        })
        .cloned()
        .collect();
    let current = ScalarValue::Utf8(existing.first().cloned());
    let listed = move |row: &[ScalarValue]| {
        let implicit = matches!(row[0], ScalarValue::Boolean(Some(true)))
            && !existing.iter().any(|schema| schema == "pg_catalog");
        let implicit = implicit.then_some("pg_catalog");
        let names = implicit
            .into_iter()
            .chain(existing.iter().map(String::as_str));
        let names: Vec<ScalarValue> = names.map(ScalarValue::from).collect();
        let list = ScalarValue::new_list_nullable(&names, &DataType::Utf8);
        Ok(ScalarValue::List(list))
    };
    vec![
        constant("current_schema", oid::NAME, current),
        Scalar::new(
            "current_schemas",
            &[Argument::Of(oid::BOOL)],
            NAME_ARRAY,
            listed,
        )
        .udf(),
    ]
}

fn settings(facts: &Arc<SessionFacts>) -> Vec<Arc<ScalarUDF>> {
    let of = Argument::Of;
    let settings = Arc::clone(&facts.settings);
    let current = move |row: &[ScalarValue]| {
        let name = text(&row[0]);
        let missing_ok = matches!(row.get(1), Some(ScalarValue::Boolean(Some(true))));
        match settings.get(&name.to_lowercase()) {
            Some(setting) => Ok(ScalarValue::from(setting.as_str())),
            None if missing_ok => Ok(ScalarValue::Utf8(None)),
            None => {
                let message = format!("unrecognized configuration parameter \"{name}\"");
                Err(Error::new(ErrorKind::UndefinedObject, message))
            }
        }
    };
    let setter = facts.set_config.clone();
    // As `set_config_by_name` in guc_funcs.c.
    let set = move |row: &[ScalarValue]| {
        if row[0].is_null() {
            let message = "SET requires parameter name";
            return Err(Error::new(ErrorKind::NullValueNotAllowed, message));
        }
        let value = (!row[1].is_null()).then(|| text(&row[1]));
        let is_local = matches!(row[2], ScalarValue::Boolean(Some(true)));
        let kept = (setter.0)(text(&row[0]), value, is_local)?;
        Ok(ScalarValue::from(kept))
    };
    let set_config = [of(oid::TEXT), of(oid::TEXT), of(oid::BOOL)];
    vec![
        Scalar::new(
            "current_setting",
            &[of(oid::TEXT), of(oid::BOOL)],
            oid::TEXT,
            current,
        )
        .optional(1)
        .udf(),
        Scalar::new("set_config", &set_config, oid::TEXT, set)
            .with_nulls()
            .volatile()
            .udf(),
    ]
}

/// What there is of these kinds is PostgreSQL's own, and everybody's.
fn privileges() -> Vec<Arc<ScalarUDF>> {
    let any = Argument::Any;
    let yes = |_: &[ScalarValue]| Ok(ScalarValue::from(true));
    let role_checks = [
        "has_foreign_data_wrapper_privilege",
        "has_function_privilege",
        "has_language_privilege",
        "has_sequence_privilege",
        "has_tablespace_privilege",
        "has_type_privilege",
    ];
    role_checks
        .into_iter()
        .map(|name| {
            Scalar::new(name, &[any, any, any], oid::BOOL, yes)
                .optional(1)
                .udf()
        })
        .collect()
}

/// As `pg_get_userbyid` in ruleutils.c.
pub(super) fn user_by_id(names: &Arc<Names>) -> Arc<ScalarUDF> {
    let names = Arc::clone(names);
    let body = move |row: &[ScalarValue]| {
        let oid = oid_of(&row[0]);
        let role = names.role(oid);
        Ok(ScalarValue::from(
            role.unwrap_or_else(|| format!("unknown (OID={oid})")),
        ))
    };
    let role = Argument::Of(oid::OID);
    Scalar::new("pg_get_userbyid", &[role], oid::NAME, body).udf()
}
