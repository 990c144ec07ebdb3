//! Declared keys: what the files of the views folder say of them, and ALTER ... ADD and DROP
//! CONSTRAINT, which change that.

use std::collections::BTreeMap;

use super::edit::Editor;
use super::look_up::Found;
use super::names::{no_relation, not_a, shown, written};
use super::owners::permission_denied;
use super::read::full;
use super::{FullName, Views};
use crate::auth::{Object, Privilege};
use crate::catalog::sql::{
    AlterKeys, AlteredKind, Definition, KeyAction, KeyKindSpec, KeySpec, Name, identifier,
};
use crate::error::{Error, ErrorKind, Result};

/// A key that is declared of a relation, or told by the server that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The constraint's name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<String>,
    /// What they are.
    pub kind: KeyKind,
    /// Whether a server enforces it. What is declared nobody enforces.
    pub is_enforced: bool,
}

/// What the columns of a key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// No two rows have the same, and none is NULL.
    Primary,
    /// No two rows have the same.
    Unique,
    /// A row of the other relation has them in these of its columns.
    Foreign(FullName, Vec<String>),
}

/// The keys of each relation, in the order of their declaration.
pub type Keys = BTreeMap<FullName, Vec<Key>>;

impl Key {
    /// As `pg_get_constraintdef` shows it.
    pub fn text(&self) -> String {
        let columns = listed(&self.columns);
        let how = match self.is_enforced {
            true => "",
            false => " NOT ENFORCED",
        };
        match &self.kind {
            KeyKind::Primary => format!("PRIMARY KEY ({columns}){how}"),
            KeyKind::Unique => format!("UNIQUE ({columns}){how}"),
            KeyKind::Foreign(to, referenced) => format!(
                "FOREIGN KEY ({columns}) REFERENCES {}({}){how}",
                shown(to),
                listed(referenced)
            ),
        }
    }

    /// Its declaration.
    fn spec(&self) -> KeySpec {
        KeySpec {
            name: Some(self.name.clone()),
            columns: self.columns.clone(),
            kind: match &self.kind {
                KeyKind::Primary => KeyKindSpec::Primary,
                KeyKind::Unique => KeyKindSpec::Unique,
                KeyKind::Foreign(to, referenced) => {
                    KeyKindSpec::Foreign(written(to), referenced.clone())
                }
            },
        }
    }

    /// Whether it is unique, as what a foreign key refers to must be.
    pub fn is_unique(&self) -> bool {
        !matches!(self.kind, KeyKind::Foreign(..))
    }

    /// Whether it is a foreign key that refers to a key of a relation.
    fn refers_to(&self, relation: &FullName, key: &Self) -> bool {
        match &self.kind {
            KeyKind::Foreign(to, referenced) => to == relation && is_same(referenced, &key.columns),
            _ => false,
        }
    }
}

fn listed(columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| identifier(column)).collect();
    columns.join(", ")
}

/// Whether two lists name the same columns, in whatever order.
fn is_same(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().all(|column| b.contains(column))
}

/// The key that a declaration means, beside those that are there.
///
/// # Errors
/// As PostgreSQL's ALTER TABLE: a second primary key, a name that is taken, a foreign key to
/// columns that are no key.
pub(super) fn of_spec(
    keys: &Keys,
    on: &FullName,
    spec: &KeySpec,
    refers_to: impl FnOnce(&Name) -> Result<FullName>,
) -> Result<Key> {
    let own = keys.get(on).map_or(&[][..], Vec::as_slice);
    for (at, column) in spec.columns.iter().enumerate() {
        if spec.columns[..at].contains(column) {
            let message = format!("column \"{column}\" appears twice in a key");
            return Err(Error::new(ErrorKind::DuplicateColumn, message));
        }
    }
    let kind = match &spec.kind {
        KeyKindSpec::Primary => {
            if own.iter().any(|key| key.kind == KeyKind::Primary) {
                let message = format!(
                    "multiple primary keys for table \"{}\" are not allowed",
                    on.1
                );
                return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
            }
            KeyKind::Primary
        }
        KeyKindSpec::Unique => KeyKind::Unique,
        KeyKindSpec::Foreign(to, referenced) => {
            let to = refers_to(to)?;
            let referenced = referenced_columns(keys, &to, referenced, spec.columns.len())?;
            KeyKind::Foreign(to, referenced)
        }
    };
    let name = match &spec.name {
        Some(name) => name.clone(),
        None => default_key_name(own, on, &spec.columns, &kind),
    };
    if own.iter().any(|key| key.name == name) {
        let message = format!(
            "constraint \"{name}\" for relation \"{}\" already exists",
            on.1
        );
        return Err(Error::new(ErrorKind::DuplicateObject, message));
    }
    Ok(Key {
        name,
        columns: spec.columns.clone(),
        kind,
        is_enforced: false,
    })
}

/// As transformFkeyGetPrimaryKey and transformFkeyCheckAttrs in tablecmds.c.
fn referenced_columns(
    keys: &Keys,
    to: &FullName,
    named: &[String],
    n_columns: usize,
) -> Result<Vec<String>> {
    let of_other = keys.get(to).map_or(&[][..], Vec::as_slice);
    let columns = match named {
        [] => {
            let primary = of_other.iter().find(|key| key.kind == KeyKind::Primary);
            let primary = primary.ok_or_else(|| {
                let message = format!("there is no primary key for referenced table \"{}\"", to.1);
                Error::new(ErrorKind::UndefinedObject, message)
            })?;
            primary.columns.clone()
        }
        named => named.to_vec(),
    };
    if columns.len() != n_columns {
        let message = "number of referencing and referenced columns for foreign key disagree";
        return Err(Error::new(ErrorKind::InvalidForeignKey, message));
    }
    let mut unique = of_other.iter().filter(|key| key.is_unique());
    if !unique.any(|key| is_same(&key.columns, &columns)) {
        let message = format!(
            "there is no unique constraint matching given keys for referenced table \"{}\"",
            to.1
        );
        return Err(Error::new(ErrorKind::InvalidForeignKey, message));
    }
    Ok(columns)
}

/// As ChooseConstraintName and ChooseIndexName in PostgreSQL, which also count up from 1.
pub fn default_key_name(own: &[Key], on: &FullName, columns: &[String], kind: &KeyKind) -> String {
    let base = match kind {
        KeyKind::Primary => format!("{}_pkey", on.1),
        KeyKind::Unique => format!("{}_{}_key", on.1, columns.join("_")),
        KeyKind::Foreign(..) => format!("{}_{}_fkey", on.1, columns.join("_")),
    };
    let is_free = |name: &String| own.iter().all(|key| key.name != *name);
    let counted = (1..).map(|n| format!("{base}{n}"));
    let mut names = std::iter::once(base.clone()).chain(counted);
    names.find(is_free).unwrap_or(base)
}

/// The keys that files declare; what refers to others is understood once all are known.
#[derive(Debug, Default)]
pub(super) struct Declared {
    /// The relation, the declaration, and the schema of names without one.
    said: Vec<(FullName, KeySpec, String)>,
}

impl Declared {
    /// Keeps what a statement of a file says.
    ///
    /// # Errors
    /// `FeatureNotSupported`: it takes a key away, which files do by leaving it out.
    pub(super) fn add(&mut self, alter: &AlterKeys, schema: &str) -> Result<()> {
        for action in &alter.actions {
            let KeyAction::Add(spec) = action else {
                return Err(
                    Error::unsupported("DROP CONSTRAINT in the views folder").with_hint(
                        "A file says what there is; to take it away, take it out of the file.",
                    ),
                );
            };
            let on = full(&alter.on, schema);
            self.said.push((on, spec.clone(), schema.to_owned()));
        }
        Ok(())
    }

    /// What they mean together, and what of them means nothing.
    pub(super) fn finish(self) -> (Keys, Vec<(FullName, Error)>) {
        let (mut keys, mut problems) = (Keys::new(), Vec::new());
        let (foreign, others): (Vec<_>, Vec<_>) = self
            .said
            .into_iter()
            .partition(|(_, spec, _)| matches!(spec.kind, KeyKindSpec::Foreign(..)));
        for (on, spec, schema) in others.into_iter().chain(foreign) {
            match of_spec(&keys, &on, &spec, |to| Ok(full(to, &schema))) {
                Ok(key) => keys.entry(on).or_default().push(key),
                Err(error) => problems.push((on, error)),
            }
        }
        (keys, problems)
    }
}

impl Views {
    /// The foreign keys that refer to a key of a relation, and their relations.
    fn referring<'a>(
        &'a self,
        relation: &'a FullName,
        key: &'a Key,
    ) -> impl Iterator<Item = (&'a FullName, &'a Key)> {
        let all = self.keys.iter();
        all.flat_map(|(on, keys)| keys.iter().map(move |key| (on, key)))
            .filter(move |(_, other)| other.refers_to(relation, key))
    }
}

impl Editor<'_> {
    /// ALTER ... ADD and DROP CONSTRAINT.
    pub(super) fn alter_keys(&mut self, alter: &AlterKeys) -> Result<()> {
        let on = match (self.look_up(&alter.on)?, alter.kind) {
            (Some(Found::View(on)), kind) => {
                self.require_kind(kind, &on)?;
                on
            }
            (Some(Found::Other(on)), AlteredKind::Table) => on,
            (Some(Found::Other(on)), kind) => return Err(not_a(kind, &on.1)),
            (None, _) if alter.if_exists => {
                self.skip("relation", &alter.on);
                return Ok(());
            }
            (None, _) => return Err(no_relation(&alter.on)),
        };
        let kind = self.views.kind_of(&on).word();
        self.require_owns(kind, &on)?;
        let mut keys = self.views.keys.clone();
        for action in &alter.actions {
            match action {
                KeyAction::Add(spec) => self.add_key(&mut keys, &on, kind, spec)?,
                KeyAction::Drop {
                    name,
                    if_exists,
                    cascade,
                } => self.drop_key(&mut keys, &on, name, *if_exists, *cascade)?,
            }
        }
        Ok(())
    }

    fn add_key(
        &mut self,
        keys: &mut Keys,
        on: &FullName,
        kind: &str,
        spec: &KeySpec,
    ) -> Result<()> {
        let key = of_spec(keys, on, spec, |to| self.referenced(to))?;
        let statement = statement(kind, on, &[key.spec()], &on.0);
        keys.entry(on.clone()).or_default().push(key);
        let path = self.path_for(on);
        self.append(&path, &statement);
        Ok(())
    }

    /// The relation that a foreign key refers to.
    fn referenced(&self, name: &Name) -> Result<FullName> {
        let (Found::View(to) | Found::Other(to)) =
            self.look_up(name)?.ok_or_else(|| no_relation(name))?;
        let object = Object::relation(&to.0, &to.1);
        let rights = self.rights();
        if rights.own(&object) || rights.may(Privilege::Select, &object) {
            return Ok(to);
        }
        Err(permission_denied("table", &to.1))
    }

    fn drop_key(
        &mut self,
        keys: &mut Keys,
        on: &FullName,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<()> {
        let own = keys.get(on).map_or(&[][..], Vec::as_slice);
        let Some(key) = own.iter().find(|key| key.name == name).cloned() else {
            let message = format!(
                "constraint \"{name}\" of relation \"{}\" does not exist",
                on.1
            );
            if if_exists {
                self.edited.notices.push(format!("{message}, skipping"));
                return Ok(());
            }
            return Err(Error::new(ErrorKind::UndefinedObject, message));
        };
        let referring = self.views.referring(on, &key);
        let referring: Vec<(FullName, String)> = referring
            .map(|(by, key)| (by.clone(), key.name.clone()))
            .collect();
        if let (Some((by, other)), false) = (referring.first(), cascade) {
            let what = format!("constraint {name} on relation {}", shown(on));
            let message = format!("cannot drop {what} because other objects depend on it");
            return Err(Error::new(ErrorKind::DependentObjectsStillExist, message)
                .with_detail(format!(
                    "constraint {other} on relation {} depends on {what}",
                    shown(by)
                ))
                .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        for (by, other) in referring {
            let what = format!("constraint {other} on relation {}", shown(&by));
            self.edited.notices.push(format!("drop cascades to {what}"));
            self.remove_key(keys, &by, &other);
        }
        self.remove_key(keys, on, name);
        Ok(())
    }

    fn remove_key(&mut self, keys: &mut Keys, on: &FullName, name: &str) {
        if let Some(own) = keys.get_mut(on) {
            own.retain(|key| key.name != name);
        }
        let remaining = keys.clone();
        self.write_keys(&remaining, |of| of == on);
    }

    /// Writes the declarations of some relations anew.
    fn write_keys(&mut self, keys: &Keys, which: impl Fn(&FullName) -> bool) {
        self.each_piece(|piece, schema| match &piece.definition {
            Ok(Definition::AlterKeys(alter)) if which(&full(&alter.on, schema)) => {
                Some((piece.with_comment.clone(), String::new()))
            }
            _ => None,
        });
        for (on, own) in keys.iter().filter(|(on, _)| which(on)) {
            let kind = self.views.kind_of(on).word();
            let path = self.path_for(on);
            for key in own {
                self.append(&path, &statement(kind, on, &[key.spec()], &on.0));
            }
        }
    }

    /// Takes the keys of a view that goes, and the foreign keys that refer to them.
    pub(super) fn remove_keys_of(&mut self, name: &FullName) {
        let mut keys = self.views.keys.clone();
        let had = keys.remove(name).is_some();
        let mut changed: Vec<FullName> = Vec::new();
        for (on, own) in &mut keys {
            let n_before = own.len();
            own.retain(|key| !matches!(&key.kind, KeyKind::Foreign(to, _) if to == name));
            if own.len() < n_before {
                let notice = format!("drop cascades to foreign keys of relation {}", shown(on));
                self.edited.notices.push(notice);
                changed.push(on.clone());
            }
        }
        if had || !changed.is_empty() {
            self.write_keys(&keys, |on| on == name || changed.contains(on));
        }
    }

    /// Has the keys of a view follow it to its new name.
    pub(super) fn rename_keys_of(&mut self, old: &FullName, new: &FullName) {
        self.each_piece(|piece, schema| {
            let Ok(Definition::AlterKeys(alter)) = &piece.definition else {
                return None;
            };
            let renamed = |name: &Name| (full(name, schema) == *old).then(|| written(new));
            let on = renamed(&alter.on);
            let mut has_changed = on.is_some();
            let mut keys = Vec::new();
            for action in &alter.actions {
                let KeyAction::Add(key) = action else {
                    continue;
                };
                let mut key = key.clone();
                if let KeyKindSpec::Foreign(to, _) = &mut key.kind
                    && let Some(other) = renamed(to)
                {
                    *to = other;
                    has_changed = true;
                }
                keys.push(key);
            }
            let kind = alter.kind.word();
            let on = full(on.as_ref().unwrap_or(&alter.on), schema);
            has_changed.then(|| (piece.bytes.clone(), statement(kind, &on, &keys, schema)))
        });
    }
}

/// A declaration as it is written into files. `schema` is that of names without one.
fn statement(kind: &str, on: &FullName, keys: &[KeySpec], schema: &str) -> String {
    let keys: Vec<String> = keys.iter().map(|key| spec_text(key, schema)).collect();
    format!("alter {kind} {} {};", shown(on), keys.join(", "))
}

fn spec_text(spec: &KeySpec, schema: &str) -> String {
    let name = spec.name.as_ref();
    let name = name.map(|name| format!("constraint {} ", identifier(name)));
    let columns = listed(&spec.columns);
    let what = match &spec.kind {
        KeyKindSpec::Primary => format!("primary key ({columns})"),
        KeyKindSpec::Unique => format!("unique ({columns})"),
        KeyKindSpec::Foreign(to, referenced) => {
            let referenced = match referenced.as_slice() {
                [] => String::new(),
                some => format!(" ({})", listed(some)),
            };
            let to = shown(&full(to, schema));
            format!("foreign key ({columns}) references {to}{referenced}")
        }
    };
    format!("add {}{what} not enforced", name.unwrap_or_default())
}
