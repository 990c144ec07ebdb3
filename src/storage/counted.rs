//! A store that tells how many bytes are read of it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Is told of bytes that were read.
type Tell = Arc<dyn Fn(usize) + Send + Sync>;

/// `store`, of whose files `tell` is told how many bytes are read.
pub fn counted(
    store: Arc<dyn ObjectStore>,
    tell: impl Fn(usize) + Send + Sync + 'static,
) -> Arc<dyn ObjectStore> {
    let tell: Tell = Arc::new(tell);
    Arc::new(Counted { inner: store, tell })
}

struct Counted {
    inner: Arc<dyn ObjectStore>,
    tell: Tell,
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counted").field(&self.inner).finish()
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counted({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Counted {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let is_head = options.head;
        let mut got = self.inner.get_opts(location, options).await?;
        got.payload = match got.payload {
            GetResultPayload::Stream(chunks) => {
                let tell = Arc::clone(&self.tell);
                let chunks = chunks.inspect_ok(move |chunk| tell(chunk.len()));
                GetResultPayload::Stream(chunks.boxed())
            }
            // Whoever asked reads it, all of it.
            file @ GetResultPayload::File(..) if !is_head => {
                let n_bytes = got.range.end - got.range.start;
                (self.tell)(usize::try_from(n_bytes).unwrap_or(usize::MAX));
                file
            }
            other => other,
        };
        Ok(got)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
