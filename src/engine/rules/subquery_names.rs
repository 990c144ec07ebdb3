//! Gives subqueries that are values names of their own. DataFusion knows a subquery as a value by the name of its
//! column: of `unnest((SELECT a ..)), unnest((SELECT a ..))` it made the first twice.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, Visit, Visitor, VisitorMut,
};

use crate::engine::output_name::{fold, of};
use crate::engine::walk::{walk, walk_mut};

/// Ends a name that was made distinct. No name in SQL text holds it.
const MARK: char = '\u{1}';

/// Makes the columns of the subqueries of each select list distinct.
pub(in crate::engine) fn make_distinct(query: &mut Query) {
    let _: ControlFlow<Infallible> = walk_mut(query, &mut Selects);
}

struct Selects;

impl VisitorMut for Selects {
    type Break = Infallible;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
        let mut names = Names::default();
        for item in &mut select.projection {
            if let SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr) = item {
                walk_mut(expr, &mut names)?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// The names of the subqueries of one select list so far, not of those inside of them.
#[derive(Default)]
struct Names {
    taken: Vec<String>,
    depth: usize,
}

impl VisitorMut for Names {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        if self.depth == 0
            && let Some(name) = column_of(&mut query.body).and_then(|item| name_of(item))
        {
            if self.taken.contains(&name) {
                rename(query, &name, self.taken.len());
            }
            self.taken.push(name);
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Infallible> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

/// The only column of a query, as the first of its selects says it.
fn column_of(body: &mut SetExpr) -> Option<&mut SelectItem> {
    match body {
        SetExpr::Select(select) => match select.projection.as_mut_slice() {
            [item] => Some(item),
            _ => None,
        },
        SetExpr::SetOperation { left, .. } => column_of(left),
        SetExpr::Query(query) => column_of(&mut query.body),
        _ => None,
    }
}

fn name_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(fold(alias)),
        SelectItem::UnnamedExpr(expression) => Some(of(expression)),
        _ => None,
    }
}

/// Gives a query's column another name, unless the query names it itself.
fn rename(query: &mut Query, name: &str, number: usize) {
    let is_named = names(&query.order_by, name)
        || match query.body.as_ref() {
            SetExpr::Select(select) => match &select.group_by {
                GroupByExpr::Expressions(keys, _) => names(keys, name),
                GroupByExpr::All(_) => true,
            },
            _ => false,
        };
    let Some(item) = column_of(&mut query.body).filter(|_| !is_named) else {
        return;
    };
    let alias = Ident::with_quote('"', format!("{name}{MARK}{number}"));
    *item = match item {
        SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr) => {
            SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias,
            }
        }
        _ => return,
    };
}

/// Whether a name stands alone somewhere in a tree.
fn names(tree: &impl Visit, name: &str) -> bool {
    struct Finder<'a>(&'a str);
    impl Visitor for Finder<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            match expression {
                Expr::Identifier(found) if fold(found) == self.0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    walk(tree, &mut Finder(name)).is_break()
}
