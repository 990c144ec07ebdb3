//! Reads Avro files: the columns that their schemas say, and their rows.
//!
//! The decoder is our own. The `arrow-avro` crate unpacks blocks to any size, refuses schemas that
//! refer to themselves, and gives maps of unions in a form from which the JSON would have to be
//! written here all the same.

mod codec;
mod column;
mod container;
mod fit;
mod input;
mod json;
mod scalar;
mod schema;
mod skip;

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Schema as Columns, SchemaRef};
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use self::column::{Column, Place};
use self::container::{Block, Blocks, HEADER_BYTES_MAX, Header};
use self::input::Input;
use self::schema::{NodeId, Schema};
use super::FileShape;
use super::listing::DataFile;
use super::read;
use crate::error::{Error, ErrorKind, Result};
use crate::storage;

/// How much of a file is read at first for its header. Most schemas are shorter.
const HEADER_BYTES: u64 = 32 << 10;

/// After how many bytes of rows a batch ends, however few they are.
const BATCH_BYTES: usize = 8 << 20;

/// How many values a batch may hold. One of a record that is NULL takes memory for all its fields.
const BATCH_VALUES: usize = 1 << 22;

/// What is wrong with a file, said so that it follows the file's name.
#[derive(Debug)]
struct Damage(Cow<'static, str>);

impl Damage {
    fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self(what.into())
    }

    fn of_file(&self, path: &str) -> Error {
        Error::new(
            ErrorKind::DataCorrupted,
            format!("file \"{path}\" cannot be read as Avro: {}", self.0),
        )
    }
}

/// Reads the header for the columns.
///
/// # Errors
/// `DataCorrupted` naming the file.
pub(super) async fn shape(store: &Arc<dyn ObjectStore>, file: &DataFile) -> Result<FileShape> {
    let path = file.path();
    if file.meta.size == 0 {
        return Err(Damage::new("it is empty").of_file(path));
    }
    let mut length = HEADER_BYTES;
    let schema = loop {
        let end = length.min(file.meta.size);
        let bytes = store
            .get_range(&file.meta.location, 0..end)
            .await
            .map_err(|cause| storage::error(path, cause))?;
        let header = Header::parse(&bytes).map_err(|damage| damage.of_file(path))?;
        if let Some((header, _)) = header {
            break header.schema;
        }
        if end == file.meta.size || length > HEADER_BYTES_MAX as u64 {
            return Err(Damage::new("it ends before its header does").of_file(path));
        }
        length *= 8;
    };
    let columns = columns(&schema).map_err(|damage| damage.of_file(path))?;
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, column)| column.field(name))
        .collect();
    Ok(FileShape {
        schema: Arc::new(Columns::new(fields)),
        n_rows: None,
    })
}

/// A column for each field of a row.
fn columns(schema: &Schema) -> Result<Vec<(&str, Column)>, Damage> {
    let mut place = Place::top(schema);
    schema
        .fields()
        .into_iter()
        .map(|(name, node)| Ok((name, Column::of(node, &mut place)?)))
        .collect()
}

/// The rows of a file, their columns as the table serves them: NULL where the file lacks one.
///
/// # Errors
/// `DataCorrupted` naming the file, now or in the stream.
pub(super) async fn rows(
    store: &Arc<dyn ObjectStore>,
    location: &Path,
    columns: SchemaRef,
    batch_size: usize,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let bytes = read::text(store, location).await?;
    let (schema, blocks) = Blocks::open(bytes, location.as_ref()).await?;
    let rows = Rows::of(schema, blocks, columns, batch_size)?;
    let batches = stream::try_unfold(rows, |mut rows| async move {
        Ok(rows.next().await?.map(|batch| (batch, rows)))
    });
    Ok(batches.boxed())
}

/// The rows of a file that were not read yet.
struct Rows {
    schema: Schema,
    blocks: Blocks,
    /// The block that is being read.
    block: Block,
    /// What is done with each field of a row, in their order.
    fields: Vec<(NodeId, Option<Column>)>,
    /// The table's columns, each with the field it is read from.
    columns: SchemaRef,
    places: Vec<Option<usize>>,
    batch_size: usize,
}

impl Rows {
    fn of(schema: Schema, blocks: Blocks, served: SchemaRef, batch_size: usize) -> Result<Self> {
        let known = columns(&schema).map_err(|damage| damage.of_file(blocks.path()))?;
        let places = served
            .fields()
            .iter()
            .map(|field| known.iter().position(|(name, _)| name == field.name()))
            .collect();
        let n_values: usize = known.iter().map(|(_, column)| column.n_values()).sum();
        let is_served = |name: &str| served.column_with_name(name).is_some();
        let kept: Vec<_> = known
            .into_iter()
            .map(|(name, column)| is_served(name).then_some(column))
            .collect();
        let nodes = schema.fields().into_iter().map(|(_, node)| node);
        Ok(Self {
            fields: nodes.zip(kept).collect(),
            schema,
            blocks,
            block: Block::default(),
            columns: served,
            places,
            batch_size: batch_size.min(BATCH_VALUES / n_values.max(1)).max(1),
        })
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let (mut n_rows, mut n_bytes) = (0, 0);
        while n_rows < self.batch_size && n_bytes < BATCH_BYTES {
            if self.block.n_rows == 0 {
                self.check_end()?;
                match self.blocks.next().await? {
                    Some(block) => self.block = block,
                    None => break,
                }
                continue;
            }
            let before = self.block.bytes.len();
            n_rows += self
                .read(self.batch_size - n_rows)
                .map_err(|damage| damage.of_file(self.blocks.path()))?;
            n_bytes += before - self.block.bytes.len();
        }
        if n_rows == 0 {
            return Ok(None);
        }
        self.batch(n_rows).map(Some)
    }

    /// Bytes behind the last row of a block are of rows that nobody counted.
    fn check_end(&self) -> Result<()> {
        if self.block.bytes.is_empty() {
            return Ok(());
        }
        let damage = Damage::new("a block goes on after its last row");
        Err(damage.of_file(self.blocks.path()))
    }

    /// Reads rows of the block, as many as are wanted or make a batch.
    fn read(&mut self, n_rows_max: usize) -> Result<usize, Damage> {
        let n_rows_max = n_rows_max.min(self.block.n_rows);
        let mut input = Input::new(&self.block.bytes);
        let length = input.len();
        let mut n_rows = 0;
        while n_rows < n_rows_max && length - input.len() < BATCH_BYTES {
            for (node, column) in &mut self.fields {
                match column {
                    Some(column) => column.read(&self.schema, &mut input)?,
                    None => skip::skip(*node, &self.schema, &mut input, 0)?,
                }
            }
            n_rows += 1;
        }
        let n_left = input.len();
        self.block.bytes = self.block.bytes.slice(length - n_left..);
        self.block.n_rows -= n_rows;
        Ok(n_rows)
    }

    fn batch(&mut self, n_rows: usize) -> Result<RecordBatch> {
        let arrays: Vec<Option<ArrayRef>> = self
            .fields
            .iter_mut()
            .map(|(_, column)| column.as_mut().map(Column::finish))
            .collect();
        let path = self.blocks.path();
        let columns = self.columns.fields().iter().zip(&self.places);
        let columns =
            columns.map(
                |(field, place)| match place.and_then(|place| arrays[place].as_ref()) {
                    Some(array) => fit::fitted(array, field.data_type()).map_err(|cause| {
                        let what = format!("column \"{}\": {cause}", field.name());
                        Damage::new(what).of_file(path)
                    }),
                    None => Ok(new_null_array(field.data_type(), n_rows)),
                },
            );
        let columns = columns.collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.columns), columns, &options)
            .map_err(Error::internal)
    }
}
