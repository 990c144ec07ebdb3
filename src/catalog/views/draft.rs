//! What a transaction has defined and not yet committed.

use std::sync::Arc;

use super::edit::{Edited, Surroundings, edit};
use super::read::read;
use super::{ReferencesOf, Views};
use crate::auth::Authority;
use crate::catalog::sql::Definition;
use crate::error::{Error, Result};
use crate::storage::{Change, Files};

/// Files that do not say of the roles what they were changed to say.
#[derive(Debug, thiserror::Error)]
#[error("the files of roles do not say what was to be written")]
struct UnlikeItsFiles;

/// The views folder as a transaction sees it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The files it began with.
    base: Files,
    /// Who might what when it began.
    pub base_authority: Arc<Authority>,
    /// What it made of them.
    pub views: Arc<Views>,
}

impl Draft {
    /// A draft that changes nothing yet.
    pub fn new(views: Arc<Views>) -> Self {
        Self {
            base: views.files.clone(),
            base_authority: Arc::clone(&views.authority),
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
        if let Some(facts) = &edited.facts
            && *facts != views.authority.facts
        {
            // Better no change than another one than was asked for.
            return Err(Error::internal(UnlikeItsFiles));
        }
        let draft = Self {
            base: self.base.clone(),
            base_authority: Arc::clone(&self.base_authority),
            views: Arc::new(views),
        };
        Ok((draft, edited))
    }

    /// What is to be changed in the folder.
    pub fn changes(&self) -> Vec<Change> {
        self.base.changes_to(&self.views.files)
    }
}
