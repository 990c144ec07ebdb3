//! `pg_cancel_backend` and `pg_terminate_backend`: what a session may ask of another.
//! <https://www.postgresql.org/docs/16/functions-admin.html#FUNCTIONS-ADMIN-SIGNAL>

use std::fmt;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::names::Names;
use super::scalar::{Argument, Scalar, number};
use crate::error::{Error, ErrorKind, Result};
use crate::types::oid;

/// What is asked of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// To stop its statement.
    Cancel,
    /// To end.
    Terminate,
}

/// Whether a session of this user may be asked; the error says why not.
pub type Allows<'a> = dyn Fn(&str) -> Result<()> + 'a;

/// Asks something of the session of a number, if that is allowed; false if there is none.
pub type SendSignal = dyn Fn(i32, Signal, &Allows<'_>) -> Result<bool> + Send + Sync;

/// How a session reaches others.
#[derive(Clone)]
pub struct Signals(pub Arc<SendSignal>);

impl Signals {
    /// Where there are no sessions.
    pub fn refused() -> Self {
        Self(Arc::new(|_, _, _| {
            Err(Error::unsupported("a signal from outside of a session"))
        }))
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signals")
    }
}

/// The functions of this file.
pub(super) fn functions(names: &Arc<Names>) -> Vec<Arc<ScalarUDF>> {
    [
        ("pg_cancel_backend", Signal::Cancel),
        ("pg_terminate_backend", Signal::Terminate),
    ]
    .into_iter()
    .map(|(name, signal)| {
        let names = Arc::clone(names);
        let body = move |row: &[ScalarValue]| {
            let allows = |user: &str| allows(&names, user, signal);
            // No session has a number that is not an int4.
            let sent = match i32::try_from(number(&row[0])) {
                Ok(pid) => (names.facts.signals.0)(pid, signal, &allows)?,
                Err(_) => false,
            };
            Ok(ScalarValue::from(sent))
        };
        Scalar::new(name, &[Argument::Of(oid::INT4)], oid::BOOL, body)
            .volatile()
            .udf()
    })
    .collect()
}

/// As `pg_signal_backend` in signalfuncs.c, by the role that the statement runs as.
fn allows(names: &Names, user: &str, signal: Signal) -> Result<()> {
    let (authority, actor) = (&names.snapshot.views.authority, &names.facts.actor);
    if authority.may_everything(actor) {
        return Ok(());
    }
    let of_superuser = authority.is_superuser(user);
    let has = |role: &str| authority.has_privileges_of(&actor.user, role);
    match !of_superuser && (has(user) || has("pg_signal_backend")) {
        true => Ok(()),
        false => Err(denied(signal, of_superuser)),
    }
}

fn denied(signal: Signal, of_superuser: bool) -> Error {
    let (verb, object, objects, done) = match signal {
        Signal::Cancel => ("cancel", "query", "queries", "canceled"),
        Signal::Terminate => ("terminate", "process", "processes", "terminated"),
    };
    let detail = match of_superuser {
        true => format!(
            "Only roles with the SUPERUSER attribute may {verb} {objects} of roles with the \
             SUPERUSER attribute."
        ),
        false => format!(
            "Only roles with privileges of the role whose {object} is being {done} or with \
             privileges of the \"pg_signal_backend\" role may {verb} this {object}."
        ),
    };
    let message = format!("permission denied to {verb} {object}");
    Error::new(ErrorKind::InsufficientPrivilege, message).with_detail(detail)
}
