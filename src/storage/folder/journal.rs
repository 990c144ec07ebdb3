//! A change of files: what they held, what they are to hold. As JSON it is the journal of a commit.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// What a file is changed from and to; `None` where there is no file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Below the folder.
    pub path: String,
    /// What it must hold for the change to be made.
    pub before: Option<String>,
    /// What it holds afterwards.
    pub after: Option<String>,
}

impl Change {
    /// What is to be done about a file that holds `now`.
    pub(super) fn judge(&self, now: Option<&str>) -> Verdict {
        if now == self.before.as_deref() {
            Verdict::Make
        } else if now == self.after.as_deref() {
            Verdict::Made
        } else {
            Verdict::Lost
        }
    }
}

/// How a file stands to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It holds what the change is from.
    Make,
    /// It holds what the change leads to.
    Made,
    /// It holds something else: somebody changed it.
    Lost,
}

/// The changes of one commit, written down before they are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    /// Tells one writer's from another's.
    pub(super) id: String,
    /// Whether every file was found as it must be: from then on the changes count as made.
    pub(super) decided: bool,
    pub(super) changes: Vec<Change>,
}

impl Journal {
    pub(super) fn new(changes: Vec<Change>) -> Self {
        Self {
            id: format!("{:032x}", rand::random::<u128>()),
            decided: false,
            changes,
        }
    }

    pub(super) fn decided(&self) -> Self {
        Self {
            decided: true,
            ..self.clone()
        }
    }

    /// # Errors
    /// `DataCorrupted`: no gateway wrote this.
    pub(super) fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|cause| {
            Error::new(
                ErrorKind::DataCorrupted,
                "the journal \"_commit.json\" of the views folder is damaged",
            )
            .with_cause(cause)
        })
    }

    pub(super) fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::internal)
    }
}
