//! What was asked, in the state folder: a gateway also tells what was asked before it started.
//!
//! Each gateway writes a file of its own, so that several may share the folder. It takes over what it found there when it
//! started; if another gateway still writes that file, it writes it again, and what is then in two files counts once.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::DateTime;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{Asked, Came, History, QUERIES_MAX};
use crate::error::{ErrorKind, Result};
use crate::storage::{Change, Files, Folder};

/// Where the files are in the state folder, and how their names end: a line each query, as JSON.
const FOLDER: &str = "queries/";
const EXTENSION: &str = ".jsonl";

/// Bytes of a file at most: 10,000 queries have about 4 MiB. Of more, the oldest are left out.
const FILE_BYTES_MAX: usize = 8 << 20;

/// How often what was asked is written while the gateway runs. What a crash loses is not older.
const PERIOD: Duration = Duration::from_secs(60);

/// How often a change is tried where other gateways change the same files.
const ATTEMPTS_MAX: usize = 3;

/// What the folder holds, as far as this gateway knows.
#[derive(Debug, Default)]
pub(super) struct Last {
    /// What it wrote itself.
    text: Option<String>,
    /// What was there when it started, by path: it is taken over by the next writing.
    found: BTreeMap<String, String>,
    /// How many queries were asked when it last wrote.
    n_asked: u64,
    at: Option<Instant>,
}

/// A query in a file.
#[derive(Serialize, Deserialize)]
struct Line {
    gateway: Arc<str>,
    number: u64,
    at_micros: i64,
    took_micros: u64,
    pid: i32,
    session_user: String,
    role: String,
    application: String,
    text: Arc<str>,
    n_rows: usize,
    n_bytes: Option<u64>,
    versions: String,
    came: Option<Came>,
    sqlstate: String,
}

/// A name that no other gateway has, now or later.
pub(super) fn gateway_name() -> Arc<str> {
    format!("{:032x}", rand::rng().random::<u128>()).into()
}

impl History {
    /// Reads what was asked before, and adds it to what was asked since. Not cancel safe.
    ///
    /// # Errors
    /// The folder cannot be read. What is damaged in it is left out.
    pub async fn recall(&self, state: &Folder) -> Result<()> {
        let mut last = self.last.lock().await;
        let files = state.read(EXTENSION, &Files::default()).await?;
        let files = files.iter().filter(|(path, _)| path.starts_with(FOLDER));
        let mut found = Vec::new();
        for (path, file) in files {
            let Ok(text) = &file.text else {
                tracing::warn!(path, "what was asked before cannot be read");
                continue;
            };
            last.found.insert(path.to_owned(), text.to_string());
            let lines = text.lines().map(serde_json::from_str::<Line>);
            let n_before = found.len();
            found.extend(lines.flatten().filter_map(|line| line.asked()));
            if found.len() - n_before < text.lines().count() {
                tracing::warn!(path, "some of what was asked before is damaged");
            }
        }
        self.add_older(found);
        Ok(())
    }

    /// Writes what was asked since the last time, if that is a minute ago; at the end in any case. Not cancel safe.
    ///
    /// # Errors
    /// The folder cannot be written, for other reasons than that it is only read.
    pub async fn keep(&self, state: &Folder, is_end: bool) -> Result<()> {
        let mut last = self.last.lock().await;
        let rests = last.at.is_some_and(|at| at.elapsed() < PERIOD) && !is_end;
        let n_asked = self.n_told();
        if rests || n_asked == last.n_asked {
            return Ok(());
        }
        (last.at, last.n_asked) = (Some(Instant::now()), n_asked);
        let path = format!("{FOLDER}{}{EXTENSION}", self.gateway);
        let text = self.text();
        for attempt in 1..=ATTEMPTS_MAX {
            let own = Change {
                path: path.clone(),
                before: last.text.clone(),
                after: Some(text.clone()),
            };
            let taken_over = last.found.iter().map(|(path, text)| Change {
                path: path.clone(),
                before: Some(text.clone()),
                after: None,
            });
            match state.commit(taken_over.chain([own]).collect()).await {
                Ok(()) => {
                    last.found.clear();
                    last.text = Some(text);
                    return Ok(());
                }
                // One of those who wrote what was found still writes; or this file was taken over.
                Err(error) if error.kind() == ErrorKind::SerializationFailure => {
                    if attempt == ATTEMPTS_MAX {
                        return Err(error);
                    }
                    last.found.clear();
                    last.text = state.read_file(&path).await?;
                }
                // A lake that is only read has nowhere to keep it.
                Err(error) if error.kind() == ErrorKind::ReadOnlySqlTransaction => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Adds queries that were asked before, each once.
    fn add_older(&self, found: Vec<Asked>) {
        let mut asked = self.lock();
        let mut known: HashSet<(Arc<str>, u64)> = asked.iter().map(|it| it.id()).collect();
        let found = found.into_iter().filter(|it| known.insert(it.id()));
        asked.extend(found.map(Arc::new).collect::<Vec<_>>());
        asked.make_contiguous().sort_by_key(|it| it.at);
        let n_too_many = asked.len().saturating_sub(QUERIES_MAX);
        asked.drain(..n_too_many);
    }

    /// What is remembered, as a file has it: as many of the last as it may hold.
    fn text(&self) -> String {
        let asked: Vec<Arc<Asked>> = self.lock().iter().map(Arc::clone).collect();
        let mut n_bytes = 0;
        let lines = asked.iter().rev().map_while(|asked| {
            let line = serde_json::to_string(&Line::of(asked)).ok()?;
            n_bytes += line.len() + 1;
            (n_bytes <= FILE_BYTES_MAX).then_some(line)
        });
        let mut lines: Vec<String> = lines.collect();
        lines.reverse();
        lines
            .iter()
            .flat_map(|line| [line.as_str(), "\n"])
            .collect()
    }
}

impl Line {
    fn of(asked: &Asked) -> Self {
        Self {
            gateway: Arc::clone(&asked.gateway),
            number: asked.number,
            at_micros: asked.at.timestamp_micros(),
            took_micros: u64::try_from(asked.took.as_micros()).unwrap_or(u64::MAX),
            pid: asked.pid,
            session_user: asked.session_user.clone(),
            role: asked.role.clone(),
            application: asked.application.clone(),
            text: Arc::clone(&asked.text),
            n_rows: asked.n_rows,
            n_bytes: asked.n_bytes,
            versions: asked.versions.clone(),
            came: asked.came,
            sqlstate: asked.sqlstate.clone(),
        }
    }

    /// `None` if it says a time that is none.
    fn asked(self) -> Option<Asked> {
        Some(Asked {
            gateway: self.gateway,
            number: self.number,
            at: DateTime::from_timestamp_micros(self.at_micros)?,
            took: Duration::from_micros(self.took_micros),
            pid: self.pid,
            session_user: self.session_user,
            role: self.role,
            application: self.application,
            text: self.text,
            n_rows: self.n_rows,
            n_bytes: self.n_bytes,
            versions: self.versions,
            came: self.came,
            sqlstate: self.sqlstate,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> Arc<History> {
        History::new(|_| "a code")
    }

    fn ask(history: &History, text: &str) {
        history.remember(Asked {
            gateway: Arc::clone(&history.gateway),
            number: 0,
            at: chrono::Utc::now(),
            took: Duration::from_micros(12),
            pid: 7,
            session_user: "ada".to_owned(),
            role: "bi".to_owned(),
            application: "\"psql\"\n".to_owned(),
            text: text.into(),
            n_rows: 3,
            n_bytes: None,
            versions: "s.t v1".to_owned(),
            came: Some(Came::Hit),
            sqlstate: "a code".to_owned(),
        });
    }

    fn texts(history: &History) -> Vec<String> {
        let asked = history.lock();
        asked.iter().map(|it| it.text.to_string()).collect()
    }

    fn state() -> (tempfile::TempDir, Folder) {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let url = folder.path().to_str().expect("its name is text").to_owned();
        let state = crate::storage::folder(&url, &Default::default());
        (folder, state.expect("it is a folder"))
    }

    async fn begun(state: &Folder) -> Arc<History> {
        let history = history();
        history.recall(state).await.expect("it can be read");
        history
    }

    async fn keep(history: &History, state: &Folder) {
        history.keep(state, true).await.expect("it can be written");
    }

    #[tokio::test]
    async fn what_was_asked_outlives_the_gateway() {
        let (folder, state) = state();
        for number in 0..3 {
            let history = begun(&state).await;
            assert_eq!(texts(&history).len(), number);
            ask(&history, &format!("select '{number}\n'"));
            keep(&history, &state).await;
        }
        let last = begun(&state).await;
        assert_eq!(
            texts(&last),
            ["select '0\n'", "select '1\n'", "select '2\n'"]
        );
        // What was found was taken over.
        let files = std::fs::read_dir(folder.path().join("queries"));
        assert_eq!(files.expect("it is there").count(), 1);
    }

    #[tokio::test]
    async fn gateways_that_share_a_folder_lose_nothing() {
        let (_folder, state) = state();
        let one = begun(&state).await;
        ask(&one, "one");
        keep(&one, &state).await;
        // It takes over what the first goes on to write.
        let other = begun(&state).await;
        ask(&other, "other");
        keep(&other, &state).await;
        ask(&one, "one more");
        keep(&one, &state).await;
        ask(&other, "other more");
        keep(&other, &state).await;
        let last = begun(&state).await;
        let mut all = texts(&last);
        all.sort_unstable();
        assert_eq!(all, ["one", "one more", "other", "other more"]);
    }

    #[tokio::test]
    async fn what_is_damaged_is_left_out() {
        let (folder, state) = state();
        let history = begun(&state).await;
        ask(&history, "good");
        keep(&history, &state).await;
        let path = folder.path().join("queries/other.jsonl");
        std::fs::write(path, "{\n\u{1}\n").expect("it can be written");
        let last = begun(&state).await;
        assert_eq!(texts(&last), ["good"]);
    }

    #[tokio::test]
    async fn the_oldest_go() {
        let (_folder, state) = state();
        let history = begun(&state).await;
        for number in 0..QUERIES_MAX + 5 {
            ask(&history, &number.to_string());
        }
        keep(&history, &state).await;
        let last = begun(&state).await;
        let recalled = texts(&last);
        assert_eq!(recalled.len(), QUERIES_MAX);
        assert_eq!(recalled[0], "5");
    }
}
