//! Changes the files of the views folder as a statement says: definitions are replaced, added and
//! taken out as text, and everything else in their files stays as it is.

use std::collections::BTreeSet;

use super::file::{Piece, pieces};
use super::look_up::Found;
use super::names::{
    create_statement, file_name, no_such, no_view, not_a, not_a_view, path_of, shown, written,
};
use super::read::{full, schema_of};
use super::{FullName, Renamed, Views};
use crate::auth::{Actor, Fact, Object};
use crate::catalog::sql::{AlteredKind, Commented, CreateView, Definition, Name, identifier};
use crate::catalog::{Kind, PUBLIC, Snapshot, system};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::Files;

/// What surrounds a statement that defines something.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// What exists, with what the transaction defined before.
    pub snapshot: &'a Snapshot,
    /// Schemas searched for unqualified names.
    pub search_path: &'a [String],
    /// The database's name.
    pub database: &'a str,
    /// Who defines it.
    pub actor: &'a Actor,
    /// A query's text with other names of what it reads.
    pub renamed: Renamed,
}

/// The files after a statement.
#[derive(Debug)]
pub struct Edited {
    /// All of them.
    pub files: Files,
    /// What PostgreSQL would tell the client beside.
    pub notices: Vec<String>,
    /// What PostgreSQL would warn of.
    pub warnings: Vec<String>,
    /// The view that was defined.
    pub created: Option<FullName>,
    /// The relation that is protected in another way.
    pub protected: Option<FullName>,
    /// What the files say of roles now, if that changed.
    pub facts: Option<BTreeSet<Fact>>,
}

/// Changes the files as `definition` says.
///
/// # Errors
/// As PostgreSQL's command of that name: what is named is not there, or there already, or needed.
pub(super) fn edit(
    views: &Views,
    definition: &Definition,
    surroundings: Surroundings<'_>,
) -> Result<Edited> {
    let mut editor = Editor {
        views,
        surroundings,
        edited: Edited {
            files: views.files.clone(),
            notices: Vec::new(),
            warnings: Vec::new(),
            created: None,
            protected: None,
            facts: None,
        },
    };
    match definition {
        Definition::CreateView(view) => editor.create_view(view)?,
        Definition::DropView {
            kind,
            names,
            if_exists,
            cascade,
        } => editor.drop_views(*kind, names, *if_exists, *cascade)?,
        Definition::RenameView {
            kind,
            name,
            if_exists,
            to,
        } => {
            editor.require_no_table(*kind, name)?;
            editor.rename(*kind, (name, *if_exists), |old| (old.0.clone(), to.clone()))?;
        }
        Definition::MoveView {
            kind,
            name,
            if_exists,
            to,
        } => {
            editor.require_schema(to)?;
            editor.rename(*kind, (name, *if_exists), |old| (to.clone(), old.1.clone()))?;
        }
        Definition::AlterMaterialized(alter) => editor.alter_materialized(alter)?,
        Definition::CreateSchema {
            name,
            if_not_exists,
        } => editor.create_schema(name, *if_not_exists)?,
        Definition::DropSchema {
            names,
            if_exists,
            cascade,
        } => {
            for name in names {
                editor.drop_schema(name, *if_exists, *cascade)?;
            }
        }
        Definition::Foreign(definition) => editor.foreign(definition)?,
        Definition::Comment { on, text } => editor.comment(on, text.as_deref())?,
        Definition::AlterKeys(alter) => editor.alter_keys(alter)?,
        Definition::CreateSnapshot(snapshot) => editor.create_snapshot(snapshot)?,
        Definition::DropSnapshot { names, if_exists } => {
            editor.drop_snapshots(names, *if_exists)?;
        }
        other => editor.role(other)?,
    }
    Ok(editor.edited)
}

pub(super) struct Editor<'a> {
    pub(super) views: &'a Views,
    pub(super) surroundings: Surroundings<'a>,
    pub(super) edited: Edited,
}

impl Editor<'_> {
    /// What is said of roles cannot be changed while some of it counts as it was before.
    pub(super) fn require_sound_roles(&self) -> Result<()> {
        let Some(problem) = self.views.role_problem() else {
            return Ok(());
        };
        let message = format!(
            "roles cannot be changed while \"{}\" cannot be understood",
            problem.location.path
        );
        Err(Error::new(ErrorKind::InvalidObjectDefinition, message)
            .with_detail(problem.error.message().to_owned()))
    }

    /// A statement about roles.
    fn role(&mut self, definition: &Definition) -> Result<()> {
        self.require_sound_roles()?;
        match definition {
            Definition::CreateRole(create) => self.create_role(create),
            Definition::AlterRole { role, change } => self.alter_role(role, change),
            Definition::RenameRole { role, to } => self.rename_role(role, to),
            Definition::AlterRoleSetting { of, change } => self.alter_setting(of, change),
            Definition::DropRole { roles, if_exists } => self.drop_roles(roles, *if_exists),
            Definition::GrantRole(grant) => self.grant_role(grant),
            Definition::GrantPrivilege(grant) => self.grant_privilege(grant),
            Definition::AlterDefaults(alter) => self.alter_defaults(alter),
            Definition::AlterOwner { on, to } => self.alter_owner(on, to),
            Definition::DropOwned { roles, cascade } => self.drop_owned(roles, *cascade),
            Definition::ReassignOwned { roles, to } => self.reassign_owned(roles, to),
            other => self.policies(other),
        }
    }

    fn create_view(&mut self, view: &CreateView) -> Result<()> {
        let or_replace = view.or_replace;
        let schema = match &view.name.schema {
            Some(schema) => schema.clone(),
            None => self.creation_schema()?,
        };
        self.require_schema(&schema)?;
        self.require_may_create_in(&schema)?;
        let name = (schema, view.name.name.clone());
        let statement = create_statement(&name, view);
        let shown = &name.1;
        if let Some(said) = &view.materialized
            && said.if_not_exists
            && self.find(&name.0, &name.1)?.is_some()
        {
            let notice = format!("relation \"{shown}\" already exists, skipping");
            self.edited.notices.push(notice);
            return Ok(());
        }
        if self.views.views.contains_key(&name) {
            if or_replace {
                self.require_kind(AlteredKind::View, &name)?;
            } else {
                let message = format!("relation \"{shown}\" already exists");
                return Err(Error::new(ErrorKind::DuplicateTable, message));
            }
            self.require_owns("view", &name)?;
            let (path, piece) = self.piece_of(&name)?;
            self.replace(&path, piece.bytes, &statement);
        } else {
            match self.find(&name.0, &name.1)? {
                Some(_) if or_replace => return Err(not_a_view(shown)),
                Some(_) => {
                    let message = format!("relation \"{shown}\" already exists");
                    return Err(Error::new(ErrorKind::DuplicateTable, message));
                }
                None => {
                    self.append(&path_of(&name), &statement);
                    let facts = self.facts_of_new(&Object::relation(&name.0, &name.1));
                    self.change_facts(facts)?;
                }
            }
        }
        self.edited.created = Some(name);
        Ok(())
    }

    fn drop_views(
        &mut self,
        kind: AlteredKind,
        names: &[Name],
        if_exists: bool,
        cascade: bool,
    ) -> Result<()> {
        let mut dropped = BTreeSet::new();
        for name in names {
            match self.look_up(name)? {
                Some(Found::View(name)) => {
                    if let Err(error) = self.require_kind(kind, &name) {
                        // As DropErrorMsgWrongType in tablecmds.c.
                        let word = self.views.kind_of(&name).word();
                        let hint = format!("Use DROP {} to remove a {word}.", word.to_uppercase());
                        return Err(error.with_hint(hint));
                    }
                    self.require_may_drop(&name)?;
                    dropped.insert(name);
                }
                Some(Found::Other(name)) => return Err(not_a(kind, &name.1)),
                None if if_exists => self.skip(kind.word(), name),
                None => return Err(no_such(kind.word(), name)),
            }
        }
        self.remove_views(dropped, cascade)
    }

    /// Removes views; with them those that read them, or none.
    pub(super) fn remove_views(
        &mut self,
        mut dropped: BTreeSet<FullName>,
        cascade: bool,
    ) -> Result<()> {
        let named = dropped.clone();
        let mut next: Vec<FullName> = dropped.iter().cloned().collect();
        while let Some(name) = next.pop() {
            for reader in self.views.readers(&name) {
                if dropped.contains(&reader) {
                    continue;
                }
                if !cascade {
                    let (what, by) = (shown(&name), shown(&reader));
                    let kind = self.views.kind_of(&name).word();
                    let message =
                        format!("cannot drop {kind} {what} because other objects depend on it");
                    let reading = self.views.kind_of(&reader).word();
                    return Err(Error::new(ErrorKind::DependentObjectsStillExist, message)
                        .with_detail(format!("{reading} {by} depends on {kind} {what}"))
                        .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
                }
                dropped.insert(reader.clone());
                next.push(reader);
            }
        }
        for name in &dropped {
            if !named.contains(name) {
                let kind = self.views.kind_of(name).word();
                let notice = format!("drop cascades to {kind} {}", shown(name));
                self.edited.notices.push(notice);
            }
            self.remove_view(name)?;
        }
        Ok(())
    }

    fn remove_view(&mut self, name: &FullName) -> Result<()> {
        let (path, piece) = self.piece_of(name)?;
        self.replace(&path, piece.with_comment, "");
        self.each_comment(|on, schema| match on {
            Commented::View(of)
            | Commented::Materialized(of)
            | Commented::Table(of)
            | Commented::Foreign(of)
            | Commented::Column(of, _) => (full(of, schema) == *name).then(String::new),
            Commented::Schema(_) => None,
        });
        self.remove_keys_of(name);
        let facts = self.facts_of_moved(&Object::relation(&name.0, &name.1), None);
        self.change_facts(facts)
    }

    fn create_schema(&mut self, name: &str, if_not_exists: bool) -> Result<()> {
        if name.starts_with("pg_") || system::is_system_schema(name) {
            let message = format!("unacceptable schema name \"{name}\"");
            return Err(Error::new(ErrorKind::InvalidSchemaName, message)
                .with_detail("The prefix \"pg_\" is reserved for system schemas."));
        }
        self.require_may_create_schemas()?;
        if self.surroundings.snapshot.schemas.contains_key(name) {
            let message = format!("schema \"{name}\" already exists");
            if if_not_exists {
                self.edited.notices.push(format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(ErrorKind::DuplicateSchema, message));
        }
        let statement = format!("create schema {};", identifier(name));
        self.append(&format!("{}.sql", file_name(name)), &statement);
        let facts = self.facts_of_new(&Object::schema(name));
        self.change_facts(facts)
    }

    pub(super) fn drop_schema(&mut self, name: &str, if_exists: bool, cascade: bool) -> Result<()> {
        let Some(schema) = self.surroundings.snapshot.schemas.get(name) else {
            let message = format!("schema \"{name}\" does not exist");
            if if_exists {
                self.edited.notices.push(format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(ErrorKind::InvalidSchemaName, message));
        };
        self.require_owns_schema(name)?;
        let is_table = |kind: &Result<Kind>| !matches!(kind, Ok(Kind::View(_) | Kind::Foreign(_)));
        let mut tables = schema.relations.values();
        if name == PUBLIC || tables.any(|relation| is_table(&relation.kind)) {
            let what = format!("dropping schema \"{name}\", which is a folder of the lake,");
            return Err(Error::unsupported(what));
        }
        let inside = self.views.views.keys().filter(|view| view.0 == name);
        let inside: BTreeSet<FullName> = inside.cloned().collect();
        if let Some(first) = inside.first()
            && !cascade
        {
            let message = format!("cannot drop schema {name} because other objects depend on it");
            return Err(Error::new(ErrorKind::DependentObjectsStillExist, message)
                .with_detail(format!(
                    "{} {} depends on schema {name}",
                    self.views.kind_of(first).word(),
                    shown(first)
                ))
                .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        for view in &inside {
            let kind = self.views.kind_of(view).word();
            let notice = format!("drop cascades to {kind} {}", shown(view));
            self.edited.notices.push(notice);
        }
        self.drop_foreign_in(name, cascade)?;
        // Those that read what was elsewhere are gone by now.
        let inside = inside.into_iter();
        let inside = inside.filter(|view| self.piece_of(view).is_ok()).collect();
        self.remove_views(inside, cascade)?;
        self.each_piece(|piece, _| match &piece.definition {
            Ok(Definition::CreateSchema { name: of, .. }) if of == name => {
                Some((piece.with_comment.clone(), String::new()))
            }
            Ok(Definition::Comment {
                on: Commented::Schema(of),
                ..
            }) if of == name => Some((piece.with_comment.clone(), String::new())),
            _ => None,
        });
        let facts = self.facts_of_moved(&Object::schema(name), None);
        self.change_facts(facts)
    }

    /// Where a view is defined. One that is defined twice cannot be changed by name.
    pub(super) fn piece_of(&self, name: &FullName) -> Result<(String, Piece)> {
        let view = match self.views.views.get(name) {
            Some(Ok(view)) => view,
            Some(Err(error)) => return Err(error.clone()),
            None => return Err(no_view(&written(name))),
        };
        let path = &view.place.path;
        let text = self.edited.files.text(path).map_or("", AsRef::as_ref);
        let schema = schema_of(path);
        let found = pieces(text)?.into_iter().find(|piece| {
            matches!(&piece.definition, Ok(Definition::CreateView(view))
                if full(&view.name, schema) == *name)
        });
        // The file does not hold it as it stands: it was edited into something that is none.
        let found = found.ok_or_else(|| {
            let message = format!("could not change \"{path}\" because of a concurrent change");
            Error::new(ErrorKind::SerializationFailure, message)
        })?;
        Ok((path.clone(), found))
    }

    /// The file that a statement about a relation belongs in.
    pub(super) fn path_for(&self, name: &FullName) -> String {
        let view = self.views.view(name);
        view.map_or_else(|| path_of(name), |view| view.place.path.clone())
    }

    /// Replaces what `change` says of the statements of all files.
    pub(super) fn each_piece(
        &mut self,
        mut change: impl FnMut(&Piece, &str) -> Option<(std::ops::Range<usize>, String)>,
    ) {
        let files = self.edited.files.clone();
        for (path, file) in files.iter() {
            let pieces = file.text.as_ref().ok().and_then(|text| pieces(text).ok());
            // From the end, so that the places before stay where they are.
            for piece in pieces.into_iter().flatten().rev() {
                if let Some((bytes, text)) = change(&piece, schema_of(path)) {
                    self.replace(path, bytes, &text);
                }
            }
        }
    }

    pub(super) fn replace(&mut self, path: &str, bytes: std::ops::Range<usize>, statement: &str) {
        let text = self.edited.files.text(path).map_or("", AsRef::as_ref);
        let (before, after) = (&text[..bytes.start], &text[bytes.end..]);
        let text = match statement {
            // A statement that goes takes its line's end along.
            "" => format!("{before}{}", after.strip_prefix('\n').unwrap_or(after)),
            statement => format!("{before}{statement}{after}"),
        };
        let kept = Some(text.as_str()).filter(|text| !text.trim().is_empty());
        self.edited.files = self.edited.files.with(path, kept);
    }

    pub(super) fn append(&mut self, path: &str, statement: &str) {
        let before = self.edited.files.text(path).map_or("", AsRef::as_ref);
        let text = match before.trim_end() {
            "" => format!("{statement}\n"),
            before => format!("{before}\n\n{statement}\n"),
        };
        self.edited.files = self.edited.files.with(path, Some(&text));
    }
}
