//! Reads materialized views: their stored rows, where these are what the query would give of what the
//! statement has pinned, and else the query.
//!
//! What is stored of versions before may be put together with what has changed since ([`combined`]), which gives the
//! query's rows as well.
//!
//! Nothing is believed of stored rows but what the commit that stored them says: of which definition and
//! which versions they were made ([`state`]). So there is nothing to go stale; a definition, a policy or a
//! table that changes has another state, and is answered by the query until the next refresh.

mod check;
mod combined;
mod increment;
pub(super) mod kept;
mod merge;
pub(super) mod numbers;
pub(super) mod product;
mod refresh;
pub(super) mod shape;
mod state;
pub(super) mod state_rows;
mod states;
mod style;
pub(super) mod whole;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use datafusion::catalog::TableProvider;

use self::state::{State, Untold};
use super::Inner;
use super::context::StatementContext;
use super::pin::{Pinned, PinnedRelation, PinnedView, Relations};
use super::resolved::ViewKey;
use super::travel::Point;
use crate::catalog::views::FullName;
use crate::error::{Error, Result};
use crate::functions::output::Style;
use crate::materialize::{Look, Made, Materialized, StoredRows};
use crate::types::DURATION;

/// The setting that lets stored rows be older than what they are made of.
const MAX_STALENESS: &str = "lakegate.max_staleness";

/// The zone in which rows are made that are stored.
const ZONE: &str = "UTC";

/// The stored rows that a statement reads in place of views.
pub(super) type Stored = HashMap<ViewKey, Arc<StoredView>>;

/// The stored rows of a view, to be read in place of its query.
#[derive(Debug)]
pub(super) struct StoredView {
    /// The view, as messages name it.
    pub(super) name: String,
    /// The version of its Delta table.
    pub(super) version: u64,
    /// How many files are read beside it: of rows that came below since, and of rows that went.
    pub(super) n_changed: (usize, usize),
    /// Gives the view's rows.
    pub(super) provider: Arc<dyn TableProvider>,
    /// Tells these rows from all others, where they may be older than what they are made of; `None` where they
    /// are what the query would give.
    pub(super) stale: Option<[u8; 32]>,
}

impl Inner {
    /// Finds the views of a pinned statement whose stored rows are to be read.
    pub(super) async fn choose_stored(&self, pinned: &mut Pinned, context: &StatementContext) {
        let mut views = pinned.snapshot.views.iter();
        if !views.any(|(_, view)| view.materialized.is_some()) {
            return;
        }
        let (mut stored, mut notices) = (Stored::new(), Vec::new());
        let mut seen = HashSet::new();
        let mut open: Vec<&Relations> = vec![&pinned.relations];
        while let Some(relations) = open.pop() {
            for relation in relations.values() {
                match relation {
                    PinnedRelation::Table(_) => {}
                    PinnedRelation::Protected(protection) => open.push(&protection.relations),
                    PinnedRelation::View(view) if !seen.insert(view.key.clone()) => {}
                    PinnedRelation::View(view) => {
                        match self.stored_rows(view, pinned, context).await {
                            Some((rows, notice)) => {
                                stored.insert(view.key.clone(), Arc::new(rows));
                                notices.extend(notice);
                            }
                            None => open.push(&view.relations),
                        }
                    }
                }
            }
        }
        pinned.stored = stored;
        pinned.notices.extend(notices);
    }

    /// The stored rows of a view, and what the client is to know of them; `None` if the query is to answer.
    async fn stored_rows(
        &self,
        view: &PinnedView,
        pinned: &Pinned,
        context: &StatementContext,
    ) -> Option<(StoredView, Option<String>)> {
        view.view.materialized.as_ref()?;
        match Box::pin(self.try_stored_rows(view, pinned, context)).await {
            Ok(found) => found,
            Err(error) => {
                // The query answers as well.
                let (schema, name) = (&view.view.schema, &view.view.name);
                tracing::warn!(%error, schema, name, "stored rows cannot be read");
                None
            }
        }
    }

    async fn try_stored_rows(
        &self,
        view: &PinnedView,
        pinned: &Pinned,
        context: &StatementContext,
    ) -> Result<Option<(StoredView, Option<String>)>> {
        let Ok(state) = State::of(view) else {
            return Ok(None);
        };
        let name = (view.view.schema.clone(), view.view.name.clone());
        let Some(latest) = self.materialized.latest(&name).await? else {
            return Ok(None);
        };
        let is_latest = view.key.at == Point::Latest;
        if is_latest && context.draft.is_none() && context.moment.is_none() {
            self.note_look(&name, &state, Some(&latest));
        }
        let Some(made) = latest.made.as_ref().map(Arc::clone) else {
            return Ok(None);
        };
        if made.state == state.state && fits(&made, context) {
            return Ok(exact(&name, &latest)?.map(|rows| (rows, None)));
        }
        // Of the past, or of what a transaction or this statement saw before the latest refresh.
        if let Some(version) = made.version_of(&state.state) {
            return self.earlier(&name, version, &state, context).await;
        }
        let is_permitted = is_latest && made.definition == state.definition && fits(&made, context);
        if let Some(longest) = staleness(view, context).filter(|_| is_permitted)
            && let Some(stale) = stale(&name, &latest, &made, longest)?
        {
            return Ok(Some(stale));
        }
        let rows = self.put_together(&name, (view, &state), pinned, latest, context);
        Ok(rows.await?.map(|rows| (rows, None)))
    }

    /// The rows of what is stored of versions before, put together with what has changed since.
    async fn put_together(
        &self,
        name: &FullName,
        view: (&PinnedView, &State),
        pinned: &Pinned,
        latest: StoredRows,
        context: &StatementContext,
    ) -> Result<Option<StoredView>> {
        let (rows, n_changed) = match self.combined(name, view, pinned, latest).await? {
            Ok(found) => found,
            Err(whole) => {
                let (schema, name) = name;
                tracing::debug!(schema, name, reason = whole.code(), "the query answers");
                return Ok(None);
            }
        };
        if !rows.made.as_ref().is_some_and(|made| fits(made, context)) {
            return Ok(None);
        }
        let view = exact(name, &rows)?;
        Ok(view.map(|view| StoredView { n_changed, ..view }))
    }

    /// The rows of an earlier version of a view's table.
    async fn earlier(
        &self,
        name: &FullName,
        version: u64,
        state: &State,
        context: &StatementContext,
    ) -> Result<Option<(StoredView, Option<String>)>> {
        let Some(rows) = self.materialized.version(name, version).await? else {
            return Ok(None);
        };
        let is_it = |made: &Arc<Made>| made.state == state.state && fits(made, context);
        match rows.made.as_ref().is_some_and(is_it) {
            true => Ok(exact(name, &rows)?.map(|rows| (rows, None))),
            false => Ok(None),
        }
    }

    /// Notes what was seen of a view, for those who ask how it is kept.
    fn note_look(&self, name: &FullName, state: &State, stored: Option<&StoredRows>) {
        let made = stored.and_then(|rows| Some((rows, rows.made.as_ref()?)));
        let look = Look {
            at: Utc::now(),
            is_current: made.is_some_and(|(_, made)| made.state == state.state),
            stored: made.map(|(rows, made)| (rows.version, Arc::clone(made), rows.rows.size)),
        };
        self.materialized.saw(name, look);
    }
}

/// The stored rows of a state, of the latest version or an earlier one; `None` if there are none of it.
async fn earlier_or_latest(
    materialized: &Materialized,
    name: &FullName,
    latest: StoredRows,
    state: &State,
) -> Result<Option<StoredRows>> {
    let is_it = |rows: &StoredRows| {
        let made = rows.made.as_ref();
        made.is_some_and(|made| made.state == state.state)
    };
    if is_it(&latest) {
        return Ok(Some(latest));
    }
    let made = latest.made.as_ref();
    let Some(version) = made.and_then(|made| made.version_of(&state.state)) else {
        return Ok(None);
    };
    let earlier = materialized.version(name, version).await?;
    Ok(earlier.filter(is_it))
}

/// Whether rows are those that the session would get of the query, as far as its zone and styles decide.
fn fits(made: &Made, context: &StatementContext) -> bool {
    let (own, default) = (context.facts.style, Style::default());
    // By these texts are read, in whatever query.
    let reads_alike = (own.notation.order, own.notation.intervals)
        == (default.notation.order, default.notation.intervals);
    let is_default = context.time_zone.as_ref() == ZONE && own == default;
    is_default || (reads_alike && !made.depends_on_style)
}

/// Rows that are what the query would give.
fn exact(name: &FullName, rows: &StoredRows) -> Result<Option<StoredView>> {
    let provider = rows.served()?;
    Ok(provider.map(|provider| StoredView {
        name: format!("{}.{}", name.0, name.1),
        version: rows.version,
        n_changed: (0, 0),
        provider,
        stale: None,
    }))
}

/// Rows that may be older than what they are made of, if they are not older than that.
fn stale(
    name: &FullName,
    rows: &StoredRows,
    made: &Made,
    longest: Duration,
) -> Result<Option<(StoredView, Option<String>)>> {
    let Some((as_of, digest)) = made.as_of().zip(rows.rows.digest) else {
        return Ok(None);
    };
    let age = Utc::now().signed_duration_since(as_of);
    let Ok(age) = age.to_std() else {
        return Ok(None);
    };
    if age > longest {
        return Ok(None);
    }
    let Some(exact) = exact(name, rows)? else {
        return Ok(None);
    };
    let notice = format!(
        "materialized view \"{}\" is read as of {} ({} seconds ago)",
        exact.name,
        as_of.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        age.as_secs()
    );
    let rows = StoredView {
        stale: Some(digest),
        ..exact
    };
    Ok(Some((rows, Some(notice))))
}

/// How old stored rows may be: as the session says, else as the view does. A transaction that sees one moment,
/// or that defines something, sees nothing older than that.
fn staleness(view: &PinnedView, context: &StatementContext) -> Option<Duration> {
    if context.moment.is_some() || context.draft.is_some() {
        return None;
    }
    let said = context.facts.settings.get(MAX_STALENESS);
    let said = said.filter(|value| !value.is_empty());
    let longest = match said {
        Some(value) => {
            let milliseconds = DURATION.read(value, "ms")?;
            Duration::from_millis(u64::try_from(milliseconds).ok()?)
        }
        None => {
            let options = view.view.materialized.as_ref()?;
            options.max_staleness.as_ref()?.duration
        }
    };
    Some(longest).filter(|longest| !longest.is_zero())
}

/// The error of a view whose rows cannot be told apart from others, and so not be stored.
fn untold(untold: Untold) -> Error {
    match untold {
        Untold::NoVersion(name) => {
            let what = format!("storing rows of \"{name}\", which has no versions,");
            Error::unsupported(what)
                .with_hint(
                "Tables of servers have none; files have none within two seconds of their last change.",
            )
        }
        Untold::Limited(name) => {
            let what = format!("storing rows of \"{name}\", of which the owner may not see all,");
            Error::unsupported(what).with_hint("The view's query answers instead.")
        }
    }
}
