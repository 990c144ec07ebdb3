//! Starts a statement, whatever it is and whichever protocol it came by.

use std::sync::Arc;

use super::command::Surroundings;
use super::connection::Connection;
use super::failure::{Failure, Step};
use super::respond;
use super::rows::{Rows, Tag};
use super::sqlstate::WireCondition;
use super::transcode;
use super::watch::Watch;
use crate::engine::{Answer, Column, Parameter, Shown, Statement, StatementKind};
use crate::error::{Error, ErrorKind, Limit};

/// A statement and what its parameters stand for.
#[derive(Debug)]
pub(super) struct Binding<'a> {
    pub(super) statement: &'a Arc<Statement>,
    pub(super) parameters: Vec<Parameter>,
    /// The columns that were described to the client.
    pub(super) expected: Option<&'a [Column]>,
    /// How the client reads the columns.
    pub(super) shown: Shown,
    pub(super) sent: Sent,
}

/// In what company a statement was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The only one of a Query: outside of a block it is its own transaction.
    Alone,
    /// With others of a Query: they make an implicit block.
    WithOthers,
    /// By the extended protocol: its transaction ends at Sync.
    Extended,
}

impl Connection {
    /// Runs a statement up to its rows. One without rows is done, and the client told, when
    /// this returns `None`.
    ///
    /// # Errors
    /// Whatever is wrong with the statement.
    pub(super) async fn start(
        &mut self,
        binding: Binding<'_>,
        watch: &Watch,
    ) -> Step<Option<Rows>> {
        let sent = binding.sent;
        self.doing = Some(Arc::clone(binding.statement));
        match &binding.statement.kind {
            StatementKind::Session(command) => {
                let surroundings = Surroundings {
                    text: &binding.statement.text,
                    has_siblings: sent == Sent::WithOthers,
                    authority: self.shared.engine.authority(),
                };
                Ok(self.command(command, surroundings).await?)
            }
            StatementKind::Definition(definition) => {
                let is_alone = sent == Sent::Alone;
                self.define(definition, watch, is_alone).await?;
                Ok(None)
            }
            StatementKind::Lock(_) => {
                self.lock(&binding, watch).await?;
                Ok(None)
            }
            StatementKind::Refresh(refresh) => {
                self.refresh(refresh, watch).await?;
                Ok(None)
            }
            StatementKind::Refused(error) => Err(error.clone().into()),
            StatementKind::Prepare(prepare) => {
                self.prepare_named(prepare, &binding.statement.text, watch)
                    .await?;
                Ok(None)
            }
            StatementKind::Execute(execute) => {
                let rows = self
                    .execute_named(execute, binding.shown, sent, watch)
                    .await?;
                Ok(Some(rows))
            }
            StatementKind::ExplainExecute { execute, options } => {
                let rows = self.explain_named(execute, *options, sent, watch).await?;
                Ok(Some(rows))
            }
            StatementKind::Declare(declare) => {
                let text = &binding.statement.text;
                self.declare(declare, text, binding.parameters, sent, watch)
                    .await?;
                Ok(None)
            }
            StatementKind::Fetch(fetch) => self.fetch(fetch, watch).await,
            StatementKind::Copy(copy) => {
                self.copy(copy, binding.statement, watch).await?;
                Ok(None)
            }
            StatementKind::Query(_) | StatementKind::Explain { .. } => {
                self.answer(binding, watch).await.map(Some)
            }
        }
    }

    /// LOCK TABLE, as `LockTableCommand` in lockcmds.c.
    ///
    /// # Errors
    /// There is no transaction for the lock to live in, or a relation may not be read.
    async fn lock(&mut self, binding: &Binding<'_>, watch: &Watch) -> Step {
        if !self.session.transaction.in_block() && binding.sent != Sent::WithOthers {
            return Err(Failure::error(
                WireCondition::NoActiveSqlTransaction,
                "LOCK TABLE can only be used in transaction blocks",
            )
            .into());
        }
        self.session.transaction.read();
        let context = self.context(&watch.cancel);
        let engine = Arc::clone(&self.shared.engine);
        let locked = engine.lock(binding.statement, &context);
        watch.over(&mut self.client, locked).await?;
        respond::command_complete(&mut self.client.output, "LOCK TABLE");
        Ok(())
    }

    /// Has the engine run a query.
    ///
    /// # Errors
    /// Whatever is wrong with the query.
    pub(super) async fn answer(&mut self, binding: Binding<'_>, watch: &Watch) -> Step<Rows> {
        self.doing = Some(Arc::clone(binding.statement));
        self.session.transaction.read();
        let context = self.context(&watch.cancel);
        let answer = self.shared.engine.answer(
            binding.statement,
            binding.parameters,
            binding.expected,
            binding.shown,
            &context,
        );
        let answer: Answer = watch.over(&mut self.client, answer).await?;
        within_width(&answer.columns)?;
        transcode::check_names(&answer.columns, self.session.settings.client_encoding())?;
        for notice in &answer.notices {
            self.notify(&Failure::notice(notice));
        }
        let tag = Tag::of(binding.statement);
        Ok(Rows::of_answer(answer, tag))
    }
}

/// A message counts its columns in 15 bits.
///
/// # Errors
/// There are more columns than that.
pub(super) fn within_width(columns: &[Column]) -> Result<(), Failure> {
    if i16::try_from(columns.len()).is_ok() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::LimitExceeded(Limit::Configuration),
        format!("target lists can have at most {} entries", i16::MAX),
    )
    .into())
}
