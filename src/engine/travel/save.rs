//! CREATE SNAPSHOT: finds out which version each table has at the moment that gets a name.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::{Clock, Point};
use crate::catalog::Snapshot;
use crate::catalog::sql::CreateSnapshot;
use crate::catalog::views::written_instant;
use crate::error::{Error, ErrorKind, Result};

/// How many tables are looked at at a time.
const TABLES_MAX: usize = 32;

/// The statement with all that its file is to say: the moment, and the version of each table then.
///
/// # Errors
/// The name or the moment is none; a log cannot be read.
pub(in crate::engine) async fn complete(
    said: &CreateSnapshot,
    snapshot: &Arc<Snapshot>,
    clock: Clock<'_>,
) -> Result<CreateSnapshot> {
    if said.versions.is_some() {
        let what = "a list of versions in CREATE SNAPSHOT outside of the views folder";
        return Err(Error::unsupported(what));
    }
    if !clock.could_name(&said.name) {
        let message = format!("unacceptable snapshot name \"{}\"", said.name);
        return Err(Error::new(ErrorKind::ReservedName, message).with_detail(
            "A name begins with a letter, has no @, and is neither a version nor an instant.",
        ));
    }
    let now = Utc::now();
    let point = match &said.as_of {
        None => Point::Latest,
        Some(text) => clock.of_name(text, snapshot)?,
    };
    let instant = match &point {
        Point::Latest => now,
        Point::Instant(instant) => *instant,
        Point::Saved(saved) => saved.instant,
        Point::Version(_) => {
            let message = "a snapshot is of an instant, and not of a version";
            return Err(Error::new(ErrorKind::InvalidParameterValue, message));
        }
    };
    let relations = snapshot.schemas.values();
    let relations = relations.flat_map(|schema| schema.relations.values());
    let tables = relations.filter_map(|relation| {
        let table = relation.table().filter(|table| table.has_history())?;
        let name = (relation.schema.clone(), relation.name.clone());
        Some((name, table.clone()))
    });
    let tables: Vec<_> = tables.collect();
    let point = &point;
    let found = stream::iter(tables)
        .map(|(name, table)| async move {
            let at = match point.of_table(&name.0, &name.1) {
                Ok(at) => at,
                // It was not there at that other snapshot.
                Err(_) => return Ok(None),
            };
            let version = clock.catalog.lake().version(&table, at).await?;
            Ok::<_, Error>(version.map(|version| (name, version)))
        })
        .buffer_unordered(TABLES_MAX);
    let found: Vec<_> = found.try_collect().await?;
    let versions: BTreeMap<_, _> = found.into_iter().flatten().collect();
    Ok(CreateSnapshot {
        as_of: Some(written_instant(instant)),
        versions: Some(versions),
        ..said.clone()
    })
}
