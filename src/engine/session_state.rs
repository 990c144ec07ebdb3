//! DataFusion's session state: built once with PostgreSQL's meanings switched on, copied per statement.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use super::context::StatementContext;
use super::rules::Plans;
use super::type_planner::PostgresTypes;
use super::{rules, session_style};
use crate::error::{Error, Result};
use crate::functions;

/// The consumers that an out-of-memory error names.
const CONSUMERS_NAMED: std::num::NonZeroUsize = std::num::NonZeroUsize::new(3).expect("3 is not 0");

/// The state every statement starts from. `memory_bytes_max` bounds what all statements together
/// hold in sorts, joins and aggregates; what can spill, spills before that. `footers_bytes_max` bounds the footers of Parquet
/// files that are kept, with their indexes of pages: they are read again when a file's size, time or tag changes.
///
/// # Errors
/// The folder for temporary files cannot be made.
pub fn base(memory_bytes_max: usize, footers_bytes_max: usize) -> Result<SessionState> {
    let pool = TrackConsumersPool::new(FairSpillPool::new(memory_bytes_max), CONSUMERS_NAMED);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_metadata_cache_limit(footers_bytes_max)
        // We list ourselves, once per statement: a cached listing would be stale.
        .with_object_list_cache_limit(0)
        .with_file_statistics_cache_limit(0)
        .build_arc()
        .map_err(Error::internal)?;
    of_runtime(runtime, Plans::All)
}

/// The state that statements with plain plans start from, in the same runtime as `base`.
///
/// # Errors
/// As of [`base`].
pub(super) fn plain(base: &SessionState) -> Result<SessionState> {
    of_runtime(Arc::clone(base.runtime_env()), Plans::Plain)
}

fn of_runtime(runtime: Arc<RuntimeEnv>, plans: Plans) -> Result<SessionState> {
    let builder = SessionStateBuilder::new()
        .with_config(config())
        .with_runtime_env(runtime)
        .with_default_features()
        .with_type_planner(Arc::new(PostgresTypes));
    let mut state = rules::register(builder, plans)?;
    for function in functions::constant() {
        FunctionRegistry::register_udf(&mut state, function).map_err(Error::internal)?;
    }
    for aggregate in functions::aggregates() {
        FunctionRegistry::register_udaf(&mut state, aggregate).map_err(Error::internal)?;
    }
    Ok(state)
}

fn config() -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    let options = config.options_mut();
    options.execution.time_zone = Some("UTC".to_owned());
    // 1.5 is numeric in PostgreSQL, not float8.
    options.sql_parser.parse_float_as_decimal = true;
    // Errors carry the place of the name they complain of.
    options.sql_parser.collect_spans = true;
    // `SELECT * FROM (... ORDER BY x) LIMIT 1` gives the first row by x in PostgreSQL.
    options.sql_parser.enable_subquery_sort_elimination = false;
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.reorder_filters = true;
    // INT96 holds days of any year; nanoseconds would only hold 1677 to 2262.
    options.execution.parquet.coerce_int96 = Some("us".to_owned());
    // Statistics of files are never answers (sources demote them); gathering them costs a read.
    options.execution.collect_statistics = false;
    config
}

/// The state of one statement, made once it is looked at: whoever is given what is kept does without, for it
/// takes longer to make than an answer to find.
#[derive(Debug)]
pub(super) struct StatementState<'a> {
    base: &'a SessionState,
    context: &'a StatementContext,
    /// Whether it runs in one piece.
    is_whole: bool,
    made: OnceLock<SessionState>,
    /// The same in one piece, where a part of the statement turned out to be small. It lies on the heap, for most statements
    /// have none.
    small: OnceLock<Box<SessionState>>,
}

impl StatementState<'_> {
    /// The state of a plan that is plain and reads little, as [`Self::in_one_piece`] has it, made of a [`plain`] one. The
    /// optimizer goes over it once: it would look twice more whether there is anything left to do, which takes longer than to
    /// read the rows.
    pub(super) fn small(&self, plain: &SessionState) -> &SessionState {
        self.small.get_or_init(|| {
            let mut small = Box::new(made(plain, self.context));
            make_whole(&mut small);
            // Its "now" is the statement's.
            small
                .execution_props_mut()
                .clone_from(self.execution_props());
            small.config_mut().options_mut().optimizer.max_passes = 1;
            small
        })
    }

    /// The same for a statement that runs in one piece: what it reads is small, and handing rows from one task to
    /// another costs more than a second processor gives.
    pub(super) fn in_one_piece(mut self) -> Self {
        self.is_whole = true;
        if let Some(made) = self.made.get_mut() {
            make_whole(made);
        }
        self
    }
}

impl Deref for StatementState<'_> {
    type Target = SessionState;

    fn deref(&self) -> &SessionState {
        self.made.get_or_init(|| {
            let mut made = made(self.base, self.context);
            if self.is_whole {
                make_whole(&mut made);
            }
            made
        })
    }
}

/// The state of one statement.
pub(super) fn of_statement<'a>(
    base: &'a SessionState,
    context: &'a StatementContext,
) -> StatementState<'a> {
    StatementState {
        base,
        context,
        is_whole: false,
        made: OnceLock::new(),
        small: OnceLock::new(),
    }
}

/// The base with the statement's time zone, and its own "now".
fn made(base: &SessionState, context: &StatementContext) -> SessionState {
    let mut state = base.clone();
    let zone = context.time_zone.to_string();
    let options = state.config_mut().options_mut();
    options.execution.time_zone = Some(zone);
    session_style::put(options, context.facts.style);
    context.limits.fit(state.config_mut());
    state.mark_start_execution();
    state
}

fn make_whole(state: &mut SessionState) {
    let options = state.config_mut().options_mut();
    options.execution.target_partitions = 1;
}
