//! The simple protocol: a message of statements, answered one after the other.

use datafusion::common::ScalarValue;
use tokio_util::sync::CancellationToken;

use super::command::{self, Surroundings};
use super::connection::Connection;
use super::encode::Format;
use super::failure::{Failure, Step};
use super::respond;
use super::rows::{Presentation, Progress, Rows, Tag};
use super::watch::Watch;
use crate::engine::{Answer, Column, SessionCommand, Statement, StatementKind};
use crate::error::{Error, ErrorKind};

impl Connection {
    /// As `exec_simple_query` in postgres.c: the whole message is parsed first, and an error ends
    /// all of it.
    pub(super) async fn query(&mut self, text: &str) -> Step {
        self.session.close_unnamed();
        let statements = self.parse(text)?;
        if statements.is_empty() {
            respond::empty_query(&mut self.client.output);
        }
        let has_siblings = statements.len() > 1;
        for statement in &statements {
            self.session.start_statement(Some(statement))?;
            self.simple_statement(statement, has_siblings).await?;
        }
        Ok(())
    }

    async fn simple_statement(&mut self, statement: &Statement, has_siblings: bool) -> Step {
        let cancel = CancellationToken::new();
        let watch = self.watch(&cancel);
        let mut rows = match &statement.kind {
            StatementKind::Session(command) => {
                let surroundings = Surroundings {
                    text: &statement.text,
                    has_siblings,
                };
                match self.command(command, surroundings).await? {
                    Some(rows) => rows,
                    None => return Ok(()),
                }
            }
            StatementKind::Definition(definition) => {
                return self.define(definition, &watch, !has_siblings).await;
            }
            StatementKind::Copy(copy) => return self.copy(copy, statement, &watch).await,
            _ => {
                let binding = Binding {
                    statement,
                    parameters: Vec::new(),
                    expected: None,
                };
                self.answer(&binding, &watch).await?
            }
        };
        let presentation = Presentation {
            formats: vec![Format::Text; rows.columns.len()],
            style: self.session.style(),
        };
        // What fails before its first row fails without a RowDescription, as in PostgreSQL, where
        // constants are folded first.
        rows.prepare(&mut self.client, &watch, &presentation)
            .await?;
        let output = &mut self.client.output;
        respond::row_description(output, &rows.columns, &presentation.formats);
        let progress = rows
            .send(&mut self.client, &watch, &presentation, u64::MAX)
            .await?;
        if let Progress::Complete(n_rows) = progress {
            respond::command_complete(&mut self.client.output, rows.tag.complete(n_rows));
        }
        Ok(())
    }

    /// Runs a command of the session; its rows, if it has any.
    pub(super) async fn command(
        &mut self,
        command: &SessionCommand,
        surroundings: Surroundings<'_>,
    ) -> Result<Option<Rows>, Failure> {
        if let Some(rows) = command::rows(&self.session, command)? {
            return Ok(Some(rows));
        }
        if *command == SessionCommand::Commit
            && !self.session.transaction.has_failed()
            && let Err(failure) = self.commit_definitions().await
        {
            self.session.roll_back();
            return Err(failure);
        }
        let done = command::run(&mut self.session, command, surroundings)?;
        if let Some(warning) = done.warning {
            self.notify(&warning);
        }
        respond::command_complete(&mut self.client.output, done.tag);
        Ok(None)
    }

    /// Has the engine run a statement.
    pub(super) async fn answer(&mut self, binding: &Binding<'_>, watch: &Watch) -> Step<Rows> {
        let context = self.session.context(&watch.cancel);
        let answer = self.shared.engine.answer(
            binding.statement,
            binding.parameters.clone(),
            binding.expected,
            &context,
        );
        let answer: Answer = watch.over(&mut self.client, answer).await?;
        within_width(&answer.columns)?;
        for notice in &answer.notices {
            self.notify(&Failure::notice(notice));
        }
        let tag = Tag::of(binding.statement);
        Ok(Rows::of_answer(answer, tag, watch.cancel.clone()))
    }
}

/// A message counts its columns in 15 bits.
pub(super) fn within_width(columns: &[Column]) -> Result<(), Failure> {
    if i16::try_from(columns.len()).is_ok() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::ConfigurationLimitExceeded,
        format!("target lists can have at most {} entries", i16::MAX),
    )
    .into())
}

/// A statement and what its parameters stand for.
#[derive(Debug)]
pub(super) struct Binding<'a> {
    pub(super) statement: &'a Statement,
    pub(super) parameters: Vec<ScalarValue>,
    /// The columns that were described to the client.
    pub(super) expected: Option<&'a [Column]>,
}
