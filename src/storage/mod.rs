//! Where the bytes are: object stores by URL, with credentials from the configuration.
//!
//! The only room that makes an `ObjectStore`. A lake's store is rooted at the lake, so that no
//! path can name anything outside of it, and is known to readers under `lake://<domain>/`, one
//! name per set of credentials.

mod confined;
mod counted;
mod document;
mod folder;
mod local;
mod mounts;
mod pinned;
mod place;
mod present;
mod remote;
mod standing;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use url::Url;

use crate::error::{Error, ErrorKind, Result};

pub use counted::counted;
pub use document::fetch;
pub use folder::{Change, Files, Folder};
pub use pinned::pinned;
pub use place::{Place, place};
pub use standing::{Noted, Standing};

/// The scheme under which DataFusion and deltalake know our stores.
pub const SCHEME: &str = "lake";

/// How the domains of stores on disk begin.
const ON_DISK: &str = "disk-";

/// A store rooted at a lake.
#[derive(Clone, Debug)]
pub struct Lake {
    /// Reads below the lake's root; paths are relative to it.
    pub store: Arc<dyn ObjectStore>,
    /// The name readers use for the store: `lake://<domain>/`.
    pub url: Url,
    /// The URL as configured, without secrets: for messages.
    pub shown: String,
    /// The root, if it is on disk.
    root: Option<PathBuf>,
    /// The other lakes that are read through it.
    mounts: Arc<mounts::Mounts>,
}

/// Opens the lake at `url`: a local path, or `file://`, `s3://`, `abfss://`, `az://`, `gs://`.
/// `options` are the credentials and endpoints of the environment (`AWS_*`, `AZURE_*`, `GOOGLE_*`).
///
/// # Errors
/// An unknown scheme, an unreadable or missing root, an option the store refuses.
pub async fn open(url: &str, options: &BTreeMap<String, String>) -> Result<Lake> {
    let lake = unasked(url, options)?;
    if lake.root.is_none() {
        remote::ask(&lake).await?;
    }
    Ok(lake)
}

/// As [`open`], of a store in a cloud that is asked nothing yet.
///
/// # Errors
/// The same, but for what only the store tells.
pub fn unasked(url: &str, options: &BTreeMap<String, String>) -> Result<Lake> {
    let (store, shown, root) = match remote_url(url)? {
        Some(url) => {
            let store = confined::remote(remote::store(&url, options)?);
            (store, without_secrets(&url), None)
        }
        None => {
            let root = local::root(url)?;
            let shown = root.display().to_string();
            (confined::local(&root)?, shown, Some(root))
        }
    };
    let mounts = Arc::default();
    Ok(Lake {
        store: mounts::Mounted::over(store, &mounts),
        url: synthetic_url(url, options)?,
        shown,
        root,
        mounts,
    })
}

/// The folder of this machine that a URL names; `None` if it lies elsewhere.
///
/// # Errors
/// The URL is not valid.
pub fn local_folder(url: &str) -> Result<Option<std::path::PathBuf>> {
    match remote_url(url)? {
        Some(_) => Ok(None),
        None => local::path(url).map(Some),
    }
}

/// A folder of text files at `url`, which gateways read and write. Nothing is asked of it yet, and
/// it need not be there.
///
/// # Errors
/// An unknown scheme, an option the store refuses.
pub fn folder(url: &str, options: &BTreeMap<String, String>) -> Result<Folder> {
    match remote_url(url)? {
        Some(url) => Ok(Folder::remote(
            remote::store(&url, options)?,
            without_secrets(&url),
        )),
        None => Ok(Folder::local(local::path(url)?)),
    }
}

/// The error for a store that did not answer as it should, naming the path it was asked for.
pub fn error(path: &str, cause: object_store::Error) -> Error {
    failure(path, &cause).with_cause(cause)
}

/// As [`error`], for a cause that others hold.
pub fn failure(path: &str, cause: &object_store::Error) -> Error {
    use object_store::Error as Cause;
    let (kind, what) = match cause {
        Cause::NotFound { .. } => (ErrorKind::UndefinedFile, "does not exist"),
        Cause::PermissionDenied { .. } | Cause::Unauthenticated { .. } => {
            let what = "cannot be read: access denied";
            (ErrorKind::InsufficientPrivilege, what)
        }
        Cause::Precondition { .. } => {
            let what = "changed while the statement was reading it";
            (ErrorKind::IoError, what)
        }
        _ => (ErrorKind::IoError, "could not be read"),
    };
    Error::new(kind, format!("file \"{path}\" {what}"))
}

/// `None` for a local path or a `file://` URL.
fn remote_url(url: &str) -> Result<Option<Url>> {
    if !url.contains("://") {
        return Ok(None);
    }
    let parsed = Url::parse(url).map_err(|cause| {
        Error::new(
            ErrorKind::InvalidParameterValue,
            format!("the lake's URL is not valid: {cause}"),
        )
    })?;
    Ok((parsed.scheme() != "file").then_some(parsed))
}

/// A URL as it may be shown: no user info but a container's name, no query, no fragment.
fn without_secrets(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    // In abfss://container@account the user is the container; a password is never shown.
    let keeps_user = matches!(url.scheme(), "abfs" | "abfss");
    let cleared = shown.set_password(None).and_then(|()| {
        if keeps_user {
            Ok(())
        } else {
            shown.set_username("")
        }
    });
    match cleared {
        Ok(()) => shown.to_string(),
        // A URL that cannot have user info has none.
        Err(()) => format!("{}:", url.scheme()),
    }
}

/// One name per location and set of credentials, so that stores never mix in a registry that is
/// keyed by scheme and host. A digest, because host names are no place for secrets.
fn synthetic_url(url: &str, options: &BTreeMap<String, String>) -> Result<Url> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(url.as_bytes());
    for (key, value) in options {
        hasher.update(&[0]);
        hasher.update(key.as_bytes());
        hasher.update(&[0]);
        hasher.update(value.as_bytes());
    }
    let digest = hasher.finalize().to_hex();
    let place = match remote_url(url)? {
        Some(_) => "",
        None => ON_DISK,
    };
    Url::parse(&format!("{SCHEME}://{place}{}/", &digest[..16])).map_err(Error::internal)
}

/// Whether the store that readers know under this URL is on a disk of this machine.
pub fn is_on_disk(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host.starts_with(ON_DISK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_secrets() {
        fn check(url: &str, expected: &str) {
            let url = Url::parse(url).expect("a valid URL");
            assert_eq!(without_secrets(&url), expected);
        }
        check("s3://bucket/path?token=secret#x", "s3://bucket/path");
        check("s3://user:secret@bucket/path", "s3://bucket/path");
        check(
            "abfss://lake:secret@account.dfs.core.windows.net/x?sig=secret",
            "abfss://lake@account.dfs.core.windows.net/x",
        );
    }

    #[test]
    fn other_credentials_are_another_name() {
        let none = BTreeMap::new();
        let some = BTreeMap::from([("AWS_ACCESS_KEY_ID".to_owned(), "a".to_owned())]);
        let name = |options| synthetic_url("s3://bucket", options).expect("a valid URL");
        let on_disk = synthetic_url("lake", &none).expect("a valid URL");
        assert!(is_on_disk(&on_disk) && !is_on_disk(&name(&none)));
        assert_eq!(name(&none), name(&none));
        assert_ne!(name(&none), name(&some));
    }
}
