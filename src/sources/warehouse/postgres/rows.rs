//! The rows of a query, as COPY sends them: cut into tuples and decoded into batches.
//! <https://www.postgresql.org/docs/16/sql-copy.html#id-1.9.3.55.9.4>

use std::ops::DerefMut;
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::{Buf, BytesMut};
use futures::{Stream, StreamExt};
use tokio_postgres::CopyOutStream;

use super::decode::Decoder;
use super::failure::{During, failure};
use super::session::PostgresConnect;
use crate::error::{Error, Result};
use crate::sources::warehouse::pool::{Lease, unexpected};
use crate::sources::warehouse::{KeptValues, Parts, RemoteQuery, Server};

/// The rows of a batch.
const BATCH_ROWS: usize = 8192;

/// The bytes of rows after which a batch ends, be it as small as it may.
const BATCH_BYTES: usize = 16 << 20;

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
    let copy = Copy {
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
    /// Dropped before the session, which is then given back.
    copied: Option<Pin<Box<CopyOutStream>>>,
    tuples: Tuples,
    lease: L,
    server: Arc<Server>,
    is_over: bool,
}

impl<L: DerefMut<Target = Lease<PostgresConnect>>> Copy<L> {
    /// The next rows; `None` behind the last.
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while !self.is_over && !self.tuples.is_full() {
            let Some(copied) = &mut self.copied else {
                break;
            };
            match copied.next().await {
                Some(Ok(bytes)) => self.tuples.take(&bytes)?,
                Some(Err(cause)) => return Err(failure(&self.server, During::Session, &cause)),
                None if self.tuples.has_ended => self.go_on().await?,
                None => return Err(unexpected(&self.server, "rows without an end")),
            }
        }
        self.tuples.batch()
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

/// The fields of a tuple, `None` for the end, and the bytes it had.
type Cut<'a> = (Option<&'a [u8]>, usize);

/// Cuts what is sent into tuples: messages may end anywhere.
struct Tuples {
    query: Arc<RemoteQuery>,
    decoder: Decoder,
    /// What is not decoded yet.
    left: BytesMut,
    has_begun: bool,
    has_ended: bool,
    n_rows: usize,
    n_bytes: usize,
}

impl Tuples {
    fn new(query: &Arc<RemoteQuery>, kept: KeptValues) -> Result<Self> {
        Ok(Self {
            decoder: Decoder::new(query, kept)?,
            query: Arc::clone(query),
            left: BytesMut::new(),
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

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.n_bytes += bytes.len();
        // A message mostly is one tuple, or the head of all and one.
        if self.left.is_empty() && self.has_begun {
            let n_read = self.decode(bytes)?;
            self.left.extend_from_slice(&bytes[n_read..]);
            return Ok(());
        }
        self.left.extend_from_slice(bytes);
        if !self.has_begun && !self.skip_head()? {
            return Ok(());
        }
        let left = std::mem::take(&mut self.left);
        let n_read = self.decode(&left)?;
        self.left.extend_from_slice(&left[n_read..]);
        Ok(())
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
        self.left.advance(fixed);
        self.has_begun = true;
        Ok(true)
    }

    /// Decodes whole tuples; how many bytes they had.
    fn decode(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut n_read = 0;
        while !self.has_ended {
            let Some((tuple, n_bytes)) = self.tuple(&bytes[n_read..])? else {
                break;
            };
            match tuple {
                Some(fields) => {
                    self.decoder.row(fields)?;
                    self.n_rows += 1;
                }
                None => self.has_ended = true,
            }
            n_read += n_bytes;
        }
        Ok(n_read)
    }

    /// The fields of the first tuple, if all of it is there, `None` for the end; and its bytes.
    fn tuple<'a>(&self, bytes: &'a [u8]) -> Result<Option<Cut<'a>>> {
        let Some(mut left) = bytes.get(2..) else {
            return Ok(None);
        };
        let n_fields = i16::from_be_bytes([bytes[0], bytes[1]]);
        if n_fields == -1 {
            return Ok(Some((None, 2)));
        }
        // Where no column is wanted, each row is one NULL.
        let expected = self.query.columns.len().max(1);
        if usize::try_from(n_fields) != Ok(expected) {
            return Err(self.damaged());
        }
        let start = left;
        for _ in 0..expected {
            if left.len() < 4 {
                return Ok(None);
            }
            let length = left.get_i32();
            let length = usize::try_from(length).unwrap_or(0);
            match left.get(length..) {
                Some(rest) => left = rest,
                None => return Ok(None),
            }
        }
        let n_bytes = start.len() - left.len();
        Ok(Some((Some(&start[..n_bytes]), 2 + n_bytes)))
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
