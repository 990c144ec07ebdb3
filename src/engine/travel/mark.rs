//! Gives tables that are read at a moment names of their own, so that two moments of one table are two
//! tables, to every later step.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, Query, Select,
    TableAlias, TableFactor, TableFunctionArgs, TableVersion, Visitor, VisitorMut, With,
};

use super::calls;
use super::spellings::{INSTANT, VERSION};
use crate::engine::output_name::fold;
use crate::engine::scope::reference;
use crate::engine::walk::{walk, walk_mut};
use crate::error::{Error, Result};

/// Stands between a table's name and the number of its moment. No name in SQL text holds it.
const MARK: char = '\u{1}';

/// Brings the moments of a query's tables out of their arguments, and gives each such table a name of its
/// own. Its columns stay those of the name that was written.
///
/// # Errors
/// `FeatureNotSupported`: a moment of what is no relation, or one that a query computes.
pub(in crate::engine) fn mark(query: &mut Query) -> Result<()> {
    let mut marks = Marks::default();
    match walk_mut(query, &mut marks) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

#[derive(Default)]
struct Marks {
    n_marked: usize,
    /// The names of the WITH queries in sight.
    in_sight: Vec<String>,
    /// What was taken off the queries around, and how many names were in sight before.
    around: Vec<(Option<With>, usize)>,
}

impl VisitorMut for Marks {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let n_before = self.in_sight.len();
        // Its queries are visited here, one after the other: each sees those before it.
        let mut with = query.with.take();
        for cte in with.iter_mut().flat_map(|with| {
            let is_recursive = with.recursive;
            with.cte_tables
                .iter_mut()
                .map(move |cte| (is_recursive, cte))
        }) {
            let (is_recursive, cte) = cte;
            let name = fold(&cte.alias.name);
            if is_recursive {
                self.in_sight.push(name.clone());
            }
            walk_mut(&mut cte.query, self)?;
            if !is_recursive {
                self.in_sight.push(name);
            }
        }
        self.around.push((with, n_before));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        if let Some((with, n_before)) = self.around.pop() {
            query.with = with;
            self.in_sight.truncate(n_before);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        match calls::into_from(select) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        if let Err(error) = self.call(factor) {
            return ControlFlow::Break(error);
        }
        let TableFactor::Table {
            name,
            args,
            version,
            alias,
            ..
        } = factor
        else {
            return ControlFlow::Continue(());
        };
        let Some(said) = args.as_ref().and_then(moment) else {
            return ControlFlow::Continue(());
        };
        if let [ObjectNamePart::Identifier(name)] = name.0.as_slice()
            && self.in_sight.contains(&fold(name))
        {
            let what = format!("time travel of the WITH query \"{}\"", fold(name));
            return ControlFlow::Break(Error::unsupported(what));
        }
        let computed = match &said {
            TableVersion::VersionAsOf(value) | TableVersion::TimestampAsOf(value) => value,
            _ => return ControlFlow::Continue(()),
        };
        if has_query(computed) {
            let what = "a subquery in the moment of a table";
            return ControlFlow::Break(Error::unsupported(what));
        }
        (*args, *version) = (None, Some(said));
        self.n_marked += 1;
        rename(name, alias, self.n_marked);
        ControlFlow::Continue(())
    }
}

impl Marks {
    /// Puts what a function of histories gives into its place.
    fn call(&mut self, factor: &mut TableFactor) -> Result<()> {
        let TableFactor::Table {
            name,
            args: Some(given),
            alias,
            ..
        } = factor
        else {
            return Ok(());
        };
        let n_marked = &mut self.n_marked;
        let mut mark = |name: &mut ObjectName, _: TableVersion| {
            *n_marked += 1;
            rename(name, &mut None, *n_marked);
        };
        let called = match calls::call(name, given, &mut mark)? {
            Some(called) => called,
            None => return Ok(()),
        };
        let function = name.0.last().and_then(|part| part.as_ident()).cloned();
        let own = function.map(|name| TableAlias {
            explicit: true,
            name,
            columns: Vec::new(),
            at: None,
        });
        match called {
            calls::Call::Query(query) => {
                *factor = TableFactor::Derived {
                    lateral: false,
                    subquery: query,
                    alias: alias.take().or(own),
                    sample: None,
                };
            }
            calls::Call::Relation => {
                if let TableFactor::Table { args, .. } = factor {
                    *args = None;
                }
            }
            calls::Call::Told(call) => {
                if let TableFactor::Table {
                    name,
                    args,
                    alias,
                    version,
                    ..
                } = factor
                {
                    (*args, *version) = (None, Some(*call));
                    self.n_marked += 1;
                    rename(name, alias, self.n_marked);
                }
            }
        }
        Ok(())
    }
}

/// The moment that the arguments of a table say, as the spellings are written.
fn moment(args: &TableFunctionArgs) -> Option<TableVersion> {
    let [
        FunctionArg::ExprNamed {
            name: Expr::Identifier(name),
            arg: FunctionArgExpr::Expr(value),
            ..
        },
    ] = args.args.as_slice()
    else {
        return None;
    };
    match name.value.as_str() {
        VERSION => Some(TableVersion::VersionAsOf(value.clone())),
        INSTANT => Some(TableVersion::TimestampAsOf(value.clone())),
        _ => None,
    }
}

fn has_query(value: &Expr) -> bool {
    struct Finder;
    impl Visitor for Finder {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    walk(value, &mut Finder).is_break()
}

/// Marks a name, and keeps what was written as the name of its columns.
fn rename(name: &mut ObjectName, alias: &mut Option<TableAlias>, number: usize) {
    let Some(ObjectNamePart::Identifier(last)) = name.0.last_mut() else {
        return;
    };
    alias.get_or_insert_with(|| TableAlias {
        explicit: true,
        name: last.clone(),
        columns: Vec::new(),
        at: None,
    });
    *last = Ident {
        value: format!("{}{MARK}{number}", fold(last)),
        quote_style: Some('"'),
        span: last.span,
    };
}

/// The name as it was written, of one that may be marked.
pub(in crate::engine) fn unmarked(name: &TableReference) -> TableReference {
    let table = name.table().split(MARK).next().unwrap_or_default();
    match (name.catalog(), name.schema()) {
        (Some(catalog), Some(schema)) => TableReference::full(catalog, schema, table),
        (_, Some(schema)) => TableReference::partial(schema, table),
        (_, None) => TableReference::bare(table),
    }
}

/// What a query says of the moments of its tables, by their marked names.
pub(in crate::engine) fn said(query: &Query) -> HashMap<TableReference, TableVersion> {
    let mut said = Said::default();
    let _: ControlFlow<()> = walk(query, &mut said);
    said.found
}

#[derive(Default)]
struct Said {
    found: HashMap<TableReference, TableVersion>,
}

impl Visitor for Said {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name,
            version: Some(version),
            ..
        } = factor
            && let Some(name) = reference(name)
        {
            self.found.insert(name, version.clone());
        }
        ControlFlow::Continue(())
    }
}
