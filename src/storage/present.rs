//! Asks a lake which of many folders are there: for less than it takes to list what is in them.

use std::path::PathBuf;

use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;

use super::Lake;
use crate::error::{Error, Result};

/// How many folders a remote store is asked for at a time.
const ASKED_MAX: usize = 32;

impl Lake {
    /// Of each of these folders whether there is one with something in it.
    ///
    /// # Errors
    /// A remote store does not answer.
    pub async fn are_there(&self, folders: Vec<Path>) -> Result<Vec<bool>> {
        let on_disk: Option<Vec<PathBuf>> =
            folders.iter().map(|folder| self.on_disk(folder)).collect();
        match on_disk {
            Some(folders) => are_folders(folders).await,
            None => self.in_store(folders).await,
        }
    }

    async fn in_store(&self, folders: Vec<Path>) -> Result<Vec<bool>> {
        stream::iter(folders)
            .map(|folder| async move {
                let first = self.store.list(Some(&folder)).try_next().await;
                let first = first.map_err(|cause| super::error(folder.as_ref(), cause))?;
                Ok(first.is_some())
            })
            .buffered(ASKED_MAX)
            .try_collect()
            .await
    }
}

/// One step on a thread that may wait: a folder is a few microseconds.
async fn are_folders(folders: Vec<PathBuf>) -> Result<Vec<bool>> {
    let look = move || folders.iter().map(|folder| folder.is_dir()).collect();
    let looked = tokio::task::spawn_blocking(look).await;
    looked.map_err(Error::internal)
}
