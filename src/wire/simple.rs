//! The simple protocol: a message of statements, answered one after the other.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::command::{self, Surroundings};
use super::connection::Connection;
use super::failure::{Failure, Step};
use super::respond;
use super::rows::{Presentation, Rows};
use super::run::{Binding, Sent};
use crate::engine::{SessionCommand, Shown, Statement};

impl Connection {
    /// As `exec_simple_query` in postgres.c: the whole message is parsed first, and an error ends
    /// all of it.
    pub(super) async fn query(&mut self, text: &str) -> Step {
        self.session.close_unnamed();
        let statements = self.parse(text)?;
        if statements.is_empty() {
            respond::empty_query(&mut self.client.output);
        }
        let sent = match statements.len() {
            1 => Sent::Alone,
            _ => Sent::WithOthers,
        };
        for statement in statements.iter() {
            self.session.start_statement(Some(statement))?;
            self.simple_statement(statement, sent).await?;
        }
        Ok(())
    }

    async fn simple_statement(&mut self, statement: &Arc<Statement>, sent: Sent) -> Step {
        let cancel = CancellationToken::new();
        let watch = self.watch(&cancel);
        let binding = Binding {
            statement,
            parameters: Vec::new(),
            expected: None,
            shown: Shown::Text,
            sent,
        };
        let Some(mut rows) = self.start(binding, &watch).await? else {
            return Ok(());
        };
        let presentation = Presentation {
            formats: vec![rows.format; rows.columns.len()],
            style: self.session.style(),
            encoding: self.session.settings.client_encoding(),
        };
        // What fails before its first row fails without a RowDescription, as in PostgreSQL, where
        // constants are folded first.
        rows.look_for_written(&presentation).await;
        rows.prepare(&mut self.client, &watch).await?;
        let output = &mut self.client.output;
        respond::row_description(output, &rows.columns, &presentation.formats);
        let n_rows = rows.send(&mut self.client, &watch, &presentation).await?;
        self.apply_settings()?;
        respond::command_complete(&mut self.client.output, rows.tag.complete(n_rows));
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
        let done = command::run(&mut self.session, command, &surroundings)?;
        if let Some(warning) = done.warning {
            self.notify(&warning);
        }
        respond::command_complete(&mut self.client.output, done.tag);
        Ok(None)
    }
}
