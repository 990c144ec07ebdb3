//! Warehouses: tables of other databases, read beside the lake. A [`Server`] says where they are,
//! and a [`ForeignTable`] which; each kind of server is one source behind [`WarehouseSource`].

mod aggregate;
mod batch;
mod condition;
mod constant;
mod joined;
mod kept_for;
mod keys;
mod lake;
mod mapping;
mod mysql;
mod part;
mod pool;
mod postgres;
mod provider;
mod quote;
mod ranges;
mod reading;
mod relation;
mod scan;
mod selection;
mod sent_whole;
mod server;
mod socket;
mod sqlite;
mod tls;
mod told;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::execution::memory_pool::MemoryPool;
use futures::stream::BoxStream;

pub use reading::Reading;
pub use relation::{ForeignTable, RemoteName};
pub use scan::ForeignScan;
pub use sent_whole::SentWhole;
pub use server::{Options, OptionsOf, Server, Wrapper, is_secret};
pub use told::{RemoteKey, RemoteKeyKind, RemoteTable, Told};

use super::{PinnedTable, Version};
use crate::config::Secrets;
use crate::error::{Error, Result};
use condition::Dialect;
use kept_for::Terms;
use provider::Foreign;
use ranges::Ranges;
use relation::{RemoteColumn, RemoteRelation};
use selection::Selection;

/// Rows of a source, as they come.
type Rows = BoxStream<'static, Result<RecordBatch>>;

/// A database whose tables can be read.
#[async_trait]
trait WarehouseSource: fmt::Debug + Send + Sync {
    /// What it speaks.
    fn dialect(&self) -> Dialect;

    /// The tables, views and their kind of a schema, by name, with what is told of them; `None` if it has no such schema.
    ///
    /// # Errors
    /// `Remote`: it cannot be reached.
    async fn tables(&self, schema: &str) -> Result<Option<Vec<RemoteTable>>>;

    /// Begins to read it, at one moment. `is_lasting` if that is for more than one statement.
    ///
    /// # Errors
    /// As [`Self::tables`].
    async fn begin(self: Arc<Self>, is_lasting: bool) -> Result<Arc<dyn RemoteSnapshot>>;
}

/// A source at one moment, whatever becomes of it meanwhile.
#[async_trait]
trait RemoteSnapshot: fmt::Debug + Send + Sync {
    /// A table's columns.
    ///
    /// # Errors
    /// `UndefinedTable`: it is not there any more; a column of it cannot be read.
    async fn describe(&self, table: &ForeignTable) -> Result<RemoteRelation>;

    /// What tells a table's rows in this snapshot from all others that it had, has or will have:
    /// equal ones mean equal rows, always. `None` where nothing is known to.
    ///
    /// # Errors
    /// As the source says.
    async fn version(
        &self,
        _table: &ForeignTable,
        _relation: &RemoteRelation,
    ) -> Result<Option<blake3::Hash>> {
        Ok(None)
    }

    /// Says that there will be one more query, before the first of them is read.
    fn expect_query(&self);

    /// Reads a query. It is stopped when its rows are dropped. Rows that have to wait here are
    /// counted in `memory`. Cancel safe.
    ///
    /// # Errors
    /// As the source says.
    async fn read(&self, query: &Arc<RemoteQuery>, memory: &Arc<dyn MemoryPool>) -> Result<Rows>;

    /// As [`Self::read`], if a connection is free that nobody else will need; `None` otherwise.
    ///
    /// # Errors
    /// The same.
    async fn read_beside(&self, _query: &Arc<RemoteQuery>) -> Result<Option<Rows>> {
        Ok(None)
    }
}

/// A query that a source answers.
#[derive(Debug)]
struct RemoteQuery {
    /// As it is sent.
    sql: String,
    /// What is selected.
    columns: Vec<RemoteColumn>,
    /// The columns of the rows that it becomes.
    schema: SchemaRef,
    /// The table, for messages.
    table: String,
    /// Its parts, where they are read one by one.
    parts: Option<Parts>,
}

/// A query of a table in parts.
#[derive(Debug)]
struct Parts {
    selection: Selection,
    ranges: Arc<Ranges>,
}

impl Parts {
    /// The query of the next part.
    fn next(&self) -> Option<String> {
        let range = self.ranges.next()?;
        Some(self.selection.sql(&[range.to_owned()]))
    }
}

impl RemoteQuery {
    /// The same, part by part.
    fn in_parts(&self, selection: &Selection, ranges: &Arc<Ranges>) -> Self {
        let parts = Parts {
            selection: selection.clone(),
            ranges: Arc::clone(ranges),
        };
        Self {
            parts: Some(parts),
            ..self.saying(self.sql.clone())
        }
    }

    /// The same, said otherwise.
    fn saying(&self, sql: String) -> Self {
        Self {
            sql,
            columns: self.columns.clone(),
            schema: Arc::clone(&self.schema),
            table: self.table.clone(),
            parts: None,
        }
    }
}

/// Makes the bytes of a value that Arrow has no type for. The room of such values gives it.
#[derive(Clone, Copy)]
pub struct KeptValues {
    /// From PostgreSQL's binary form, and the OID of its type.
    pub receive: fn(&[u8], u32) -> Result<Vec<u8>>,
    /// Those of a numeric from its digits.
    pub numeric: fn(&str) -> Result<Vec<u8>>,
}

impl fmt::Debug for KeptValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptValues")
    }
}

/// What all sources need.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Where references to secrets lead.
    pub secrets: Secrets,
    /// The folder below which relative paths of files lie; `None` if the lake is not local.
    pub folder: Option<PathBuf>,
    /// Credentials and endpoints of the gateway itself, for lakes that say none.
    pub store_options: BTreeMap<String, String>,
    /// Values that Arrow lacks.
    pub kept: KeptValues,
}

/// A server as it is asked as one role. Equal ones share their connections.
type SourceKey = (Arc<Server>, Option<String>);

/// The servers that are read, and their connections.
#[derive(Debug)]
pub struct Warehouse {
    surroundings: Surroundings,
    /// Of servers whose options have answers kept for a time.
    terms: Terms,
    sources: Mutex<HashMap<SourceKey, Arc<dyn WarehouseSource>>>,
}

impl Warehouse {
    /// A warehouse that has asked no server yet.
    pub fn new(surroundings: Surroundings) -> Self {
        Self {
            surroundings,
            terms: Terms::default(),
            sources: Mutex::default(),
        }
    }

    /// The tables of a server's schema; `None` if it has no such schema.
    ///
    /// # Errors
    /// `Remote`: the server cannot be reached; `UndefinedObject`: nobody is
    /// mapped to it.
    pub async fn tables(
        &self,
        server: &Arc<Server>,
        schema: &str,
    ) -> Result<Option<Vec<RemoteTable>>> {
        let role = server.mapping_for_names()?;
        self.source(server, role)?.tables(schema).await
    }

    /// Pins a table to what `reading` sees of its server, asked as the mapping of `role`
    /// ([`Server::mapping_for`]) says. With `pushes_down`, conditions are judged by the source.
    ///
    /// # Errors
    /// As [`Self::tables`]; the table is not there, or a column of it cannot be read.
    pub async fn pin(
        &self,
        table: &Arc<ForeignTable>,
        role: Option<&str>,
        reading: &Reading,
        pushes_down: bool,
    ) -> Result<PinnedTable> {
        if table.server.wrapper == Wrapper::Lake {
            return Err(missing(table));
        }
        let source = self.source(&table.server, role.map(str::to_owned))?;
        let dialect = source.dialect();
        let begin = source.begin(reading.is_lasting);
        let name = table.server.name.as_str();
        let snapshot = reading.snapshot(name, role, begin).await?;
        let relation = snapshot.describe(table).await?;
        let told = snapshot.version(table, &relation).await?;
        // What a transaction sees is of one moment, of which no clock tells.
        let term = (told.is_none() && !reading.is_lasting)
            .then(|| self.terms.current(&table.server))
            .flatten();
        let read_as = |of: blake3::Hash| kept_for::read_as(of, table, role, &relation);
        Ok(PinnedTable {
            version: told.map_or(Version::None, |told| Version::Token(*told.as_bytes())),
            digest: told.or(term).map(read_as),
            identity: None,
            changed: None,
            size: relation.size,
            provider: Arc::new(Foreign::new(
                table,
                relation,
                snapshot,
                pushes_down.then_some(dialect),
            )),
        })
    }

    /// Forgets the servers that are not defined any more, and with them their connections.
    pub fn keep_only(&self, is_defined: impl Fn(&Server) -> bool) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|(server, _), _| is_defined(server));
    }

    /// A server's source. A server that is defined anew is another, and the former goes once
    /// nothing is read of it.
    fn source(
        &self,
        server: &Arc<Server>,
        role: Option<String>,
    ) -> Result<Arc<dyn WarehouseSource>> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::clone(server), role);
        if let Some(known) = sources.get(&key) {
            return Ok(Arc::clone(known));
        }
        sources.retain(|(known, _), _| known.name != server.name || known == server);
        let mapping = server.mapping(key.1.as_deref());
        let made: Arc<dyn WarehouseSource> = match server.wrapper {
            // It is read as the gateway's own lake is.
            Wrapper::Lake => return Err(Error::unsupported("a lake as a warehouse")),
            Wrapper::Postgres => {
                postgres::PostgresSource::new(server, &mapping, &self.surroundings)?
            }
            Wrapper::Mysql => mysql::MysqlSource::new(server, &mapping, &self.surroundings)?,
            Wrapper::Sqlite => sqlite::SqliteSource::new(server, &self.surroundings)?,
        };
        sources.insert(key, Arc::clone(&made));
        Ok(made)
    }
}

/// A relation that is not at its source.
fn missing(table: &ForeignTable) -> Error {
    let RemoteName {
        schema,
        table: name,
    } = &table.remote;
    let message = format!("relation \"{schema}.{name}\" does not exist");
    Error::new(crate::error::ErrorKind::UndefinedTable, message).with_detail(format!(
        "Server \"{}\" has none of this name, or it may not be read there.",
        table.server.name
    ))
}
