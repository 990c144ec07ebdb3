//! Reads what the files of the views folder mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::file::{Piece, pieces};
use super::{
    FullName, Location, Place, Problem, ROLES_FOLDER, ReferencesOf, SavedSnapshot, View, Views,
    facts, foreign, keys, line_and_column, roles,
};
use crate::auth::{Authority, RoleChange};
use crate::catalog::PUBLIC;
use crate::catalog::sql::{AlterKeys, Commented, CreateSnapshot, CreateView, Definition, Name};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::Files;

/// What the files mean. Never fails: what cannot be understood is a problem of its file, and of
/// no other. The views that `before` had in such a file stay.
pub fn read(files: Files, before: Option<&Views>, references_of: ReferencesOf) -> Views {
    let mut reading = Reading {
        references_of,
        views: Views::default(),
        defined: BTreeMap::new(),
        comments: BTreeMap::new(),
        role_paths: BTreeMap::new(),
        keys: keys::Declared::default(),
        key_places: BTreeMap::new(),
        said: Vec::new(),
        foreign: Vec::new(),
    };
    let mut broken = Vec::new();
    for (path, file) in files.iter() {
        let n_problems = reading.views.problems.len();
        match &file.text {
            Ok(text) => reading.file(path, text),
            Err(error) => reading.problem(path, "", error.clone()),
        }
        if reading.views.problems.len() > n_problems {
            broken.push(path.to_owned());
        }
    }
    reading.views.files = files;
    reading.facts();
    reading.warehouses(before, &mut broken);
    let mut views = reading.finish();
    roles::keep_last_good(&mut views, before);
    let kept = before.into_iter().flat_map(Views::iter);
    for (name, view) in kept.filter(|(_, view)| broken.contains(&view.place.path)) {
        let unnamed = !views.views.contains_key(name);
        if unnamed {
            views.views.insert(name.clone(), Ok(Arc::clone(view)));
            views.schemas.entry(name.0.clone()).or_default();
        }
    }
    views
}

/// The schema of names without one in a file: the first folder it lies in.
pub(super) fn schema_of(path: &str) -> &str {
    path.split_once('/').map_or(PUBLIC, |(schema, _)| schema)
}

/// A name with the schema that its absence means.
pub(super) fn full(name: &Name, schema: &str) -> FullName {
    let schema = name.schema.as_deref().unwrap_or(schema);
    (schema.to_owned(), name.name.clone())
}

struct Reading {
    references_of: ReferencesOf,
    views: Views,
    /// Every definition of each view.
    defined: BTreeMap<FullName, Vec<View>>,
    /// COMMENT ON VIEW and ON TABLE; `None` takes away.
    comments: BTreeMap<FullName, Option<String>>,
    keys: keys::Declared,
    /// Where the keys of a relation were declared first: the file, line and column.
    key_places: BTreeMap<FullName, (String, usize, usize)>,
    /// The file of each role.
    role_paths: BTreeMap<String, String>,
    said: Vec<Said>,
    /// What is said of warehouses.
    foreign: Vec<foreign::Said>,
}

/// A statement about roles, and where it stands.
struct Said {
    definition: Definition,
    path: String,
    /// Its line and column.
    place: (usize, usize),
}

impl Reading {
    fn problem(&mut self, path: &str, text: &str, error: Error) {
        let (line, column) = line_and_column(text, error.position().unwrap_or(1));
        self.views.problems.push(Problem {
            location: Location {
                path: path.to_owned(),
                line,
                column,
            },
            view: None,
            is_about_roles: path.starts_with(ROLES_FOLDER),
            error,
        });
    }

    fn file(&mut self, path: &str, text: &str) {
        match pieces(text) {
            Ok(pieces) => {
                for piece in pieces {
                    self.piece(path, text, piece);
                }
            }
            Err(error) => self.problem(path, text, error),
        }
    }

    fn piece(&mut self, path: &str, text: &str, piece: Piece) {
        let schema = schema_of(path);
        if let Ok(definition) = &piece.definition
            && path.starts_with(ROLES_FOLDER) != definition.is_about_roles()
        {
            self.misplaced(path, text, definition, piece.position);
            return;
        }
        match piece.definition {
            Ok(ref said @ Definition::CreateRole(ref create)) => {
                let change = create.change.clone();
                if let Err(error) = self.role(path, &create.name, change) {
                    self.problem(path, text, error.at(piece.position));
                }
                self.said(path, text, said, piece.position);
            }
            Ok(said) if facts::is_fact(&said) => {
                self.said(path, text, &said, piece.position);
            }
            Ok(Definition::CreateView(view)) => self.view(path, text, view, piece.comment),
            Ok(Definition::CreateSnapshot(said)) => {
                if let Err(error) = self.snapshot(said) {
                    self.problem(path, text, error.at(piece.position));
                }
            }
            Ok(Definition::CreateSchema { name, .. }) => {
                let described = self.views.schemas.entry(name).or_default();
                if described.is_none() {
                    *described = piece.comment;
                }
            }
            Ok(Definition::Foreign(definition)) => self.foreign.push(foreign::Said {
                definition,
                path: path.to_owned(),
                schema: schema.to_owned(),
                place: line_and_column(text, piece.position),
            }),
            Ok(Definition::Comment { on, text }) => self.comment(schema, on, text),
            Ok(Definition::AlterKeys(alter)) => self.alter_keys(path, text, &alter, piece.position),
            Ok(other) => {
                let what = format!("{} in the views folder", other.tag());
                let error = Error::unsupported(what).with_hint(
                    "A file says what there is; to take it away, take it out of the file.",
                );
                self.problem(path, text, error.at(piece.position));
            }
            Err(error) => self.problem(path, text, error),
        }
    }

    fn view(&mut self, path: &str, text: &str, view: CreateView, description: Option<String>) {
        let CreateView { name, query, .. } = view;
        let reads = match (self.references_of)(&query.text) {
            Ok(reads) => reads,
            Err(error) => {
                let inner = error.position().unwrap_or(1);
                self.problem(path, text, error.at(query.position + inner - 1));
                return;
            }
        };
        let name = full(&name, schema_of(path));
        let view = View {
            schema: name.0.clone(),
            name: name.1.clone(),
            columns: view.columns,
            security_invoker: view.security_invoker,
            place: Place::new(path, text, query.position, &query.text),
            query: query.text,
            reads,
            description,
            materialized: view.materialized.map(|said| said.options),
        };
        self.views.schemas.entry(name.0.clone()).or_default();
        self.defined.entry(name).or_default().push(view);
    }

    /// Keeps declared keys until all of them are known.
    fn alter_keys(&mut self, path: &str, text: &str, alter: &AlterKeys, position: usize) {
        let schema = schema_of(path);
        if let Err(error) = self.keys.add(alter, schema) {
            self.problem(path, text, error.at(position));
            return;
        }
        let (line, column) = line_and_column(text, position);
        let place = (path.to_owned(), line, column);
        self.key_places
            .entry(full(&alter.on, schema))
            .or_insert(place);
    }

    /// Roles stand in a folder of their own, so that none is overlooked in a file that cannot be
    /// read.
    fn misplaced(&mut self, path: &str, text: &str, definition: &Definition, position: usize) {
        let tag = definition.tag();
        let error = match definition.is_about_roles() {
            true => Error::unsupported(format!("{tag} outside of \"{ROLES_FOLDER}\""))
                .with_hint("Move it into a file of that folder."),
            false => Error::unsupported(format!("{tag} in \"{ROLES_FOLDER}\"")),
        };
        self.problem(path, text, error.at(position));
        if let Some(told) = self.views.problems.last_mut() {
            told.is_about_roles = true;
        }
    }

    /// Keeps what is said of roles until all of them are known.
    fn said(&mut self, path: &str, text: &str, said: &Definition, position: usize) {
        self.said.push(Said {
            definition: said.clone(),
            path: path.to_owned(),
            place: line_and_column(text, position),
        });
    }

    /// What is said of the roles, once all of them are known.
    fn facts(&mut self) {
        let mut authority = Authority::clone(&self.views.authority);
        authority.is_enforced = self.views.has_role_files();
        for said in std::mem::take(&mut self.said) {
            let facts = facts::facts_of(&said.definition, &authority.roles);
            for fact in facts.transpose().map_or_else(
                |error| vec![Err(error)],
                |facts| facts.into_iter().flatten().map(Ok).collect(),
            ) {
                let checked = fact.and_then(|fact| {
                    facts::check(&authority, &fact)?;
                    if let Some(expression) = fact.expression() {
                        (self.references_of)(&format!("select ({expression}\n)"))?;
                    }
                    authority.facts.insert(fact);
                    Ok(())
                });
                if let Err(error) = checked {
                    self.views.problems.push(Problem {
                        location: Location {
                            path: said.path.clone(),
                            line: said.place.0,
                            column: said.place.1,
                        },
                        view: None,
                        is_about_roles: true,
                        error,
                    });
                }
            }
        }
        self.views.authority = Arc::new(authority);
    }

    /// What is said of warehouses, once all of it is known. While a file of it cannot be understood,
    /// all of it counts as it did before.
    fn warehouses(&mut self, before: Option<&Views>, broken: &mut Vec<String>) {
        let (made, wrong) = foreign::Foreign::of(std::mem::take(&mut self.foreign));
        for (said, error) in wrong {
            self.views.problems.push(Problem {
                location: Location {
                    path: said.path.clone(),
                    line: said.place.0,
                    column: said.place.1,
                },
                view: None,
                is_about_roles: false,
                error,
            });
            broken.push(said.path);
        }
        let known = before.map(|before| &before.foreign);
        let known = known.filter(|known| known.paths.iter().any(|path| broken.contains(path)));
        self.views.foreign = match known {
            Some(known) => Arc::clone(known),
            None => Arc::new(made),
        };
        let foreign = &self.views.foreign;
        let schemas = foreign.tables.keys().map(|(schema, _)| schema);
        for schema in schemas.chain(foreign.imports.iter().map(|import| &import.local)) {
            self.views.schemas.entry(schema.clone()).or_default();
        }
    }

    fn role(&mut self, path: &str, name: &str, change: RoleChange) -> Result<()> {
        let role = roles::of_file(name, change)?;
        if let Some(other) = self.role_paths.get(name) {
            let message = format!("role \"{name}\" is ambiguous: \"{other}\" defines it as well");
            return Err(Error::new(ErrorKind::DuplicateObject, message));
        }
        let path = path.to_owned();
        self.role_paths.insert(name.to_owned(), path);
        let authority = Arc::make_mut(&mut self.views.authority);
        authority.roles.insert(name.to_owned(), Arc::new(role));
        Ok(())
    }

    fn snapshot(&mut self, said: CreateSnapshot) -> Result<()> {
        let saved = SavedSnapshot::of(said)?;
        if self.views.snapshots.contains_key(&saved.name) {
            let message = format!("snapshot \"{}\" is defined twice", saved.name);
            return Err(Error::new(ErrorKind::DuplicateObject, message));
        }
        let name = saved.name.clone();
        self.views.snapshots.insert(name, Arc::new(saved));
        Ok(())
    }

    fn comment(&mut self, schema: &str, on: Commented, text: Option<String>) {
        match on {
            Commented::Schema(name) => {
                *self.views.schemas.entry(name).or_default() = text;
            }
            Commented::View(name)
            | Commented::Materialized(name)
            | Commented::Table(name)
            | Commented::Foreign(name) => {
                self.comments.insert(full(&name, schema), text);
            }
            Commented::Column(name, column) => {
                let key = (full(&name, schema), column);
                match text {
                    Some(text) => self.views.columns.insert(key, text),
                    None => self.views.columns.remove(&key),
                };
            }
        }
    }

    fn finish(mut self) -> Views {
        let (keys, problems) = std::mem::take(&mut self.keys).finish();
        self.views.keys = keys;
        for (on, error) in problems {
            let Some((path, line, column)) = self.key_places.remove(&on) else {
                continue;
            };
            let location = Location { path, line, column };
            self.views.problems.push(Problem {
                location,
                view: None,
                is_about_roles: false,
                error,
            });
        }
        for (name, mut views) in self.defined {
            if let Some(text) = self.comments.remove(&name) {
                views
                    .iter_mut()
                    .for_each(|view| view.description = text.clone());
            }
            let view = match views.as_slice() {
                [view] => Ok(Arc::new(view.clone())),
                several => Err(defined_twice(&name, several)),
            };
            if let Err(error) = &view {
                for view in &views {
                    self.views.problems.push(Problem {
                        location: view.locate(1),
                        view: Some(name.clone()),
                        is_about_roles: false,
                        error: error.clone(),
                    });
                }
            }
            self.views.views.insert(name, view);
        }
        for (name, text) in self.comments {
            if let Some(text) = text {
                self.views.tables.insert(name, text);
            }
        }
        self.views
    }
}

fn defined_twice(name: &FullName, views: &[View]) -> Error {
    let places: Vec<String> = views
        .iter()
        .map(|view| format!("\"{}\"", view.place.path))
        .collect();
    let message = format!(
        "view \"{}.{}\" is ambiguous: {} define it",
        name.0,
        name.1,
        places.join(" and ")
    );
    Error::new(ErrorKind::DuplicateTable, message)
}
