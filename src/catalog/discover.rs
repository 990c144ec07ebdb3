//! Finds the schemas and tables of a lake by listing it, level by level, never below a table.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, ObjectStore};

use super::{Omission, capture};
use crate::error::{Error, ErrorKind, Result};
use crate::sources::lake::format::{self, Format};
use crate::sources::{LakeTable, Layout};
use crate::storage::{self, Lake};

/// The schema of what lies at the root.
pub const PUBLIC: &str = "public";

/// How many folders below the root may prolong a schema's name.
const DEPTH_MAX: usize = 4;

/// How many single files of one folder become tables.
const FILES_MAX: usize = 1_000;

/// The folder that makes a folder a Delta table.
const LOG: &str = "_delta_log";

/// How many folders are listed at a time.
const LISTINGS_MAX: usize = 32;

/// Tables by schema and name, each with all that claim the name, in the order of their paths.
pub(super) type Found = BTreeMap<String, BTreeMap<String, Vec<LakeTable>>>;

/// What a listing of the lake found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Discovery {
    pub(super) found: Found,
    pub(super) omissions: Vec<Omission>,
}

/// Lists the lake. A folder that was a Delta table when it was listed before is still one if its log is there.
///
/// # Errors
/// The lake cannot be listed.
pub(super) async fn discover(lake: &Lake, before: Option<&Discovery>) -> Result<Discovery> {
    let tables_before = before.map(Discovery::delta_tables).unwrap_or_default();
    list(lake, &tables_before, |_| true).await
}

/// As [`discover`], of one schema. `tables_before` are the paths of folders that were Delta tables when it was listed before.
///
/// # Errors
/// The lake cannot be listed.
pub(super) async fn discover_schema(
    lake: &Lake,
    schema: &str,
    tables_before: HashSet<&str>,
) -> Result<Discovery> {
    list(lake, &tables_before, |folder| folder.may_hold(schema)).await
}

/// Lists the lake, but for folders that are not of interest.
async fn list(
    lake: &Lake,
    tables_before: &HashSet<&str>,
    is_of_interest: impl Fn(&Folder) -> bool,
) -> Result<Discovery> {
    let mut discovery = Discovery::default();
    discovery.found.entry(PUBLIC.to_owned()).or_default();
    let root = Listing::of(lake, &Path::default()).await?;
    discovery.add_files(PUBLIC, &root.files, &root.shown);
    if root.is_delta {
        let reason = "The lake's root is itself a Delta table; open the folder above it.";
        discovery.omit("", reason.to_owned());
        return Ok(discovery);
    }
    let mut level: Vec<_> = root
        .folders
        .into_iter()
        .map(|path| Folder {
            path,
            schema: None,
            depth: 1,
        })
        .collect();
    level.retain(&is_of_interest);
    while !level.is_empty() {
        let (known, unknown) = level
            .into_iter()
            .partition(|folder| tables_before.contains(folder.path.as_ref()));
        let (still, changed) = still_tables(lake, known).await?;
        let mut verdicts: Vec<(Folder, Verdict)> = stream::iter(changed.into_iter().chain(unknown))
            .map(|folder| async move {
                let verdict = judge(lake, &folder).await?;
                Ok::<_, Error>((folder, verdict))
            })
            .buffer_unordered(LISTINGS_MAX)
            .try_collect()
            .await?;
        let still = still.into_iter();
        verdicts.extend(still.map(|folder| (folder, Verdict::Table(Layout::Delta))));
        verdicts.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        level = verdicts
            .into_iter()
            .flat_map(|(folder, verdict)| discovery.take(&folder, verdict))
            .collect();
        level.retain(&is_of_interest);
    }
    Ok(discovery)
}

/// Of folders that were Delta tables, those that still are, and the others.
async fn still_tables(lake: &Lake, known: Vec<Folder>) -> Result<(Vec<Folder>, Vec<Folder>)> {
    let logs = known.iter().map(|folder| folder.path.clone().join(LOG));
    let are_there = lake.are_there(logs.collect()).await?;
    let (still, changed): (Vec<_>, Vec<_>) = known
        .into_iter()
        .zip(are_there)
        .partition(|(_, is_there)| *is_there);
    let folders = |of: Vec<(Folder, bool)>| of.into_iter().map(|(folder, _)| folder).collect();
    Ok((folders(still), folders(changed)))
}

/// A folder that is to be judged.
struct Folder {
    path: Path,
    /// The schema that it lies in; `None` at the first level.
    schema: Option<String>,
    /// Levels below the root, from 1.
    depth: usize,
}

impl Folder {
    fn name(&self) -> &str {
        self.path.filename().unwrap_or_default()
    }

    /// The schema of what lies in it, if it is no table itself.
    fn inner_schema(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}_{}", self.name()),
            None => self.name().to_owned(),
        }
    }

    /// Whether it may be a table of a schema, or lead to one.
    fn may_hold(&self, schema: &str) -> bool {
        let own = self.schema.as_deref().unwrap_or(PUBLIC);
        let inner = self.inner_schema();
        let leads_to = schema.strip_prefix(&inner);
        own == schema || leads_to.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    }
}

/// What a folder turned out to be.
enum Verdict {
    Table(Layout),
    /// A schema, or the prolongation of one.
    Schema(Listing),
    /// Neither rows nor folders in it.
    Empty,
}

/// Lists a folder, and as many levels below it as it takes to tell a table from a schema.
async fn judge(lake: &Lake, folder: &Folder) -> Result<Verdict> {
    let listing = Listing::of(lake, &folder.path).await?;
    if listing.is_delta {
        return Ok(Verdict::Table(Layout::Delta));
    }
    if listing.folders.is_empty() && listing.files.is_empty() {
        return Ok(Verdict::Empty);
    }
    let is_levelled = !listing.folders.is_empty() && listing.folders.iter().all(is_level);
    if folder.schema.is_none() {
        let is_hive = listing.folders.iter().any(is_hive_level);
        return Ok(if is_hive {
            Verdict::Table(Layout::Folder)
        } else {
            Verdict::Schema(listing)
        });
    }
    // Files of one format are a table with all that lies below; levels without files beside them
    // are one if files end them.
    let is_table = match listing.files.is_empty() {
        true if is_levelled => has_rows(lake, &listing).await?,
        true => capture::is_tree(lake, &listing).await?,
        false => listing.format().is_some(),
    };
    if is_table {
        return Ok(Verdict::Table(Layout::Folder));
    }
    Ok(Verdict::Schema(listing))
}

/// Whether the first branch below Hive or date levels ends in data files.
async fn has_rows(lake: &Lake, listing: &Listing) -> Result<bool> {
    if listing.folders.iter().any(is_hive_level) {
        return Ok(true);
    }
    let mut next = listing.folders.first().cloned();
    // Year, month, day, hour.
    for _ in 0..4 {
        let Some(path) = next else { break };
        let below = Listing::of(lake, &path).await?;
        if below.is_delta {
            return Ok(false);
        }
        if !below.files.is_empty() {
            return Ok(true);
        }
        next = below.folders.into_iter().find(is_level);
    }
    Ok(false)
}

/// A folder's files with rows and its visible folders.
pub(super) struct Listing {
    pub(super) shown: String,
    pub(super) is_delta: bool,
    pub(super) folders: Vec<Path>,
    pub(super) files: Vec<ObjectMeta>,
}

impl Listing {
    pub(super) async fn of(lake: &Lake, path: &Path) -> Result<Self> {
        let prefix = (!path.as_ref().is_empty()).then_some(path);
        let store: &Arc<dyn ObjectStore> = &lake.store;
        let ListResult {
            common_prefixes,
            objects,
        } = store
            .list_with_delimiter(prefix)
            .await
            .map_err(|cause| storage::error(path.as_ref(), cause))?;
        let is_log = |folder: &Path| folder.filename() == Some(LOG);
        let is_shown = |path: &Path| path.filename().is_some_and(|name| !format::is_hidden(name));
        Ok(Self {
            shown: path.to_string(),
            is_delta: common_prefixes.iter().any(is_log),
            folders: common_prefixes.into_iter().filter(is_shown).collect(),
            files: objects
                .into_iter()
                .filter(|file| is_shown(&file.location) && format_of(file).is_some())
                .collect(),
        })
    }

    /// The format of all its files; `None` if there are several, or no files.
    fn format(&self) -> Option<Format> {
        let first = format_of(self.files.first()?)?;
        self.files
            .iter()
            .all(|file| format_of(file) == Some(first))
            .then_some(first)
    }
}

fn format_of(file: &ObjectMeta) -> Option<Format> {
    Format::of_file(file.location.filename()?)
}

/// Whether a folder's name is a Hive level, `key=value`.
fn is_hive_level(path: &Path) -> bool {
    path.filename()
        .and_then(|name| name.split_once('='))
        .is_some_and(|(key, _)| !key.is_empty())
}

/// Whether a folder's name is a Hive level, or a part of a date: two to four digits.
fn is_level(path: &Path) -> bool {
    let is_date =
        |name: &str| matches!(name.len(), 2 | 4) && name.bytes().all(|byte| byte.is_ascii_digit());
    is_hive_level(path) || path.filename().is_some_and(is_date)
}

impl Discovery {
    /// The paths of Delta tables.
    fn delta_tables(&self) -> HashSet<&str> {
        let tables = self.found.values().flat_map(BTreeMap::values).flatten();
        let delta = tables.filter(|table| table.layout == Layout::Delta);
        delta.map(|table| table.path.as_str()).collect()
    }

    /// Notes what a folder is; gives the folders to judge next.
    fn take(&mut self, folder: &Folder, verdict: Verdict) -> Vec<Folder> {
        match verdict {
            Verdict::Empty => Vec::new(),
            Verdict::Table(layout) => {
                let schema = folder.schema.as_deref().unwrap_or(PUBLIC);
                self.add(schema, folder.name(), folder.path.as_ref(), layout);
                Vec::new()
            }
            Verdict::Schema(listing) => {
                let schema = folder.inner_schema();
                if folder.depth > DEPTH_MAX {
                    self.omit(
                        &listing.shown,
                        format!("It lies deeper than {DEPTH_MAX} folders."),
                    );
                    return Vec::new();
                }
                self.add_files(&schema, &listing.files, &listing.shown);
                listing
                    .folders
                    .into_iter()
                    .map(|path| Folder {
                        path,
                        schema: Some(schema.clone()),
                        depth: folder.depth + 1,
                    })
                    .collect()
            }
        }
    }

    fn add_files(&mut self, schema: &str, files: &[ObjectMeta], folder: &str) {
        for file in files.iter().take(FILES_MAX) {
            if let Some(name) = file.location.filename().and_then(format::stem) {
                self.add(schema, name, file.location.as_ref(), Layout::File);
            }
        }
        if files.len() > FILES_MAX {
            let left_out = files.len() - FILES_MAX;
            self.omit(
                folder,
                format!("It holds more than {FILES_MAX} single files; {left_out} are left out."),
            );
        }
    }

    fn add(&mut self, schema: &str, name: &str, path: &str, layout: Layout) {
        let table = LakeTable {
            path: path.to_owned(),
            layout,
        };
        self.found
            .entry(schema.to_owned())
            .or_default()
            .entry(name.to_owned())
            .or_default()
            .push(table);
    }

    fn omit(&mut self, path: &str, reason: String) {
        self.omissions.push(Omission {
            path: path.to_owned(),
            reason,
        });
    }
}

/// The table of a name; an error if several claim it.
///
/// # Errors
/// `DuplicateTable`, naming the paths.
pub(super) fn only(schema: &str, name: &str, tables: &[LakeTable]) -> Result<LakeTable> {
    match tables {
        [table] => Ok(table.clone()),
        tables => {
            let paths: Vec<_> = tables
                .iter()
                .map(|table| format!("\"{}\"", table.path))
                .collect();
            Err(Error::new(
                ErrorKind::DuplicateTable,
                format!(
                    "relation \"{schema}.{name}\" is ambiguous: {} have this name",
                    paths.join(" and ")
                ),
            ))
        }
    }
}
