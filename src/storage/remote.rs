//! Stores in a cloud, by URL: Amazon S3, Azure Blob and ADLS Gen2, Google Cloud Storage.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use futures::StreamExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreScheme};
use url::Url;

use super::{Lake, without_secrets};
use crate::error::{Error, ErrorKind, Result};

/// Asks a cloud's store once, so that wrong credentials stop the start rather than the first query.
///
/// # Errors
/// It does not answer, or refuses.
pub(super) async fn ask(lake: &Lake) -> Result<()> {
    // The first page of a listing costs one request, and needs what every later read needs.
    match lake.store.list(None).next().await {
        Some(Err(cause)) => Err(unreadable(&lake.shown, cause)),
        _ => Ok(()),
    }
}

/// A cloud's store rooted at the URL's path, asked nothing yet.
///
/// # Errors
/// An unknown scheme, an option the store refuses.
pub(super) fn store(url: &Url, options: &BTreeMap<String, String>) -> Result<Arc<dyn ObjectStore>> {
    let unknown = || Error::unsupported(format!("the scheme \"{}\" of a lake", url.scheme()));
    let (scheme, path) = ObjectStoreScheme::parse(url).map_err(|_| unknown())?;
    let store: object_store::Result<Arc<dyn ObjectStore>> = match scheme {
        ObjectStoreScheme::AmazonS3 => amazon(url, options),
        ObjectStoreScheme::MicrosoftAzure => azure(url, options),
        ObjectStoreScheme::GoogleCloudStorage => google(url, options),
        _ => return Err(unknown()),
    };
    let store = store.map_err(|cause| {
        Error::new(
            ErrorKind::InvalidParameterValue,
            format!("the options for \"{}\" do not fit", without_secrets(url)),
        )
        .with_cause(cause)
    })?;
    Ok(match path.as_ref() {
        "" => store,
        _ => Arc::new(PrefixStore::new(store, path)),
    })
}

fn unreadable(shown: &str, cause: object_store::Error) -> Error {
    use object_store::Error as Cause;
    let (kind, what) = match &cause {
        Cause::NotFound { .. } => (ErrorKind::UndefinedFile, "does not exist"),
        Cause::PermissionDenied { .. } | Cause::Unauthenticated { .. } => {
            (ErrorKind::InsufficientPrivilege, "refuses access")
        }
        _ => (ErrorKind::IoError, "does not answer"),
    };
    Error::new(kind, format!("the lake \"{shown}\" {what}")).with_cause(cause)
}

/// The options of one cloud. The environment holds variables of other tools under the same
/// prefixes (`AWS_PAGER`, `AZURE_CONFIG_DIR`), so keys the store does not know are not for it.
fn known<K: FromStr>(options: &BTreeMap<String, String>) -> impl Iterator<Item = (K, &String)> {
    options
        .iter()
        .filter_map(|(key, value)| Some((key.to_ascii_lowercase().parse().ok()?, value)))
}

fn amazon(
    url: &Url,
    options: &BTreeMap<String, String>,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let mut builder = AmazonS3Builder::new().with_url(url.as_str());
    for (key, value) in known::<AmazonS3ConfigKey>(options) {
        builder = builder.with_config(key, value);
    }
    Ok(Arc::new(builder.build()?))
}

fn azure(
    url: &Url,
    options: &BTreeMap<String, String>,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let mut builder = MicrosoftAzureBuilder::new().with_url(url.as_str());
    for (key, value) in known::<AzureConfigKey>(options) {
        builder = builder.with_config(key, value);
    }
    Ok(Arc::new(builder.build()?))
}

fn google(
    url: &Url,
    options: &BTreeMap<String, String>,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let mut builder = GoogleCloudStorageBuilder::new().with_url(url.as_str());
    for (key, value) in known::<GoogleConfigKey>(options) {
        builder = builder.with_config(key, value);
    }
    Ok(Arc::new(builder.build()?))
}
