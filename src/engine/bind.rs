//! Binds column names: an unquoted name means the column of that spelling, else the only one that
//! differs in case alone; and makes the names of a select list distinct, as DataFusion wants them.
//!
//! Works on the tree, before planning: only here is it still known which names were quoted.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor,
    TableWithJoins, VisitMut, VisitorMut,
};

use super::output_name::{fold, of};
use super::rules::elements;
use super::scope::{
    Item, Scope, Unfolded, expand, is_wildcard, joined, matches_qualifier, merging, unfold,
    unfold_item,
};
use super::system_columns;

/// Ends a name that was made distinct; what follows is left out of the answer. No name in SQL
/// text holds it, for PostgreSQL's lexer takes no control characters in names.
const MARK: char = '\u{1}';

/// The columns of each table of a statement, by the reference as written.
pub(super) type TableColumns = HashMap<TableReference, Vec<String>>;

/// Binds the names of a query whose tables have these columns; `views` are those that are none.
pub(super) fn bind(query: &mut Query, tables: &TableColumns, views: &HashSet<TableReference>) {
    let mut binder = Binder {
        tables,
        views,
        names_system_columns: system_columns::are_named(query),
        ctes: Vec::new(),
        scopes: Vec::new(),
    };
    // The visitor cannot break: its Break type has no values.
    let _: ControlFlow<Infallible> = query.visit(&mut binder);
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

/// The table reference that DataFusion makes of a name.
pub(super) fn reference(name: &ObjectName) -> Option<TableReference> {
    let parts: Option<Vec<String>> = name
        .0
        .iter()
        .map(|part| part.as_ident().map(fold))
        .collect();
    Some(match parts?.as_slice() {
        [table] => TableReference::bare(table.as_str()),
        [schema, table] => TableReference::partial(schema.as_str(), table.as_str()),
        [catalog, schema, table] => {
            TableReference::full(catalog.as_str(), schema.as_str(), table.as_str())
        }
        _ => return None,
    })
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
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
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

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Infallible> {
        self.scopes.pop();
        self.ctes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
        if self.names_system_columns && system_columns::are_named(select) {
            system_columns::name_tables(select, &|name| self.has_system_columns(name));
        }
        let scope = self.scope(&select.from);
        self.scopes.push(scope);
        self.bind_list(select);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
        self.scopes.pop();
        if self.names_system_columns && system_columns::are_named(select) {
            system_columns::provide(select, &|name| self.has_system_columns(name));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Infallible> {
        match expression {
            Expr::Identifier(name) => match self.value_of(name) {
                Some(column) => *expression = Expr::CompoundIdentifier(column),
                None => self.bind_name(&[], name),
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
                    let spelled = plain_column(expression).map(|column| self.spelling_of(column));
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
            let columns = self.add_joined(&mut scope, tables);
            scope.star = scope.star.take().zip(columns).map(|(mut star, columns)| {
                star.extend(columns);
                star
            });
        }
        scope
    }

    /// Adds joined relations to a scope. What `*` stands for in them, if that is known.
    fn add_joined(&mut self, scope: &mut Scope, tables: &TableWithJoins) -> Option<Vec<Unfolded>> {
        let mut columns = self.add_factor(scope, &tables.relation);
        for join in &tables.joins {
            let right = self.add_factor(scope, &join.relation);
            let constraint = merging(&join.join_operator);
            scope.merges |= constraint.is_some();
            columns = columns
                .zip(right)
                .and_then(|(left, right)| joined(left, right, constraint));
        }
        columns
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
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => {
                return self.add_joined(scope, table_with_joins);
            }
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

    fn has_system_columns(&self, name: &ObjectName) -> bool {
        let columns = reference(name).filter(|reference| {
            let is_cte = |table| self.ctes.iter().any(|level| level.contains_key(table));
            !self.views.contains(reference) && !(name.0.len() == 1 && is_cte(reference.table()))
        });
        let columns = columns.and_then(|reference| self.tables.get(&reference));
        columns.is_some_and(|columns| !columns.iter().any(|name| name == system_columns::TABLEOID))
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

/// Column names after `AS alias (a, b)`.
fn renamed(columns: Option<Vec<String>>, alias: Option<&TableAlias>) -> Option<Vec<String>> {
    let given: Vec<String> = alias
        .iter()
        .flat_map(|alias| &alias.columns)
        .map(|column| fold(&column.name))
        .collect();
    match columns {
        Some(mut columns) => {
            columns
                .iter_mut()
                .zip(given)
                .for_each(|(column, name)| *column = name);
            Some(columns)
        }
        None if given.is_empty() => None,
        None => Some(given),
    }
}

fn given_names(select: &Select) -> Vec<String> {
    select
        .projection
        .iter()
        .filter_map(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(fold(alias)),
            SelectItem::UnnamedExpr(expression) => Some(of(expression)),
            _ => None,
        })
        .collect()
}

fn plain_column(expression: &Expr) -> Option<&[Ident]> {
    match expression {
        Expr::Identifier(name) => Some(std::slice::from_ref(name)),
        Expr::CompoundIdentifier(parts) => Some(parts),
        _ => None,
    }
}
