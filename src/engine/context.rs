//! What a statement runs under: its session's facts, and the means to stop it.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use super::limits::StatementLimits;
use super::moment::Moment;
use crate::auth::{Actor, OWNER};
use crate::catalog::views::Draft;
use crate::catalog::{Catalog, SessionsSeen, Snapshot};
use crate::error::Result;
use crate::functions::output::Style;
use crate::functions::{SessionFacts, SetConfig, Signals};

/// Given with each statement by the door it came through.
#[derive(Clone, Debug)]
pub struct StatementContext {
    /// The session's user, database and settings.
    pub facts: Arc<SessionFacts>,
    /// The session's time zone, an IANA name or an offset, as Arrow takes it.
    pub time_zone: Arc<str>,
    /// What the session's transaction has defined.
    pub draft: Option<Draft>,
    /// The moment that the session's transaction sees; `None` where each statement sees its own.
    pub moment: Option<Arc<Moment>>,
    /// What the statement may take.
    pub limits: StatementLimits,
    /// Stops the statement (`QueryCanceled`) wherever it is. The door says why it was stopped.
    pub cancel: CancellationToken,
}

impl StatementContext {
    /// The context of a statement that no session sent: the user whose process it is, with
    /// PostgreSQL's defaults.
    pub fn of_process(database: &str) -> Self {
        Self {
            facts: Arc::new(SessionFacts {
                database: database.to_owned(),
                actor: Actor::open(OWNER),
                search_path: vec!["public".to_owned()],
                settings: Arc::default(),
                style: Style::default(),
                backend_pid: 0,
                set_config: SetConfig::refused(),
                signals: Signals::refused(),
                sessions: SessionsSeen::default(),
                told: OnceLock::new(),
            }),
            time_zone: "UTC".into(),
            draft: None,
            moment: None,
            limits: StatementLimits::default(),
            cancel: CancellationToken::new(),
        }
    }

    /// What exists, as the statement sees it.
    pub(super) async fn snapshot(&self, catalog: &Catalog) -> Result<Arc<Snapshot>> {
        let seen = self.moment.as_ref().and_then(|moment| moment.snapshot());
        match (&self.draft, seen) {
            (Some(draft), _) => catalog.snapshot_with(&draft.views).await,
            (None, Some(seen)) => Ok(seen),
            (None, None) => catalog.snapshot().await,
        }
    }

    /// Keeps what exists for the transaction, if it sees one moment.
    pub(super) fn keep_snapshot(&self, snapshot: &Arc<Snapshot>) {
        if let (Some(moment), None) = (&self.moment, &self.draft) {
            moment.keep_snapshot(snapshot);
        }
    }
}
