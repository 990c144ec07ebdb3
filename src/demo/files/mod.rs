//! Writes the files of the lake, each with the time at which it is said to have been written.

mod columns;
mod json;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::parquet::{
    arrow::ArrowWriter,
    arrow::arrow_reader::ParquetRecordBatchReaderBuilder,
    arrow::arrow_writer::ArrowWriterOptions,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

pub(super) use columns::{
    booleans, dates, decimals, doubles, field, instants, integers, longs, mask, text_of, texts,
    timestamp, whole_of,
};
pub(super) use json::{Object, array, quoted};

use super::world::Moment;
use crate::error::{Error, Result};

/// Smaller row groups cost more than they save.
const GROUP_ROWS_MIN: usize = 2_000;

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Made {
    pub(super) n_files: u64,
    pub(super) n_rows: u64,
    pub(super) n_bytes: u64,
}

impl AddAssign for Made {
    fn add_assign(&mut self, other: Self) {
        self.n_files += other.n_files;
        self.n_rows += other.n_rows;
        self.n_bytes += other.n_bytes;
    }
}

/// How a Parquet file is laid out.
#[derive(Clone, Copy)]
pub(super) enum Layout {
    /// Zstandard, in about so many row groups, unless they would be small.
    Groups(usize),
    /// Snappy, in one row group unless it is large, as Spark writes.
    Spark,
}

/// The folder in which the lake is made.
pub(super) struct Lake {
    folder: PathBuf,
}

impl Lake {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Writes a file of `n_rows` rows, whose path is relative to the lake.
    pub(super) fn save(
        &self,
        path: &str,
        modified: Moment,
        n_rows: u64,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<Made> {
        let path = self.folder.join(path);
        let saved = || {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let mut writer = BufWriter::new(File::create(&path)?);
            write(&mut writer)?;
            let file = writer
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            file.set_modified(modified.to_system_time())?;
            Ok(file.metadata()?.len())
        };
        let n_bytes = saved().map_err(|error| super::failed("write", &path, error))?;
        Ok(Made {
            n_files: 1,
            n_rows,
            n_bytes,
        })
    }

    /// Writes lines, each with a line feed after it.
    pub(super) fn save_lines(
        &self,
        path: &str,
        modified: Moment,
        lines: impl ExactSizeIterator<Item = String>,
    ) -> Result<Made> {
        self.save(path, modified, lines.len() as u64, |writer| {
            for line in lines {
                writeln!(writer, "{line}")?;
            }
            Ok(())
        })
    }

    /// Writes a Parquet file.
    pub(super) fn save_parquet(
        &self,
        path: &str,
        modified: Moment,
        batch: &RecordBatch,
        layout: Layout,
    ) -> Result<Made> {
        self.save(path, modified, batch.num_rows() as u64, |writer| {
            encode(writer, batch, layout).map_err(io::Error::other)
        })
    }

    /// Reads back a Parquet file of the lake.
    pub(super) fn read_parquet(&self, path: &str) -> Result<RecordBatch> {
        let path = self.folder.join(path);
        let file = File::open(&path).map_err(|error| super::failed("read", &path, error))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(Error::internal)?;
        let schema = Arc::clone(builder.schema());
        let reader = builder.build().map_err(Error::internal)?;
        let batches = reader
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::internal)?;
        concat_batches(&schema, &batches).map_err(Error::internal)
    }
}

fn encode(
    writer: &mut BufWriter<File>,
    batch: &RecordBatch,
    layout: Layout,
) -> Result<(), ParquetError> {
    let properties = match layout {
        Layout::Groups(n_groups) => WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_max_row_group_row_count(Some(
                batch.num_rows().div_ceil(n_groups).max(GROUP_ROWS_MIN),
            )),
        Layout::Spark => WriterProperties::builder().set_compression(Compression::SNAPPY),
    };
    // Without Arrow's own copy of the schema: the files are as any engine would write them.
    let options = ArrowWriterOptions::new()
        .with_properties(properties.build())
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(writer, batch.schema(), options)?;
    writer.write(batch)?;
    writer.close()?;
    Ok(())
}
