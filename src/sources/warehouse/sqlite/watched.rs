//! The connection that is kept to a file of SQLite, for it alone tells whether others have written
//! since: `data_version` counts for one connection, and says nothing of another's.
//! <https://www.sqlite.org/pragma.html#pragma_data_version>

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::{data_version, failed, open};
use crate::error::Result;
use crate::sources::warehouse::Server;

/// The kept connection, and which file it has open.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    /// The connection.
    pub(super) connection: Arc<Mutex<Connection>>,
    /// Tells it from every other one.
    number: u128,
    /// Device and number of the file. While it is open its number is not given to another.
    file: (u64, u64),
}

/// What a file is like at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Which connection tells, and what.
    number: u128,
    /// What it says; it grows.
    pub(super) data_version: i64,
    /// Size, and when it was written, for who writes without SQLite.
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

fn file(of: &Metadata) -> (u64, u64) {
    (of.dev(), of.ino())
}

impl Watched {
    /// The kept connection, made anew if the path leads to another file by now.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(super) fn of(kept: &Mutex<Option<Self>>, server: &Server, path: &Path) -> Result<Self> {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = std::fs::metadata(path).ok().map(|metadata| file(&metadata));
        if let Some(known) = kept.as_ref().filter(|known| Some(known.file) == now) {
            return Ok(known.clone());
        }
        let connection = open(server, path)?;
        // Opened between two looks at the same file, it is that file.
        let after = std::fs::metadata(path).ok().map(|metadata| file(&metadata));
        let made = Self {
            connection: Arc::new(Mutex::new(connection)),
            number: rand::random(),
            file: now.filter(|now| Some(*now) == after).unwrap_or_default(),
        };
        *kept = Some(made.clone());
        Ok(made)
    }

    /// What the file is like; `None` if the path leads to another by now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn state(&self, server: &Server, path: &Path) -> Result<Option<State>> {
        let data_version = {
            let connection = self.connection.lock();
            let connection = connection.unwrap_or_else(PoisonError::into_inner);
            data_version(&connection).map_err(|cause| failed(server, &cause))?
        };
        let metadata = std::fs::metadata(path).ok();
        let metadata = metadata.filter(|metadata| file(metadata) == self.file);
        Ok(metadata.map(|metadata| State {
            number: self.number,
            data_version,
            size: metadata.len(),
            written: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }))
    }
}
