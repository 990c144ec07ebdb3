//! Reads a query of SQLite on a thread, a few batches ahead of who wants them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::Stream;
use rusqlite::{Connection, InterruptHandle};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::decode::Column;
use super::failed;
use crate::error::Result;
use crate::sources::warehouse::batch::of_columns;
use crate::sources::warehouse::{KeptValues, RemoteQuery, Server};

/// The rows of a batch.
const BATCH_ROWS: usize = 8192;

/// Batches that are read ahead.
const BATCHES_AHEAD: usize = 2;

/// Begins to read a query in a transaction that has begun. The thread ends, and gives its place
/// back, once nobody wants more rows.
pub(super) fn read(
    connection: Connection,
    query: &Arc<RemoteQuery>,
    kept: KeptValues,
    (server, place): (Arc<Server>, OwnedSemaphorePermit),
) -> impl Stream<Item = Result<RecordBatch>> + Send + use<> {
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    let stop = Stop(connection.get_interrupt_handle());
    let query = Arc::clone(query);
    let reading = Handle::current().spawn_blocking(move || {
        let _place = place;
        if let Err(error) = send(&connection, &query, kept, &server, &sender) {
            // Nobody hears it who has gone.
            drop(sender.blocking_send(Err(error)));
        }
    });
    let reading = Reading {
        receiver,
        _thread: AbortOnDropHandle::new(reading),
        _stop: stop,
    };
    futures::stream::unfold(reading, |mut reading| async move {
        let batch = reading.receiver.recv().await?;
        Some((batch, reading))
    })
}

/// What holds a thread.
struct Reading {
    receiver: mpsc::Receiver<Result<RecordBatch>>,
    _thread: AbortOnDropHandle<()>,
    _stop: Stop,
}

/// Stops a query when it is dropped.
struct Stop(InterruptHandle);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.interrupt();
    }
}

/// Sends the rows of a query, until nobody takes them.
fn send(
    connection: &Connection,
    query: &RemoteQuery,
    kept: KeptValues,
    server: &Server,
    sender: &mpsc::Sender<Result<RecordBatch>>,
) -> Result<()> {
    let failed = |cause: rusqlite::Error| failed(server, &cause);
    let mut columns = Vec::with_capacity(query.columns.len());
    for column in &query.columns {
        columns.push(Column::new(column, kept)?);
    }
    let mut statement = connection.prepare(&query.sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let (mut n_rows, mut n_read) = (0, 0);
    loop {
        let row = rows.next().map_err(failed)?;
        let is_last = row.is_none();
        if let Some(row) = row {
            n_read += 1;
            n_rows += 1;
            for (number, column) in columns.iter_mut().enumerate() {
                let value = row.get_ref(number).map_err(failed)?;
                column.push(value, n_read, &query.table)?;
            }
        }
        if n_rows == BATCH_ROWS || (is_last && n_rows > 0) {
            let made = columns.iter_mut().map(Column::finish).collect();
            let batch = of_columns(&query.schema, made, n_rows);
            n_rows = 0;
            if sender.blocking_send(batch).is_err() {
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
    }
}
