//! The relations of a FROM and the columns that they have, before anything is planned.

use std::collections::HashMap;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::{
    JoinOperator, ObjectName, Query, SetExpr, TableFactor, TableWithJoins,
};

use super::{Binder, distinct};
use crate::engine::merged::{has_others, merged_names, merging};
use crate::engine::output_name::fold;
use crate::engine::rules::elements;
use crate::engine::scope::{Item, Scope, Unfolded, joined, reference, renamed, unfold_item};

impl Binder<'_> {
    /// The names of a query's columns.
    fn query_names(&mut self, query: &Query) -> Option<Vec<String>> {
        self.open_ctes(query);
        let names = self.body_names(&query.body);
        self.ctes.pop();
        names
    }

    fn body_names(&mut self, body: &SetExpr) -> Option<Vec<String>> {
        match body {
            SetExpr::Select(select) => {
                let scope = self.scope(&select.from);
                let mut names = self.list_names(&select.projection, &scope)?;
                distinct(&mut names);
                Some(names)
            }
            SetExpr::Query(query) => self.query_names(query),
            SetExpr::SetOperation { left, .. } => self.body_names(left),
            SetExpr::Values(values) => {
                let n_columns = values.rows.first()?.len();
                Some((1..=n_columns).map(|n| format!("column{n}")).collect())
            }
            _ => None,
        }
    }

    pub(super) fn open_ctes(&mut self, query: &Query) {
        self.ctes.push(HashMap::new());
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            // Unknown while its own query is looked at: it may name itself.
            let name = fold(&cte.alias.name);
            self.innermost_ctes().insert(name.clone(), None);
            let names = self.query_names(&cte.query);
            let names = renamed(names, Some(&cte.alias));
            self.innermost_ctes().insert(name, names);
        }
    }

    fn innermost_ctes(&mut self) -> &mut HashMap<String, Option<Vec<String>>> {
        self.ctes
            .last_mut()
            .expect("a level was pushed by open_ctes")
    }

    pub(super) fn scope(&mut self, from: &[TableWithJoins]) -> Scope {
        let mut scope = Scope {
            star: Some(Vec::new()),
            ..Scope::default()
        };
        for tables in from {
            let mut names = Vec::new();
            let columns = self.add_joined(&mut scope, tables, &mut names);
            if has_others(tables) {
                let columns = columns.iter().flatten();
                let merged = columns.filter(|column| names.contains(&column.name));
                scope.merged.extend(merged.cloned());
            }
            scope.star = scope.star.take().zip(columns).map(|(mut star, columns)| {
                star.extend(columns);
                star
            });
        }
        scope
    }

    /// Adds joined relations to a scope, and the names of their merged columns. What `*` stands for in
    /// them, if that is known.
    fn add_joined(
        &mut self,
        scope: &mut Scope,
        tables: &TableWithJoins,
        names: &mut Vec<String>,
    ) -> Option<Vec<Unfolded>> {
        let n_before = scope.items.len();
        let mut columns = self.add_nested(scope, &tables.relation, names);
        for join in &tables.joins {
            let n_left = scope.items.len();
            let right = self.add_nested(scope, &join.relation, names);
            let (left, right_side) = filled(&join.join_operator);
            let (left_items, right_items) = scope.items[n_before..].split_at_mut(n_left - n_before);
            left_items
                .iter_mut()
                .for_each(|item| item.is_filled |= left);
            right_items
                .iter_mut()
                .for_each(|item| item.is_filled |= right_side);
            let merging = merging(&join.join_operator);
            scope.merges |= merging.is_some();
            columns = columns.zip(right).and_then(|(left, right)| {
                if let Some((constraint, _)) = merging {
                    names.extend(merged_names(constraint, &left, &right)?);
                }
                joined(left, right, merging)
            });
        }
        columns
    }

    fn add_nested(
        &mut self,
        scope: &mut Scope,
        factor: &TableFactor,
        names: &mut Vec<String>,
    ) -> Option<Vec<Unfolded>> {
        match factor {
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => self.add_joined(scope, table_with_joins, names),
            factor => self.add_factor(scope, factor),
        }
    }

    pub(super) fn add_factor(
        &mut self,
        scope: &mut Scope,
        factor: &TableFactor,
    ) -> Option<Vec<Unfolded>> {
        let row_type = match factor {
            TableFactor::Table {
                name, args: None, ..
            } => self.row_type(name),
            _ => None,
        };
        let (qualifier, columns, alias) = match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => {
                let qualifier = name
                    .0
                    .iter()
                    .filter_map(|part| part.as_ident().cloned())
                    .collect();
                (qualifier, self.table_columns(name), alias.as_ref())
            }
            TableFactor::Table { name, alias, .. } => {
                let last = name.0.last().and_then(|part| part.as_ident().cloned());
                (last.into_iter().collect(), None, alias.as_ref())
            }
            TableFactor::Derived {
                subquery, alias, ..
            } => (Vec::new(), self.query_names(subquery), alias.as_ref()),
            TableFactor::UNNEST { alias, .. } | TableFactor::Function { alias, .. } => {
                (Vec::new(), None, alias.as_ref())
            }
            _ => (Vec::new(), None, None),
        };
        let qualifier = alias.map_or(qualifier, |alias| vec![alias.name.clone()]);
        let columns = renamed(columns, alias);
        let value = elements::value_column(factor);
        let item = Item {
            qualifier,
            columns,
            value,
            row_type,
            is_filled: false,
        };
        let unfolded = unfold_item(&item);
        scope.items.push(item);
        unfolded
    }

    /// The type of a relation's rows, if it is one of the catalog.
    fn row_type(&self, name: &ObjectName) -> Option<u32> {
        let reference = reference(name).filter(|reference| !self.is_cte(reference))?;
        self.known.row_types.get(&reference).copied()
    }

    fn is_cte(&self, reference: &TableReference) -> bool {
        let has = |table: &str| self.ctes.iter().any(|level| level.contains_key(table));
        matches!(reference, TableReference::Bare { table } if has(table))
    }

    /// The columns of what has those of the system besides.
    pub(super) fn own_columns(&self, name: &ObjectName) -> Option<&[String]> {
        let reference = reference(name).filter(|reference| {
            !(self.known.views.contains(reference) || self.is_cte(reference))
        })?;
        self.known.columns.get(&reference).map(Vec::as_slice)
    }

    fn table_columns(&self, name: &ObjectName) -> Option<Vec<String>> {
        let reference = reference(name)?;
        if let TableReference::Bare { table } = &reference {
            let cte = self
                .ctes
                .iter()
                .rev()
                .find_map(|level| level.get(table.as_ref()));
            if let Some(columns) = cte {
                return columns.clone();
            }
        }
        self.known.columns.get(&reference).cloned()
    }
}

/// Which sides of a join may be filled with NULLs: the left one, the right one.
fn filled(operator: &JoinOperator) -> (bool, bool) {
    match operator {
        JoinOperator::Left(_) | JoinOperator::LeftOuter(_) | JoinOperator::OuterApply => {
            (false, true)
        }
        JoinOperator::Right(_) | JoinOperator::RightOuter(_) => (true, false),
        JoinOperator::FullOuter(_) => (true, true),
        _ => (false, false),
    }
}
