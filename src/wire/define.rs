//! Statements that define something: kept in the session until its transaction commits.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::audit::Defined;
use super::connection::Connection;
use super::failure::{Failure, Step, Stop};
use super::respond;
use super::sqlstate::WireCondition;
use super::watch::Watch;
use crate::catalog::sql::{Definition, Refresh, SettingChange};
use crate::catalog::views::{Draft, FullName};
use crate::error::{Error, ErrorKind};

impl Connection {
    /// Runs a statement that defines something. One that is its message's only one, outside of a
    /// block, is committed before the client hears that it is done.
    pub(super) async fn define(
        &mut self,
        definition: &Definition,
        watch: &Watch,
        is_alone: bool,
    ) -> Step {
        if self.session.settings.is_read_only() {
            // As `PreventCommandIfReadOnly` in utility.c.
            let message = format!(
                "cannot execute {} in a read-only transaction",
                definition.tag()
            );
            return Err(Error::new(ErrorKind::ReadOnlySqlTransaction, message).into());
        }
        self.require_proved(definition)?;
        let definition = &self.checked(definition)?;
        let context = self.context(&watch.cancel);
        let defined = self.shared.engine.define(definition, &context);
        let defined = watch.over(&mut self.client, defined).await?;
        for notice in &defined.notices {
            self.notify(&Failure::notice(notice));
        }
        for warning in defined.warnings {
            self.notify(&Failure::warning(WireCondition::Warning, warning));
        }
        let told = self.told_as(definition);
        let definitions = &mut self.session.definitions;
        definitions.set(defined.draft, told);
        definitions.to_refresh.extend(defined.to_refresh);
        if is_alone && !self.session.transaction.in_block() {
            self.commit_definitions().await?;
        }
        respond::command_complete(&mut self.client.output, definition.tag());
        Ok(())
    }

    /// REFRESH MATERIALIZED VIEW. Its rows are no part of the transaction: they are read only where
    /// they are what the view's query gives.
    pub(super) async fn refresh(&mut self, refresh: &Refresh, watch: &Watch) -> Step {
        if self.session.settings.is_read_only() {
            let message = "cannot execute REFRESH MATERIALIZED VIEW in a read-only transaction";
            return Err(Error::new(ErrorKind::ReadOnlySqlTransaction, message).into());
        }
        self.session.transaction.read();
        let context = self.context(&watch.cancel);
        let engine = Arc::clone(&self.shared.engine);
        let refreshed = engine.refresh(refresh, &context);
        watch.over(&mut self.client, refreshed).await?;
        respond::command_complete(&mut self.client.output, "REFRESH MATERIALIZED VIEW");
        Ok(())
    }

    /// Has the rows made of materialized views that were just committed. Without them they can be read
    /// as well, so that a failure is only told.
    async fn refresh_new(&mut self, names: Vec<FullName>) {
        let watch = self.watch(&CancellationToken::new());
        for name in names {
            let engine = Arc::clone(&self.shared.engine);
            let (schema, view) = (name.0.clone(), name.1.clone());
            let refreshed = async { Ok::<_, Error>(engine.refresh_view(&name).await.err()) };
            let why = match watch.over(&mut self.client, refreshed).await {
                Ok(None) => continue,
                Ok(Some(error)) => error.message().to_owned(),
                Err(Stop::Failed(failure)) => failure.message,
                // Whoever reads from the client next finds that out.
                Err(Stop::End(_)) => return,
            };
            let message = format!("materialized view \"{schema}.{view}\" has no rows yet: {why}");
            self.notify(&Failure::warning(WireCondition::Warning, message));
        }
    }

    /// Whoever came in while everybody was trusted has proved nothing.
    ///
    /// # Errors
    /// `InsufficientPrivilege`: it is about roles, there are roles, and nobody knows who asks.
    fn require_proved(&self, definition: &Definition) -> Result<(), Failure> {
        let is_open = !self.shared.engine.authority().is_enforced;
        if is_open || self.session.is_proved || !definition.is_about_roles() {
            return Ok(());
        }
        let message = format!("permission denied for {}", definition.tag());
        Err(Error::new(ErrorKind::InsufficientPrivilege, message)
            .with_detail("Roles were made since this session began, and it proved no password.")
            .with_hint("Connect again, with a password.")
            .into())
    }

    /// A setting of a role, checked as SET checks it.
    fn checked(&self, definition: &Definition) -> Result<Definition, Failure> {
        let mut definition = definition.clone();
        if let Definition::AlterRoleSetting {
            change: SettingChange::Set(name, value),
            ..
        } = &mut definition
        {
            *value = self.session.settings.accepted(name, value)?;
        }
        Ok(definition)
    }

    /// Writes what the transaction defined. The transaction ends either way.
    ///
    /// # Errors
    /// Somebody else changed the same, or the folder cannot be written: nothing is.
    pub(super) async fn commit_definitions(&mut self) -> Result<(), Failure> {
        match self.session.definitions.take() {
            Some(draft) => self.shared.engine.commit(&draft).await?,
            None => return Ok(()),
        }
        let told = self.session.definitions.take_told();
        self.tell_defined(told);
        let names = std::mem::take(&mut self.session.definitions.to_refresh);
        self.refresh_new(names).await;
        Ok(())
    }
}

/// What a session's transaction has defined, and had defined at its savepoints.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    draft: Option<Draft>,
    /// What the audit is told of it.
    told: Vec<Defined>,
    /// The materialized views that are to have rows once they are committed. One that is rolled back has
    /// none to have, and is passed over.
    to_refresh: Vec<FullName>,
    /// Both as they were when the transaction, and then each savepoint, began: of what is told, how
    /// much.
    saved: Vec<(Option<Draft>, usize)>,
}

impl Definitions {
    /// What is defined so far.
    pub(super) fn draft(&self) -> Option<&Draft> {
        self.draft.as_ref()
    }

    fn set(&mut self, draft: Draft, told: Option<Defined>) {
        self.draft = Some(draft);
        self.told.extend(told);
    }

    fn take_told(&mut self) -> Vec<Defined> {
        std::mem::take(&mut self.told)
    }

    fn take(&mut self) -> Option<Draft> {
        self.draft.take()
    }

    /// A transaction or savepoint begins.
    pub(super) fn save(&mut self) {
        self.saved.push((self.draft.clone(), self.told.len()));
    }

    /// RELEASE: what was defined since then stays.
    pub(super) fn forget_savepoints(&mut self, n_kept: usize) {
        self.saved.truncate(1 + n_kept);
    }

    /// ROLLBACK TO: back to the savepoint that is then the last.
    pub(super) fn roll_back_to(&mut self, n_kept: usize) {
        self.saved.truncate(1 + n_kept);
        if let Some((draft, n_told)) = self.saved.last() {
            self.draft = draft.clone();
            self.told.truncate(*n_told);
        }
    }

    /// The transaction is over.
    pub(super) fn clear(&mut self) {
        self.draft = None;
        self.told.clear();
        self.to_refresh.clear();
        self.saved.clear();
    }
}
