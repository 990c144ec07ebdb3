//! A place for tables that the gateway itself writes: the one store that is not read-only.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;

use super::{Lake, confined, local, remote, remote_url, synthetic_url, without_secrets};
use crate::error::{Error, ErrorKind, Result};

/// Tables of our own: read as a lake is, and written below the same root.
#[derive(Clone, Debug)]
pub struct Place {
    /// Reads below the root.
    pub lake: Lake,
    /// Reads and writes below it. Nothing else can be written by it: its paths are relative to the root.
    pub writable: Arc<dyn ObjectStore>,
}

/// The place at `url`; `None` if it is a folder that is not there. With `makes` it is made.
///
/// # Errors
/// An unknown scheme, an option the store refuses, a folder that cannot be made or opened.
pub fn place(url: &str, options: &BTreeMap<String, String>, makes: bool) -> Result<Option<Place>> {
    let name = synthetic_url(url, options)?;
    if let Some(parsed) = remote_url(url)? {
        let store = remote::store(&parsed, options)?;
        let writable = confined::writable_remote(Arc::clone(&store));
        let lake = Lake {
            store: confined::remote(store),
            url: name,
            shown: without_secrets(&parsed),
            root: None,
            mounts: Arc::default(),
        };
        return Ok(Some(Place { lake, writable }));
    }
    let path = local::path(url)?;
    let failed = |cause: std::io::Error| {
        let message = format!("could not make the folder \"{}\"", path.display());
        Error::new(ErrorKind::IoError, message).with_cause(cause)
    };
    if makes {
        std::fs::create_dir_all(&path).map_err(failed)?;
    }
    if !path.is_dir() {
        return Ok(None);
    }
    let root = local::root(url)?;
    let writable = confined::writable_local(&root)?;
    let lake = Lake {
        store: confined::local(&root)?,
        url: name,
        shown: root.display().to_string(),
        root: Some(root),
        mounts: Arc::default(),
    };
    Ok(Some(Place { lake, writable }))
}
