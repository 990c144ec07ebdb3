//! Functions in FROM, as subqueries: those that make rows of a value's elements by `unnest`, and
//! those that give a value, which is a row of one column.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query,
    Select, SelectItem, SetExpr, TableAlias, TableAliasColumnDef, TableFactor, VisitorMut,
    visit_expressions,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::normalize::{arguments, function, last_part};
use super::ordinality;
use super::rows_in_lists::list_of;
use crate::engine::output_name::fold;
use crate::engine::walk::walk_mut;
use crate::error::{Error, Result};
use crate::functions::json::{ELEMENTS, ROW_FUNCTIONS};
use crate::functions::{FIELD_OF, ROW_LISTS, SERIES_LIST};

/// The column of the functions on JSON arrays: the name of their OUT parameter.
const VALUE: &str = "value";

/// Rewrites `FROM jsonb_array_elements(x) e` to
/// `FROM LATERAL (SELECT unnest(jsonb_array_elements(x)) AS value) e`, the element under its type.
///
/// # Errors
/// Arguments that the function does not take.
pub(in crate::engine) fn as_subqueries(query: &mut Query) -> Result<()> {
    match walk_mut(query, &mut Rewriter) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// The column that the name of a relation stands for, where the relation is a function that gives
/// values, not rows: `makeWholeRowVar` in makefuncs.c has such a name mean the value.
pub(in crate::engine) fn value_column(factor: &TableFactor) -> Option<String> {
    let (alias, name) = match factor {
        TableFactor::Derived {
            subquery, alias, ..
        } => (alias, row_column(subquery)?),
        TableFactor::UNNEST {
            array_exprs, alias, ..
        } if array_exprs.len() == 1 => (alias, None),
        _ => return None,
    };
    let alias = alias.as_ref()?;
    match alias.columns.first() {
        Some(column) => Some(fold(&column.name)),
        None => name,
    }
}

/// The name that one of our subqueries gives its column; `None` for other subqueries.
fn row_column(query: &Query) -> Option<Option<String>> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    match select.projection.as_slice() {
        [
            SelectItem::ExprWithAlias {
                expr: Expr::Function(function),
                alias,
            },
        ] if ROW_FUNCTIONS.contains(&last_part(&function.name).as_str()) => Some(Some(fold(alias))),
        _ => None,
    }
}

/// DataFusion calls its column `value`.
const SERIES: &str = "generate_series";

/// DataFusion's other table function, which PostgreSQL does not have.
const RANGE: &str = "range";

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = Error;

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        // What stands first in FROM reads columns of the query around this one, if it reads any.
        let Some(first) = select.from.first_mut() else {
            return ControlFlow::Continue(());
        };
        match of_outer_array(&first.relation) {
            Ok(Some(lateral)) => first.relation = lateral,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        match ordinality::numbered(factor) {
            Ok(None) => {}
            Ok(Some(numbered)) => {
                *factor = numbered;
                return ControlFlow::Continue(());
            }
            Err(error) => return ControlFlow::Break(error),
        }
        let rewritten = match factor {
            TableFactor::Table {
                name,
                args: Some(_),
                alias,
                ..
            } if last_part(name) == SERIES => {
                *alias = Some(with_column(alias.as_ref(), SERIES));
                return ControlFlow::Continue(());
            }
            TableFactor::Table {
                name,
                args: Some(given),
                alias,
                ..
            } => called(name, &given.args, alias.as_ref()),
            TableFactor::Function {
                name, args, alias, ..
            } => called(name, args, alias.as_ref()),
            TableFactor::UNNEST {
                array_exprs, alias, ..
            } if array_exprs.len() == 1 => {
                *alias = Some(with_column(alias.as_ref(), "unnest"));
                return ControlFlow::Continue(());
            }
            _ => return ControlFlow::Continue(()),
        };
        match rewritten {
            Ok(Some(rewritten)) => *factor = rewritten,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

/// `unnest` of an array that a query around this one has, as a lateral subquery: DataFusion's own
/// reads only what stands before it in the same FROM.
fn of_outer_array(factor: &TableFactor) -> Result<Option<TableFactor>> {
    let TableFactor::UNNEST {
        array_exprs, alias, ..
    } = factor
    else {
        return Ok(None);
    };
    let ([array], Some(alias)) = (array_exprs.as_slice(), alias) else {
        return Ok(None);
    };
    let (Some(column), true) = (alias.columns.first(), reads_columns(array)) else {
        return Ok(None);
    };
    let elements = quoted_call("unnest", array.clone());
    Ok(Some(TableFactor::Derived {
        lateral: true,
        subquery: select_of(elements, &fold(&column.name))?,
        alias: Some(alias.clone()),
        sample: None,
    }))
}

fn reads_columns(expression: &Expr) -> bool {
    let found = visit_expressions(expression, |inner| match inner {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn called(
    name: &ObjectName,
    given: &[FunctionArg],
    alias: Option<&TableAlias>,
) -> Result<Option<TableFactor>> {
    let function_name = last_part(name);
    if function_name == RANGE {
        return Ok(None);
    }
    if function_name.starts_with("regexp_")
        && let Some(list) = list_of(&function_name)
    {
        return of_list(&function_name, list, given, alias).map(Some);
    }
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = given else {
        return value(name, given, alias).map(Some);
    };
    if function_name == "unnest" {
        return Ok(Some(TableFactor::UNNEST {
            alias: Some(with_column(alias, "unnest")),
            array_exprs: vec![argument.clone()],
            with_offset: false,
            with_offset_alias: None,
            with_ordinality: false,
        }));
    }
    let known = ROW_LISTS.iter().find(|(known, ..)| *known == function_name);
    if let Some((_, list, columns)) = known {
        let rows = quoted_call("unnest", quoted_call(list, argument.clone()));
        let name = Ident::with_quote('"', function_name);
        return Ok(Some(TableFactor::Derived {
            lateral: true,
            subquery: fields_of(rows, columns)?,
            alias: Some(alias.cloned().unwrap_or_else(|| alias_of(name))),
            sample: None,
        }));
    }
    let known = ELEMENTS.iter().find(|(known, _)| *known == function_name);
    let Some((elements, row)) = known else {
        return value(name, given, alias).map(Some);
    };
    let list = quoted_call(elements, argument.clone());
    let value = quoted_call(row, quoted_call("unnest", list));
    let name = Ident::with_quote('"', function_name);
    Ok(Some(TableFactor::Derived {
        lateral: true,
        subquery: select_of(value, VALUE)?,
        alias: Some(alias.cloned().unwrap_or_else(|| alias_of(name))),
        sample: None,
    }))
}

/// A function that makes rows of the elements of a list.
fn of_list(
    function: &str,
    list: &str,
    given: &[FunctionArg],
    alias: Option<&TableAlias>,
) -> Result<TableFactor> {
    let arguments = given.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Some(argument.clone()),
        _ => None,
    });
    let refused = || Error::unsupported(format!("named arguments of {function}()"));
    let arguments = arguments.collect::<Option<Vec<_>>>().ok_or_else(refused)?;
    let rows = quoted_call("unnest", quoted_calls(list, arguments));
    let alias = with_column(alias, function);
    Ok(TableFactor::Derived {
        lateral: true,
        subquery: select_of(rows, function)?,
        alias: Some(alias),
        sample: None,
    })
}

/// A function that gives one value, in FROM: `FROM now() AS n` is `FROM (SELECT now() AS n) AS n`.
fn value(
    name: &ObjectName,
    given: &[FunctionArg],
    alias: Option<&TableAlias>,
) -> Result<TableFactor> {
    let function_name = last_part(name);
    let mut call = function(&function_name, arguments(Vec::new()));
    call.name = name.clone();
    if let FunctionArguments::List(list) = &mut call.args {
        list.args = given.to_vec();
    }
    let mut call = Expr::Function(call);
    if function_name == SERIES {
        // Of columns, it makes rows for each row before it: of constants it is a relation.
        let Expr::Function(series) = &mut call else {
            return Err(Error::unsupported("generate_series"));
        };
        series.name = ObjectName::from(vec![Ident::with_quote('"', SERIES_LIST)]);
        call = quoted_call("unnest", call);
    }
    let alias = match alias {
        Some(alias) => alias.clone(),
        None => alias_of(Ident::with_quote('"', function_name)),
    };
    let column = alias
        .columns
        .first()
        .map_or(&alias.name, |column| &column.name);
    let column = fold(column);
    Ok(TableFactor::Derived {
        lateral: reads_columns(&call),
        subquery: select_of(call, &column)?,
        alias: Some(alias),
        sample: None,
    })
}

/// A call under a name that may not be one of SQL's.
pub(super) fn quoted_call(name: &str, argument: Expr) -> Expr {
    quoted_calls(name, vec![argument])
}

/// The same with any number of arguments.
pub(super) fn quoted_calls(name: &str, given: Vec<Expr>) -> Expr {
    let mut call: Function = function(name, arguments(given));
    call.name = ObjectName::from(vec![Ident::with_quote('"', name)]);
    Expr::Function(call)
}

/// The fields of records as columns.
fn fields_of(records: Expr, columns: &[&str]) -> Result<Box<Query>> {
    let fields = columns
        .iter()
        .map(|column| format!("\"{FIELD_OF}\"(listed.fields, '{column}') AS {column}"));
    let fields = fields.collect::<Vec<_>>().join(", ");
    let mut query = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(&format!("SELECT {fields} FROM (SELECT 1) AS listed"))
        .and_then(|mut parser| parser.parse_query())
        .map_err(Error::internal)?;
    if let SetExpr::Select(select) = query.body.as_mut()
        && let Some(from) = select.from.first_mut()
        && let TableFactor::Derived { subquery, .. } = &mut from.relation
    {
        *subquery = select_of(records, "fields")?;
    }
    Ok(query)
}

pub(super) fn select_of(value: Expr, name: &str) -> Result<Box<Query>> {
    let mut query = Parser::new(&PostgreSqlDialect {})
        .try_with_sql("SELECT 1")
        .and_then(|mut parser| parser.parse_query())
        .map_err(Error::internal)?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = vec![SelectItem::ExprWithAlias {
            expr: value,
            alias: Ident::with_quote('"', name),
        }];
    }
    Ok(query)
}

pub(super) fn alias_of(name: Ident) -> TableAlias {
    TableAlias {
        explicit: true,
        name,
        columns: Vec::new(),
        at: None,
    }
}

/// A function without OUT parameters names its column as its relation.
fn with_column(alias: Option<&TableAlias>, function: &str) -> TableAlias {
    let mut alias = match alias {
        Some(alias) => alias.clone(),
        None => alias_of(Ident::with_quote('"', function)),
    };
    if alias.columns.is_empty() {
        alias.columns.push(TableAliasColumnDef {
            name: alias.name.clone(),
            data_type: None,
        });
    }
    alias
}
