//! The extended protocol: Parse, Bind, Describe, Execute and Close, each on its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;

use super::command;
use super::connection::Connection;
use super::cursor::{Cursor, Fetching, SharedCursor};
use super::decode;
use super::encode::Format;
use super::failure::{Failure, Step, Stop};
use super::message::{Bind, Message, Target};
use super::portal::{Life, Portal, PortalState, Prepared};
use super::respond;
use super::rows::{Presentation, Rows};
use super::run::{Binding, Sent, within_width};
use super::sqlstate::WireCondition;
use super::watch::Watch;
use crate::engine::{
    Column, Description, Direction, Parameter, Shown, Statement, StatementKind, explain_columns,
};
use crate::error::{Error, ErrorKind};
use crate::types::PgType;

impl Connection {
    /// Answers a message of the extended protocol.
    pub(super) async fn extended(&mut self, message: Message) -> Step {
        match message {
            Message::Parse {
                statement,
                text,
                declared,
            } => self.parse_message(statement, &text, &declared).await,
            Message::Bind(bind) => self.bind(&bind).map_err(Stop::from),
            Message::Describe(target) => self.describe(&target).map_err(Stop::from),
            Message::Execute { portal, max_rows } => self.execute(portal, max_rows).await,
            Message::Close(target) => {
                match target {
                    Target::Statement(name) => self.session.close_statement(&name),
                    Target::Portal(name) => self.session.close_portal(&name),
                };
                respond::close_complete(&mut self.client.output);
                Ok(())
            }
            Message::Flush => self.send().await.map_err(Stop::from),
            // Taken care of before it gets here.
            Message::Query(_)
            | Message::Sync
            | Message::Terminate
            | Message::FunctionCall
            | Message::Copy => Ok(()),
        }
    }

    /// As `exec_parse_message`: what is wrong with a statement is said now, not when it is run.
    async fn parse_message(&mut self, name: String, text: &str, declared: &[u32]) -> Step {
        let statements = self.parse(text)?;
        if statements.len() > 1 {
            return Err(Error::new(
                ErrorKind::SyntaxError,
                "cannot insert multiple commands into a prepared statement",
            )
            .into());
        }
        let statement = statements.first().map(Arc::clone);
        self.doing = statement.as_ref().map(Arc::clone);
        self.session.start_statement(statement.as_deref())?;
        self.session.make_room_for_statement(&name)?;
        let description = match &statement {
            Some(statement) => self.description(statement, declared).await?,
            None => nothing(),
        };
        let prepared = Prepared::new(statement, description, None);
        self.session.keep_statement(name, prepared);
        respond::parse_complete(&mut self.client.output);
        Ok(())
    }

    async fn description(
        &mut self,
        statement: &Arc<Statement>,
        declared: &[u32],
    ) -> Step<Description> {
        let columns = match &statement.kind {
            StatementKind::Session(command) => command::columns(&self.session, command)?,
            StatementKind::Definition(_)
            | StatementKind::Prepare(_)
            | StatementKind::Lock(_)
            | StatementKind::Refresh(_)
            | StatementKind::Refused(_) => Vec::new(),
            // As `UtilityTupleDescriptor` in utility.c: what does not exist has no columns.
            StatementKind::Execute(execute) => {
                let prepared = self.session.statement(&execute.name);
                prepared.map_or_else(|_| Vec::new(), |kept| kept.description.columns.clone())
            }
            StatementKind::Fetch(fetch) => match self.session.portal(&fetch.cursor) {
                Ok(portal) if !fetch.is_move => portal.prepared.description.columns.clone(),
                _ => Vec::new(),
            },
            StatementKind::ExplainExecute { options, .. } => explain_columns(*options),
            StatementKind::Declare(declare) => {
                let watch = self.watch(&CancellationToken::new());
                let query = self.describe_query(&declare.query, declared, &watch);
                let Description { parameters, .. } = query.await?;
                return Ok(Description {
                    parameters,
                    ..nothing()
                });
            }
            // Not looked into before it is run; what was declared is kept, and useless.
            StatementKind::Copy(_) => {
                return Ok(Description {
                    parameters: declared.iter().copied().map(PgType::of).collect(),
                    ..nothing()
                });
            }
            StatementKind::Query(_) | StatementKind::Explain { .. } => {
                let watch = self.watch(&CancellationToken::new());
                return self.describe_query(statement, declared, &watch).await;
            }
        };
        Ok(Description {
            columns,
            ..nothing()
        })
    }

    /// Has the engine describe a query.
    ///
    /// # Errors
    /// Whatever planning finds wrong.
    pub(super) async fn describe_query(
        &mut self,
        statement: &Arc<Statement>,
        declared: &[u32],
        watch: &Watch,
    ) -> Step<Description> {
        let context = self.context(&watch.cancel);
        let description = self.shared.engine.describe(statement, declared, &context);
        let description: Description = watch.over(&mut self.client, description).await?;
        within_width(&description.columns)?;
        Ok(description)
    }

    fn bind(&mut self, bind: &Bind) -> Result<(), Failure> {
        let prepared = self.session.statement(&bind.statement)?;
        let n_parameters = bind.parameters.len();
        let formats = parameter_formats(&bind.parameter_formats, n_parameters)?;
        let types = &prepared.description.parameters;
        if n_parameters != types.len() {
            return Err(Failure::protocol(format!(
                "bind message supplies {n_parameters} parameters, but prepared statement \"{}\" requires {}",
                bind.statement,
                types.len()
            )));
        }
        self.session
            .start_statement(prepared.statement.as_deref())?;
        self.session.make_room_for_portal(&bind.portal)?;
        let style = self.session.style();
        let encoding = self.session.settings.client_encoding();
        let mut parameters = Vec::with_capacity(n_parameters);
        for (index, value) in bind.parameters.iter().enumerate() {
            let oid = types[index].oid;
            let (value, format) = (value.as_deref(), formats[index]);
            let value = decode::parameter(value, format, oid, &style, index + 1, encoding)?;
            parameters.push(Parameter { value, oid });
        }
        let formats = result_formats(&bind.result_formats, &prepared.description.columns)?;
        let portal = Portal {
            prepared,
            parameters,
            formats,
            fetch_format: Format::Text,
            state: PortalState::New,
            is_scrollable: false,
            life: Life::Transaction {
                n_savepoints: self.session.transaction.n_savepoints(),
            },
        };
        self.session.keep_portal(bind.portal.clone(), portal);
        respond::bind_complete(&mut self.client.output);
        Ok(())
    }

    fn describe(&mut self, target: &Target) -> Result<(), Failure> {
        let output = &mut self.client.output;
        match target {
            Target::Statement(name) => {
                let prepared = self.session.statement(name)?;
                let Description {
                    parameters,
                    columns,
                } = &prepared.description;
                let statement = prepared.statement.as_deref();
                let has_rows = has_rows(statement, columns);
                if has_rows {
                    self.session.require_sound(statement)?;
                }
                respond::parameter_description(output, parameters);
                match has_rows {
                    true => {
                        let formats = vec![Format::Text; columns.len()];
                        respond::row_description(output, columns, &formats);
                    }
                    false => respond::no_data(output),
                }
            }
            Target::Portal(name) => {
                let portal = self.session.portal(name)?;
                let columns = &portal.prepared.description.columns;
                let statement = portal.prepared.statement.as_deref();
                match has_rows(statement, columns) {
                    true => {
                        self.session.require_sound(statement)?;
                        respond::row_description(output, columns, &portal.formats);
                    }
                    false => respond::no_data(output),
                }
            }
        }
        Ok(())
    }

    /// Runs a portal, or goes on with it. `max_rows` is that of the message: 0 means all, and so
    /// does what makes no sense.
    async fn execute(&mut self, name: String, max_rows: i32) -> Step {
        let mut portal = self.session.take_portal(&name)?;
        let prepared = Arc::clone(&portal.prepared);
        let Some(statement) = &prepared.statement else {
            respond::empty_query(&mut self.client.output);
            self.session.keep_portal(name, portal);
            return Ok(());
        };
        self.report(&statement.text);
        prepared.n_runs.fetch_add(1, Ordering::Relaxed);
        self.session.start_statement(Some(statement))?;
        let max_rows = u64::try_from(max_rows)
            .ok()
            .filter(|max_rows| *max_rows > 0)
            .unwrap_or(u64::MAX);
        let was_in_block = self.session.transaction.in_block();
        self.execute_portal(&name, &mut portal, max_rows).await?;
        // COMMIT and ROLLBACK close every portal, their own among them.
        if self.session.transaction.is_open() || !was_in_block {
            self.session.keep_portal(name, portal);
        }
        Ok(())
    }

    async fn execute_portal(&mut self, name: &str, portal: &mut Portal, max_rows: u64) -> Step {
        let watch = self.watch(&CancellationToken::new());
        let cursor = match &portal.state {
            PortalState::Open(cursor) => Arc::clone(cursor),
            PortalState::Done => {
                return Err(Failure::error(
                    WireCondition::ObjectNotInPrerequisiteState,
                    format!("portal \"{name}\" cannot be run"),
                )
                .into());
            }
            PortalState::New => match self.open_portal(portal, &watch).await? {
                Some(cursor) => cursor,
                None => return Ok(()),
            },
        };
        let direction = Direction::Forward(max_rows);
        let fetching = Fetching::start(&cursor, direction, &mut self.client, &watch).await?;
        let (columns, tag) = {
            let cursor = cursor.lock().await;
            (cursor.columns().to_vec(), cursor.tag())
        };
        let presentation = Presentation {
            formats: fitted(&portal.formats, columns.len()),
            style: self.session.style(),
            encoding: self.session.settings.client_encoding(),
        };
        let mut rows = Rows::of_fetch(fetching, columns, tag);
        let n_rows = rows.send(&mut self.client, &watch, &presentation).await?;
        self.apply_settings()?;
        let output = &mut self.client.output;
        match cursor.lock().await.is_at_end() {
            true => respond::command_complete(output, tag.complete(n_rows)),
            false => respond::portal_suspended(output),
        }
        Ok(())
    }

    /// Starts what a portal holds; its rows, if it has any, to be fetched.
    ///
    /// # Errors
    /// Whatever is wrong with the statement.
    pub(super) async fn open_portal(
        &mut self,
        portal: &mut Portal,
        watch: &Watch,
    ) -> Step<Option<SharedCursor>> {
        portal.state = PortalState::Done;
        let Some(statement) = &portal.prepared.statement else {
            return Ok(None);
        };
        let binding = Binding {
            statement,
            parameters: std::mem::take(&mut portal.parameters),
            expected: Some(&portal.prepared.description.columns),
            shown: Shown::ByColumn(
                portal
                    .formats
                    .iter()
                    .map(|format| *format == Format::Text)
                    .collect(),
            ),
            sent: Sent::Extended,
        };
        let Some(rows) = self.start(binding, watch).await? else {
            return Ok(None);
        };
        let cursor = Cursor::new(rows, false).shared();
        portal.state = PortalState::Open(Arc::clone(&cursor));
        Ok(Some(cursor))
    }
}

fn nothing() -> Description {
    Description {
        parameters: Vec::new(),
        columns: Vec::new(),
    }
}

/// Whether a statement gives rows, of which a query may have some without columns.
fn has_rows(statement: Option<&Statement>, columns: &[Column]) -> bool {
    let is_query = statement.is_some_and(|it| matches!(it.kind, StatementKind::Query(_)));
    is_query || !columns.is_empty()
}

/// The formats of a portal for as many columns. They were counted when it was described; a FETCH of
/// a cursor that did not exist then has none.
fn fitted(formats: &[Format], n_columns: usize) -> Vec<Format> {
    match formats.len() == n_columns {
        true => formats.to_vec(),
        false => vec![Format::Text; n_columns],
    }
}

/// One format for each parameter: none means text, one is for all.
fn parameter_formats(codes: &[i16], n_parameters: usize) -> Result<Vec<Format>, Failure> {
    if codes.len() > 1 && codes.len() != n_parameters {
        return Err(Failure::protocol(format!(
            "bind message has {} parameter formats but {n_parameters} parameters",
            codes.len()
        )));
    }
    spread(codes, n_parameters)
}

/// One format for each column: none means text, one is for all.
fn result_formats(codes: &[i16], columns: &[Column]) -> Result<Vec<Format>, Failure> {
    let n_columns = columns.len();
    // A statement without rows takes any: nothing is written in them.
    if n_columns > 0 && codes.len() > 1 && codes.len() != n_columns {
        return Err(Failure::protocol(format!(
            "bind message has {} result formats but query has {n_columns} columns",
            codes.len()
        )));
    }
    spread(codes, n_columns)
}

fn spread(codes: &[i16], n: usize) -> Result<Vec<Format>, Failure> {
    let format = |code: i16| {
        Format::of(code).ok_or_else(|| {
            Failure::from(Error::new(
                ErrorKind::InvalidParameterValue,
                format!("unsupported format code: {code}"),
            ))
        })
    };
    match codes {
        [] => Ok(vec![Format::Text; n]),
        [code] => Ok(vec![format(*code)?; n]),
        codes => codes.iter().take(n).map(|code| format(*code)).collect(),
    }
}
