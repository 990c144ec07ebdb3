//! The inner door: has materialized views refreshed, by asking the engine as a user would.
//!
//! Each view's option says when. A refresh that finds its rows right stores nothing, so that to ask too
//! often costs what a statement's look at its tables does, and several gateways may all ask.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
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
            let pause = pause(poll, n_failures);
            engine.pause_view(&name, Utc::now() + pause);
            pauses.insert(name, Instant::now() + pause);
        }
    }
}

/// Whether it is time to look at a view.
fn is_due(engine: &Engine, name: &FullName, when: &RefreshWhen) -> bool {
    if *when == RefreshWhen::Manual {
        return false;
    }
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
    is_time(when, last, Utc::now())
}

/// Whether a view whose rows were last found or made right then is to be looked at now.
fn is_time(when: &RefreshWhen, last: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    match when {
        RefreshWhen::Manual => false,
        RefreshWhen::OnCommit => true,
        RefreshWhen::Every(span) => {
            let age = now.signed_duration_since(last).to_std();
            age.is_ok_and(|age| age >= span.duration)
        }
        RefreshWhen::Cron(schedule) => schedule.after(last).is_some_and(|next| next <= now),
    }
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
    use crate::catalog::sql::MaterializedOptions;

    #[test]
    fn it_is_time_when_what_the_option_says_has_passed() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let check = |when: &str, last: &str, now: &str| {
            let mut options = MaterializedOptions::default();
            options.set("refresh", Some(when)).unwrap();
            is_time(&options.refresh, at(last), at(now))
        };
        let friday = "2026-11-20T05:59:00Z";
        assert!(check("on commit", friday, friday));
        assert!(!check("manual", friday, "2026-11-27T05:59:00Z"));
        assert!(!check("every 1 hour", friday, "2026-11-20T06:58:59Z"));
        assert!(check("every 1 hour", friday, "2026-11-20T06:59:00Z"));
        let mornings = "cron 0 6 * * 1-5";
        assert!(check(mornings, friday, "2026-11-20T06:00:00Z"));
        assert!(!check(mornings, friday, "2026-11-20T05:59:59Z"));
        // After six on Friday comes six on Monday.
        assert!(!check(
            mornings,
            "2026-11-20T06:00:01Z",
            "2026-11-22T23:00:00Z"
        ));
        assert!(check(
            mornings,
            "2026-11-20T06:00:01Z",
            "2026-11-23T06:00:00Z"
        ));
        // Six in Berlin is five in Greenwich in winter, and four in summer.
        let berlin = "cron 0 6 * * * Europe/Berlin";
        assert!(check(
            berlin,
            "2026-01-20T04:59:00Z",
            "2026-01-20T05:00:00Z"
        ));
        assert!(!check(
            berlin,
            "2026-07-20T03:00:00Z",
            "2026-07-20T03:59:59Z"
        ));
        assert!(check(
            berlin,
            "2026-07-20T03:00:00Z",
            "2026-07-20T04:00:00Z"
        ));
    }

    #[test]
    fn pauses_grow_with_failures_up_to_a_limit() {
        let poll = Duration::from_secs(5);
        assert_eq!(pause(poll, 1), poll);
        assert_eq!(pause(poll, 3), 4 * poll);
        assert_eq!(pause(poll, 30), PAUSE_MAX);
    }
}
