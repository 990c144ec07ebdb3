//! The views folder: SQL files that say which views there are, read whole and changed as text.
//!
//! Files are the truth. [`Views`] is what they mean at one moment: it is made of them whole, and
//! a statement that defines something makes other files, of which other views are made.

mod acl;
mod comment;
mod defaults;
mod draft;
mod edit;
mod facts;
mod file;
mod foreign;
mod foreign_alter;
mod foreign_drop;
mod foreign_edit;
mod foreign_may;
mod good;
mod grants;
mod keys;
mod limits;
mod look_up;
mod members;
mod names;
mod needed;
mod order;
mod owners;
mod policies;
mod read;
mod rename;
mod revoke;
mod roles;
mod said;
mod snapshots;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use draft::Draft;
pub use edit::{Edited, Surroundings};
pub use foreign::{Foreign, Import};
pub use good::Good;
pub use keys::{Key, KeyKind, Keys, default_key_name};
pub use order::in_order;
pub use owners::permission_denied;
pub use policies::label_of;
pub use read::read;
pub use snapshots::{SavedSnapshot, written_instant};

use super::sql::{AlteredKind, MaterializedOptions};
use crate::auth::Authority;
use crate::error::{Error, Result};
use crate::storage::Files;

/// The folder of roles, below the views folder.
pub const ROLES_FOLDER: &str = "_roles/";

/// A schema and a relation's name.
pub type FullName = (String, String);

/// A relation that a query names: its schema, if it says one, and its name.
pub type Reference = (Option<String>, String);

/// Which relations a query reads, by its text. The room that plans queries gives it.
pub type ReferencesOf = fn(&str) -> Result<Vec<Reference>>;

/// The text of a query with the relations it reads called by other names; `None` if they can't be. The room
/// that plans queries gives it.
pub type Renamed = fn(&str, &dyn Fn(&Reference) -> Option<FullName>) -> Option<String>;

/// A view as its file defines it.
#[derive(Clone, Debug)]
pub struct View {
    /// The schema's name.
    pub schema: String,
    /// The view's name.
    pub name: String,
    /// The names given to its columns; fewer than it has, or none.
    pub columns: Vec<String>,
    /// Whether it is read with its reader's rights, and not its owner's.
    pub security_invoker: bool,
    /// What it answers, as written.
    pub query: String,
    /// Where that is written.
    pub place: Place,
    /// The relations that the query names; none if it is not a query.
    pub reads: Vec<Reference>,
    /// COMMENT ON VIEW, else the comment before the definition.
    pub description: Option<String>,
    /// How its rows are kept, if they are.
    pub materialized: Option<MaterializedOptions>,
}

impl View {
    /// What a function of this name answers, with the rights of whoever calls it: a query that stands in no
    /// file.
    pub fn of_function(schema: &str, name: &str, query: String) -> Self {
        Self {
            schema: schema.to_owned(),
            name: name.to_owned(),
            columns: Vec::new(),
            security_invoker: true,
            place: Place::new("", "", 1, &query),
            query,
            reads: Vec::new(),
            description: None,
            materialized: None,
        }
    }

    /// As what a message names it.
    pub fn kind(&self) -> AlteredKind {
        match self.materialized {
            Some(_) => AlteredKind::Materialized,
            None => AlteredKind::View,
        }
    }

    /// Whether two definitions mean the same.
    pub fn is_same(&self, other: &Self) -> bool {
        self.query == other.query
            && self.columns == other.columns
            && self.security_invoker == other.security_invoker
            && self.materialized == other.materialized
    }

    /// The query as `pg_get_viewdef` shows it, with a semicolon.
    pub fn text(&self) -> String {
        format!("{};", self.query)
    }

    /// Where a position of the query lies in the file.
    pub fn locate(&self, position: usize) -> Location {
        self.place.locate(position)
    }
}

/// Where a query is written.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file, below the views folder.
    pub path: String,
    /// The line of the query's first character, and its column, counted from 1.
    pub start: (usize, usize),
    /// The query, whose positions are looked for.
    query: Arc<str>,
}

/// A place in a file, as editors show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file, below the views folder.
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.path, self.line, self.column)
    }
}

impl Place {
    /// A place that begins at `position` of `text`, counted in characters from 1.
    fn new(path: &str, text: &str, position: usize, query: &str) -> Self {
        Self {
            path: path.to_owned(),
            start: line_and_column(text, position),
            query: query.into(),
        }
    }

    fn locate(&self, position: usize) -> Location {
        let (line, column) = line_and_column(&self.query, position);
        let (first_line, first_column) = self.start;
        Location {
            path: self.path.clone(),
            line: first_line + line - 1,
            column: match line {
                1 => first_column + column - 1,
                _ => column,
            },
        }
    }
}

/// The line and column of a character, all counted from 1.
fn line_and_column(text: &str, position: usize) -> (usize, usize) {
    let (mut line, mut column) = (1, 1);
    for character in text.chars().take(position.saturating_sub(1)) {
        match character {
            '\n' => (line, column) = (line + 1, 1),
            _ => column += 1,
        }
    }
    (line, column)
}

/// What is wrong with a file of the views folder.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Where.
    pub location: Location,
    /// The view it is about; `None` if about the file.
    pub view: Option<FullName>,
    /// Whether it leaves open who may come in.
    pub is_about_roles: bool,
    /// What.
    pub error: Error,
}

/// What the views folder means at one moment.
#[derive(Clone, Debug, Default)]
pub struct Views {
    /// The files it was made of.
    pub files: Files,
    /// The views; an error where two files define one.
    pub views: BTreeMap<FullName, Result<Arc<View>>>,
    /// The schemas that are created by name or by a view in them, with their descriptions.
    pub schemas: BTreeMap<String, Option<String>>,
    /// COMMENT ON TABLE.
    pub tables: BTreeMap<FullName, String>,
    /// COMMENT ON COLUMN.
    pub columns: BTreeMap<(FullName, String), String>,
    /// Declared keys.
    pub keys: Keys,
    /// Named snapshots.
    pub snapshots: BTreeMap<String, Arc<SavedSnapshot>>,
    /// Servers of a warehouse, and what of them is here.
    pub foreign: Arc<Foreign>,
    /// The roles, and what they may.
    pub authority: Arc<Authority>,
    /// What could not be understood, or not be planned.
    pub problems: Vec<Problem>,
}

impl Views {
    /// The view of this name, if it is defined once.
    pub fn view(&self, name: &FullName) -> Option<&Arc<View>> {
        self.views.get(name)?.as_ref().ok()
    }

    /// What a message calls a relation of this name.
    pub fn kind_of(&self, name: &FullName) -> AlteredKind {
        match self.views.get(name) {
            Some(Ok(view)) => view.kind(),
            Some(Err(_)) => AlteredKind::View,
            None => AlteredKind::Table,
        }
    }

    /// Every view that is defined once.
    pub fn iter(&self) -> impl Iterator<Item = (&FullName, &Arc<View>)> {
        let views = self.views.iter();
        views.filter_map(|(name, view)| Some((name, view.as_ref().ok()?)))
    }

    /// Takes back a definition that does not plan: the one before it stays, and the problem is told.
    pub fn take_back(&mut self, good: Arc<View>, error: Error) {
        let name = (good.schema.clone(), good.name.clone());
        if let Some(Ok(refused)) = self.views.get(&name) {
            let location = refused.locate(error.position().unwrap_or(1));
            let error = error.with_hint("The definition before the edit stays in use.");
            self.problems.push(Problem {
                location,
                view: Some(name.clone()),
                is_about_roles: false,
                error,
            });
        }
        self.views.insert(name, Ok(good));
    }

    /// What a reference in a view of this schema means among the views.
    fn resolve(&self, schema: &str, reference: &Reference) -> Option<FullName> {
        let candidates = match &reference.0 {
            Some(schema) => vec![schema.as_str()],
            None => vec![schema, super::PUBLIC],
        };
        candidates.into_iter().find_map(|schema| {
            let exact = (schema.to_owned(), reference.1.clone());
            if self.views.contains_key(&exact) {
                return Some(exact);
            }
            let like = |name: &&FullName| {
                name.0 == schema && name.1.to_lowercase() == reference.1.to_lowercase()
            };
            self.views.keys().find(like).cloned()
        })
    }

    /// The views that a view reads.
    pub fn reads(&self, view: &View) -> Vec<FullName> {
        let resolved = view.reads.iter();
        resolved
            .filter_map(|reference| self.resolve(&view.schema, reference))
            .collect()
    }

    /// The views that read this one.
    pub fn readers(&self, name: &FullName) -> Vec<FullName> {
        self.iter()
            .filter(|(reader, view)| *reader != name && self.reads(view).contains(name))
            .map(|(reader, _)| reader.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests;
