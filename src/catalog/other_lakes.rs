//! Lists the schemas of servers that are lakes. Their tables are found as those of the gateway's own lake are, and read
//! through it: each has a folder there.

use std::collections::HashSet;
use std::sync::Arc;

use super::Catalog;
use super::discover::{discover_schema, only};
use super::views::{Foreign, Import};
use crate::error::{Error, Result};
use crate::sources::warehouse::{RemoteTable, Server, Warehouse, Wrapper};
use crate::sources::{LakeTable, Layout};
use crate::storage::Lake;

/// What a schema of a lake holds.
pub(super) struct Listed {
    pub(super) tables: Vec<RemoteTable>,
    /// That a name is of several tables, none of which is among them.
    pub(super) error: Option<Error>,
}

/// The tables of a schema; `None` if there is no such schema. `known` are those that it had when it was last listed.
///
/// # Errors
/// The server is defined wrongly, or cannot be listed.
pub(super) async fn tables(
    (lake, warehouse): (&Lake, &Warehouse),
    import: &Import,
    known: &[RemoteTable],
) -> Result<Option<Listed>> {
    let (folder, other) = mounted(lake, warehouse, &import.server)?;
    let begin = Lake::mounted_path(&folder, "");
    let known = known.iter().filter_map(|table| table.lake.as_ref());
    let known = known.filter(|table| table.layout == Layout::Delta);
    let paths: HashSet<&str> = known
        .filter_map(|table| table.path.strip_prefix(&begin))
        .collect();
    let mut found = discover_schema(&other, &import.remote, paths).await?.found;
    let Some(found) = found.remove(&import.remote) else {
        return Ok(None);
    };
    let mut listed = Listed {
        tables: Vec::with_capacity(found.len()),
        error: None,
    };
    for (name, tables) in found {
        match only(&import.remote, &name, &tables) {
            Ok(table) => listed.tables.push(RemoteTable {
                lake: Some(LakeTable {
                    path: Lake::mounted_path(&folder, &table.path),
                    layout: table.layout,
                }),
                told: Default::default(),
                name,
            }),
            Err(error) => listed.error = Some(error),
        }
    }
    Ok(Some(listed))
}

impl Catalog {
    /// Opens a server that is a lake, if it is not open: whether it is now, and was not.
    pub fn opens_lake(&self, server: &Arc<Server>) -> bool {
        let (lake, warehouse) = (self.lake.lake(), self.warehouse.as_ref());
        let folder = warehouse.lake_folder(server);
        let is_open = folder.is_ok_and(|folder| lake.mounted(&folder).is_some());
        !is_open && mounted(lake, warehouse, server).is_ok()
    }
}

/// Forgets lakes whose servers are not defined any more.
pub(super) fn keep_only(lake: &Lake, warehouse: &Warehouse, defined: &Foreign) {
    let servers = defined.servers.values();
    let lakes = servers.filter(|server| server.wrapper == Wrapper::Lake);
    let folders = lakes.filter_map(|server| warehouse.lake_folder(server).ok());
    let folders: HashSet<String> = folders.collect();
    lake.keep_mounts(|folder| folders.contains(folder));
}

/// The lake that a server is, and its folder in the gateway's own, through which it is read from now on: with the secrets
/// that its options lead to now.
fn mounted(lake: &Lake, warehouse: &Warehouse, server: &Arc<Server>) -> Result<(String, Lake)> {
    let other = warehouse.lake(server)?;
    let known = lake.mounted(&other.folder);
    // Of equal credentials, whose connections are kept.
    let known = known.filter(|known| known.url == other.lake.url);
    let mounted = known.unwrap_or_else(|| {
        lake.mount(&other.folder, &other.lake);
        other.lake.clone()
    });
    Ok((other.folder, mounted))
}
