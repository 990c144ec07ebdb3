//! The inner door: has materialized views refreshed, by asking the engine as a user would.
//!
//! Each view's option says when. A refresh that finds its rows right stores nothing, so that to ask too
//! often costs what a statement's look at its tables does, and several gateways may all ask.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures::StreamExt;
use futures::stream;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::catalog::sql::RefreshWhen;
use crate::catalog::views::FullName;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};

/// How many views are refreshed at a time: statements of users have the other threads.
const REFRESHES_MAX: usize = 2;

/// The longest pause after failures.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// Has views refreshed when they are to be, looked at every `poll`. Never ends by itself, unless it is to do
/// nothing, and then waits for ever.
pub async fn run(engine: Arc<Engine>, poll: Duration) {
    if poll.is_zero() {
        return std::future::pending().await;
    }
    let mut ticks = interval(poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pauses: BTreeMap<FullName, Instant> = BTreeMap::new();
    loop {
        ticks.tick().await;
        let views = engine.materialized_views();
        pauses.retain(|name, _| views.iter().any(|(known, _)| known == name));
        let now = Instant::now();
        let due = views.into_iter().filter(|(name, options)| {
            let is_paused = pauses.get(name).is_some_and(|until| *until > now);
            !is_paused && is_due(&engine, name, &options.refresh)
        });
        let due: Vec<FullName> = due.map(|(name, _)| name).collect();
        let refreshed = stream::iter(due).map(|name| async {
            let refreshed = engine.refresh_view(&name).await;
            (name, refreshed.err())
        });
        let mut refreshed = refreshed.buffer_unordered(REFRESHES_MAX);
        while let Some((name, error)) = refreshed.next().await {
            let Some(error) = error else {
                pauses.remove(&name);
                continue;
            };
            let n_failures = engine.standing(&name).n_failures;
            if n_failures == 1 {
                let (schema, view) = &name;
                tracing::warn!(schema, view, %error, "refresh materialized view");
            }
            pauses.insert(name, Instant::now() + pause(poll, n_failures));
        }
    }
}

/// Whether it is time to look at a view.
fn is_due(engine: &Engine, name: &FullName, when: &RefreshWhen) -> bool {
    let every = match when {
        RefreshWhen::Manual => return false,
        RefreshWhen::OnCommit => return true,
        RefreshWhen::Every(span) => span.duration,
    };
    let look = engine.standing(name).look;
    let Some(look) = look else {
        return true;
    };
    let made = look.stored.as_ref();
    let Some(as_of) = made.and_then(|(_, made, _)| made.as_of()) else {
        return true;
    };
    // What was found to be right is as good as made then.
    let last = if look.is_current { look.at } else { as_of };
    let age = Utc::now().signed_duration_since(last);
    age.to_std().is_ok_and(|age| age >= every)
}

/// How long nobody asks again after so many failures.
fn pause(poll: Duration, n_failures: u32) -> Duration {
    let doubled = 1_u32.checked_shl(n_failures.saturating_sub(1).min(16));
    poll.saturating_mul(doubled.unwrap_or(u32::MAX))
        .min(PAUSE_MAX)
}

/// Refreshes the views of these names, or all, once, and writes what became of each. Whether none failed.
///
/// # Errors
/// A name is that of no materialized view; `out` cannot be written.
pub async fn refresh(engine: &Engine, names: &[String], out: &mut dyn Write) -> Result<bool> {
    let known = engine.materialized_views();
    let mut chosen: Vec<FullName> = Vec::new();
    for name in names {
        let found = known.iter().find(|((schema, view), _)| {
            let full = format!("{schema}.{view}");
            full == *name || (schema == crate::catalog::PUBLIC && view == name)
        });
        let (found, _) = found.ok_or_else(|| {
            let message = format!("materialized view \"{name}\" does not exist");
            Error::new(ErrorKind::UndefinedTable, message)
        })?;
        chosen.push(found.clone());
    }
    if names.is_empty() {
        chosen.extend(known.into_iter().map(|(name, _)| name));
    }
    let refreshed = stream::iter(chosen).map(|name| async {
        let refreshed = engine.refresh_view(&name).await;
        (name, refreshed)
    });
    let mut refreshed = refreshed.buffered(REFRESHES_MAX);
    let mut all_right = true;
    while let Some(((schema, view), refreshed)) = refreshed.next().await {
        let line = match refreshed {
            Ok(done) => match (done.n_rows, done.version) {
                (Some(n_rows), Some(version)) => {
                    format!("{}, {n_rows} rows, version {version}", done.kind())
                }
                _ => done.kind().to_owned(),
            },
            Err(error) => {
                all_right = false;
                format!("failed: {error}")
            }
        };
        writeln!(out, "{schema}.{view}: {line}").map_err(|cause| {
            Error::new(ErrorKind::IoError, "could not write the output").with_cause(cause)
        })?;
    }
    Ok(all_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_failures_up_to_a_limit() {
        let poll = Duration::from_secs(5);
        assert_eq!(pause(poll, 1), poll);
        assert_eq!(pause(poll, 3), 4 * poll);
        assert_eq!(pause(poll, 30), PAUSE_MAX);
    }
}
