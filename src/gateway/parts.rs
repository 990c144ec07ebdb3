//! The parts that every command is built of: the lake's catalog and the engine, on their runtimes.

use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::catalog::{Catalog, Folders};
use crate::config::LakeConfig;
use crate::engine::{self, Engine, History, Results};
use crate::error::{Error, Result};
use crate::functions::kept;
use crate::functions::output::Style;
use crate::materialize::Materialized;
use crate::sources::lake::LakeSource;
use crate::sources::warehouse::{KeptValues, Surroundings, Warehouse};
use crate::storage::{self, Folder};
use crate::types::oid;
use crate::wire::code_of;

/// Stack of a thread that plans: planning recurses as deep as a statement nests. Only what is
/// used of it takes memory.
const STACK_BYTES: usize = 16 << 20;

/// Threads for sockets. They never compute, so two keep any number of connections alive.
const NETWORK_THREADS: usize = 2;

/// Catalog and engine over one lake.
pub(super) struct Parts {
    pub(super) catalog: Arc<Catalog>,
    pub(super) engine: Arc<Engine>,
    pub(super) history: Arc<History>,
    /// The folder for what the gateway itself keeps.
    pub(super) state: Folder,
}

impl Parts {
    /// Opens the lake and reads the views folder; what is in the lake is listed when first asked
    /// for.
    pub(super) async fn build(config: &LakeConfig, queries: Handle) -> Result<Self> {
        let lake = storage::open(&config.url, &config.store_options).await?;
        let memory = config.memory;
        // Footers have one half of what is known of tables, and snapshots the other.
        let footers_bytes_max = memory.metadata_bytes_max / 2;
        let base = engine::base_state(memory.statements_bytes_max, footers_bytes_max)?;
        let snapshots_bytes_max = memory.metadata_bytes_max - footers_bytes_max;
        let source = LakeSource::with_budget(lake, base.clone(), snapshots_bytes_max);
        let source = Arc::new(source);
        let warehouse = Arc::new(Warehouse::new(Surroundings {
            secrets: config.secrets.clone(),
            folder: storage::local_folder(&config.url)?,
            store_options: config.store_options.clone(),
            kept: KeptValues {
                receive: kept::receive,
                numeric: |digits| kept::from_text(digits, oid::NUMERIC, &Style::default()),
            },
        }));
        let state = storage::folder(&config.state_url, &config.store_options)?;
        let folders = Folders {
            views: storage::folder(&config.views_url, &config.store_options)?,
            state: state.clone(),
        };
        let results = Results::new(memory.answers_bytes_max);
        let history = History::new(code_of);
        let materialized = Materialized::new(
            config.materialized_url.clone(),
            config.store_options.clone(),
            base.clone(),
            code_of,
        );
        let mut system = vec![results.relation(&source), history.relation()];
        system.extend(materialized.relations());
        let catalog = Catalog::new((source, warehouse), folders, engine::references_of, system);
        let catalog = Arc::new(catalog);
        let database = config.database.clone();
        let kept = (results, Arc::clone(&history), materialized);
        let engine = Engine::new(Arc::clone(&catalog), base, queries, database, kept);
        engine.reload_views().await?;
        Ok(Self {
            catalog,
            engine: Arc::new(engine),
            history,
            state,
        })
    }
}

/// The two runtimes: a query that keeps every core busy must not delay a connection.
pub(super) struct Runtimes {
    pub(super) network: Runtime,
    pub(super) queries: Runtime,
}

impl Runtimes {
    pub(super) fn build() -> Result<Self> {
        let network = runtime("network").worker_threads(NETWORK_THREADS).build();
        // One thread a core, as many as DataFusion makes partitions.
        let queries = runtime("query").build();
        Ok(Self {
            network: network.map_err(Error::internal)?,
            queries: queries.map_err(Error::internal)?,
        })
    }

    /// Ends both without waiting for reads that block: nothing is written that could be lost.
    pub(super) fn shut_down(self) {
        self.queries.shutdown_background();
        self.network.shutdown_background();
    }
}

fn runtime(name: &str) -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder
        .enable_all()
        .thread_name(name)
        .thread_stack_size(STACK_BYTES);
    builder
}
