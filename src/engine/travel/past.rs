//! Tells what is left of a table, where a statement reads a version whose files are gone.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::engine::pin::Pinned;
use crate::error::{Error, ErrorKind};
use crate::sources::{LakeTable, Version};

/// The tables that a statement reads at a moment of their own.
#[derive(Debug)]
pub(in crate::engine) struct Past {
    catalog: Arc<Catalog>,
    tables: Vec<Table>,
}

/// One of them.
#[derive(Debug)]
struct Table {
    name: String,
    place: LakeTable,
    version: u64,
}

impl Past {
    /// Those of a pinned statement.
    pub(in crate::engine) fn of(catalog: &Arc<Catalog>, pinned: &Pinned) -> Self {
        let tables = pinned.tables.iter().filter(|table| table.at.is_some());
        let tables = tables.filter_map(|table| {
            let Version::Delta(version) = table.version else {
                return None;
            };
            let schema = pinned.snapshot.schemas.get(&table.schema)?;
            let place = schema.relations.get(&table.name)?.table()?;
            Some(Table {
                name: format!("{}.{}", table.schema, table.name),
                place: place.clone(),
                version,
            })
        });
        Self {
            catalog: Arc::clone(catalog),
            tables: tables.collect(),
        }
    }

    /// The error; if it came of files that are gone, with the versions that can still be read.
    pub(in crate::engine) async fn explained(&self, error: Error) -> Error {
        let kind = error.kind();
        let is_of_file = matches!(
            kind,
            ErrorKind::UndefinedFile | ErrorKind::DataCorrupted | ErrorKind::IoError
        );
        for table in self.tables.iter().filter(|_| is_of_file) {
            let lost = self
                .catalog
                .lake()
                .what_is_left(&table.place, table.version);
            // What cannot be found out is left unsaid: the error stays what it is.
            if let Ok(Some(left)) = lost.await {
                let (version, name) = (table.version, &table.name);
                let message = format!("files of version {version} of table \"{name}\" are gone");
                return Error::new(ErrorKind::UndefinedFile, message)
                    .with_detail(left)
                    .with_cause(error);
            }
        }
        error
    }
}
