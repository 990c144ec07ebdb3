//! What one statement may take: memory, temporary files, bytes of files that it reads.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;

use super::protected::ProtectedExec;
use super::statement::StatementKind;
use super::temporary::TemporaryFiles;
use crate::error::{Error, ErrorKind, Limit, Result};
use crate::types::BYTES;

/// Bytes of a wide row, for which batches are made small enough.
const ROW_BYTES: usize = 2048;

/// Rows of the smallest batch: below it, what is done for each batch takes longer than for its rows.
const BATCH_ROWS_MIN: usize = 64;

/// What one statement may take; `None` for whatever all of them together may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatementLimits {
    /// Bytes held in sorts, joins and aggregates: `lakegate.statement_memory`.
    pub memory_bytes_max: Option<usize>,
    /// Bytes of the files that it reads: `lakegate.max_scan_bytes`.
    pub scan_bytes_max: Option<u64>,
    /// Bytes in temporary files at a time: `temp_file_limit`.
    pub temporary_bytes_max: Option<u64>,
}

impl StatementLimits {
    /// What a statement runs in: what all run in, and its own share of it.
    ///
    /// # Errors
    /// `InternalError`: the share cannot be made.
    pub(super) fn task_context(&self, state: &SessionState) -> Result<Arc<TaskContext>> {
        let whole = state.runtime_env();
        if self.memory_bytes_max.is_none() && self.temporary_bytes_max.is_none() {
            return Ok(state.task_ctx());
        }
        let mut share = RuntimeEnvBuilder::from_runtime_env(whole);
        if let Some(bytes_max) = self.memory_bytes_max {
            let pool = StatementPool::new(bytes_max, Arc::clone(&whole.memory_pool));
            share = share.with_memory_pool(Arc::new(pool));
        }
        if let Some(bytes_max) = self.temporary_bytes_max {
            let files = TemporaryFiles::new(Arc::clone(&whole.disk_manager), bytes_max);
            let mode = DiskManagerMode::Custom(Arc::new(files));
            let manager = DiskManagerBuilder::default().with_mode(mode);
            share = share.with_disk_manager_builder(manager);
        }
        let share = share.build_arc().map_err(Error::internal)?;
        Ok(Arc::new(TaskContext::from(state).with_runtime(share)))
    }

    /// The options of a statement: they leave its sorts room in the memory that it may take.
    ///
    /// Sorts keep memory back for merging what they spilled: no more of it than leaves them some to
    /// sort in. A sort holds two batches at least, each with the copy of its keys: fewer rows are in
    /// a batch where little memory is. It is planned and run with the same.
    pub(super) fn fit(&self, config: &mut SessionConfig) {
        let Some(bytes_max) = self.memory_bytes_max else {
            return;
        };
        let n_sorts = config.target_partitions().max(1);
        let execution = &mut config.options_mut().execution;
        let kept = execution.sort_spill_reservation_bytes;
        execution.sort_spill_reservation_bytes = kept.min(bytes_max / 8 / n_sorts);
        // What can spill has half of the memory, and beside each sort stands what feeds it.
        let share = bytes_max / 2 / (2 * n_sorts);
        let n_rows = share / (2 * 2 * ROW_BYTES);
        let n_rows = n_rows.clamp(BATCH_ROWS_MIN, config.batch_size());
        *config = config.clone().with_batch_size(n_rows);
    }

    /// Refuses a plan that reads too much, before it reads anything. A file counts whole, or as much of
    /// it as the plan reads, and each time that it is read; files that partitions and statistics
    /// rule out do not count.
    ///
    /// # Errors
    /// `ConfigurationLimitExceeded`, which names the limit and what is needed.
    pub(super) fn require_within(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        kind: &StatementKind,
    ) -> Result<()> {
        let Some(bytes_max) = self.scan_bytes_max.filter(|_| kind.is_run()) else {
            return Ok(());
        };
        let Scanned { n_bytes, is_hidden } = scanned(plan).map_err(Error::internal)?;
        if n_bytes <= bytes_max {
            return Ok(());
        }
        let limit = i64::try_from(bytes_max).map_or_else(|_| String::new(), |it| BYTES.show(it));
        let message = format!("statement would read more than lakegate.max_scan_bytes ({limit})");
        let error = Error::new(ErrorKind::LimitExceeded(Limit::Configuration), message)
            .with_hint("Filter by the columns of partitions, or read fewer tables.");
        // How much lies below a policy is not told.
        Err(match is_hidden {
            true => error,
            false => error.with_detail(format!("The files that it reads have {n_bytes} bytes.")),
        })
    }
}

/// What a plan reads, counted as [`StatementLimits::require_within`] does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scanned {
    pub(super) n_bytes: u64,
    /// Whether some of it lies below a policy or a mask.
    pub(super) is_hidden: bool,
}

impl Scanned {
    /// Of a physical plan.
    ///
    /// # Errors
    /// The plan cannot be walked: a fault of ours.
    pub(super) fn of(plan: &Arc<dyn ExecutionPlan>) -> Result<Self> {
        scanned(plan).map_err(Error::internal)
    }

    /// The bytes, if how much there is may be told.
    pub(super) fn told(self) -> Option<u64> {
        (!self.is_hidden).then_some(self.n_bytes)
    }
}

fn scanned(plan: &Arc<dyn ExecutionPlan>) -> DataFusionResult<Scanned> {
    let mut found = Scanned::default();
    plan.apply(|node| {
        if let Some(protected) = node.downcast_ref::<ProtectedExec>() {
            let below = scanned(protected.input())?;
            found.n_bytes = found.n_bytes.saturating_add(below.n_bytes);
            found.is_hidden = true;
        }
        let scan = node.downcast_ref::<DataSourceExec>();
        let files = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>());
        let groups = files.into_iter().flat_map(|config| &config.file_groups);
        for file in groups.flat_map(|group| group.files()) {
            found.n_bytes = found.n_bytes.saturating_add(file.effective_size());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// The memory of one statement, which is also counted with that of all.
///
/// What can spill shares half of it, and spills before it takes more: else sorts would leave
/// nothing to those that merge their rows, which cannot spill. A sort that merges what it spilled
/// takes all that it gets, and with less it merges in more steps: all of them share half of it, too.
#[derive(Debug)]
struct StatementPool {
    spilling: FairSpillPool,
    /// How many sorts there are.
    n_merging: AtomicUsize,
    n_bytes: AtomicUsize,
    bytes_max: usize,
    all: Arc<dyn MemoryPool>,
}

impl StatementPool {
    fn new(bytes_max: usize, all: Arc<dyn MemoryPool>) -> Self {
        Self {
            spilling: FairSpillPool::new(bytes_max / 2),
            n_merging: AtomicUsize::new(0),
            n_bytes: AtomicUsize::new(0),
            bytes_max,
            all,
        }
    }

    /// Whether a sort that merges would have more than its share.
    fn is_over_share(&self, reservation: &MemoryReservation, additional: usize) -> bool {
        let n_merging = self.n_merging.load(Ordering::Relaxed).max(1);
        let wanted = reservation.size().saturating_add(additional);
        merges(reservation.consumer()) && wanted > self.bytes_max / 2 / n_merging
    }

    /// Takes of the statement's own share; whether there was so much.
    fn take(&self, reservation: &MemoryReservation, additional: usize) -> bool {
        if self.is_over_share(reservation, additional) {
            return false;
        }
        let can_spill = reservation.consumer().can_spill();
        if can_spill && self.spilling.try_grow(reservation, additional).is_err() {
            return false;
        }
        let added = |n_bytes: usize| n_bytes.checked_add(additional);
        let within = |n_bytes: usize| added(n_bytes).filter(|sum| *sum <= self.bytes_max);
        let order = Ordering::Relaxed;
        let is_taken = self.n_bytes.fetch_update(order, order, within).is_ok();
        if !is_taken && can_spill {
            self.spilling.shrink(reservation, additional);
        }
        is_taken
    }

    fn give_back(&self, reservation: &MemoryReservation, n_bytes: usize) {
        if reservation.consumer().can_spill() {
            self.spilling.shrink(reservation, n_bytes);
        }
        self.n_bytes.fetch_sub(n_bytes, Ordering::Relaxed);
    }
}

/// Whether it is the part of a sort that merges, by the name that DataFusion's `ExternalSorter` gives it.
fn merges(consumer: &MemoryConsumer) -> bool {
    consumer.name().starts_with("ExternalSorterMerge")
}

impl fmt::Display for StatementPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement({} bytes)", self.bytes_max)
    }
}

impl MemoryPool for StatementPool {
    fn name(&self) -> &str {
        "statement"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.n_merging
            .fetch_add(usize::from(merges(consumer)), Ordering::Relaxed);
        self.spilling.register(consumer);
        self.all.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.n_merging
            .fetch_sub(usize::from(merges(consumer)), Ordering::Relaxed);
        self.spilling.unregister(consumer);
        self.all.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if reservation.consumer().can_spill() {
            self.spilling.grow(reservation, additional);
        }
        self.n_bytes.fetch_add(additional, Ordering::Relaxed);
        self.all.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.give_back(reservation, shrink);
        self.all.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> DataFusionResult<()> {
        if !self.take(reservation, additional) {
            let (consumer, bytes_max) = (reservation.consumer().name(), self.bytes_max);
            // This kind of error makes operators spill that can.
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{consumer} needs {additional} bytes more than the {bytes_max} of \
                 lakegate.statement_memory leave."
            )));
        }
        let granted = self.all.try_grow(reservation, additional);
        if granted.is_err() {
            self.give_back(reservation, additional);
        }
        granted
    }

    fn reserved(&self) -> usize {
        self.n_bytes.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes_max)
    }
}
