//! Opens what the last queries read, so that who asks next does not wait for it.

use std::collections::BTreeSet;

use futures::FutureExt;
use futures::stream::{self, StreamExt};

use super::Engine;
use crate::error::Result;

/// How many tables are opened at a time: queries that are asked meanwhile come first.
const OPENED_MAX: usize = 2;

impl Engine {
    /// Opens the tables that the remembered queries read, as far as they are still there; how many. What
    /// cannot be opened is left to those who ask for it. Cancel safe.
    ///
    /// # Errors
    /// The lake cannot be listed.
    pub async fn warm(&self) -> Result<usize> {
        let inner = std::sync::Arc::clone(&self.inner);
        let context = self.inner.own_context();
        let step = async move {
            let names: BTreeSet<String> = inner.history.tables_read();
            let snapshot = inner.catalog.refresh().await?;
            let relations = snapshot.schemas.values();
            let relations = relations.flat_map(|schema| schema.relations.values());
            let read = relations.filter_map(|relation| {
                let table = relation.table()?;
                let name = format!("{}.{}", relation.schema, relation.name);
                names.contains(&name).then(|| table.clone())
            });
            let lake = inner.catalog.lake();
            let opened = stream::iter(read.collect::<Vec<_>>())
                .map(|table| async move { lake.pin(&table, None).await.is_ok() })
                .buffer_unordered(OPENED_MAX)
                .filter(|is_open| std::future::ready(*is_open));
            Ok(opened.count().await)
        };
        self.on_query_runtime(&context, step.boxed()).await
    }
}
