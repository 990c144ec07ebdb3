//! Stub.
use crate::error::Result;
use crate::sources::*;
use crate::storage::Lake;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use std::sync::Arc;
#[derive(Debug)]
pub(super) struct FileTables;
impl FileTables {
    pub(super) fn new(_: Lake, _: Arc<RuntimeEnv>) -> Self {
        Self
    }
    pub(super) async fn pin(&self, _: &LakeTable, _: &SessionState) -> Result<PinnedTable> {
        Err(crate::error::Error::unsupported("files"))
    }
}
