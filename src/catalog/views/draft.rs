//! What a transaction has defined and not yet committed.

use std::sync::Arc;

use super::edit::{Edited, Surroundings, edit};
use super::read::read;
use super::{ReferencesOf, Views};
use crate::catalog::sql::Definition;
use crate::error::Result;
use crate::storage::{Change, Files};

/// The views folder as a transaction sees it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The files it began with.
    base: Files,
    /// What it made of them.
    pub views: Arc<Views>,
}

impl Draft {
    /// A draft that changes nothing yet.
    pub fn new(views: Arc<Views>) -> Self {
        Self {
            base: views.files.clone(),
            views,
        }
    }

    /// The draft after a statement, and what that did.
    ///
    /// # Errors
    /// As PostgreSQL's command of that name.
    pub fn define(
        &self,
        definition: &Definition,
        surroundings: Surroundings<'_>,
        references_of: ReferencesOf,
    ) -> Result<(Self, Edited)> {
        let edited = edit(&self.views, definition, surroundings)?;
        let views = read(edited.files.clone(), Some(&self.views), references_of);
        let draft = Self {
            base: self.base.clone(),
            views: Arc::new(views),
        };
        Ok((draft, edited))
    }

    /// What is to be changed in the folder.
    pub fn changes(&self) -> Vec<Change> {
        self.base.changes_to(&self.views.files)
    }
}
