//! How much a plan that ran has read, and from where.

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;

use crate::engine::protected::ProtectedExec;
use crate::sources::warehouse::ForeignScan;
use crate::storage;

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// Bytes of files on a disk of this machine.
    pub(super) disk_bytes: usize,
    /// Bytes of files in stores elsewhere.
    pub(super) network_bytes: usize,
    /// Rows that came from servers.
    pub(super) server_rows: usize,
}

impl Read {
    /// What the scans of a plan read; `None` where row policies hide some of it.
    pub(super) fn of(plan: &dyn ExecutionPlan) -> Option<Self> {
        let mut read = Self::default();
        read.add(plan).then_some(read)
    }

    /// Adds what a plan read; false if some of it is hidden.
    fn add(&mut self, plan: &dyn ExecutionPlan) -> bool {
        if plan.is::<ProtectedExec>() {
            return false;
        }
        self.add_scan(plan);
        let mut below = plan.children().into_iter();
        below.all(|plan| self.add(plan.as_ref()))
    }

    fn add_scan(&mut self, plan: &dyn ExecutionPlan) {
        let Some(metrics) = plan.metrics() else {
            return;
        };
        if plan.is::<ForeignScan>() {
            self.server_rows += metrics.output_rows().unwrap_or_default();
        }
        let scan = plan.downcast_ref::<DataSourceExec>();
        let files = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>());
        if let Some(files) = files {
            let n_bytes = metrics.sum_by_name("bytes_scanned");
            let n_bytes = n_bytes.map_or(0, |bytes| bytes.as_usize());
            match storage::is_on_disk(files.object_store_url.as_ref()) {
                true => self.disk_bytes += n_bytes,
                false => self.network_bytes += n_bytes,
            }
        }
    }
}
