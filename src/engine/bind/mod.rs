//! Binds column names: an unquoted name means the column of that spelling, else the only one that
//! differs in case alone; and makes the names of a select list distinct, as DataFusion wants them.
//!
//! Works on the tree, before planning: only here is it still known which names were quoted.

mod rows;
mod scopes;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, TableFactor, TableWithJoins, VisitorMut,
};

use super::merged::{self, has_others, is_named, merging};
use super::output_name::{fold, of};
use super::scope::{
    Scope, Unfolded, expand, given_names, is_wildcard, joined, matches_qualifier, plain_column,
    unfold,
};
use super::system_columns;
use super::travel::whole_row;
use crate::engine::walk::walk_mut;
use crate::error::{Error, Result};

/// Ends a name that was made distinct; what follows is left out of the answer. No name in SQL
/// text holds it, for PostgreSQL's lexer takes no control characters in names.
const MARK: char = '\u{1}';

/// The columns of each table of a statement, by the reference as written.
pub(super) type TableColumns = HashMap<TableReference, Vec<String>>;

/// What is known of a statement's relations, by the reference as written.
pub(super) struct Known<'a> {
    pub(super) columns: &'a TableColumns,
    /// Those that are no tables.
    pub(super) views: HashSet<TableReference>,
    /// The OID of the type of a relation's rows, of those that have one.
    pub(super) row_types: HashMap<TableReference, u32>,
}

/// Binds the names of a query over these relations.
///
/// # Errors
/// Joins merge columns that are not there, or are not known; a whole row that an outer join may give as NULL.
pub(super) fn bind(query: &mut Query, known: &Known<'_>) -> Result<()> {
    let mut binder = Binder {
        known,
        names_system_columns: system_columns::are_named(query),
        ctes: Vec::new(),
        scopes: Vec::new(),
    };
    match walk_mut(query, &mut binder) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// The name a client sees: without the mark that made it distinct.
pub(super) fn shown(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// Makes names distinct, the first of each staying as it is.
fn distinct(names: &mut [String]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for name in names {
        let n_seen = seen.entry(name.clone()).or_default();
        *n_seen += 1;
        if *n_seen > 1 {
            *name = format!("{name}{MARK}{n_seen}");
        }
    }
}

struct Binder<'a> {
    known: &'a Known<'a>,
    names_system_columns: bool,
    ctes: Vec<HashMap<String, Option<Vec<String>>>>,
    scopes: Vec<Scope>,
}

impl VisitorMut for Binder<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.open_ctes(query);
        let scope = match query.body.as_ref() {
            // ORDER BY sees the names that the select list gives, then the FROM.
            SetExpr::Select(select) => Scope {
                given: given_names(select),
                ..self.scope(&select.from)
            },
            _ => Scope::default(),
        };
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.scopes.pop();
        self.ctes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        if self.names_system_columns && system_columns::are_named(select) {
            system_columns::name_tables(select, &|name| self.own_columns(name).is_some());
        }
        let scope = self.scope(&select.from);
        self.scopes.push(scope);
        self.bind_list(select);
        for tables in select.from.iter_mut().filter(|tables| has_others(tables)) {
            if let Err(error) = self.write_out_merges(tables) {
                return ControlFlow::Break(error);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        self.scopes.pop();
        if self.names_system_columns && system_columns::are_named(select) {
            system_columns::provide(select, &|name| self.own_columns(name));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        let items = self
            .scopes
            .last()
            .into_iter()
            .flat_map(|scope| &scope.items);
        if let Some(row) = whole_row(expression, items) {
            *expression = row;
        }
        match expression {
            Expr::Identifier(name) => match (self.merged_column(name), self.value_of(name)) {
                (Some(merged), _) => *expression = merged,
                (None, Some(column)) => *expression = Expr::CompoundIdentifier(column),
                (None, None) => match self.whole_row(name) {
                    Ok(Some(row)) => *expression = row,
                    Ok(None) => self.bind_name(&[], name),
                    Err(error) => return ControlFlow::Break(error),
                },
            },
            Expr::CompoundFieldAccess { root, access_chain } => {
                if let Expr::Identifier(name) = root.as_ref()
                    && !matches!(self.whole_row(name), Ok(None))
                {
                    rows::name_column(root, access_chain);
                }
            }
            Expr::CompoundIdentifier(parts) => {
                if let Some((name, qualifier)) = parts.split_last_mut() {
                    self.bind_name(qualifier, name);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Binder<'_> {
    /// Replaces an unquoted name by the spelling of the column it means.
    fn bind_name(&self, qualifier: &[Ident], name: &mut Ident) {
        if name.quote_style.is_some() {
            return;
        }
        let folded = fold(name);
        for scope in self.scopes.iter().rev() {
            let given = qualifier.is_empty() && scope.given.contains(&folded);
            let mut columns = scope
                .items
                .iter()
                .filter(|item| matches_qualifier(&item.qualifier, qualifier))
                .filter_map(|item| item.columns.as_ref())
                .flatten();
            if given || columns.clone().any(|column| *column == folded) {
                return;
            }
            let spelling = columns.find(|column| column.to_lowercase() == folded);
            if let Some(spelling) = spelling {
                // Two spellings: the name stays as it is, and planning finds no such column.
                if columns.all(|other| other == spelling || other.to_lowercase() != folded) {
                    *name = Ident {
                        value: spelling.clone(),
                        quote_style: Some('"'),
                        span: name.span,
                    };
                }
                return;
            }
        }
    }

    /// The column that the bare name of a relation stands for, where no column has the name.
    fn value_of(&self, name: &Ident) -> Option<Vec<Ident>> {
        let folded = fold(name);
        for scope in self.scopes.iter().rev() {
            let mut columns = scope.items.iter().filter_map(|item| item.columns.as_ref());
            let is_column = |column: &String| match name.quote_style {
                Some(_) => *column == folded,
                None => column.to_lowercase() == folded,
            };
            if scope.given.contains(&folded) || columns.any(|names| names.iter().any(is_column)) {
                return None;
            }
            for item in &scope.items {
                if let (Some(value), Some(relation)) = (&item.value, item.qualifier.last())
                    && fold(relation) == folded
                {
                    let column = Ident::with_quote('"', value.clone());
                    return Some(vec![relation.clone(), column]);
                }
            }
        }
        None
    }

    /// The merged column that a name stands for, where it is not simply the left side's.
    fn merged_column(&self, name: &Ident) -> Option<Expr> {
        for scope in self.scopes.iter().rev() {
            if scope.given.contains(&fold(name)) {
                return None;
            }
            let star = scope.star.iter().flatten();
            let is_only = star.filter(|column| is_named(&column.name, name)).count() == 1;
            let mut merged = scope.merged.iter();
            let found = merged.find(|column| is_named(&column.name, name));
            if let (Some(found), true) = (found, is_only) {
                return Some(found.expression.clone());
            }
            let mut columns = scope.items.iter().filter_map(|item| item.columns.as_ref());
            if columns.any(|columns| columns.iter().any(|column| is_named(column, name))) {
                return None;
            }
        }
        None
    }

    /// Gives joins the conditions that USING and NATURAL stand for. What `*` stands for in them.
    fn write_out_merges(&mut self, tables: &mut TableWithJoins) -> Result<Vec<Unfolded>> {
        let mut columns = self.written_out(&mut tables.relation)?;
        for join in &mut tables.joins {
            let right = self.written_out(&mut join.relation)?;
            let Some((constraint, side)) = merging(&join.join_operator) else {
                columns.extend(right);
                continue;
            };
            let condition = merged::condition(constraint, &columns, &right)?;
            let merged = joined(columns, right, Some((constraint, side)));
            columns = merged.ok_or_else(merged::unknown)?;
            merged::set_condition(&mut join.join_operator, condition);
        }
        Ok(columns)
    }

    fn written_out(&mut self, factor: &mut TableFactor) -> Result<Vec<Unfolded>> {
        if let TableFactor::NestedJoin {
            table_with_joins,
            alias: None,
        } = factor
        {
            return self.write_out_merges(table_with_joins);
        }
        let columns = self.add_factor(&mut Scope::default(), factor);
        columns.ok_or_else(merged::unknown)
    }

    /// Gives a select list distinct names, spelled as PostgreSQL spells them.
    fn bind_list(&mut self, select: &mut Select) {
        let scope = self
            .scopes
            .last()
            .expect("the select's scope was pushed above");
        let mut names = match self.list_names(&select.projection, scope) {
            Some(names) => names,
            None => return,
        };
        let wildcards = select.projection.iter().any(is_wildcard);
        // DataFusion does not know `t.*` of `schema.t`.
        let of_relation = select
            .projection
            .iter()
            .any(|item| matches!(item, SelectItem::QualifiedWildcard(..)));
        let before = names.clone();
        distinct(&mut names);
        if wildcards
            && (before != names || scope.merges || of_relation || self.names_system_columns)
        {
            select.projection = expand(&select.projection, scope);
        } else if wildcards {
            return;
        }
        for (item, name) in select.projection.iter_mut().zip(names) {
            let (expression, current) = match item {
                SelectItem::UnnamedExpr(expression) => {
                    let is_other =
                        matches!(expression, Expr::Identifier(name) if self.stands_for_other(name));
                    let plain = plain_column(expression).filter(|_| !is_other);
                    let spelled = plain.map(|column| self.spelling_of(column));
                    (expression.clone(), spelled)
                }
                SelectItem::ExprWithAlias { expr, alias } => (expr.clone(), Some(fold(alias))),
                _ => continue,
            };
            if current.as_ref() != Some(&name) {
                *item = SelectItem::ExprWithAlias {
                    expr: expression,
                    alias: Ident::with_quote('"', name),
                };
            }
        }
    }

    /// Whether a name means more than a column: one that joins merged, or a whole row.
    fn stands_for_other(&self, name: &Ident) -> bool {
        let is_row = || self.value_of(name).is_none() && !matches!(self.whole_row(name), Ok(None));
        self.merged_column(name).is_some() || is_row()
    }

    /// How a column's name is spelled once bound.
    fn spelling_of(&self, column: &[Ident]) -> String {
        let (name, qualifier) = column.split_last().expect("a column has a name");
        let mut name = name.clone();
        if qualifier.is_empty()
            && let Some([_, column]) = self.value_of(&name).as_deref()
        {
            return fold(column);
        }
        self.bind_name(qualifier, &mut name);
        fold(&name)
    }

    /// The names a select list gives, wildcards unfolded; `None` if one of them isn't known.
    fn list_names(&self, list: &[SelectItem], scope: &Scope) -> Option<Vec<String>> {
        let mut names = Vec::with_capacity(list.len());
        for item in list {
            match item {
                SelectItem::UnnamedExpr(expression) => names.push(of(expression)),
                SelectItem::ExprWithAlias { alias, .. } => names.push(fold(alias)),
                _ => names.extend(unfold(item, scope)?.into_iter().map(|column| column.name)),
            }
        }
        Some(names)
    }
}
