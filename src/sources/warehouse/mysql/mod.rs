//! MySQL and MariaDB as a source: read in transactions that write nothing and see one snapshot, by
//! a protocol of texts, which are exact for every type.

mod decode;
mod failure;
mod introspect;
mod login;
mod moments;
mod packet;
mod rows;
mod session;
mod types;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::memory_pool::MemoryPool;
use futures::StreamExt;

use super::condition::Dialect;
use super::pool;
use super::relation::RemoteRelation;
use super::{
    ForeignTable, Options, RemoteQuery, RemoteSnapshot, RemoteTable, Rows, Server, Surroundings,
    WarehouseSource, missing,
};
use crate::error::Result;
use failure::failure;
use rows::Turns;
use session::MysqlConnect;

/// Begins to read at one moment, which lasts as long as the transaction.
const BEGIN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

type Pool = pool::Pool<MysqlConnect>;
type Lease = pool::Lease<MysqlConnect>;

/// A server of MySQL, as one of its users.
#[derive(Debug)]
pub(super) struct MysqlSource {
    pool: Arc<Pool>,
}

impl MysqlSource {
    /// A source that has connected to nobody yet.
    ///
    /// # Errors
    /// The certificates of its options cannot be read.
    pub(super) fn new(
        server: &Arc<Server>,
        mapping: &Options,
        surroundings: &Surroundings,
    ) -> Result<Arc<Self>> {
        let connect = MysqlConnect::new(server, mapping, &surroundings.secrets)?;
        Ok(Arc::new(Self {
            pool: Pool::new(connect),
        }))
    }
}

#[async_trait]
impl WarehouseSource for MysqlSource {
    fn dialect(&self) -> Dialect {
        Dialect::Mysql
    }

    async fn tables(&self, schema: &str) -> Result<Option<Vec<RemoteTable>>> {
        let mut lease = self.pool.lease(BEGIN).await?;
        let found = introspect::tables(lease.session(), schema).await;
        let found = found.map_err(|cause| failure(self.pool.server(), cause))?;
        lease.clean();
        Ok(found)
    }

    async fn begin(self: Arc<Self>, _: bool) -> Result<Arc<dyn RemoteSnapshot>> {
        let lease = self.pool.lease(BEGIN).await?;
        Ok(Arc::new(Snapshot {
            source: self,
            turns: Turns::new(lease),
        }))
    }
}

/// One snapshot: that of the transaction in the one session, which nobody else can be shown.
#[derive(Debug)]
struct Snapshot {
    source: Arc<MysqlSource>,
    turns: Turns,
}

#[async_trait]
impl RemoteSnapshot for Snapshot {
    async fn describe(&self, table: &ForeignTable) -> Result<RemoteRelation> {
        let mut lease = self.turns.take().await?;
        let found = introspect::describe(lease.session(), table).await;
        let found = found.map_err(|cause| failure(self.source.pool.server(), cause))?;
        lease.clean();
        found.ok_or_else(|| missing(table))
    }

    /// Queries take turns, however many there are.
    fn expect_query(&self) {}

    async fn read(&self, query: &Arc<RemoteQuery>, memory: &Arc<dyn MemoryPool>) -> Result<Rows> {
        let rows = rows::read(&self.turns, &self.source.pool, query, memory).await?;
        Ok(rows.boxed())
    }
}
