//! Watches the views folder while the gateway serves, and keeps what is known of tables and what was asked in the
//! state folder.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::catalog::Catalog;
use crate::engine::{Engine, History};
use crate::error::Error;
use crate::storage::Folder;

/// How often the folder is looked at: one listing each time.
const PERIOD: Duration = Duration::from_secs(1);

/// Reads the folder whenever it changed, and plans what is new in it. Never ends by itself.
pub(super) async fn watch(
    engine: Arc<Engine>,
    catalog: Arc<Catalog>,
    (history, state): (Arc<History>, Folder),
    is_warmed: bool,
) {
    if let Err(error) = history.recall(&state).await {
        tracing::warn!(%error, "what was asked before cannot be read");
    }
    let warming = async {
        if is_warmed {
            match engine.warm().await {
                Ok(n_tables) => tracing::info!(n_tables, "opened what was read before"),
                Err(error) => tracing::warn!(%error, "open what was read before"),
            }
        }
    };
    let watching = keep_watch(&engine, &catalog, (&history, &state));
    tokio::join!(warming, watching);
}

async fn keep_watch(engine: &Engine, catalog: &Catalog, (history, state): (&History, &Folder)) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = Vec::new();
    let mut proven = None;
    loop {
        ticks.tick().await;
        let mut failures = Vec::new();
        failures.extend(catalog.recover().await.err());
        failures.extend(engine.reload_views().await.err());
        let views = catalog.views();
        // Once for each state of the folder: planning them all is not free.
        if proven
            .as_ref()
            .is_none_or(|known| !Arc::ptr_eq(known, &views))
        {
            failures.extend(engine.prove_views().await.err());
            proven = Some(views);
        }
        failures.extend(catalog.keep_inventory().await.err());
        failures.extend(catalog.keep_imports().await.err());
        failures.extend(history.keep(state, false).await.err());
        said = report(&failures, &said);
    }
}

/// Logs what was not said the last time; everything that was to be said.
fn report(failures: &[Error], said: &[String]) -> Vec<String> {
    let messages: Vec<String> = failures.iter().map(Error::to_string).collect();
    for message in messages.iter().filter(|message| !said.contains(message)) {
        tracing::warn!("the views and state folders: {message}");
    }
    messages
}
