//! Binds column names: an unquoted name means the column of that spelling, else the only one that
//! differs in case alone; and makes the names of a select list distinct, as DataFusion wants them.
//!
//! Works on the tree, before planning: only here is it still known which names were quoted.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, TableFactor, TableWithJoins,
    VisitorMut,
};

use super::merged::{self, has_others, is_named, merged_names, merging};
use super::output_name::{fold, of};
use super::rules::elements;
use super::scope::{
    Item, Scope, Unfolded, expand, given_names, is_wildcard, joined, matches_qualifier,
    plain_column, reference, renamed, unfold, unfold_item,
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

/// Binds the names of a query whose tables have these columns; `views` are those that are none.
///
/// # Errors
/// Joins merge columns that are not there, or are not known.
pub(super) fn bind(
    query: &mut Query,
    tables: &TableColumns,
    views: &HashSet<TableReference>,
) -> Result<()> {
    let mut binder = Binder {
        tables,
        views,
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
    tables: &'a TableColumns,
    /// Those of the tables that have no system columns.
    views: &'a HashSet<TableReference>,
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
                (None, None) => self.bind_name(&[], name),
            },
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
                    let is_merged = matches!(expression, Expr::Identifier(name) if self.merged_column(name).is_some());
                    let plain = plain_column(expression).filter(|_| !is_merged);
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

    fn open_ctes(&mut self, query: &Query) {
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

    fn scope(&mut self, from: &[TableWithJoins]) -> Scope {
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
        let mut columns = self.add_nested(scope, &tables.relation, names);
        for join in &tables.joins {
            let right = self.add_nested(scope, &join.relation, names);
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

    fn add_factor(&mut self, scope: &mut Scope, factor: &TableFactor) -> Option<Vec<Unfolded>> {
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
        };
        let unfolded = unfold_item(&item);
        scope.items.push(item);
        unfolded
    }

    /// The columns of what has those of the system besides.
    fn own_columns(&self, name: &ObjectName) -> Option<&[String]> {
        let reference = reference(name).filter(|reference| {
            let is_cte = |table| self.ctes.iter().any(|level| level.contains_key(table));
            !(self.views.contains(reference) || name.0.len() == 1 && is_cte(reference.table()))
        })?;
        self.tables.get(&reference).map(Vec::as_slice)
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
        self.tables.get(&reference).cloned()
    }
}
