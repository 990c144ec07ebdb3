//! Keeps the views up to date with their folder: an edit counts once it can be planned, and the
//! definition before it stays until then.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::views::{self, Draft, FullName, Good, View, Views, in_order, read};
use super::{Catalog, Snapshot, other_lakes};
use crate::error::{Error, Result};

/// Files that are read of the views folder.
const EXTENSION: &str = ".sql";

/// Plans views, to tell whether they can be. The room that plans gives it.
pub trait Judge: Sync {
    /// Plans a view over what exists.
    fn judge<'a>(
        &'a self,
        view: &'a Arc<View>,
        snapshot: &'a Arc<Snapshot>,
    ) -> BoxFuture<'a, Result<()>>;
}

impl Catalog {
    /// The views as they were read last.
    pub fn views(&self) -> Arc<Views> {
        Arc::clone(&self.known().views)
    }

    /// How a query's text tells what it reads.
    pub fn references_of(&self) -> views::ReferencesOf {
        self.references_of
    }

    /// Where the views folder is, for messages.
    pub fn views_folder(&self) -> &str {
        &self.folders.views.shown
    }

    /// Reads the folder again, if it changed, as one epoch. A definition that differs from the last
    /// good one is planned, and taken back if it cannot be.
    ///
    /// # Errors
    /// The folder cannot be read; what was known stays.
    pub async fn reload(&self, judge: &dyn Judge) -> Result<()> {
        let mut good = self.good.lock().await;
        let known = self.views();
        let files = self.folders.views.read(EXTENSION, &known.files).await?;
        if files.is_same(&known.files) {
            return Ok(());
        }
        if good.is_none() {
            *good = Some(Good::read(&self.folders.state, self.references_of).await);
        }
        let good = good.get_or_insert_default();
        let mut views = read(files, Some(&known), self.references_of);
        self.take_back_bad(&mut views, good, judge).await?;
        for problem in &views.problems {
            tracing::warn!(location = %problem.location, error = %problem.error, "view");
        }
        if self.known().snapshot.is_some() {
            self.list_new(&views).await;
        }
        let servers = Arc::clone(&views.foreign);
        self.warehouse.keep_only(|server| {
            servers
                .servers
                .get(&server.name)
                .is_some_and(|it| **it == *server)
        });
        other_lakes::keep_only(self.lake.lake(), &self.warehouse, &servers);
        let mut latest = self.known_mut();
        latest.views = Arc::new(views);
        if latest.snapshot.is_some() {
            latest.renew();
        }
        Ok(())
    }

    /// Plans the views that differ from their last good definitions; of those that cannot be
    /// planned the good ones stay.
    async fn take_back_bad(&self, views: &mut Views, good: &Good, judge: &dyn Judge) -> Result<()> {
        let (ordered, in_cycles) = in_order(views);
        let edited: Vec<(FullName, Arc<View>)> = ordered
            .into_iter()
            .chain(in_cycles)
            .filter_map(|name| {
                let before = good.get(&name)?;
                let is_edited = !views.view(&name)?.is_same(before);
                is_edited.then(|| (name, Arc::clone(before)))
            })
            .collect();
        for (name, before) in edited {
            let snapshot = self.snapshot_with(&Arc::new(views.clone())).await?;
            let Some(view) = views.view(&name).map(Arc::clone) else {
                continue;
            };
            if let Err(error) = judge.judge(&view, &snapshot).await {
                views.take_back(before, error);
            }
        }
        Ok(())
    }

    /// Plans the views that were never found good, and keeps those that can be planned as the last
    /// good ones. Views that cannot be planned for what the lake lacks may be good at another time.
    ///
    /// # Errors
    /// The lake cannot be listed, or the state folder not written.
    pub async fn prove(&self, judge: &dyn Judge) -> Result<()> {
        let mut good = self.good.lock().await;
        let snapshot = self.snapshot().await?;
        let views = Arc::clone(&snapshot.views);
        let Some(good) = good.as_mut() else {
            return Ok(());
        };
        let mut has_changed = good.keep_only(|name| views.view(name).is_some());
        for (name, view) in views.iter() {
            let is_known = good.get(name).is_some_and(|known| known.is_same(view));
            if !is_known && judge.judge(view, &snapshot).await.is_ok() {
                has_changed |= good.note(view);
            }
        }
        if has_changed {
            good.write(&self.folders.state).await?;
        }
        Ok(())
    }

    /// Clears away what a gateway died over.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub async fn recover(&self) -> Result<()> {
        self.folders.views.recover().await
    }

    /// Makes the changes of a draft in the folder, all or none, and reads it again.
    ///
    /// # Errors
    /// `SerializationFailure` if somebody else changed one of the files since the draft began.
    pub async fn commit(&self, draft: &Draft, judge: &dyn Judge) -> Result<()> {
        let changes = draft.changes();
        if changes.is_empty() {
            return Ok(());
        }
        let committed = self.folders.views.commit(changes).await;
        let committed = committed.map_err(|error| self.about_the_folder(error));
        // Also after a conflict: what the loser sees next is what the winner made.
        self.reload(judge).await?;
        committed
    }

    fn about_the_folder(&self, error: Error) -> Error {
        match error.hint() {
            Some(_) => error,
            None => error.with_hint(format!(
                "Definitions are kept in \"{}\"; see --views.",
                self.views_folder()
            )),
        }
    }
}
