//! A folder of text files in an object store: the journal is created only where there is none, and
//! files are replaced only while their tags are what they were.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{
    Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion,
};

use super::journal::{Change, Journal, Verdict};
use super::{JOURNAL, Tag, changed_meanwhile, text_of};
use crate::error::{Error, ErrorKind, Result};
use crate::storage;

/// How long a writer leaves another's journal alone. Commits take a few requests.
pub(super) const JOURNAL_AGE_MAX: Duration = Duration::from_secs(10);

/// How long it waits between looks at it.
const JOURNAL_PAUSE: Duration = Duration::from_millis(200);

/// Every object with its tag.
pub(super) async fn list(store: &Arc<dyn ObjectStore>) -> Result<BTreeMap<String, Tag>> {
    let found = store.list(None).try_collect::<Vec<_>>().await;
    let found = match found {
        Err(StoreError::NotFound { .. }) => Vec::new(),
        found => found.map_err(|cause| storage::error("", cause))?,
    };
    let tagged = found.into_iter().map(|object| {
        let time = object.last_modified.timestamp_micros();
        let tag = object.e_tag.unwrap_or_default();
        (
            object.location.to_string(),
            format!("{tag}-{time:x}-{:x}", object.size),
        )
    });
    Ok(tagged.collect())
}

/// What an object holds; `None` if it is not there.
pub(super) async fn get(store: &Arc<dyn ObjectStore>, path: &str) -> Result<Option<(String, Tag)>> {
    let object = match store.get(&Path::from(path)).await {
        Ok(object) => object,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(cause) => return Err(storage::error(path, cause)),
    };
    let tag = object.meta.e_tag.clone().unwrap_or_default();
    let bytes = object
        .bytes()
        .await
        .map_err(|cause| storage::error(path, cause))?;
    Ok(Some((text_of(path, bytes.to_vec())?, tag)))
}

/// Makes the changes, all or none, while the journal is ours. Another's is left alone until it has
/// not changed for `patience`.
pub(super) async fn commit(
    store: &Arc<dyn ObjectStore>,
    changes: Vec<Change>,
    patience: Duration,
) -> Result<()> {
    let journal = Journal::new(changes);
    let mine = begin(store, &journal, patience).await?;
    let mut tags = Vec::with_capacity(journal.changes.len());
    for change in &journal.changes {
        let now = get(store, &change.path).await?;
        let text = now.as_ref().map(|(text, _)| text.as_str());
        if change.judge(text) != Verdict::Make {
            end(store, &journal.id).await?;
            return Err(changed_meanwhile(&change.path));
        }
        tags.push(now.map(|(_, tag)| tag));
    }
    // Decided, it will be made even if this writer dies now; a reader counts it as made.
    let decided = journal.decided().text()?;
    put(store, JOURNAL, decided, Some(&mine)).await?;
    for (change, tag) in journal.changes.iter().zip(tags) {
        make(store, change, tag).await?;
    }
    end(store, &journal.id).await
}

/// Writes the journal where there is none; its tag.
async fn begin(store: &Arc<dyn ObjectStore>, journal: &Journal, patience: Duration) -> Result<Tag> {
    let mut seen: Option<(String, Instant)> = None;
    loop {
        let error = match put(store, JOURNAL, journal.text()?, None).await {
            Ok(tag) => return Ok(tag),
            Err(error) if error.kind() == ErrorKind::SerializationFailure => error,
            Err(error) => return Err(error),
        };
        let Some((text, _)) = get(store, JOURNAL).await? else {
            continue;
        };
        let other = Journal::read(&text)?;
        let state = format!("{}{}", other.id, other.decided);
        match &seen {
            Some((known, since)) if *known == state => {
                if since.elapsed() >= patience {
                    finish(store, &other).await?;
                    tracing::warn!(cause = %error, "finished the commit of a gateway that died");
                }
            }
            _ => seen = Some((state, Instant::now())),
        }
        tokio::time::sleep(JOURNAL_PAUSE).await;
    }
}

/// Makes what another writer decided and did not make, and clears away its journal.
async fn finish(store: &Arc<dyn ObjectStore>, journal: &Journal) -> Result<()> {
    let changes = journal.changes.iter().filter(|_| journal.decided);
    for change in changes {
        let now = get(store, &change.path).await?;
        let text = now.as_ref().map(|(text, _)| text.as_str());
        if change.judge(text) == Verdict::Make {
            make(store, change, now.map(|(_, tag)| tag)).await?;
        }
    }
    end(store, &journal.id).await
}

/// Clears away the journal, unless another writer has taken its place.
async fn end(store: &Arc<dyn ObjectStore>, id: &str) -> Result<()> {
    match get(store, JOURNAL).await? {
        Some((text, _)) if Journal::read(&text)?.id == id => remove(store, JOURNAL).await,
        _ => Ok(()),
    }
}

/// Makes one change. One that another gateway finished for us counts as made.
async fn make(store: &Arc<dyn ObjectStore>, change: &Change, tag: Option<Tag>) -> Result<()> {
    let Some(text) = &change.after else {
        return remove(store, &change.path).await;
    };
    match put(store, &change.path, text.clone(), tag.as_ref()).await {
        Ok(_) => Ok(()),
        Err(error) => match get(store, &change.path).await? {
            Some((now, _)) if now == *text => Ok(()),
            _ => Err(error),
        },
    }
}

/// Writes an object: a new one, or in place of the one with this tag.
async fn put(
    store: &Arc<dyn ObjectStore>,
    path: &str,
    text: String,
    tag: Option<&Tag>,
) -> Result<Tag> {
    let mode = match tag {
        None => PutMode::Create,
        Some(tag) => PutMode::Update(UpdateVersion {
            e_tag: Some(tag.clone()),
            version: None,
        }),
    };
    let options = PutOptions::from(mode);
    match store
        .put_opts(&Path::from(path), text.into(), options)
        .await
    {
        Ok(done) => Ok(done.e_tag.unwrap_or_default()),
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
            Err(changed_meanwhile(path))
        }
        Err(cause @ (StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. })) => {
            let message = format!("\"{path}\" cannot be written: access denied");
            Err(Error::new(ErrorKind::ReadOnlySqlTransaction, message).with_cause(cause))
        }
        Err(cause) => {
            let message = format!("\"{path}\" could not be written");
            Err(Error::new(ErrorKind::IoError, message).with_cause(cause))
        }
    }
}

async fn remove(store: &Arc<dyn ObjectStore>, path: &str) -> Result<()> {
    match store.delete(&Path::from(path)).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(cause) => {
            let message = format!("\"{path}\" could not be removed");
            Err(Error::new(ErrorKind::IoError, message).with_cause(cause))
        }
    }
}
