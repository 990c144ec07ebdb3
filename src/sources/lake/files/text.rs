//! Reads CSV and JSON for DataFusion: each file as a whole, its columns matched by name.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use bytes::{Buf, Bytes};
use datafusion::common::Result as PlanResult;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileOpenFuture, FileOpener, FileScanConfig, FileSource,
};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::ObjectStore;

use super::csv::Rows;
use super::document::{self, Text};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::lake::failure::{external, of_text};
use crate::sources::lake::format::Format;

/// A source of rows in text.
#[derive(Clone)]
pub(super) struct TextSource {
    format: Format,
    /// The pinned files' store; the scan's own knows nothing of pins.
    store: Arc<dyn ObjectStore>,
    table_schema: TableSchema,
    projection: SplitProjection,
    batch_size: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl TextSource {
    pub(super) fn new(
        format: Format,
        store: Arc<dyn ObjectStore>,
        table_schema: TableSchema,
    ) -> Self {
        Self {
            format,
            store,
            projection: SplitProjection::unprojected(&table_schema),
            table_schema,
            batch_size: 8_192,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl FileSource for TextSource {
    fn create_file_opener(
        &self,
        _: Arc<dyn ObjectStore>,
        _: &FileScanConfig,
        _: usize,
    ) -> PlanResult<Arc<dyn FileOpener>> {
        let file_schema = self.table_schema.file_schema();
        let opener = TextOpener {
            format: self.format,
            store: Arc::clone(&self.store),
            columns: Arc::new(file_schema.project(&self.projection.file_indices)?),
            batch_size: self.batch_size,
        };
        ProjectionOpener::try_new(self.projection.clone(), Arc::new(opener), file_schema)
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self {
            batch_size,
            ..self.clone()
        })
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> PlanResult<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        let projection = SplitProjection::new(self.table_schema.file_schema(), &merged);
        Ok(Some(Arc::new(Self {
            projection,
            ..self.clone()
        })))
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        match self.format {
            Format::Json => "json",
            _ => "csv",
        }
    }

    fn supports_repartitioning(&self) -> bool {
        // A quoted line's end looks like a row's end from the middle of a file.
        false
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        datafusion::physical_plan::apply_expression_roots(self.projection.source.iter(), visit)
    }
}

/// Opens one file after the other.
struct TextOpener {
    format: Format,
    store: Arc<dyn ObjectStore>,
    /// The columns to read, as the table serves them.
    columns: SchemaRef,
    batch_size: usize,
}

impl FileOpener for TextOpener {
    fn open(&self, file: PartitionedFile) -> PlanResult<FileOpenFuture> {
        let store = Arc::clone(&self.store);
        let columns = Arc::clone(&self.columns);
        let (format, batch_size) = (self.format, self.batch_size);
        Ok(Box::pin(async move {
            let rows = match format {
                Format::Json => json(&store, &file, columns, batch_size).await,
                _ => csv(&store, &file, columns, batch_size).await,
            };
            Ok(rows.map_err(external)?.map_err(external).boxed())
        }))
    }
}

type Batches = BoxStream<'static, Result<RecordBatch>>;

async fn json(
    store: &Arc<dyn ObjectStore>,
    file: &PartitionedFile,
    columns: SchemaRef,
    batch_size: usize,
) -> Result<Batches> {
    let location = &file.object_meta.location;
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

async fn csv(
    store: &Arc<dyn ObjectStore>,
    file: &PartitionedFile,
    columns: SchemaRef,
    batch_size: usize,
) -> Result<Batches> {
    let location = &file.object_meta.location;
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
