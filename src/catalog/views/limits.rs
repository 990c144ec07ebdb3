//! Limits of roles, where files and statements say them.

use std::collections::BTreeSet;

use super::edit::Editor;
use crate::auth::{Authority, Ceilings, Fact, Limit};
use crate::error::{Error, ErrorKind, Result};

/// Refuses a limit that cannot be understood: sessions would begin without it.
///
/// # Errors
/// `InvalidParameterValue`, in PostgreSQL's words.
pub(super) fn require_understood(setting: &str, value: &str) -> Result<()> {
    match Limit::of_setting(setting) {
        Some(limit) if !limit.takes(value) => {
            let message = format!("invalid value for parameter \"{setting}\": \"{value}\"");
            Err(Error::new(ErrorKind::InvalidParameterValue, message))
        }
        _ => Ok(()),
    }
}

impl Editor<'_> {
    /// Only superusers raise limits: in PostgreSQL everybody changes the settings of the own role,
    /// and could so be rid of them.
    ///
    /// # Errors
    /// `InsufficientPrivilege`, as for `PGC_SUSET` settings in guc.c.
    pub(super) fn refuse_raised_limits(&self, after: &BTreeSet<Fact>) -> Result<()> {
        if self.own_rights().is_none() {
            return Ok(());
        }
        let before = &*self.views.authority;
        let after = Authority {
            facts: after.clone(),
            ..before.clone()
        };
        let mut roles = before.roles.keys();
        let raised = roles.find_map(|role| {
            let ceilings = Ceilings::of(before, role);
            let raised = ceilings.raised_by(&Ceilings::of(&after, role));
            raised.map(|setting| (role, setting.to_owned()))
        });
        let Some((role, setting)) = raised else {
            return Ok(());
        };
        let message = format!("permission denied to set parameter \"{setting}\"");
        let detail = format!(
            "Only roles with the SUPERUSER attribute may raise a limit of role \"{role}\"."
        );
        Err(Error::new(ErrorKind::InsufficientPrivilege, message).with_detail(detail))
    }
}
