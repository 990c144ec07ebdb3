//! Lists the schemas that are imported from servers of a warehouse, so that their tables are here as
//! they are there. A server that does not answer keeps the tables that it was last seen with.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::kept_imports::{LastSeen, names};
use super::other_lakes;
use super::views::{Foreign, Import, Views};
use super::{Catalog, Snapshot};
use crate::error::{Error, ErrorKind, Remote, Result};
use crate::sources::warehouse::{RemoteTable, Warehouse, Wrapper};
use crate::storage::Lake;

/// How long a server is left alone that did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How long a server may take to list a schema, beside the time for a connection.
const LISTING_MAX: Duration = Duration::from_secs(20);

/// Those of a schema.
type Tables = Arc<Vec<RemoteTable>>;

/// What was found of each schema.
pub(super) type Imported = HashMap<Import, Listing>;

/// The tables of a schema at its server.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    /// As they were last seen.
    pub(super) tables: Tables,
    /// Why they could not be listed the last time.
    pub(super) error: Option<Error>,
    /// When that was asked.
    asked: Instant,
}

impl Listing {
    fn is_same(&self, other: &Self) -> bool {
        let message = |it: &Self| it.error.as_ref().map(|error| error.message().to_owned());
        self.tables == other.tables && message(self) == message(other)
    }
}

/// Whether two listings say the same.
pub(super) fn are_same(left: &Imported, right: &Imported) -> bool {
    left.len() == right.len()
        && left.iter().all(|(import, listing)| {
            right
                .get(import)
                .is_some_and(|other| listing.is_same(other))
        })
}

/// Lists every import, and what is told of tables that are created one by one; of those that could not be listed a
/// moment ago, and with `only_new` of all that were, what is known stays. With that, only what tables cannot be read
/// without is listed: nobody waits for what is told.
pub(super) async fn list(
    sources: (&Lake, &Warehouse),
    foreign: &Foreign,
    (before, last_seen): (&Imported, &LastSeen),
    only_new: bool,
) -> Imported {
    let told_of = told_of(foreign, only_new);
    let listed = foreign
        .imports
        .iter()
        .chain(&told_of)
        .map(|import| async move {
            let known = before.get(import);
            let rests = known.filter(|known| {
                only_new || (known.error.is_some() && known.asked.elapsed() < RETRY_AFTER)
            });
            let listing = match rests {
                Some(known) => known.clone(),
                None => {
                    let known = known.or_else(|| former(before, import));
                    let known = known.map(|known| &known.tables);
                    let known = known.or_else(|| last_seen.get(&names(import)));
                    list_one(sources, import, known).await
                }
            };
            (import.clone(), listing)
        });
    join_all(listed).await.into_iter().collect()
}

/// The schemas that are listed for tables which are created one by one; with `only_new` those where they lie in a lake,
/// which is not known before.
fn told_of(foreign: &Foreign, only_new: bool) -> BTreeSet<Import> {
    let mut told_of = foreign.told_of();
    told_of.retain(|import| !only_new || import.server.wrapper == Wrapper::Lake);
    told_of
}

/// The same import of a server that was defined otherwise: what it was last seen with.
fn former<'a>(before: &'a Imported, import: &Import) -> Option<&'a Listing> {
    let mut others = before.iter();
    let (_, listing) = others.find(|(other, _)| names(other) == names(import))?;
    Some(listing)
}

async fn list_one(
    (lake, warehouse): (&Lake, &Warehouse),
    import: &Import,
    known: Option<&Tables>,
) -> Listing {
    let asked = Instant::now();
    let tables = async {
        if import.server.wrapper == Wrapper::Lake {
            let known = known.map_or(&[] as &[_], |known| known.as_slice());
            let listed = other_lakes::tables((lake, warehouse), import, known).await;
            let listed = listed.map_err(|error| unavailable(import, &error))?;
            return Ok(listed.map(|listed| (listed.tables, listed.error)));
        }
        let tables = warehouse.tables(&import.server, &import.remote).await?;
        Ok(tables.map(|tables| (tables, None)))
    };
    let (tables, error) = match tokio::time::timeout(LISTING_MAX, tables).await {
        Ok(Ok(Some((tables, error)))) => (Arc::new(tables), error),
        Ok(Ok(None)) => (Arc::default(), Some(no_schema(import))),
        Ok(Err(error)) => (last_seen(known), Some(error)),
        Err(_) => (last_seen(known), Some(too_slow(import))),
    };
    Listing {
        tables,
        error,
        asked,
    }
}

fn last_seen(known: Option<&Tables>) -> Tables {
    known.map_or_else(Tables::default, Arc::clone)
}

/// As ImportForeignSchema of postgres_fdw.
fn no_schema(import: &Import) -> Error {
    let (schema, server) = (&import.remote, &import.server.name);
    let message = format!("schema \"{schema}\" is not present on foreign server \"{server}\"");
    Error::new(ErrorKind::Remote(Remote::SchemaNotFound), message)
}

fn too_slow(import: &Import) -> Error {
    let server = &import.server;
    server.unavailable("It did not list its tables in time.")
}

/// A lake that does not answer, as a server that does not; what is wrong with its definition is said as it is.
fn unavailable(import: &Import, cause: &Error) -> Error {
    if !matches!(cause.kind(), ErrorKind::IoError | ErrorKind::UndefinedFile) {
        return cause.clone();
    }
    import.server.unavailable(cause.message())
}

/// An import that was never listed: nobody knows yet what it holds.
pub(super) fn not_listed(import: &Import) -> Error {
    let message = format!(
        "server \"{}\" has not listed its tables yet",
        import.server.name
    );
    Error::new(ErrorKind::Remote(Remote::Unavailable), message)
}

impl Catalog {
    /// Lists the imports of these views that were never listed.
    pub(super) async fn list_new(&self, views: &Views) {
        let before = self.known().imported.clone();
        let told_of = told_of(&views.foreign, true);
        let mut all = views.foreign.imports.iter().chain(&told_of);
        if all.all(|import| before.contains_key(import)) {
            return;
        }
        let seen = self.known().last_seen.clone();
        let sources = (self.lake.lake(), self.warehouse.as_ref());
        let listed = list(sources, &views.foreign, (&before, &seen), true).await;
        self.known_mut().imported.extend(listed);
    }

    /// Lists imports that `before` does not have, and refuses those that cannot be.
    ///
    /// # Errors
    /// Why a server does not list them.
    pub async fn require_listed(&self, before: &Snapshot, views: &Views) -> Result<()> {
        self.list_new(views).await;
        let known = self.known();
        let imports = views.foreign.imports.iter();
        let new = imports.filter(|import| !before.views.foreign.imports.contains(import));
        let mut errors = new.filter_map(|import| known.imported.get(import)?.error.clone());
        match errors.next() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}
