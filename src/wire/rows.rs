//! Sends the rows of a statement, as fast as the client takes them and no faster.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;

use super::client::{Client, OUTPUT_BYTES};
use super::cursor::Fetching;
use super::encode::{Format, Limit, RowEncoder};
use super::failure::Step;
use super::watch::Watch;
use crate::engine::{Answer, Column, Form, Statement, StatementKind};
use crate::functions::output::Style;
use crate::types::{Encoding, PgType, oid};

/// The word before the count of CommandComplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Select,
    Explain,
    Show,
    Fetch,
    Copy,
}

impl Tag {
    /// The tag of a query.
    pub(super) fn of(statement: &Statement) -> Self {
        match statement.kind {
            StatementKind::Explain { .. } | StatementKind::ExplainExecute { .. } => Self::Explain,
            StatementKind::Copy(_) => Self::Copy,
            _ => Self::Select,
        }
    }

    /// The text of CommandComplete.
    pub(super) fn complete(self, n_rows: u64) -> String {
        match self {
            Self::Select => format!("SELECT {n_rows}"),
            Self::Explain => "EXPLAIN".to_owned(),
            Self::Show => "SHOW".to_owned(),
            Self::Fetch => format!("FETCH {n_rows}"),
            Self::Copy => format!("COPY {n_rows}"),
        }
    }
}

/// The rows of a running statement.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) columns: Vec<Column>,
    pub(super) tag: Tag,
    /// The format of values where the client asks for none: that of a binary cursor's is its own.
    pub(super) format: Format,
    source: Source,
    /// What was taken off the source and is not sent.
    rest: Option<RecordBatch>,
    /// The batch being sent; at most one is held here.
    batch: Option<RowEncoder>,
    /// Whether rows were taken.
    is_begun: bool,
    /// All rows as they are to be sent, and how many they are.
    written: Option<(Bytes, u64)>,
}

#[derive(Debug)]
enum Source {
    Answer(Box<Answer>),
    /// Of the session itself.
    Local(Option<RecordBatch>),
    /// Through a cursor or portal, which goes on behind them.
    Fetch(Fetching),
}

impl Rows {
    /// The rows of the engine's answer.
    pub(super) fn of_answer(answer: Answer, tag: Tag) -> Self {
        let columns = answer.columns.clone();
        Self::new(columns, tag, Source::Answer(Box::new(answer)))
    }

    /// The rows that a fetch gives.
    pub(super) fn of_fetch(fetching: Fetching, columns: Vec<Column>, tag: Tag) -> Self {
        Self::new(columns, tag, Source::Fetch(fetching))
    }

    /// Rows of texts that the session itself answers.
    pub(super) fn of_texts(columns: Vec<Column>, texts: Vec<StringArray>) -> Self {
        let fields: Vec<Field> = columns
            .iter()
            .map(|column| Field::new(&column.name, DataType::Utf8, true))
            .collect();
        let arrays = texts
            .into_iter()
            .map(|text| Arc::new(text) as ArrayRef)
            .collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
        // Every caller gives columns of one length.
        let source = Source::Local(batch.ok());
        Self::new(columns, Tag::Show, source)
    }

    fn new(columns: Vec<Column>, tag: Tag, source: Source) -> Self {
        Self {
            columns,
            tag,
            format: Format::Text,
            source,
            rest: None,
            batch: None,
            is_begun: false,
            written: None,
        }
    }

    /// Sends all rows; how many they were.
    ///
    /// # Errors
    /// The statement failed or was stopped; nothing more can be sent of it.
    pub(super) async fn send(
        &mut self,
        client: &mut Client,
        watch: &Watch,
        presentation: &Presentation,
    ) -> Step<u64> {
        self.look_for_written(presentation).await;
        if let Some((bytes, n_rows)) = self.written.take() {
            client.output.extend_from_slice(&bytes);
            return Ok(n_rows);
        }
        let mut n_rows = 0;
        // What is sent in one piece of what is kept may be kept as it is sent.
        let mut whole_from = self.is_all_kept().await.then_some(client.output.len());
        while let Some(encoder) = self.current(client, watch, presentation).await? {
            let limit = Limit {
                n_rows_max: usize::MAX,
                n_bytes: OUTPUT_BYTES,
            };
            let n_encoded = encoder.encode(limit, &mut client.output)?;
            n_rows += n_encoded as u64;
            if client.output.len() >= OUTPUT_BYTES {
                whole_from = None;
                watch.flush(client).await?;
            }
        }
        if let Some(start) = whole_from {
            self.keep_written(presentation.form(), &client.output[start..])
                .await;
        }
        Ok(n_rows)
    }

    /// Looks whether it is kept how all rows are sent.
    pub(super) async fn look_for_written(&mut self, presentation: &Presentation) {
        if self.written.is_none() && self.is_all_kept().await {
            self.written = self.take_written(&presentation.form()).await;
        }
    }

    /// Whether all rows are to come, and are kept.
    pub(super) async fn is_all_kept(&self) -> bool {
        match &self.source {
            Source::Answer(answer) => !self.is_begun && answer.is_kept(),
            Source::Fetch(fetching) => !self.is_begun && Box::pin(fetching.is_all_kept()).await,
            Source::Local(_) => false,
        }
    }

    /// All rows as they were written in a form, and how many they are.
    pub(super) async fn take_written(&mut self, form: &Form) -> Option<(Bytes, u64)> {
        let written = match &mut self.source {
            Source::Answer(answer) => {
                let (bytes, n_rows) = answer.written(form)?;
                (bytes, n_rows as u64)
            }
            Source::Fetch(fetching) => Box::pin(fetching.take_written(form)).await?,
            Source::Local(_) => return None,
        };
        self.is_begun = true;
        Some(written)
    }

    /// Keeps how all rows were written in a form.
    pub(super) async fn keep_written(&self, form: Form, bytes: &[u8]) {
        match &self.source {
            Source::Answer(answer) => answer.keep_written(form, bytes),
            Source::Fetch(fetching) => Box::pin(fetching.keep_written(form, bytes)).await,
            Source::Local(_) => {}
        }
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
            let Some(batch) = self.take(client, watch, u64::MAX).await? else {
                break;
            };
            let Presentation {
                formats,
                style,
                encoding,
            } = presentation;
            let encoder = RowEncoder::new(&batch, &self.columns, formats, *style, *encoding)?;
            self.batch = Some(encoder);
        }
        Ok(self.batch.as_mut())
    }

    /// Waits for the first rows, so that sending can begin at once.
    ///
    /// # Errors
    /// The statement failed or was stopped.
    pub(super) async fn prepare(&mut self, client: &mut Client, watch: &Watch) -> Step {
        if self.rest.is_none() && self.written.is_none() {
            self.rest = self.next_batch(client, watch).await?;
        }
        Ok(())
    }

    /// The next rows, `n_max` at most; `None` after the last.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(super) async fn take(
        &mut self,
        client: &mut Client,
        watch: &Watch,
        n_max: u64,
    ) -> Step<Option<RecordBatch>> {
        self.is_begun = true;
        let batch = match self.rest.take() {
            Some(batch) => batch,
            None => match self.next_batch(client, watch).await? {
                Some(batch) => batch,
                None => return Ok(None),
            },
        };
        let n_max = usize::try_from(n_max).unwrap_or(usize::MAX);
        if batch.num_rows() <= n_max {
            return Ok(Some(batch));
        }
        self.rest = Some(batch.slice(n_max, batch.num_rows() - n_max));
        Ok(Some(batch.slice(0, n_max)))
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
            // A fetch is of a cursor, and a cursor may be one of a fetch.
            Source::Fetch(fetching) => Box::pin(fetching.next(client, watch)).await,
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
    /// The encoding of texts.
    pub(super) encoding: Encoding,
}

impl Presentation {
    /// What decides about the bytes of rows.
    fn form(&self) -> Form {
        let formats = self.formats.iter();
        Form {
            are_binary: formats.map(|format| *format == Format::Binary).collect(),
            style: self.style,
            encoding: self.encoding,
        }
    }
}

/// A column of text.
pub(super) fn text_column(name: impl Into<String>) -> Column {
    Column {
        name: name.into(),
        pg_type: PgType::of(oid::TEXT),
    }
}
