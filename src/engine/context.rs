//! What a statement runs under: its session's facts, and the means to stop it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::functions::SessionFacts;

/// Given with each statement by the door it came through.
#[derive(Clone, Debug)]
pub struct StatementContext {
    /// The session's user, database and settings.
    pub facts: Arc<SessionFacts>,
    /// The session's time zone, an IANA name or an offset, as Arrow takes it.
    pub time_zone: Arc<str>,
    /// Stops the statement (`QueryCanceled`) wherever it is. The door says why it was stopped.
    pub cancel: CancellationToken,
}
