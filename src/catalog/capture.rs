//! Recognises the trees of Event Hubs Capture: one table for all that lies below them.

use object_store::path::Path;

use super::discover::Listing;
use crate::error::Result;
use crate::sources::lake::capture::{is_clock, is_partition, is_year};
use crate::sources::lake::format::{self, Format};
use crate::storage::Lake;

/// How many namespaces and hubs of one folder are looked at. A folder of more is none of Capture's.
const LISTINGS_MAX: usize = 32;

/// Whether a folder holds namespaces of hubs of partitions and nothing else, and the first branch
/// of them ends in Avro files.
///
/// # Errors
/// A folder cannot be listed.
pub(super) async fn is_tree(lake: &Lake, folder: &Listing) -> Result<bool> {
    let mut n_left = LISTINGS_MAX;
    let Some(hubs) = inner(lake, &folder.folders, &mut n_left).await? else {
        return Ok(false);
    };
    let Some(partitions) = inner(lake, &hubs, &mut n_left).await? else {
        return Ok(false);
    };
    match partitions.first() {
        Some(first) if partitions.iter().all(|path| is_named(path, is_partition)) => {
            ends_in_files(lake, first.clone()).await
        }
        _ => Ok(false),
    }
}

/// The folders in all of these folders, if there is nothing else in them.
async fn inner(lake: &Lake, folders: &[Path], n_left: &mut usize) -> Result<Option<Vec<Path>>> {
    let mut found = Vec::new();
    for folder in folders {
        if *n_left == 0 {
            return Ok(None);
        }
        *n_left -= 1;
        let listing = Listing::of(lake, folder).await?;
        if listing.is_delta || !listing.files.is_empty() {
            return Ok(None);
        }
        found.extend(listing.folders);
    }
    Ok(Some(found))
}

/// Whether the first branch below a partition is a clock, down to Avro files.
async fn ends_in_files(lake: &Lake, partition: Path) -> Result<bool> {
    let mut path = partition;
    let levels: [fn(&str) -> bool; 5] = [is_year, is_clock, is_clock, is_clock, is_clock];
    for is_level in levels {
        let listing = Listing::of(lake, &path).await?;
        let fits = listing.folders.iter().all(|path| is_named(path, is_level));
        match listing.folders.into_iter().next() {
            Some(first) if fits && !listing.is_delta && listing.files.is_empty() => path = first,
            _ => return Ok(false),
        }
    }
    let listing = Listing::of(lake, &path).await?;
    let is_captured = |path: &Path| {
        let name = path.filename().unwrap_or_default();
        Format::of_file(name) == Some(Format::Avro) && format::stem(name).is_some_and(is_clock)
    };
    let mut files = listing.files.iter();
    Ok(!listing.files.is_empty() && files.all(|file| is_captured(&file.location)))
}

fn is_named(path: &Path, fits: fn(&str) -> bool) -> bool {
    path.filename().is_some_and(fits)
}
