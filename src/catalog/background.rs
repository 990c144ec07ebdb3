//! Work that goes on by itself, whoever waits for it.

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, Result};

/// Work under way. Any number may wait for it and give up; it goes on as long as one of these is kept.
pub(super) type Background<T> = Shared<BoxFuture<'static, Result<T>>>;

/// Begins some work on the runtime that this is called on.
pub(super) fn begin<T: Clone + Send + Sync + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Background<T> {
    let task = AbortOnDropHandle::new(Handle::current().spawn(work));
    let ended = async move { task.await.map_err(Error::internal)? };
    ended.boxed().shared()
}
