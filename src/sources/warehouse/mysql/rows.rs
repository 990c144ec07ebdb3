//! The rows of a query, decoded into batches. One session has the snapshot, and answers one query
//! at a time: whoever waits for it lets the one before run ahead, to its end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::{Stream, StreamExt};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use super::decode::Decoder;
use super::failure::{Cause, failure};
use super::session::{MysqlConnect, Session};
use super::{Lease, Pool};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::warehouse::RemoteQuery;
use crate::sources::warehouse::pool::{CLEANING_MAX, lost};

/// The rows of a batch.
const BATCH_ROWS: usize = 8192;

/// The bytes of rows after which a batch ends, be it as small as it may.
const BATCH_BYTES: usize = 16 << 20;

/// Batches that are read ahead, unless somebody waits for the session.
const BATCHES_AHEAD: usize = 2;

/// How long a query that nobody wants may take to end by itself, before the server is told.
const ENDING: Duration = Duration::from_millis(20);

/// A session that is used by one after the other.
#[derive(Debug)]
pub(super) struct Turns {
    lease: Arc<tokio::sync::Mutex<Lease>>,
    /// The room for batches of the query that runs; closed, it may run ahead.
    running: Mutex<Option<Arc<Semaphore>>>,
    n_waiting: AtomicUsize,
}

/// Somebody who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Turns {
    pub(super) fn new(lease: Lease) -> Self {
        Self {
            lease: Arc::new(tokio::sync::Mutex::new(lease)),
            running: Mutex::default(),
            n_waiting: AtomicUsize::new(0),
        }
    }

    /// The session, once nothing is under way in it. Cancel safe.
    ///
    /// # Errors
    /// `Remote`: it was given up.
    pub(super) async fn take(&self) -> Result<OwnedMutexGuard<Lease>> {
        self.n_waiting.fetch_add(1, Ordering::SeqCst);
        let waiting = Waiting(&self.n_waiting);
        if let Some(room) = self.running().as_ref() {
            room.close();
        }
        let lease = Arc::clone(&self.lease).lock_owned().await;
        drop(waiting);
        match lease.is_clean() {
            true => Ok(lease),
            false => Err(lost(lease.server(), "its session was given up")),
        }
    }

    /// The room for the batches of a query that begins.
    fn room(&self) -> Arc<Semaphore> {
        let room = Arc::new(Semaphore::new(BATCHES_AHEAD));
        *self.running() = Some(Arc::clone(&room));
        if self.n_waiting.load(Ordering::SeqCst) > 0 {
            room.close();
        }
        room
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Arc<Semaphore>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch that waits to be wanted, or why there is none, and the place that it takes.
struct Ready {
    batch: Result<RecordBatch>,
    _room: Option<OwnedSemaphorePermit>,
    _memory: Option<MemoryReservation>,
}

/// Begins to read a query in its turn. Given up before its last row, what the server does for it is
/// stopped, and the session is of use again.
///
/// # Errors
/// As [`Turns::take`]; a fault of ours.
pub(super) async fn read(
    turns: &Turns,
    pool: &Arc<Pool>,
    query: &Arc<RemoteQuery>,
    memory: &Arc<dyn MemoryPool>,
) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + use<>> {
    let decoder = Decoder::new(query)?;
    let lease = turns.take().await?;
    let (sender, receiver) = mpsc::unbounded_channel();
    let reading = Reading {
        query: Arc::clone(query),
        decoder,
        sender,
        room: turns.room(),
        memory: MemoryConsumer::new("foreign rows").register(memory),
    };
    pool.track(reading.run(lease, Arc::clone(pool)));
    Ok(futures::stream::unfold(receiver, |mut receiver| async {
        let ready: Ready = receiver.recv().await?;
        Some((ready.batch, receiver))
    })
    .fuse())
}

/// A query that is read.
struct Reading {
    query: Arc<RemoteQuery>,
    decoder: Decoder,
    sender: mpsc::UnboundedSender<Ready>,
    room: Arc<Semaphore>,
    memory: MemoryReservation,
}

impl Reading {
    async fn run(mut self, mut lease: OwnedMutexGuard<Lease>, pool: Arc<Pool>) {
        let sender = self.sender.clone();
        let session = lease.session();
        let read = tokio::select! {
            biased;
            () = sender.closed() => None,
            read = self.read(session) => Some(read),
        };
        let is_clean = match read {
            Some(Ok(())) => true,
            Some(Err(cause)) => {
                // The server goes on where it was only the query that failed.
                let is_said = matches!(cause, Cause::Said(_));
                let batch = Err(failure(pool.server(), cause));
                // Nobody hears it who has gone.
                drop(sender.send(Ready {
                    batch,
                    _room: None,
                    _memory: None,
                }));
                is_said || stopped(session, &pool.connect).await
            }
            None => stopped(session, &pool.connect).await,
        };
        if is_clean {
            lease.clean();
        }
    }

    /// Reads all rows, as far ahead as there is room.
    async fn read(&mut self, session: &mut Session) -> Result<(), Cause> {
        let expected = self.query.columns.len().max(1);
        let types = session.query(&self.query.sql).await?.unwrap_or_default();
        if types.len() != expected {
            return Err(super::packet::damaged("other columns than it was asked for").into());
        }
        self.decoder.check(&types).map_err(Cause::Refused)?;
        loop {
            let batch = self.next_batch(session).await?;
            let Some(batch) = batch else {
                return Ok(());
            };
            let room = Arc::clone(&self.room).acquire_owned().await.ok();
            let memory = match room {
                Some(_) => None,
                None => Some(self.reserved(&batch).map_err(Cause::Refused)?),
            };
            let ready = Ready {
                batch: Ok(batch),
                _room: room,
                _memory: memory,
            };
            // That nobody is there any more is noticed elsewhere.
            drop(self.sender.send(ready));
        }
    }

    async fn next_batch(&mut self, session: &mut Session) -> Result<Option<RecordBatch>, Cause> {
        let (mut n_rows, mut n_bytes) = (0, 0);
        while n_rows < BATCH_ROWS && n_bytes < BATCH_BYTES {
            let Some(row) = session.row().await? else {
                break;
            };
            n_bytes += row.len();
            n_rows += 1;
            self.decoder.row(&row).map_err(Cause::Refused)?;
        }
        if n_rows == 0 {
            return Ok(None);
        }
        let batch = self.decoder.batch(&self.query.schema, n_rows);
        batch.map(Some).map_err(Cause::Refused)
    }

    /// The memory of a batch that has to wait here.
    fn reserved(&self, batch: &RecordBatch) -> Result<MemoryReservation> {
        let memory = self.memory.new_empty();
        match memory.try_grow(batch.get_array_memory_size()) {
            Ok(()) => Ok(memory),
            Err(_) => {
                let table = &self.query.table;
                let message = format!("out of memory while the rows of \"{table}\" wait");
                Err(Error::new(ErrorKind::OutOfMemory, message)
                    .with_detail("A server of MySQL shows one moment to one query at a time.")
                    .with_hint("Read less of it in one statement, or allow more memory."))
            }
        }
    }
}

/// Ends a query of which nothing is wanted any more; whether the session is of use again.
async fn stopped(session: &mut Session, connect: &MysqlConnect) -> bool {
    if let Ok(Ok(())) = timeout(ENDING, session.skip()).await {
        return true;
    }
    let stopping = async {
        connect.kill("QUERY", session.connection()).await.ok()?;
        match session.skip().await {
            Ok(()) | Err(Cause::Said(_)) => {}
            Err(_) => return None,
        }
        // Where the query had ended by itself, the next one may be stopped in its place.
        match session.run("DO 0").await {
            Ok(()) | Err(Cause::Said(_)) => Some(()),
            Err(_) => None,
        }
    };
    matches!(timeout(CLEANING_MAX, stopping).await, Ok(Some(())))
}
