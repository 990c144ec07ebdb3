//! SQLite as a source: a file, read on threads of its own, so many at a time.

mod affinity;
mod decode;
mod listed;
mod read;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::execution::memory_pool::MemoryPool;
use futures::StreamExt;
use rusqlite::{Connection, OpenFlags};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::condition::Dialect;
use super::quote::identifier;
use super::relation::{Comparable, RemoteColumn, RemoteRelation};
use super::{
    ForeignTable, KeptValues, RemoteQuery, RemoteSnapshot, RemoteTable, Rows, Server, Surroundings,
    WarehouseSource, missing,
};
use crate::error::{Error, ErrorKind, Remote, Result};
use crate::sources::Size;
use watched::{State, Watched};

/// The only schema of a file.
const MAIN: &str = "main";

/// The encoding of texts that are compared as ours are.
const UTF_8: &str = "UTF-8";

/// Threads that read one file at a time.
const READERS_MAX: usize = 8;

/// How long is waited for a writer to end.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// A file of SQLite.
#[derive(Debug)]
pub(super) struct SqliteSource {
    server: Arc<Server>,
    path: PathBuf,
    kept: KeptValues,
    readers: Arc<Semaphore>,
    watched: Mutex<Option<Watched>>,
}

impl SqliteSource {
    /// A source that has opened nothing yet.
    ///
    /// # Errors
    /// `InvalidParameterValue`: its path is relative to a lake that is no folder.
    pub(super) fn new(server: &Arc<Server>, surroundings: &Surroundings) -> Result<Arc<Self>> {
        let path = PathBuf::from(server.option("database").unwrap_or_default());
        let path = match &surroundings.folder {
            Some(folder) => folder.join(path),
            None if path.is_absolute() => path,
            None => {
                let message = format!(
                    "the path of server \"{}\" is relative, and the lake is no folder of this machine",
                    server.name
                );
                return Err(Error::new(ErrorKind::InvalidParameterValue, message));
            }
        };
        Ok(Arc::new(Self {
            server: Arc::clone(server),
            path,
            kept: surroundings.kept,
            readers: Arc::new(Semaphore::new(READERS_MAX)),
            watched: Mutex::default(),
        }))
    }

    fn open(&self) -> Result<Connection> {
        open(&self.server, &self.path)
    }

    /// A place among the threads that read.
    async fn place(&self) -> Result<OwnedSemaphorePermit> {
        let waiting = Arc::clone(&self.readers).acquire_owned();
        match timeout(self.server.connect_timeout(), waiting).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(self.server.unavailable("All threads that may read it do.")),
        }
    }

    /// A failure of the file.
    fn failed(&self, cause: &rusqlite::Error) -> Error {
        failed(&self.server, cause)
    }
}

fn open(server: &Server, path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(BUSY_MAX)?;
        // Opening reads nothing yet: a file of another kind is found out now.
        connection.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
        Ok(connection)
    });
    opened.map_err(|cause| server.unavailable(format!("File \"{}\": {cause}.", path.display())))
}

fn failed(server: &Server, cause: &rusqlite::Error) -> Error {
    let message = format!("server \"{}\": {cause}", server.name);
    let kind = match cause.sqlite_error_code() {
        Some(rusqlite::ErrorCode::OperationInterrupted) => ErrorKind::QueryCanceled,
        Some(
            rusqlite::ErrorCode::CannotOpen
            | rusqlite::ErrorCode::SystemIoFailure
            | rusqlite::ErrorCode::DatabaseBusy,
        ) => ErrorKind::Remote(Remote::Lost),
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            ErrorKind::DataCorrupted
        }
        _ => ErrorKind::Remote(Remote::Failed),
    };
    Error::new(kind, message)
}

/// Runs what blocks on a thread for such.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let task = AbortOnDropHandle::new(Handle::current().spawn_blocking(work));
    task.await.map_err(Error::internal)?
}

#[async_trait]
impl WarehouseSource for SqliteSource {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn tables(&self, schema: &str) -> Result<Option<Vec<RemoteTable>>> {
        if schema != MAIN {
            return Ok(None);
        }
        let place = self.place().await?;
        let (server, path) = (Arc::clone(&self.server), self.path.clone());
        blocking(move || {
            let _place = place;
            let connection = open(&server, &path)?;
            let tables = listed::tables(&connection).map_err(|cause| failed(&server, &cause))?;
            Ok(Some(tables))
        })
        .await
    }

    async fn begin(self: Arc<Self>, is_lasting: bool) -> Result<Arc<dyn RemoteSnapshot>> {
        blocking(move || {
            let snapshot = Snapshot::begin(self, is_lasting)?;
            Ok(Arc::new(snapshot) as Arc<dyn RemoteSnapshot>)
        })
        .await
    }
}

/// Grows for this connection when another one has committed.
/// <https://www.sqlite.org/pragma.html#pragma_data_version>
fn data_version(watched: &Connection) -> rusqlite::Result<i64> {
    watched.query_row("PRAGMA data_version", [], |row| row.get(0))
}

/// How often a file is looked at that is written to meanwhile.
const LOOKS_MAX: usize = 5;

/// A file that must not change where more than one query reads it: each reads in a transaction of
/// its own, which begins while the kept connection has seen no change.
#[derive(Debug)]
struct Snapshot {
    source: Arc<SqliteSource>,
    watched: Watched,
    /// What `watched` saw first.
    version: i64,
    /// A transaction that sees the file as `told` tells, for the first who reads. A transaction of
    /// ours that lasts keeps none: it would keep others from writing.
    held: Arc<Mutex<Option<Connection>>>,
    /// What tells the file as it is seen from all that it was or will be.
    told: Option<State>,
    n_queries: AtomicUsize,
    is_lasting: bool,
}

impl Snapshot {
    fn begin(source: Arc<SqliteSource>, is_lasting: bool) -> Result<Self> {
        let (server, path) = (&source.server, &source.path);
        let (mut version, mut held, mut told) = (0, None, None);
        let mut watched = Watched::of(&source.watched, server, path)?;
        for _ in 0..LOOKS_MAX {
            watched = Watched::of(&source.watched, server, path)?;
            let before = watched.state(server, path)?;
            let connection = source.open()?;
            begin(&connection).map_err(|cause| source.failed(&cause))?;
            let after = watched.state(server, path)?;
            // Where nothing changed while the transaction began, it sees what was told before.
            told = after.filter(|after| before.as_ref() == Some(after));
            held = (!is_lasting).then_some(connection);
            if let Some(told) = &told {
                version = told.data_version;
                break;
            }
            let seen = watched.connection.lock();
            let seen = seen.unwrap_or_else(PoisonError::into_inner);
            version = data_version(&seen).map_err(|cause| source.failed(&cause))?;
        }
        if told.is_none() {
            // Whoever reads first then begins as the others do.
            held = None;
        }
        Ok(Self {
            watched,
            version,
            held: Arc::new(Mutex::new(held)),
            told,
            n_queries: AtomicUsize::new(0),
            is_lasting,
            source,
        })
    }
}

#[async_trait]
impl RemoteSnapshot for Snapshot {
    async fn describe(&self, table: &ForeignTable) -> Result<RemoteRelation> {
        let (source, held) = (Arc::clone(&self.source), Arc::clone(&self.held));
        let watched = Arc::clone(&self.watched.connection);
        let name = table.remote.table.clone();
        let (columns, rows) = blocking(move || {
            let held = held.lock().unwrap_or_else(PoisonError::into_inner);
            let watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
            let connection = held.as_ref().unwrap_or(&watched);
            let found = columns(connection, &name)
                .and_then(|columns| Ok((columns, listed::n_rows(connection, &name)?)));
            found.map_err(|cause| source.failed(&cause))
        })
        .await?;
        if columns.is_empty() {
            return Err(missing(table));
        }
        Ok(RemoteRelation {
            sql: format!("{MAIN}.{}", identifier(&table.remote.table)),
            columns,
            size: Size { rows, bytes: 0 },
            ranges: Vec::new(),
            depends: false,
        })
    }

    async fn version(
        &self,
        table: &ForeignTable,
        _: &RemoteRelation,
    ) -> Result<Option<blake3::Hash>> {
        let told = self.told.as_ref();
        let name = &table.remote.table;
        // A view may ask for the time, and a virtual table is of what its module says.
        let is_stored = {
            let (source, held) = (Arc::clone(&self.source), Arc::clone(&self.held));
            let watched = Arc::clone(&self.watched.connection);
            let name = name.clone();
            blocking(move || {
                let held = held.lock().unwrap_or_else(PoisonError::into_inner);
                let watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
                is_stored(held.as_ref().unwrap_or(&watched), &name)
                    .map_err(|cause| source.failed(&cause))
            })
            .await?
        };
        let told = told.filter(|_| is_stored);
        Ok(told.map(|told| blake3::hash(format!("{told:?} {name:?}").as_bytes())))
    }

    fn expect_query(&self) {
        self.n_queries.fetch_add(1, Ordering::Relaxed);
    }

    async fn read(&self, query: &Arc<RemoteQuery>, _: &Arc<dyn MemoryPool>) -> Result<Rows> {
        let place = self.source.place().await?;
        let source = Arc::clone(&self.source);
        let is_one_of_many = self.is_lasting || self.n_queries.load(Ordering::Relaxed) > 1;
        let watched = Arc::clone(&self.watched.connection);
        let watched = is_one_of_many.then_some((watched, self.version));
        let held = Arc::clone(&self.held);
        let connection = blocking(move || {
            let held = held.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(connection) = held {
                return Ok(connection);
            }
            let connection = source.open()?;
            begin(&connection).map_err(|cause| source.failed(&cause))?;
            if let Some((watched, version)) = watched {
                let watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
                let now = data_version(&watched).map_err(|cause| source.failed(&cause))?;
                require_same(&source.server, now == version)?;
            }
            Ok(connection)
        })
        .await?;
        let server = Arc::clone(&self.source.server);
        let rows = read::read(connection, query, self.source.kept, (server, place));
        Ok(rows.boxed())
    }
}

/// Begins to see one state of the file.
fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN")?;
    connection.query_row("SELECT count(*) FROM main.sqlite_master", [], |_| Ok(()))
}

fn require_same(server: &Server, is_same: bool) -> Result<()> {
    if is_same {
        return Ok(());
    }
    let message = "could not serialize access due to concurrent update";
    let detail = format!("Server \"{}\" was written to meanwhile.", server.name);
    Err(Error::new(ErrorKind::SerializationFailure, message)
        .with_detail(detail)
        .with_hint("Try again."))
}

/// Whether a relation is a table whose rows are in the file, and nothing of it is computed.
fn is_stored(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let of_kind =
        "SELECT count(*) = 1 FROM pragma_table_list(?1) WHERE schema = 'main' AND type = 'table'";
    let is_table: bool = connection.query_row(of_kind, [table], |row| row.get(0))?;
    let computed = "SELECT count(*) FROM pragma_table_xinfo(?1, 'main') WHERE hidden IN (1, 2)";
    let n_computed: i64 = connection.query_row(computed, [table], |row| row.get(0))?;
    Ok(is_table && n_computed == 0)
}

/// The columns of a table or view, generated ones too; none if it is not there.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<RemoteColumn>> {
    let mut statement = connection.prepare(
        "SELECT name, type, \"notnull\" FROM pragma_table_xinfo(?1, 'main') WHERE hidden <> 1",
    )?;
    let encoding: String = connection.query_row("PRAGMA encoding", [], |row| row.get(0))?;
    let columns = statement.query_map([table], |row| {
        let (name, declared): (String, String) = (row.get(0)?, row.get(1)?);
        let is_not_null: bool = row.get(2)?;
        let column = affinity::column(&name, &declared, is_not_null);
        Ok(match column.comparable {
            // Bytes are compared as they are stored, whose order in UTF-16 is another.
            Comparable::Text { .. } if encoding != UTF_8 => RemoteColumn {
                comparable: Comparable::Never,
                ..column
            },
            _ => column,
        })
    })?;
    columns.collect()
}
