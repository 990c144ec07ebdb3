//! `pg_cancel_backend` and `pg_terminate_backend`: what a session may ask of another.
//! <https://www.postgresql.org/docs/16/functions-admin.html#FUNCTIONS-ADMIN-SIGNAL>

use std::fmt;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::SessionFacts;
use super::scalar::{Argument, Scalar, number};
use crate::error::{Error, Result};
use crate::types::oid;

/// What is asked of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// To stop its statement.
    Cancel,
    /// To end.
    Terminate,
}

/// Asks something of the session of a number; false if there is none. An error if the one who asks
/// may not.
pub type SendSignal = dyn Fn(i32, Signal) -> Result<bool> + Send + Sync;

/// How a session reaches others.
#[derive(Clone)]
pub struct Signals(pub Arc<SendSignal>);

impl Signals {
    /// Where there are no sessions.
    pub fn refused() -> Self {
        Self(Arc::new(|_, _| {
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
pub(super) fn functions(facts: &SessionFacts) -> Vec<Arc<ScalarUDF>> {
    [
        ("pg_cancel_backend", Signal::Cancel),
        ("pg_terminate_backend", Signal::Terminate),
    ]
    .into_iter()
    .map(|(name, signal)| {
        let signals = facts.signals.clone();
        let body = move |row: &[ScalarValue]| {
            // No session has a number that is not an int4.
            let sent = match i32::try_from(number(&row[0])) {
                Ok(pid) => (signals.0)(pid, signal)?,
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
