//! Fetches a small document by its URL.

use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use url::Url;

use crate::error::{Error, ErrorKind, Result};

/// The time to connect, and for all of it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);

/// The bytes of the document, at most so many. Nobody leads elsewhere: a redirect is an error.
///
/// # Errors
/// `IoError`: there is no answer in time, it is no success, or too long. Cancel safe.
pub async fn fetch(url: &Url, bytes_max: usize) -> Result<Vec<u8>> {
    let client = Client::builder()
        .redirect(Policy::none())
        .https_only(url.scheme() == "https")
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .build()
        .map_err(Error::internal)?;
    let failed = |error: reqwest::Error| {
        // Its own words hold the URL, and end at the first cause.
        let error = error.without_url();
        let mut reason = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            reason = format!("{reason}: {error}");
            cause = error.source();
        }
        problem(url, &reason)
    };
    let mut response = client.get(url.clone()).send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(problem(url, &format!("status {}", response.status())));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(problem(
                url,
                &format!("it is longer than {bytes_max} bytes"),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn problem(url: &Url, reason: &str) -> Error {
    let host = url.host_str().unwrap_or_default();
    let message = format!(
        "could not fetch {}://{host}{}: {reason}",
        url.scheme(),
        url.path()
    );
    Error::new(ErrorKind::IoError, message)
}
