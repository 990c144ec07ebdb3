//! As whom a statement runs.

use std::sync::Arc;

/// How it is known as whom a session runs its statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There are no roles, or it is the process itself: everything is allowed.
    Open,
    /// It has proved to be its user.
    Proved,
    /// It came in while everybody was trusted, and roles were made since: nobody knows who it is.
    Unproved,
}

/// As whom a statement runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// `current_user`: the role whose rights count.
    pub user: String,
    /// `session_user`: the role that SET ROLE goes back to.
    pub session_user: String,
    /// How it is known.
    pub standing: Standing,
    /// The groups that its token says it is in: roles that it is a member of while this session
    /// lasts, as far as [`Authority::groups_of`](super::Authority::groups_of) lets them be.
    pub groups: Arc<[String]>,
}

impl Actor {
    /// Somebody to whom everything is allowed.
    pub fn open(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            session_user: user.to_owned(),
            standing: Standing::Open,
            groups: Arc::default(),
        }
    }
}
