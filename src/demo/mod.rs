//! Makes the demo lake: bronze files of every format, silver Delta tables with a history, gold marts,
//! and a warehouse in SQLite.
//!
//! Every value derives from the seed, its table and its place in it, never from a clock or from the
//! order in which threads run: one scale gives the same bytes on every run.

mod bronze;
mod files;
mod gold;
mod progress;
mod schedule;
mod silver;
mod views;
mod warehouse;
mod world;

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

pub use progress::Progress;
pub use views::{greeting, write as write_views};

use crate::error::{Error, ErrorKind, Result};
use files::Lake;
use world::World;

/// Counts up whenever the same scale gives other files than before.
const GENERATOR_VERSION: u64 = 1;
const SEED: u64 = 20_260_501;
const SCALE_MIN: f64 = 0.001;
/// About 20 GB, and 30 million orders.
const SCALE_MAX: f64 = 100.0;
const THREADS_MAX: usize = 16;

/// Says that the lake is complete, and of which generator, seed and scale it is.
const MARKER: &str = "_demo.json";
/// The marker's name until the lake is complete: what lies beside it is ours to remove.
const UNFINISHED_MARKER: &str = "_demo.json.part";
/// Everything that belongs to the demo. Nothing else is ever removed.
const PARTS: [&str; 4] = ["bronze", "silver", "gold", warehouse::WAREHOUSE];

/// What to make, and where.
pub struct DemoLake {
    /// The lake's folder. It may hold other things, which stay untouched.
    pub folder: PathBuf,
    /// 1 makes about 200 MB; rows grow with it.
    pub scale: f64,
}

impl DemoLake {
    /// Makes the lake unless it is complete already. Whether it was made now.
    ///
    /// # Errors
    /// The scale is out of range or not that of the lake there, the folder holds a lake that is not
    /// the demo's, or a file cannot be written.
    pub fn make(&self, progress: &mut Progress<'_>) -> Result<bool> {
        let n_threads = thread::available_parallelism()
            .map_or(2, NonZeroUsize::get)
            .min(THREADS_MAX);
        self.make_on(n_threads, progress)
    }

    fn make_on(&self, n_threads: usize, progress: &mut Progress<'_>) -> Result<bool> {
        if !(SCALE_MIN..=SCALE_MAX).contains(&self.scale) {
            let message = format!("demo scale must be from {SCALE_MIN} to {SCALE_MAX}");
            return Err(Error::new(ErrorKind::InvalidParameterValue, message));
        }
        if self.is_complete()? {
            return Ok(false);
        }
        self.clear()?;
        let world = World::new(SEED, self.scale);
        let lake = Lake::new(&self.folder);
        let mut tasks = silver::tasks(&world, &lake);
        tasks.extend(bronze::tasks(&world, &lake));
        tasks.extend(gold::tasks(&world, &lake));
        tasks.extend(warehouse::tasks(&world, &lake));
        schedule::run(tasks, n_threads, progress)?;
        // A rename, so that the lake is complete at once or not at all.
        fs::rename(self.path(UNFINISHED_MARKER), self.path(MARKER))
            .map_err(|error| failed("write", &self.path(MARKER), error))?;
        Ok(true)
    }

    /// Whether the marker is there and is of this generator, seed and scale.
    fn is_complete(&self) -> Result<bool> {
        let path = self.path(MARKER);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed("read", &path, error)),
        };
        let marker: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
            let message = format!("\"{}\" is no marker of a demo lake", path.display());
            Error::new(ErrorKind::DataCorrupted, message).with_cause(error)
        })?;
        if marker["scale"].as_f64() != Some(self.scale) {
            let message = format!(
                "the demo lake in \"{}\" has scale {}, not {}",
                self.folder.display(),
                marker["scale"],
                self.scale
            );
            return Err(Error::new(ErrorKind::InvalidParameterValue, message)
                .with_hint("Choose its scale or another folder."));
        }
        Ok(marker["generator"].as_u64() == Some(GENERATOR_VERSION)
            && marker["seed"].as_u64() == Some(SEED))
    }

    /// Leaves the folder with the unfinished marker and none of the demo's parts.
    fn clear(&self) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|error| failed("create", &self.folder, error))?;
        let unfinished = self.path(UNFINISHED_MARKER);
        let is_ours = self.path(MARKER).exists() || unfinished.exists();
        let found: Vec<PathBuf> = PARTS
            .iter()
            .map(|part| self.path(part))
            .filter(|path| path.symlink_metadata().is_ok())
            .collect();
        if let (false, Some(foreign)) = (is_ours, found.first()) {
            let message = format!("\"{}\" is not of the demo lake", foreign.display());
            return Err(Error::new(ErrorKind::InvalidParameterValue, message)
                .with_hint("Choose an empty folder for the demo."));
        }
        let marker = format!(
            "{{\"generator\":{GENERATOR_VERSION},\"seed\":{SEED},\"scale\":{}}}\n",
            self.scale
        );
        fs::write(&unfinished, marker).map_err(|error| failed("write", &unfinished, error))?;
        if self.path(MARKER).exists() {
            remove(&self.path(MARKER))?;
        }
        found.iter().try_for_each(|path| remove(path))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn remove(path: &Path) -> Result<()> {
    let is_folder = path.symlink_metadata().is_ok_and(|facts| facts.is_dir());
    let removed = if is_folder {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    removed.map_err(|error| failed("remove", path, error))
}

fn failed(verb: &str, path: &Path, error: io::Error) -> Error {
    let message = format!("could not {verb} \"{}\": {error}", path.display());
    Error::new(ErrorKind::IoError, message).with_cause(error)
}
