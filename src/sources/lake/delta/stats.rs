//! Takes the certainty from a scan's statistics.
//!
//! deltalake hands on the log's minima and maxima as exact, and DataFusion answers from exact
//! statistics: a column whose minimum is its maximum becomes a literal. But writers leave NaN out
//! of them, and a wrong log would give wrong rows. As estimates they still prune files.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, Statistics};
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;

use crate::sources::lake::parquet_source;

/// `plan`, in which no scan of files claims exact statistics.
pub(super) fn demoted(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let Some(config) = node
            .downcast_ref::<DataSourceExec>()
            .and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>())
        else {
            return Ok(Transformed::no(node));
        };
        let scan = DataSourceExec::from_data_source(without_certainty(config));
        Ok(Transformed::yes(scan as Arc<dyn ExecutionPlan>))
    })
    .data()
}

fn without_certainty(config: &FileScanConfig) -> FileScanConfig {
    let groups = config
        .file_groups
        .iter()
        .map(|group| {
            let files = group.files().iter().cloned().map(|mut file| {
                file.statistics = file
                    .statistics
                    .map(|known| Arc::new(Statistics::clone(&known).to_inexact()));
                file
            });
            files.collect::<Vec<_>>().into()
        })
        .collect();
    // A scan with deletion vectors wants its own source back, and is given no filters.
    let has_deletion_vectors = !config
        .file_source
        .table_schema()
        .virtual_columns()
        .is_empty();
    let source = Arc::clone(&config.file_source);
    let source = match has_deletion_vectors {
        true => source,
        false => parquet_source::guarded(source),
    };
    FileScanConfigBuilder::from(config.clone())
        .with_source(source)
        .with_statistics(config.statistics().to_inexact())
        .with_file_groups(groups)
        .build()
}
