//! Reads the public keys of who issues tokens. At the start there must be some; while serving, the
//! last good ones stay.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::security::{PERIOD, Watched, read_file};
use crate::auth::{Claim, Keys, TokenRules, Tokens};
use crate::config::{KeySource, TokenConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::storage;

/// How often keys behind a URL are fetched, beside when a token names one that is not known.
/// Issuers announce a new key hours before they sign with it.
const FETCHING_PERIOD: Duration = Duration::from_secs(5 * 60);

/// The largest set of keys that is read, in bytes: a key with its certificate has 3 kB.
const KEYS_BYTES_MAX: usize = 1 << 20;

/// The tokens that are taken, and where their keys come from.
pub(super) struct Issuer {
    pub(super) tokens: Arc<Tokens>,
    source: Watched<KeySource>,
}

impl Issuer {
    /// Reads the keys.
    ///
    /// # Errors
    /// They cannot be read, or are none.
    pub(super) async fn read(config: &TokenConfig) -> Result<Self> {
        let (bytes, seen) = read(&config.keys).await?;
        let named = |names: &[String]| names.iter().map(|name| Claim::named(name)).collect();
        let rules = TokenRules {
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            user_claims: named(&config.user_claims),
            group_claims: named(&config.group_claims),
        };
        let can_ask = matches!(config.keys, KeySource::Url(_));
        let keys = keys(&config.keys, &bytes)?;
        let tokens = Tokens::new(rules, keys, &config.users, &config.scope, can_ask);
        Ok(Self {
            tokens: Arc::new(tokens),
            source: Watched {
                files: config.keys.clone(),
                seen,
            },
        })
    }

    /// Reads the keys whenever they changed. Never ends by itself.
    pub(super) async fn watch(mut self) {
        match &self.source.files {
            KeySource::File(_) => {
                let mut ticks = interval(PERIOD);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    ticks.tick().await;
                    self.reload().await;
                }
            }
            KeySource::Url(_) => loop {
                let next = Instant::now() + FETCHING_PERIOD;
                tokio::select! {
                    () = sleep_until(next) => {}
                    () = self.tokens.wanted() => {}
                }
                self.reload().await;
                // Whoever waits for new ones is told that there are none.
                self.tokens.keep_keys();
            },
        }
    }

    async fn reload(&mut self) {
        let read = read(&self.source.files).await;
        let changed = self.source.changed(read);
        let keys = changed.and_then(|bytes| match bytes {
            Some(bytes) => keys(&self.source.files, &bytes).map(Some),
            None => Ok(None),
        });
        match keys {
            Ok(Some(keys)) => {
                self.tokens.set_keys(keys);
                tracing::info!("the keys of tokens were read again");
            }
            Ok(None) => {}
            Err(error) => tracing::warn!("the keys before stay in use: {error}"),
        }
    }
}

async fn read(source: &KeySource) -> Result<(Vec<u8>, blake3::Hash)> {
    match source {
        KeySource::File(path) => read_file(path).await,
        KeySource::Url(url) => {
            let bytes = storage::fetch(url, KEYS_BYTES_MAX).await?;
            let digest = blake3::hash(&bytes);
            Ok((bytes, digest))
        }
    }
}

fn keys(source: &KeySource, bytes: &[u8]) -> Result<Keys> {
    let shown = match source {
        KeySource::File(path) => path.display().to_string(),
        KeySource::Url(url) => format!("{}{}", url.host_str().unwrap_or_default(), url.path()),
    };
    Keys::parse(bytes).map_err(|reason| {
        let message = format!("--oidc-jwks {shown}: {reason}");
        Error::new(ErrorKind::InvalidParameterValue, message)
    })
}
