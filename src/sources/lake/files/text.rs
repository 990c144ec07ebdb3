//! Makes rows of CSV and JSON texts.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use bytes::{Buf, Bytes};
use futures::stream::{self, BoxStream, StreamExt};
use object_store::ObjectStore;
use object_store::path::Path;

use super::csv::Rows;
use super::document::{self, Text};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::lake::failure::of_text;

type Batches = BoxStream<'static, Result<RecordBatch>>;

/// The rows of a file of JSON.
pub(super) async fn json(
    store: &Arc<dyn ObjectStore>,
    location: &Path,
    columns: SchemaRef,
    batch_size: usize,
) -> Result<Batches> {
    let path = location.to_string();
    let text = match document::open(store, location).await? {
        Text::Lines(lines) => lines,
        Text::Document(text) => {
            let records = document::records(text);
            stream::once(async { Ok(records) }).boxed()
        }
    };
    let decoder = arrow::json::ReaderBuilder::new(columns)
        .with_batch_size(batch_size)
        // A column that holds numbers in some records and text in others is served as text.
        .with_coerce_primitive(true)
        .build_decoder()
        .map_err(Error::internal)?;
    Ok(decoded(text, Decoder::Json(Box::new(decoder)), path))
}

/// The rows of a CSV file.
pub(super) async fn csv(
    store: &Arc<dyn ObjectStore>,
    location: &Path,
    columns: SchemaRef,
    batch_size: usize,
) -> Result<Batches> {
    let path = location.to_string();
    let mut rows = Rows::open(store, &path, location).await?;
    let Some(header) = rows.peek_header().await? else {
        return Ok(stream::empty().boxed());
    };
    // The decoder sees the file's own columns in its own order, so that none can shift.
    let own: Vec<_> = header
        .names
        .iter()
        .map(|name| match columns.field_with_name(name) {
            Ok(field) => field.clone(),
            Err(_) => Field::new(name, DataType::Utf8View, true),
        })
        .collect();
    let places: Vec<Option<usize>> = columns
        .fields()
        .iter()
        .map(|field| header.names.iter().position(|name| name == field.name()))
        .collect();
    let decoder = arrow::csv::ReaderBuilder::new(Arc::new(Schema::new(own)))
        .with_delimiter(header.delimiter)
        .with_header(true)
        .with_batch_size(batch_size)
        .with_projection(places.iter().flatten().copied().collect())
        .build_decoder();
    let batches = decoded(rows.rest(), Decoder::Csv(Box::new(decoder)), path);
    Ok(batches
        .map(move |batch| arranged(&batch?, &columns, &places))
        .boxed())
}

/// The columns in the table's order, NULL where the file lacks one.
fn arranged(
    batch: &RecordBatch,
    columns: &SchemaRef,
    places: &[Option<usize>],
) -> Result<RecordBatch> {
    let mut read = batch.columns().iter();
    let arrays = places
        .iter()
        .zip(columns.fields())
        .map(|(place, field)| match place.and_then(|_| read.next()) {
            Some(array) => Arc::clone(array),
            None => new_null_array(field.data_type(), batch.num_rows()),
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(columns), arrays, &options)
        .map_err(Error::internal)
}

/// Makes batches of text.
enum Decoder {
    Csv(Box<arrow::csv::reader::Decoder>),
    Json(Box<arrow::json::reader::Decoder>),
}

impl Decoder {
    /// Takes what it can, and says how many bytes that was: fewer than given once it is full.
    fn decode(&mut self, text: &[u8]) -> Result<usize, ArrowError> {
        match self {
            Decoder::Csv(decoder) => decoder.decode(text),
            Decoder::Json(decoder) => decoder.decode(text),
        }
    }

    fn flush(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        match self {
            Decoder::Csv(decoder) => decoder.flush(),
            Decoder::Json(decoder) => decoder.flush(),
        }
    }

    /// What is wrong with a file whose text does not make rows.
    fn damage(&self) -> ErrorKind {
        match self {
            Decoder::Csv(_) => ErrorKind::InvalidRowData,
            Decoder::Json(_) => ErrorKind::DataCorrupted,
        }
    }
}

struct Decoding {
    text: BoxStream<'static, Result<Bytes>>,
    chunk: Bytes,
    is_at_end: bool,
    decoder: Decoder,
    path: String,
}

fn decoded(text: BoxStream<'static, Result<Bytes>>, decoder: Decoder, path: String) -> Batches {
    let decoding = Decoding {
        text,
        chunk: Bytes::new(),
        is_at_end: false,
        decoder,
        path,
    };
    stream::try_unfold(decoding, |mut decoding| async move {
        Ok(decoding.next().await?.map(|batch| (batch, decoding)))
    })
    .boxed()
}

impl Decoding {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.chunk.is_empty() && !self.is_at_end {
                match self.text.next().await {
                    Some(chunk) => self.chunk = chunk?,
                    None => self.is_at_end = true,
                }
                if self.chunk.is_empty() && !self.is_at_end {
                    continue;
                }
            }
            // At the end an empty text tells the decoder so.
            let n_taken = self.step(|decoder, text| decoder.decode(text))?;
            self.chunk.advance(n_taken);
            if n_taken > 0 && self.chunk.is_empty() {
                continue;
            }
            if let Some(batch) = self.step(|decoder, _| decoder.flush())? {
                return Ok(Some(batch));
            }
            if self.is_at_end && self.chunk.is_empty() {
                return Ok(None);
            }
        }
    }

    fn step<T>(
        &mut self,
        step: impl FnOnce(&mut Decoder, &[u8]) -> Result<T, ArrowError>,
    ) -> Result<T> {
        step(&mut self.decoder, &self.chunk)
            .map_err(|cause| of_text(&self.path, self.decoder.damage(), cause))
    }
}
