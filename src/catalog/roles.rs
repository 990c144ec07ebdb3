//! The roles of the views folder, as those who let clients in ask for them.

use std::sync::Arc;

use super::Catalog;
use super::views::{Problem, Views};
use crate::auth::Roles;

/// The roles at one moment.
#[derive(Clone, Debug)]
pub struct KnownRoles {
    /// By name.
    pub roles: Arc<Roles>,
    /// Whether a file of roles is there, or was at any time since the start, readable or not.
    pub ever_existed: bool,
}

impl Catalog {
    /// The roles as the views folder had them last.
    pub fn roles(&self) -> KnownRoles {
        let known = self.known();
        KnownRoles {
            roles: Arc::clone(&known.views.roles),
            ever_existed: known.had_roles,
        }
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
