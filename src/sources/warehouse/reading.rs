//! What one statement, or one transaction that sees one moment, reads of servers: one snapshot of
//! each, as whoever it is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::RemoteSnapshot;
use crate::error::Result;

/// A server's name, and the role whose mapping is used.
type Key = (String, Option<String>);

/// The snapshot of one server, once it was begun.
type Begun = Arc<OnceCell<Arc<dyn RemoteSnapshot>>>;

/// The snapshots that are read. They end with it.
#[derive(Debug)]
pub struct Reading {
    begun: Mutex<HashMap<Key, Begun>>,
    /// Whether statements to come read them, too.
    pub(super) is_lasting: bool,
}

impl Reading {
    /// That of one statement.
    pub fn of_statement() -> Arc<Self> {
        Arc::new(Self {
            begun: Mutex::default(),
            is_lasting: false,
        })
    }

    /// That of a transaction that sees one moment.
    pub fn of_transaction() -> Arc<Self> {
        Arc::new(Self {
            begun: Mutex::default(),
            is_lasting: true,
        })
    }

    /// The snapshot of a server, which `begin` begins if nobody has.
    pub(super) async fn snapshot(
        &self,
        server: &str,
        role: Option<&str>,
        begin: impl Future<Output = Result<Arc<dyn RemoteSnapshot>>> + Send,
    ) -> Result<Arc<dyn RemoteSnapshot>> {
        let key = (server.to_owned(), role.map(str::to_owned));
        let begun = {
            let mut known = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(key).or_default())
        };
        begun.get_or_try_init(|| begin).await.map(Arc::clone)
    }
}
