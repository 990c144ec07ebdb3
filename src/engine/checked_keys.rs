//! `lakegate.check_keys(relation)`: how many rows break the keys that are declared of a relation. Nothing enforces
//! them in a lake, so that whoever relies on them may count.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::Expr;

use super::look_up::Found;
use super::references::{NamesOf, Resolver};
use super::resolved::{Derived, Meaning, ResolvedView, ViewKey};
use super::scope::reference;
use super::travel::{argument, behind_sign};
use super::{parse, protect};
use crate::catalog::Relation;
use crate::catalog::sql::{identifier, literal};
use crate::catalog::system::LAKEGATE;
use crate::catalog::views::{Key, KeyKind, View};
use crate::error::{Error, Result};

/// The name of the function.
pub(super) const CHECK_KEYS: &str = "check_keys";

/// What it answers of a relation without keys.
const NO_KEYS: &str = "SELECT CAST(NULL AS text) AS constraint_name, CAST(NULL AS text) AS constraint_type, \
     CAST(NULL AS text) AS definition, CAST(NULL AS bigint) AS violations WHERE false";

impl Resolver<'_> {
    /// A row for each key of the relation that is named, as a query with the rights of whoever asks.
    ///
    /// # Errors
    /// There is no such relation, or it or one that a foreign key refers to may not be read.
    pub(super) fn check_keys(&mut self, given: &Expr, names: NamesOf<'_>) -> Result<Meaning> {
        let name = argument(given, "a relation")?;
        let name = reference(&name).ok_or_else(|| Error::unsupported("a name of many parts"))?;
        let (found, point) = self.look_up_at(&name, None, names.path)?;
        let Found::Relation(relation) = found else {
            return Err(Error::unsupported("keys of a system relation"));
        };
        let moment = point
            .and_then(|_| behind_sign(name.table()))
            .map_or("", |(_, moment)| moment);
        let own = (relation.schema.clone(), relation.name.clone());
        let keys = self.snapshot.views.keys.get(&own).into_iter().flatten();
        let counts: Vec<String> = keys.map(|key| row(key, &relation, moment)).collect();
        let text = match counts.as_slice() {
            [] => NO_KEYS.to_owned(),
            counts => counts.join(" UNION ALL "),
        };
        let view = View::of_function(
            LAKEGATE,
            &format!("{CHECK_KEYS}({}.{})", own.0, own.1),
            text,
        );
        let at = match names.at {
            Some(inherited) => inherited.clone(),
            None => self.session_point()?,
        };
        let (query, lines) = parse::parse_view(&view.query)?;
        let resolved = self.references(&query, &lines, names);
        let (references, limits) = resolved.map_err(Error::without_position)?;
        // No relation has an OID of the upper half (`snapshot::Oids`), and no two calls the same.
        let number = u32::try_from(self.derived.len()).map_err(Error::internal)?;
        let key = ViewKey {
            oid: u32::MAX - number,
            at,
        };
        self.derived.push(Derived::View(ResolvedView {
            key: key.clone(),
            view: Arc::new(view),
            session_calls: Arc::new(protect::session_calls(&query)),
            query: Arc::from(query),
            lines,
            references,
            limits,
        }));
        Ok(Meaning::View(key))
    }
}

/// The query of one key's row.
fn row(key: &Key, relation: &Relation, moment: &str) -> String {
    let (kind, violations) = match &key.kind {
        KeyKind::Primary => {
            let repeated = repeated(key, relation, moment);
            let is_null = joined(&key.columns, " OR ", |column| {
                format!("{} IS NULL", identifier(column))
            });
            let own = shown(relation, moment);
            let nulls = format!("(SELECT count(*) FROM {own} WHERE {is_null})");
            ("PRIMARY KEY", format!("{repeated} + {nulls}"))
        }
        KeyKind::Unique => ("UNIQUE", repeated(key, relation, moment)),
        KeyKind::Foreign(to, referenced) => {
            let present = joined(&key.columns, " AND ", |column| {
                format!("f.{} IS NOT NULL", identifier(column))
            });
            let pairs: Vec<String> = key
                .columns
                .iter()
                .zip(referenced)
                .map(|(own, other)| format!("k.{} = f.{}", identifier(other), identifier(own)))
                .collect();
            let violations = format!(
                "(SELECT count(*) FROM {} AS f WHERE {present} AND NOT EXISTS \
                 (SELECT 1 FROM {}.{} AS k WHERE {}))",
                shown(relation, moment),
                identifier(&to.0),
                identifier(&to.1),
                pairs.join(" AND ")
            );
            ("FOREIGN KEY", violations)
        }
    };
    format!(
        "SELECT CAST({} AS text) AS constraint_name, CAST({} AS text) AS constraint_type, \
         CAST({} AS text) AS definition, CAST({violations} AS bigint) AS violations",
        literal(&key.name),
        literal(kind),
        literal(&key.text())
    )
}

/// How many rows have what a row before them has. Rows with a NULL are like no other.
fn repeated(key: &Key, relation: &Relation, moment: &str) -> String {
    let columns = joined(&key.columns, ", ", identifier);
    let present = joined(&key.columns, " AND ", |column| {
        format!("{} IS NOT NULL", identifier(column))
    });
    format!(
        "(SELECT COALESCE(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM {} WHERE {present} \
         GROUP BY {columns} HAVING count(*) > 1) AS repeated)",
        shown(relation, moment)
    )
}

fn joined(columns: &[String], between: &str, each: impl Fn(&str) -> String) -> String {
    let each: Vec<String> = columns.iter().map(|column| each(column)).collect();
    each.join(between)
}

/// The relation's name, and the moment that was said of it in the name.
fn shown(relation: &Relation, moment: &str) -> String {
    let name = match moment {
        "" => identifier(&relation.name),
        moment => identifier(&format!("{}@{moment}", relation.name)),
    };
    format!("{}.{name}", identifier(&relation.schema))
}
