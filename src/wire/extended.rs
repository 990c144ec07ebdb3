//! The extended protocol: Parse, Bind, Describe, Execute and Close, each on its own.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::command::{self, Surroundings};
use super::connection::Connection;
use super::decode;
use super::encode::Format;
use super::failure::{Failure, Step, Stop};
use super::message::{Bind, Message, Target};
use super::respond;
use super::rows::{Presentation, Progress, Tag};
use super::session::{Portal, PortalState, Prepared};
use super::simple::{Binding, within_width};
use super::sqlstate::WireCondition;
use crate::engine::{Column, Description, Statement, StatementKind};
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
        let mut statements = self.parse(text)?;
        if statements.len() > 1 {
            return Err(Error::new(
                ErrorKind::SyntaxError,
                "cannot insert multiple commands into a prepared statement",
            )
            .into());
        }
        let statement = statements.pop();
        self.session.start_statement(statement.as_ref())?;
        self.session.make_room_for_statement(&name)?;
        let description = match &statement {
            Some(statement) => self.description(statement, declared).await?,
            None => nothing(),
        };
        let prepared = Prepared {
            statement,
            description,
        };
        self.session.keep_statement(name, prepared);
        respond::parse_complete(&mut self.client.output);
        Ok(())
    }

    async fn description(&mut self, statement: &Statement, declared: &[u32]) -> Step<Description> {
        if let StatementKind::Session(command) = &statement.kind {
            let columns = command::columns(&self.session, command)?;
            return Ok(Description {
                columns,
                ..nothing()
            });
        }
        if let StatementKind::Definition(_) = &statement.kind {
            return Ok(nothing());
        }
        // Not looked into before it is run; what was declared is kept, and useless.
        if let StatementKind::Copy(_) = &statement.kind {
            return Ok(Description {
                parameters: declared.iter().copied().map(PgType::of).collect(),
                ..nothing()
            });
        }
        let cancel = CancellationToken::new();
        let watch = self.watch(&cancel);
        let context = self.session.context(&cancel);
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
        self.session.start_statement(prepared.statement.as_ref())?;
        self.session.make_room_for_portal(&bind.portal)?;
        let zone = self.session.zone()?;
        let mut parameters = Vec::with_capacity(n_parameters);
        for (index, value) in bind.parameters.iter().enumerate() {
            parameters.push(decode::parameter(
                value.as_deref(),
                formats[index],
                types[index].oid,
                zone,
                index + 1,
            )?);
        }
        let formats = result_formats(&bind.result_formats, &prepared.description.columns)?;
        let portal = Portal {
            prepared,
            parameters,
            formats,
            state: PortalState::New,
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
                if !columns.is_empty() {
                    self.session.require_sound(prepared.statement.as_ref())?;
                }
                respond::parameter_description(output, parameters);
                describe_columns(output, columns, &vec![Format::Text; columns.len()]);
            }
            Target::Portal(name) => {
                let portal = self.session.portal(name)?;
                let columns = &portal.prepared.description.columns;
                if !columns.is_empty() {
                    let statement = portal.prepared.statement.as_ref();
                    self.session.require_sound(statement)?;
                }
                describe_columns(output, columns, &portal.formats);
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
        self.session.start_statement(Some(statement))?;
        let max_rows = u64::try_from(max_rows)
            .ok()
            .filter(|max_rows| *max_rows > 0)
            .unwrap_or(u64::MAX);
        let was_in_block = self.session.transaction.in_block();
        let state = self
            .execute_portal(&name, &mut portal, statement, max_rows)
            .await;
        portal.state = state?;
        // COMMIT and ROLLBACK close every portal, their own among them.
        if self.session.transaction.is_open() || !was_in_block {
            self.session.keep_portal(name, portal);
        }
        Ok(())
    }

    async fn execute_portal(
        &mut self,
        name: &str,
        portal: &mut Portal,
        statement: &Statement,
        max_rows: u64,
    ) -> Step<PortalState> {
        let state = std::mem::replace(&mut portal.state, PortalState::Done);
        let (mut rows, watch) = match state {
            PortalState::Open(rows) => {
                let watch = self.watch(&rows.cancel);
                (rows, watch)
            }
            PortalState::Done => return self.execute_again(name, portal, statement),
            PortalState::New => {
                let watch = self.watch(&CancellationToken::new());
                let rows = match &statement.kind {
                    StatementKind::Session(command) => {
                        let surroundings = Surroundings {
                            text: &statement.text,
                            has_siblings: false,
                        };
                        match self.command(command, surroundings).await? {
                            Some(rows) => rows,
                            None => return Ok(PortalState::Done),
                        }
                    }
                    StatementKind::Definition(definition) => {
                        self.define(definition, &watch, false).await?;
                        return Ok(PortalState::Done);
                    }
                    StatementKind::Copy(copy) => {
                        self.copy(copy, statement, &watch).await?;
                        return Ok(PortalState::Done);
                    }
                    _ => {
                        let binding = Binding {
                            statement,
                            parameters: std::mem::take(&mut portal.parameters),
                            expected: Some(&portal.prepared.description.columns),
                        };
                        self.answer(&binding, &watch).await?
                    }
                };
                (Box::new(rows), watch)
            }
        };
        let presentation = Presentation {
            formats: portal.formats.clone(),
            style: self.session.style(),
        };
        let progress = rows
            .send(&mut self.client, &watch, &presentation, max_rows)
            .await?;
        let output = &mut self.client.output;
        Ok(match progress {
            Progress::Suspended => {
                respond::portal_suspended(output);
                PortalState::Open(rows)
            }
            Progress::Complete(n_rows) => {
                respond::command_complete(output, rows.tag.complete(n_rows));
                PortalState::Done
            }
        })
    }

    /// A portal with rows has none left; a command is not run twice.
    fn execute_again(
        &mut self,
        name: &str,
        portal: &Portal,
        statement: &Statement,
    ) -> Step<PortalState> {
        if portal.prepared.description.columns.is_empty()
            && matches!(
                statement.kind,
                StatementKind::Session(_) | StatementKind::Definition(_) | StatementKind::Copy(_)
            )
        {
            return Err(Failure::error(
                WireCondition::ObjectNotInPrerequisiteState,
                format!("portal \"{name}\" cannot be run"),
            )
            .into());
        }
        let tag = Tag::of(statement);
        respond::command_complete(&mut self.client.output, tag.complete(0));
        Ok(PortalState::Done)
    }
}

fn nothing() -> Description {
    Description {
        parameters: Vec::new(),
        columns: Vec::new(),
    }
}

fn describe_columns(output: &mut bytes::BytesMut, columns: &[Column], formats: &[Format]) {
    if columns.is_empty() {
        respond::no_data(output);
    } else {
        respond::row_description(output, columns, formats);
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
