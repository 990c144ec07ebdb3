//! Statements and cursors that SQL gives a name: PREPARE, EXECUTE, DECLARE, FETCH, MOVE.
//!
//! They share their names with the protocol's prepared statements and portals, as in PostgreSQL.

use std::sync::Arc;

use super::connection::Connection;
use super::cursor::{Cursor, Fetching, SharedCursor};
use super::encode::Format;
use super::failure::{Failure, Step};
use super::portal::{Life, Portal, PortalState, Prepared};
use super::respond;
use super::rows::{Rows, Tag};
use super::run::{Binding, Sent};
use super::session::no_cursor;
use super::sqlstate::WireCondition;
use super::watch::Watch;
use crate::engine::{
    Declare, Description, Direction, Execute, ExplainOptions, Fetch, Parameter, Prepare, Shown,
};
use crate::error::Error;

impl Connection {
    /// PREPARE: what is wrong with the statement is said now.
    ///
    /// # Errors
    /// The name is taken, or the statement wrong.
    pub(super) async fn prepare_named(
        &mut self,
        prepare: &Prepare,
        text: &Arc<str>,
        watch: &Watch,
    ) -> Step {
        self.session.make_room_for_statement(&prepare.name)?;
        let description = self
            .describe_query(&prepare.statement, &prepare.declared, watch)
            .await?;
        let statement = Some(Arc::clone(&prepare.statement));
        let prepared = Prepared::new(statement, description, Some(Arc::clone(text)));
        self.session.keep_statement(prepare.name.clone(), prepared);
        respond::command_complete(&mut self.client.output, "PREPARE");
        Ok(())
    }

    /// EXECUTE: its rows are the statement's own, and so is its tag.
    ///
    /// # Errors
    /// There is no such statement, its parameters are others, or it fails.
    pub(super) async fn execute_named(
        &mut self,
        execute: &Execute,
        shown: Shown,
        sent: Sent,
        watch: &Watch,
    ) -> Step<Rows> {
        let (prepared, parameters) = self.named_with_arguments(execute, watch).await?;
        let Some(statement) = &prepared.statement else {
            return Err(Failure::error(
                WireCondition::ObjectNotInPrerequisiteState,
                format!("prepared statement \"{}\" is empty", execute.name),
            )
            .into());
        };
        let binding = Binding {
            statement,
            parameters,
            expected: Some(&prepared.description.columns),
            shown,
            sent,
        };
        self.answer(binding, watch).await
    }

    /// EXPLAIN EXECUTE: the plan for these arguments.
    ///
    /// # Errors
    /// As [`Self::execute_named`].
    pub(super) async fn explain_named(
        &mut self,
        execute: &Execute,
        options: ExplainOptions,
        sent: Sent,
        watch: &Watch,
    ) -> Step<Rows> {
        let (prepared, parameters) = self.named_with_arguments(execute, watch).await?;
        let explained = prepared.statement.as_ref();
        let explained = explained.and_then(|statement| statement.explained(options));
        let Some(explained) = explained else {
            let message = format!("EXPLAIN of the statement \"{}\"", execute.name);
            return Err(Failure::from(Error::unsupported(message)).into());
        };
        let explained = Arc::new(explained);
        let binding = Binding {
            statement: &explained,
            parameters,
            expected: None,
            shown: Shown::Text,
            sent,
        };
        self.answer(binding, watch).await
    }

    /// A kept statement, and the values of the arguments that it is to be run with.
    async fn named_with_arguments(
        &mut self,
        execute: &Execute,
        watch: &Watch,
    ) -> Step<(Arc<Prepared>, Vec<Parameter>)> {
        let prepared = self.session.statement(&execute.name)?;
        let context = self.context(&watch.cancel);
        let engine = &self.shared.engine;
        let types = &prepared.description.parameters;
        let parameters = engine.arguments(execute, types, &context);
        let parameters = watch.over(&mut self.client, parameters).await?;
        Ok((prepared, parameters))
    }

    /// DECLARE: the query is started, and waits for its first FETCH.
    ///
    /// # Errors
    /// There is no transaction for it to live in, the name is taken, or the query wrong.
    pub(super) async fn declare(
        &mut self,
        declare: &Declare,
        text: &Arc<str>,
        parameters: Vec<Parameter>,
        sent: Sent,
        watch: &Watch,
    ) -> Step {
        let has_block = self.session.transaction.in_block() || sent == Sent::WithOthers;
        if !declare.is_held && !has_block {
            return Err(Failure::error(
                WireCondition::NoActiveSqlTransaction,
                "DECLARE CURSOR can only be used in transaction blocks",
            )
            .into());
        }
        self.session.make_room_for_portal(&declare.name)?;
        let binding = Binding {
            statement: &declare.query,
            parameters,
            expected: None,
            shown: match declare.is_binary {
                true => Shown::Binary,
                false => Shown::Text,
            },
            sent,
        };
        let rows = self.answer(binding, watch).await?;
        let columns = rows.columns.clone();
        let n_savepoints = self.session.transaction.n_savepoints();
        let portal = Portal {
            formats: vec![Format::Text; columns.len()],
            fetch_format: match declare.is_binary {
                true => Format::Binary,
                false => Format::Text,
            },
            prepared: Arc::new(Prepared::new(
                Some(Arc::clone(&declare.query)),
                Description {
                    parameters: Vec::new(),
                    columns,
                },
                Some(Arc::clone(text)),
            )),
            is_scrollable: declare.is_scrollable,
            parameters: Vec::new(),
            state: PortalState::Open(Cursor::new(rows, declare.is_scrollable).shared()),
            life: match declare.is_held {
                true => Life::Held { n_savepoints },
                false => Life::Transaction { n_savepoints },
            },
        };
        self.session.keep_portal(declare.name.clone(), portal);
        respond::command_complete(&mut self.client.output, "DECLARE CURSOR");
        Ok(())
    }

    /// FETCH gives rows; MOVE is done when this returns.
    ///
    /// # Errors
    /// There is no such cursor, it cannot go there, or its query fails.
    pub(super) async fn fetch(&mut self, fetch: &Fetch, watch: &Watch) -> Step<Option<Rows>> {
        let (cursor, format) = self.cursor(&fetch.cursor, watch).await?;
        let stays = matches!(
            fetch.direction,
            Direction::Forward(0) | Direction::Relative(0)
        );
        if fetch.is_move && stays {
            let n_rows = u8::from(cursor.lock().await.is_on_row());
            respond::command_complete(&mut self.client.output, format!("MOVE {n_rows}"));
            return Ok(None);
        }
        let mut fetching =
            Fetching::start(&cursor, fetch.direction, &mut self.client, watch).await?;
        if fetch.is_move {
            let n_rows = fetching.skip(&mut self.client, watch).await?;
            respond::command_complete(&mut self.client.output, format!("MOVE {n_rows}"));
            return Ok(None);
        }
        let columns = cursor.lock().await.columns().to_vec();
        let mut rows = Rows::of_fetch(fetching, columns, Tag::Fetch);
        rows.format = format;
        Ok(Some(rows))
    }

    /// The rows of a portal, started if they are not, and the format of its values.
    async fn cursor(&mut self, name: &str, watch: &Watch) -> Step<(SharedCursor, Format)> {
        let Ok(portal) = self.session.portal(name) else {
            return Err(no_cursor(name).into());
        };
        let format = portal.fetch_format;
        if let PortalState::Open(cursor) = &portal.state {
            return Ok((Arc::clone(cursor), format));
        }
        let mut portal = self.session.take_portal(name)?;
        // What a portal holds may be a FETCH of another one.
        let opened = Box::pin(self.open_portal(&mut portal, watch)).await;
        self.session.keep_portal(name.to_owned(), portal);
        match opened? {
            Some(cursor) => Ok((cursor, format)),
            None => Err(Failure::error(
                WireCondition::ObjectNotInPrerequisiteState,
                format!("portal \"{name}\" cannot be run"),
            )
            .into()),
        }
    }
}
