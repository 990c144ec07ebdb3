//! What a query says, however it is spelled: white space, comments and the case of words that are not
//! quoted do not matter.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::hash::Hash;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, TableAlias, TableFactor,
    VisitorMut,
};

use super::digest::Digest;
use crate::engine::output_name::fold;
use crate::engine::protect::{SessionCall, session_calls};
use crate::engine::walk::walk_mut;

/// A query without its spelling.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Canonical {
    /// Equal for queries that say the same, and for no others. Two that mean the same and say it
    /// otherwise (`a = 1`, `1 = a`) are two.
    pub(super) digest: [u8; 32],
    /// The functions that it calls which tell of the session.
    pub(super) session_calls: BTreeSet<SessionCall>,
}

impl Canonical {
    /// Of a query as it was parsed. Spans are no part of a tree's hash.
    pub(in crate::engine) fn of(query: &Query) -> Self {
        let mut folded = query.clone();
        // The visitor cannot break: its Break type has no values.
        let _: ControlFlow<Infallible> = walk_mut(&mut folded, &mut Folding);
        let mut digest = Digest::default();
        folded.hash(&mut digest);
        Self {
            digest: digest.done(),
            session_calls: session_calls(query),
        }
    }
}

/// Folds names as PostgreSQL does, where a visitor meets them. A name that it does not meet keeps its
/// case: then two spellings are two queries, and each is right.
struct Folding;

impl Folding {
    fn name(ident: &mut Ident) {
        if ident.quote_style.is_none() {
            ident.value = fold(ident);
        }
    }

    fn names(name: &mut ObjectName) {
        for part in &mut name.0 {
            if let ObjectNamePart::Identifier(ident) = part {
                Self::name(ident);
            }
        }
    }

    fn alias(alias: &mut TableAlias) {
        Self::name(&mut alias.name);
        for column in &mut alias.columns {
            Self::name(&mut column.name);
        }
    }
}

impl VisitorMut for Folding {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        for cte in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            Self::alias(&mut cte.alias);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
        for item in &mut select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                Self::name(alias);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<Infallible> {
        Self::names(relation);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Infallible> {
        if let TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } = factor {
            alias.iter_mut().for_each(Self::alias);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Infallible> {
        match expression {
            Expr::Identifier(name) => Self::name(name),
            Expr::CompoundIdentifier(parts) => parts.iter_mut().for_each(Self::name),
            Expr::Function(function) => Self::names(&mut function.name),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::parse;

    fn of(text: &str) -> [u8; 32] {
        let (query, _) = parse::parse_view(text).expect("it is a query");
        Canonical::of(&query).digest
    }

    fn check(left: &str, right: &str, are_same: bool) {
        assert_eq!(of(left) == of(right), are_same, "{left} | {right}");
    }

    #[test]
    fn the_spelling_does_not_matter() {
        check(
            "select region, sum(amount) as total from silver.orders as o where o.day > 1 group by region",
            "-- a tile\nSELECT Region,\n  SUM(Amount) AS Total\nFROM Silver.Orders AS O /* all */ WHERE O.Day > 1 GROUP BY REGION",
            true,
        );
        check(
            "with t as (select 1 as n) select n from t",
            "WITH T AS (SELECT 1 AS N) SELECT N FROM T",
            true,
        );
    }

    #[test]
    fn what_is_said_matters() {
        check("select 1 as a", "select 1 as b", false);
        check("select \"A\" from t", "select a from t", false);
        check("select 'A'", "select 'a'", false);
        check("select a from t", "select a from s", false);
        check("select 1", "select 1.0", false);
        check("select '1'::int", "select '1'::bigint", false);
        check("select a from t limit 1", "select a from t limit 2", false);
        check(
            "select a from t order by a",
            "select a from t order by a desc",
            false,
        );
    }
}
