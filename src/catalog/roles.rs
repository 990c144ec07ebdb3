//! The roles of the views folder, as those who let clients in ask for them.

use std::sync::Arc;

use super::Catalog;
use super::views::{Problem, Views};
use crate::auth::Authority;

impl Catalog {
    /// Who may what, as the views folder had it last.
    pub fn authority(&self) -> Arc<Authority> {
        Arc::clone(&self.known().views.authority)
    }
}

impl Views {
    /// What is wrong with the first file of roles that cannot be understood.
    pub fn role_problem(&self) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.is_about_roles)
    }

    /// Whether there is a file of roles, readable or not.
    pub fn has_role_files(&self) -> bool {
        self.files
            .iter()
            .any(|(path, _)| path.starts_with(super::views::ROLES_FOLDER))
    }
}
