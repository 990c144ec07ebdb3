//! `lakegate.freshness(view)`: of when the stored rows of a materialized view are, and whether that is now.

use datafusion::sql::sqlparser::ast::Expr;

use super::look_up::Found;
use super::references::{NamesOf, Resolver};
use super::resolved::Meaning;
use super::scope::reference;
use super::travel::argument;
use crate::catalog::sql::literal;
use crate::error::{Error, ErrorKind, Result};

/// The name of the function.
pub(super) const FRESHNESS: &str = "freshness";

impl Resolver<'_> {
    /// One row of the view that is named. Rows that are those of now have no age, however long ago they were stored.
    ///
    /// # Errors
    /// There is no such view, or it is not materialized.
    pub(super) fn freshness(&mut self, given: &Expr, names: NamesOf<'_>) -> Result<Meaning> {
        let name = argument(given, "a materialized view")?;
        let name = reference(&name).ok_or_else(|| Error::unsupported("a name of many parts"))?;
        let (found, point) = self.look_up_at(&name, None, names.path)?;
        let relation = match found {
            Found::Relation(relation) => Some(relation),
            _ => None,
        };
        let view = relation.as_ref().and_then(|relation| relation.view());
        let is_materialized = view.is_some_and(|view| view.materialized.is_some());
        let Some(relation) = relation.filter(|_| is_materialized) else {
            let message = format!("\"{}\" is not a materialized view", name.table());
            return Err(Error::new(ErrorKind::WrongObjectType, message));
        };
        if point.is_some() {
            return Err(Error::unsupported("freshness at an earlier moment"));
        }
        let (schema, own) = (&relation.schema, &relation.name);
        let text = format!(
            "SELECT NOT m.stale AS is_current, \
             CASE WHEN m.stale THEN now() - m.as_of WHEN NOT m.stale THEN interval '0' END AS age, \
             m.as_of, m.version, m.inputs FROM lakegate.matviews AS m \
             WHERE m.schema_name = {} AND m.view_name = {}",
            literal(schema),
            literal(own)
        );
        self.derived_query(&format!("{FRESHNESS}({schema}.{own})"), text, names)
    }
}
