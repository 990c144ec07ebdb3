//! Resolves at which moment of its history each relation of a statement is read.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::Expr;

use super::{Point, behind_sign, calls, no_history, unmarked};
use crate::catalog::Relation;
use crate::catalog::system::LAKEGATE;
use crate::catalog::views::{View, permission_denied};
use crate::engine::look_up::Found;
use crate::engine::references::{NamesOf, Resolver};
use crate::engine::resolved::{Meaning, TableKey, Target, ViewKey};
use crate::engine::scope::reference;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::{At, LakeTable};

impl Resolver<'_> {
    /// The moment that the session reads at.
    pub(in crate::engine) fn session_point(&self) -> Result<Point> {
        if let Some(known) = self.of_session.get() {
            return Ok(known.clone());
        }
        let point = match self.clock.heeds_session {
            true => self.clock.of_session(self.snapshot)?,
            false => Point::Latest,
        };
        if point != Point::Latest {
            self.says_moment.set(true);
        }
        Ok(self.of_session.get_or_init(|| point).clone())
    }

    /// What a name finds, and the moment that is said of it: behind it, or in it as `orders@v12`, if no
    /// relation is called so.
    pub(in crate::engine) fn look_up_at(
        &self,
        name: &TableReference,
        point: Option<Point>,
        path: &[&str],
    ) -> Result<(Found, Option<Point>)> {
        let name = unmarked(name);
        let missing = match self.look_up(&name, path) {
            Ok(found) => return Ok((found, point)),
            Err(error) if error.kind() == ErrorKind::UndefinedTable => error,
            Err(error) => return Err(error),
        };
        let Some((table, said)) = behind_sign(name.table()) else {
            return Err(missing);
        };
        let plain = match (name.catalog(), name.schema()) {
            (Some(catalog), Some(schema)) => TableReference::full(catalog, schema, table),
            (_, Some(schema)) => TableReference::partial(schema, table),
            (_, None) => TableReference::bare(table),
        };
        let found = match self.look_up(&plain, path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::UndefinedTable => return Err(missing),
            Err(error) => return Err(error),
        };
        if point.is_some() {
            let message = format!("relation \"{}\" is read at two moments", name.table());
            return Err(Error::new(ErrorKind::SyntaxError, message));
        }
        let point = self.clock.of_name(said, self.snapshot)?;
        if !matches!(point, Point::Version(_)) {
            self.says_moment.set(true);
        }
        Ok((found, Some(point)))
    }

    /// What is told of a table's history: to those who may read all of it, for it tells how much there is
    /// and was.
    pub(in crate::engine) fn told(
        &mut self,
        (function, given): (&str, &Expr),
        names: NamesOf<'_>,
    ) -> Result<Meaning> {
        let Some(what) = calls::told(function) else {
            return Err(Error::unsupported("this function of histories"));
        };
        let name = calls::argument(given, "a table")?;
        let name = reference(&name).ok_or_else(|| Error::unsupported("a name of many parts"))?;
        let (found, point) = self.look_up_at(&name, None, names.path)?;
        let Found::Relation(relation) = found else {
            return Err(Error::unsupported("the history of a system relation"));
        };
        let (schema, name) = (relation.schema.as_str(), relation.name.as_str());
        let protection = self.access.protection(names.reader, schema, name)?;
        let limit = self.limit(&relation, protection.as_ref(), names.reader)?;
        if limit.is_some() || protection.is_some() {
            return Err(permission_denied("table", name));
        }
        let at = match point {
            Some(point) => point,
            None => names.at.cloned().map_or_else(|| self.session_point(), Ok)?,
        };
        let table = match (&relation.kind, relation.table()) {
            (Err(error), _) => return Err(error.clone()),
            (Ok(_), Some(table)) if table.has_history() => table.clone(),
            (Ok(_), _) => return Err(no_history(&relation, &Point::Version(0))),
        };
        let at = at.of_table(schema, name)?;
        let key = TableKey {
            schema: LAKEGATE.to_owned(),
            name: format!("{function}({schema}.{name})"),
            at,
            asked_as: None,
        };
        let target = Target::Told(table, what, at);
        self.tables.insert(key.clone(), target);
        Ok(Meaning::Table(key))
    }

    /// A table of files, at a moment.
    pub(in crate::engine) fn lake_table(
        &mut self,
        relation: &Relation,
        table: &LakeTable,
        at: &Point,
    ) -> Result<Meaning> {
        let key = TableKey {
            schema: relation.schema.clone(),
            name: relation.name.clone(),
            at: self.moment_of(relation, table, at)?,
            asked_as: None,
        };
        let target = Target::Lake(table.clone());
        self.tables.insert(key.clone(), target);
        Ok(Meaning::Table(key))
    }

    /// The moment of a table's own history.
    pub(in crate::engine) fn moment_of(
        &mut self,
        relation: &Relation,
        table: &LakeTable,
        at: &Point,
    ) -> Result<Option<At>> {
        if table.has_history() || *at == Point::Latest {
            return at.of_table(&relation.schema, &relation.name);
        }
        self.require_now(relation, at)?;
        Ok(None)
    }

    /// Refuses a moment of what keeps no history, unless it may be read as it is.
    pub(in crate::engine) fn require_now(&mut self, relation: &Relation, at: &Point) -> Result<()> {
        if *at == Point::Latest {
            return Ok(());
        }
        if !self.clock.is_mixed() || matches!(at, Point::Version(_)) {
            return Err(no_history(relation, at));
        }
        let name = format!("{}.{}", relation.schema, relation.name);
        self.as_they_are.insert(name);
        Ok(())
    }

    /// Refuses a version of a view that reads not exactly one table with versions: of which it would be,
    /// nobody could say.
    pub(in crate::engine) fn require_one_history(
        &self,
        relation: &Relation,
        view: &Arc<View>,
        version: u64,
    ) -> Result<()> {
        let mut below = Self::new(self.snapshot, self.clock, self.access);
        below.open.clone_from(&self.open);
        let key = ViewKey {
            oid: relation.oid,
            at: Point::Latest,
        };
        below.view(&key, view)?;
        let mut tables = BTreeSet::new();
        for (key, target) in &below.tables {
            if let Target::Lake(table) = target
                && table.has_history()
                && key.at.is_none()
            {
                tables.insert(format!("{}.{}", key.schema, key.name));
            }
        }
        if tables.len() == 1 {
            return Ok(());
        }
        let message = format!(
            "version {version} of view \"{}.{}\" is of no one table",
            relation.schema, relation.name
        );
        let tables: Vec<String> = tables.into_iter().collect();
        let detail = match tables.as_slice() {
            [] => "It reads no table that keeps versions.".to_owned(),
            tables => format!("It reads {}.", tables.join(", ")),
        };
        Err(Error::new(ErrorKind::InvalidParameterValue, message)
            .with_detail(detail)
            .with_hint("Read it at an instant instead, with TIMESTAMP AS OF."))
    }
}
