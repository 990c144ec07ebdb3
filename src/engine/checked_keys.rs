//! `lakegate.check_keys(relation)`: how many rows break the keys that are declared of a relation. Nothing enforces
//! them in a lake, so that whoever relies on them may count.

use datafusion::sql::sqlparser::ast::Expr;

use super::look_up::Found;
use super::references::{NamesOf, Resolver};
use super::resolved::Meaning;
use super::scope::reference;
use super::travel::{argument, behind_sign};
use crate::catalog::Relation;
use crate::catalog::sql::{identifier, literal};
use crate::catalog::views::{Key, KeyKind};
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
        let call = format!("{CHECK_KEYS}({}.{})", own.0, own.1);
        self.derived_query(&call, text, names)
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
