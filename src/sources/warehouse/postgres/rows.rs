//! The rows of a query, as COPY sends them: cut into tuples and decoded into batches.
//! <https://www.postgresql.org/docs/16/sql-copy.html#id-1.9.3.55.9.4>

use std::future::poll_fn;
use std::ops::DerefMut;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use arrow::array::RecordBatch;
use bytes::Buf;
use futures::{Stream, StreamExt};
use tokio_postgres::CopyOutStream;

use super::decode::Decoder;
use super::failure::{During, failure};
use super::fields::Fields;
use super::session::PostgresConnect;
use super::tapped::Copied;
use crate::error::{Error, Result};
use crate::sources::warehouse::pool::{Lease, unexpected};
use crate::sources::warehouse::{KeptValues, Parts, RemoteQuery, Server};

/// The rows of a batch.
const BATCH_ROWS: usize = 8192;

/// The bytes of rows after which a batch ends, be it as small as it may: several of them wait on the
/// way to a client that is slow.
const BATCH_BYTES: usize = 2 << 20;

/// The bytes of rows that are decoded at a time: as few as a near cache holds, with what is known of
/// their fields.
const BLOCK_BYTES: usize = 64 << 10;

/// What the format begins with.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Begins to read a query in a session, which is kept until its last row. Given up before, what the
/// server does for it is stopped.
pub(super) async fn read<L>(
    mut lease: L,
    query: &Arc<RemoteQuery>,
    kept: KeptValues,
) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + use<L>>
where
    L: DerefMut<Target = Lease<PostgresConnect>> + Send + 'static,
{
    let server = Arc::clone(lease.server());
    let sql = match &query.parts {
        Some(parts) => parts.next(),
        None => Some(query.sql.clone()),
    };
    let copied = match sql {
        Some(sql) => Some(begun(&mut lease, &server, &sql).await?),
        // Others have taken all parts.
        None => None,
    };
    let blocks = Arc::clone(&lease.session().copied);
    if copied.is_none() {
        lease.clean();
    }
    let copy = Copy {
        blocks,
        is_over: copied.is_none(),
        tuples: Tuples::new(query, kept)?,
        copied,
        lease,
        server,
    };
    Ok(futures::stream::try_unfold(copy, |mut copy| async move {
        let batch = copy.next_batch().await?;
        Ok(batch.map(|batch| (batch, copy)))
    })
    .fuse())
}

/// Has the server begin to send the rows of a query.
async fn begun<L>(lease: &mut L, server: &Arc<Server>, sql: &str) -> Result<Pin<Box<CopyOutStream>>>
where
    L: DerefMut<Target = Lease<PostgresConnect>>,
{
    let copy = format!("COPY ({sql}) TO STDOUT (FORMAT binary)");
    let copied = lease.session().client.copy_out(copy.as_str()).await;
    let copied = copied.map_err(|cause| failure(server, During::Session, &cause))?;
    Ok(Box::pin(copied))
}

/// A query that is read.
struct Copy<L> {
    /// What is still to come of a copy. Dropped before the session, which is then given back.
    copied: Option<Pin<Box<CopyOutStream>>>,
    /// The rows of it that have come.
    blocks: Arc<Copied>,
    tuples: Tuples,
    lease: L,
    server: Arc<Server>,
    is_over: bool,
}

impl<L: DerefMut<Target = Lease<PostgresConnect>>> Copy<L> {
    /// The next rows; `None` behind the last.
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while !self.is_over && !self.tuples.is_full() {
            if let Some(block) = self.next_block().await? {
                self.tuples.take(block)?;
                continue;
            }
            self.tuples.decode()?;
            if self.tuples.has_ended {
                self.go_on().await?;
            } else if !self.tuples.is_full() {
                return Err(unexpected(&self.server, "rows without an end"));
            }
        }
        self.tuples.batch()
    }

    /// The next bytes of a copy; `None` behind the last.
    async fn next_block(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(copied) = &mut self.copied {
            // Rows go past the session's client, which tells how they end.
            let next = poll_fn(|context| match self.blocks.poll_take(context) {
                Poll::Ready(block) => Poll::Ready(Some(Ok(block))),
                Poll::Pending => match ready!(copied.as_mut().poll_next(context)) {
                    Some(Ok(bytes)) => Poll::Ready(Some(Ok(bytes.into()))),
                    Some(Err(cause)) => Poll::Ready(Some(Err(cause))),
                    None => Poll::Ready(None),
                },
            });
            match next.await.transpose() {
                Ok(Some(block)) => return Ok(Some(block)),
                Ok(None) => self.copied = None,
                Err(cause) => return Err(failure(&self.server, During::Session, &cause)),
            }
        }
        Ok(self.blocks.take())
    }

    /// Begins the next part, if there is one.
    async fn go_on(&mut self) -> Result<()> {
        let next = self.tuples.query.parts.as_ref().and_then(Parts::next);
        match next {
            Some(sql) => {
                self.copied = Some(begun(&mut self.lease, &self.server, &sql).await?);
                self.tuples.begin_again();
            }
            None => {
                self.is_over = true;
                self.lease.clean();
            }
        }
        Ok(())
    }
}

/// Cuts what is sent into rows: messages may end anywhere.
struct Tuples {
    query: Arc<RemoteQuery>,
    decoder: Decoder,
    fields: Fields,
    /// What is not decoded yet.
    left: Vec<u8>,
    has_begun: bool,
    has_ended: bool,
    n_rows: usize,
    n_bytes: usize,
}

impl Tuples {
    fn new(query: &Arc<RemoteQuery>, kept: KeptValues) -> Result<Self> {
        Ok(Self {
            decoder: Decoder::new(query, kept)?,
            fields: Fields::new(query.columns.len()),
            query: Arc::clone(query),
            left: Vec::new(),
            has_begun: false,
            has_ended: false,
            n_rows: 0,
            n_bytes: 0,
        })
    }

    /// What comes next is another copy, whose rows stand behind those of the last.
    fn begin_again(&mut self) {
        self.left.clear();
        (self.has_begun, self.has_ended) = (false, false);
    }

    fn is_full(&self) -> bool {
        self.n_rows >= BATCH_ROWS || self.n_bytes >= BATCH_BYTES
    }

    /// Keeps what came, and decodes it if it is enough.
    fn take(&mut self, block: Vec<u8>) -> Result<()> {
        match self.left.is_empty() {
            true => self.left = block,
            false => self.left.extend_from_slice(&block),
        }
        match self.left.len() < BLOCK_BYTES {
            true => Ok(()),
            false => self.decode(),
        }
    }

    /// Skips what comes before the tuples; whether all of it was there.
    fn skip_head(&mut self) -> Result<bool> {
        let fixed = SIGNATURE.len() + 8;
        if self.left.len() < fixed {
            return Ok(false);
        }
        if !self.left.starts_with(SIGNATURE) {
            return Err(self.damaged());
        }
        let mut lengths = &self.left[SIGNATURE.len()..fixed];
        let (flags, extension) = (lengths.get_u32(), lengths.get_u32());
        if flags != 0 || extension != 0 {
            return Err(self.damaged());
        }
        self.left.drain(..fixed);
        self.has_begun = true;
        Ok(true)
    }

    /// Decodes the whole tuples that came, as many as the batch takes.
    fn decode(&mut self) -> Result<()> {
        if self.has_ended || !self.has_begun && !self.skip_head()? {
            return Ok(());
        }
        let n_wanted = BATCH_ROWS.saturating_sub(self.n_rows);
        let found = self.fields.find(&self.left, n_wanted);
        let found = found.map_err(|_| self.damaged())?;
        self.decoder.take(&self.fields, &self.left)?;
        self.left.drain(..found.n_bytes);
        self.n_rows += found.n_rows;
        self.n_bytes += found.n_bytes;
        self.has_ended = found.is_end;
        Ok(())
    }

    fn damaged(&self) -> Error {
        let message = format!("table \"{}\" was sent as what it is not", self.query.table);
        Error::new(
            crate::error::ErrorKind::Remote(crate::error::Remote::Failed),
            message,
        )
    }

    /// The rows decoded so far; `None` if there are none.
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        if self.n_rows == 0 {
            return Ok(None);
        }
        let n_rows = std::mem::take(&mut self.n_rows);
        self.n_bytes = 0;
        self.decoder.batch(&self.query.schema, n_rows).map(Some)
    }
}
