//! The temporary files of one statement, as many bytes as it may have at a time: `temp_file_limit`.
//! <https://www.postgresql.org/docs/16/runtime-config-resource.html#GUC-TEMP-FILE-LIMIT>

use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use datafusion::common::Result as DataFusionResult;
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::spill_file::{SpillFile, SpillWriter, TempFileFactory};
use futures::Stream;

use crate::error::{Error, ErrorKind, Limit};

/// Makes the temporary files of one statement.
pub(super) struct TemporaryFiles {
    /// Makes those of all.
    all: Arc<DiskManager>,
    quota: Arc<Quota>,
}

/// What the statement has in temporary files, and may have.
struct Quota {
    n_bytes: AtomicU64,
    bytes_max: u64,
}

impl TemporaryFiles {
    /// At most so many bytes, in files that `all` makes and counts.
    pub(super) fn new(all: Arc<DiskManager>, bytes_max: u64) -> Self {
        let n_bytes = AtomicU64::new(0);
        let quota = Arc::new(Quota { n_bytes, bytes_max });
        Self { all, quota }
    }
}

impl TempFileFactory for TemporaryFiles {
    fn create_temp_file(&self, description: &str) -> DataFusionResult<Arc<dyn SpillFile>> {
        Ok(Arc::new(LimitedFile {
            file: self.all.create_tmp_file(description)?,
            quota: Arc::clone(&self.quota),
            n_written: Arc::default(),
        }))
    }
}

struct LimitedFile {
    file: Arc<dyn SpillFile>,
    quota: Arc<Quota>,
    n_written: Arc<AtomicU64>,
}

impl Drop for LimitedFile {
    fn drop(&mut self) {
        let n_written = self.n_written.load(Ordering::Relaxed);
        self.quota.n_bytes.fetch_sub(n_written, Ordering::Relaxed);
    }
}

impl SpillFile for LimitedFile {
    fn path(&self) -> Option<&Path> {
        self.file.path()
    }

    fn size(&self) -> Option<u64> {
        self.file.size()
    }

    fn read_stream(
        &self,
    ) -> DataFusionResult<Pin<Box<dyn Stream<Item = DataFusionResult<Bytes>> + Send>>> {
        self.file.read_stream()
    }

    fn open_writer(&self) -> DataFusionResult<Box<dyn SpillWriter>> {
        Ok(Box::new(LimitedWriter {
            writer: self.file.open_writer()?,
            quota: Arc::clone(&self.quota),
            n_written: Arc::clone(&self.n_written),
        }))
    }
}

struct LimitedWriter {
    writer: Box<dyn SpillWriter>,
    quota: Arc<Quota>,
    n_written: Arc<AtomicU64>,
}

impl Write for LimitedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let before = self.quota.n_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        self.n_written.fetch_add(n_bytes, Ordering::Relaxed);
        if before.saturating_add(n_bytes) > self.quota.bytes_max {
            // As FileWrite in PostgreSQL's fd.c.
            let kilobytes = self.quota.bytes_max / 1024;
            let message = format!("temporary file size exceeds temp_file_limit ({kilobytes}kB)");
            return Err(io::Error::other(Error::new(
                ErrorKind::LimitExceeded(Limit::Configuration),
                message,
            )));
        }
        self.writer.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl SpillWriter for LimitedWriter {
    fn finish(&mut self) -> DataFusionResult<()> {
        self.writer.finish()
    }
}
