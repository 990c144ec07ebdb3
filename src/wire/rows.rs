//! Sends the rows of a statement, as fast as the client takes them and no faster.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use tokio_util::sync::CancellationToken;

use super::client::{Client, OUTPUT_BYTES};
use super::encode::{Format, Limit, RowEncoder, Style};
use super::failure::Step;
use super::watch::Watch;
use crate::engine::{Answer, Column, Statement, StatementKind};
use crate::types::{PgType, oid};

/// The word before the count of CommandComplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Select,
    Explain,
    Show,
    Copy,
}

impl Tag {
    /// The tag of a statement with rows.
    pub(super) fn of(statement: &Statement) -> Self {
        match statement.kind {
            StatementKind::Query(_) => Self::Select,
            StatementKind::Explain { .. } => Self::Explain,
            StatementKind::Copy(_) => Self::Copy,
            // Of the statements without a query only SHOW has rows.
            StatementKind::Session(_) | StatementKind::Definition(_) => Self::Show,
        }
    }

    /// The text of CommandComplete.
    pub(super) fn complete(self, n_rows: u64) -> String {
        match self {
            Self::Select => format!("SELECT {n_rows}"),
            Self::Explain => "EXPLAIN".to_owned(),
            Self::Show => "SHOW".to_owned(),
            Self::Copy => format!("COPY {n_rows}"),
        }
    }
}

/// How far sending has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// All rows are sent, this many of them this time.
    Complete(u64),
    /// As many as were asked for are sent; there may be more.
    Suspended,
}

/// The rows of a running statement.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) columns: Vec<Column>,
    pub(super) tag: Tag,
    /// Cancels the statement.
    pub(super) cancel: CancellationToken,
    source: Source,
    /// The batch being sent; at most one is held here.
    batch: Option<RowEncoder>,
}

#[derive(Debug)]
enum Source {
    Answer(Box<Answer>),
    /// Of the session itself.
    Local(Option<RecordBatch>),
}

impl Rows {
    /// The rows of the engine's answer.
    pub(super) fn of_answer(answer: Answer, tag: Tag, cancel: CancellationToken) -> Self {
        Self {
            columns: answer.columns.clone(),
            tag,
            cancel,
            source: Source::Answer(Box::new(answer)),
            batch: None,
        }
    }

    /// Rows of texts that the session itself answers.
    pub(super) fn of_texts(
        columns: Vec<Column>,
        texts: Vec<StringArray>,
        cancel: CancellationToken,
    ) -> Self {
        let fields: Vec<Field> = columns
            .iter()
            .map(|column| Field::new(&column.name, DataType::Utf8, true))
            .collect();
        let arrays = texts
            .into_iter()
            .map(|text| Arc::new(text) as ArrayRef)
            .collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
        Self {
            columns,
            tag: Tag::Show,
            cancel,
            // Every caller gives columns of one length.
            source: Source::Local(batch.ok()),
            batch: None,
        }
    }

    /// Sends up to `max_rows` rows.
    ///
    /// # Errors
    /// The statement failed or was stopped; nothing more can be sent of it.
    pub(super) async fn send(
        &mut self,
        client: &mut Client,
        watch: &Watch,
        presentation: &Presentation,
        max_rows: u64,
    ) -> Step<Progress> {
        let mut n_rows = 0;
        while let Some(encoder) = self.current(client, watch, presentation).await? {
            let limit = Limit {
                n_rows_max: usize::try_from(max_rows - n_rows).unwrap_or(usize::MAX),
                n_bytes: OUTPUT_BYTES,
            };
            let n_encoded = encoder.encode(limit, &mut client.output)?;
            n_rows += u64::try_from(n_encoded).unwrap_or(0);
            if client.output.len() >= OUTPUT_BYTES {
                watch.flush(client).await?;
            }
            if n_rows == max_rows {
                return Ok(Progress::Suspended);
            }
        }
        Ok(Progress::Complete(n_rows))
    }

    /// The rows that are next to be sent; `None` after the last.
    ///
    /// # Errors
    /// The statement failed or was stopped.
    pub(super) async fn current(
        &mut self,
        client: &mut Client,
        watch: &Watch,
        presentation: &Presentation,
    ) -> Step<Option<&mut RowEncoder>> {
        let is_sent = |encoder: &RowEncoder| encoder.n_rows_left() == 0;
        while self.batch.as_ref().is_none_or(is_sent) {
            self.batch = None;
            self.prepare(client, watch, presentation).await?;
            if self.batch.is_none() {
                break;
            }
        }
        Ok(self.batch.as_mut())
    }

    /// Waits for the next batch, so that sending can begin at once.
    ///
    /// # Errors
    /// The statement failed or was stopped.
    pub(super) async fn prepare(
        &mut self,
        client: &mut Client,
        watch: &Watch,
        presentation: &Presentation,
    ) -> Step {
        if let Some(batch) = self.next_batch(client, watch).await? {
            let Presentation { formats, style } = presentation;
            let encoder = RowEncoder::new(&batch, &self.columns, formats, *style)?;
            self.batch = Some(encoder);
        }
        Ok(())
    }

    async fn next_batch(
        &mut self,
        client: &mut Client,
        watch: &Watch,
    ) -> Step<Option<RecordBatch>> {
        match &mut self.source {
            Source::Local(batch) => Ok(batch.take()),
            Source::Answer(answer) => {
                let next = async { answer.next().await.transpose() };
                watch.over(client, next).await
            }
        }
    }
}

/// How a portal's rows are written.
#[derive(Clone, Debug)]
pub(super) struct Presentation {
    /// One for each column.
    pub(super) formats: Vec<Format>,
    /// What of the session shows in them.
    pub(super) style: Style,
}

/// A column of text.
pub(super) fn text_column(name: impl Into<String>) -> Column {
    Column {
        name: name.into(),
        pg_type: PgType::of(oid::TEXT),
    }
}
