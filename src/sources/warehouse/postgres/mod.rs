//! PostgreSQL as a source: read by `COPY ... TO STDOUT (FORMAT binary)`, in transactions that write
//! nothing and see one snapshot.

mod columns;
mod decode;
mod encrypted;
mod failure;
mod fields;
mod introspect;
mod numeric;
mod rows;
mod session;
mod tapped;
mod types;
mod version;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use datafusion::execution::memory_pool::MemoryPool;
use futures::StreamExt;
use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::SimpleQueryMessage;

use super::condition::Dialect;
use super::pool::{self, lost, unexpected};
use super::quote::literal;
use super::relation::RemoteRelation;
use super::{
    ForeignTable, KeptValues, Options, RemoteQuery, RemoteSnapshot, RemoteTable, Rows, Server,
    Surroundings, WarehouseSource, missing,
};
use crate::error::Result;
use failure::{During, failure};
use session::PostgresConnect;

/// Begins to read at one moment, which lasts as long as the transaction.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

type Pool = pool::Pool<PostgresConnect>;
type Lease = pool::Lease<PostgresConnect>;

/// A database of PostgreSQL, as one of its users.
#[derive(Debug)]
pub(super) struct PostgresSource {
    pool: Arc<Pool>,
    kept: KeptValues,
    /// Whether the server tells what a token needs.
    is_told: OnceCell<bool>,
}

impl PostgresSource {
    /// A source that has connected to nobody yet.
    ///
    /// # Errors
    /// The certificates of its options cannot be read.
    pub(super) fn new(
        server: &Arc<Server>,
        mapping: &Options,
        surroundings: &Surroundings,
    ) -> Result<Arc<Self>> {
        let connect = PostgresConnect::new(server, mapping, &surroundings.secrets)?;
        Ok(Arc::new(Self {
            pool: Pool::new(connect),
            kept: surroundings.kept,
            is_told: OnceCell::new(),
        }))
    }
}

#[async_trait]
impl WarehouseSource for PostgresSource {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn tables(&self, schema: &str) -> Result<Option<Vec<RemoteTable>>> {
        let mut lease = self.pool.lease(BEGIN).await?;
        let found = introspect::tables(&lease.session().client, schema).await;
        let found = found.map_err(|cause| failure(self.pool.server(), During::Session, &cause))?;
        lease.clean();
        Ok(found)
    }

    async fn begin(self: Arc<Self>, is_lasting: bool) -> Result<Arc<dyn RemoteSnapshot>> {
        let first = self.pool.lease(BEGIN).await?;
        Ok(Arc::new(Snapshot {
            source: self,
            first: Arc::new(Mutex::new(first)),
            exported: OnceCell::new(),
            token: OnceCell::new(),
            n_queries: AtomicUsize::new(0),
            is_lasting,
        }))
    }
}

/// One snapshot: that of the transaction in the first session. Other sessions import it, where more
/// than one query reads it.
#[derive(Debug)]
struct Snapshot {
    source: Arc<PostgresSource>,
    first: Arc<Mutex<Lease>>,
    /// The name under which others import it.
    exported: OnceCell<String>,
    /// What tells it from all others.
    token: OnceCell<Option<String>>,
    n_queries: AtomicUsize,
    is_lasting: bool,
}

impl Snapshot {
    fn server(&self) -> &Arc<Server> {
        self.source.pool.server()
    }

    fn failed(&self, cause: &tokio_postgres::Error) -> crate::error::Error {
        failure(self.server(), During::Session, cause)
    }

    /// A session of its own that sees the snapshot.
    async fn another(&self) -> Result<Lease> {
        self.source.pool.lease(&self.begin_another().await?).await
    }

    /// What begins a transaction that sees the snapshot.
    async fn begin_another(&self) -> Result<String> {
        let name = self.exported.get_or_try_init(|| self.export()).await?;
        let name = literal(name);
        Ok(format!("{BEGIN}; SET TRANSACTION SNAPSHOT {name}"))
    }

    async fn token(&self, client: &tokio_postgres::Client) -> Result<Option<&str>> {
        let is_told = self.source.is_told.get_or_try_init(|| async {
            let is_told = version::is_told(client).await;
            is_told.map_err(|cause| self.failed(&cause))
        });
        if !*is_told.await? {
            return Ok(None);
        }
        let token = self.token.get_or_try_init(|| async {
            let token = version::token(client).await;
            token.map_err(|cause| self.failed(&cause))
        });
        token.await.map(Option::as_deref)
    }

    async fn export(&self) -> Result<String> {
        let mut first = self.first.lock().await;
        if !first.is_clean() {
            return Err(lost(self.server(), "its first session was given up"));
        }
        let export = "SELECT pg_catalog.pg_export_snapshot()";
        let said = first.session().client.simple_query(export).await;
        let said = said.map_err(|cause| self.failed(&cause))?;
        first.clean();
        let name = said.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        let name = name.ok_or_else(|| unexpected(self.server(), "no name of a snapshot"))?;
        Ok(name.to_owned())
    }
}

#[async_trait]
impl RemoteSnapshot for Snapshot {
    async fn describe(&self, table: &ForeignTable) -> Result<RemoteRelation> {
        let mut first = self.first.lock().await;
        let found = introspect::describe(&first.session().client, table).await;
        let found = found.map_err(|cause| self.failed(&cause))?;
        first.clean();
        found.ok_or_else(|| missing(table))
    }

    async fn version(
        &self,
        table: &ForeignTable,
        relation: &RemoteRelation,
    ) -> Result<Option<blake3::Hash>> {
        if relation.depends {
            return Ok(None);
        }
        let mut first = self.first.lock().await;
        let client = &first.session().client;
        let mut told = None;
        if let Some(token) = self.token(client).await? {
            let number = version::told_table(client, table).await;
            let number = number.map_err(|cause| self.failed(&cause))?;
            told = number.map(|number| blake3::hash(format!("{token} {number}").as_bytes()));
        }
        first.clean();
        Ok(told)
    }

    fn expect_query(&self) {
        self.n_queries.fetch_add(1, Ordering::Relaxed);
    }

    async fn read(&self, query: &Arc<RemoteQuery>, _: &Arc<dyn MemoryPool>) -> Result<Rows> {
        let kept = self.source.kept;
        if self.is_lasting || self.n_queries.load(Ordering::Relaxed) > 1 {
            let lease = Box::new(self.another().await?);
            return rows::read(lease, query, kept).await.map(StreamExt::boxed);
        }
        let lease = Arc::clone(&self.first).lock_owned().await;
        rows::read(lease, query, kept).await.map(StreamExt::boxed)
    }

    async fn read_beside(&self, query: &Arc<RemoteQuery>) -> Result<Option<Rows>> {
        let begin = self.begin_another().await?;
        let Some(lease) = self.source.pool.lease_beside(&begin).await? else {
            return Ok(None);
        };
        let rows = rows::read(Box::new(lease), query, self.source.kept).await?;
        Ok(Some(rows.boxed()))
    }
}
