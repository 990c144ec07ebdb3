//! `FROM f(...) WITH ORDINALITY`: the rows of a function, numbered in their order.
//! <https://www.postgresql.org/docs/16/queries-table-expressions.html#QUERIES-TABLEFUNCTIONS>
//!
//! The rows are the elements of a list, and so are their numbers: DataFusion unnests both in lock step.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, SelectItem, SetExpr,
    TableAlias, TableFactor, Value,
};

use super::elements::{alias_of, quoted_call, quoted_calls, select_of};
use super::normalize::last_part;
use super::rows_in_lists::list_of;
use crate::engine::output_name::fold;
use crate::error::{Error, Result};
use crate::functions::SERIES_LIST;
use crate::functions::json::ELEMENTS;

/// The name of the numbers' column.
const ORDINALITY: &str = "ordinality";

/// The relation with the numbers; `None` if none are asked for.
///
/// # Errors
/// The function makes rows in a way that is not known here.
pub(super) fn numbered(factor: &TableFactor) -> Result<Option<TableFactor>> {
    match factor {
        TableFactor::Table {
            name,
            args: Some(given),
            alias,
            with_ordinality: true,
            ..
        } => called(name, &given.args, alias.as_ref()).map(Some),
        TableFactor::Function {
            name,
            args,
            alias,
            with_ordinality: true,
            ..
        } => called(name, args, alias.as_ref()).map(Some),
        TableFactor::UNNEST {
            array_exprs,
            alias,
            with_ordinality: true,
            ..
        } => {
            let lists = array_exprs.iter().map(|list| (list.clone(), None));
            derived("unnest", lists.collect(), alias.as_ref()).map(Some)
        }
        TableFactor::Table {
            with_ordinality: true,
            ..
        } => Err(Error::unsupported("WITH ORDINALITY of a relation")),
        _ => Ok(None),
    }
}

/// A list, and the function that makes a row's value of each of its elements.
type List = (Expr, Option<&'static str>);

fn called(
    name: &ObjectName,
    given: &[FunctionArg],
    alias: Option<&TableAlias>,
) -> Result<TableFactor> {
    let function = last_part(name);
    let arguments = given.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Some(argument.clone()),
        _ => None,
    });
    let refused = || Error::unsupported(format!("WITH ORDINALITY of {function}()"));
    let arguments: Vec<Expr> = arguments.collect::<Option<_>>().ok_or_else(refused)?;
    let of_json = ELEMENTS.iter().find(|(known, _)| *known == function);
    let list: List = match (of_json, list_of(&function)) {
        (Some((list, row)), _) => (quoted_calls(list, arguments), Some(*row)),
        (None, Some(list)) => (quoted_calls(list, arguments), None),
        (None, None) if function == "unnest" => {
            let lists = arguments.into_iter().map(|list| (list, None));
            return derived(&function, lists.collect(), alias);
        }
        (None, None) => return Err(refused()),
    };
    derived(&function, vec![list], alias)
}

fn derived(function: &str, lists: Vec<List>, alias: Option<&TableAlias>) -> Result<TableFactor> {
    let of_json = lists.iter().any(|(_, row)| row.is_some());
    let alone = lists.len() == 1 && !of_json;
    // A function without OUT parameters names its column as its relation.
    let column = match alias {
        _ if of_json => "value".to_owned(),
        Some(alias) if alone => fold(&alias.name),
        _ => function.to_owned(),
    };
    let lengths: Vec<Expr> = lists
        .iter()
        .map(|(list, _)| length_of(list.clone()))
        .collect();
    let longest = match lengths.as_slice() {
        [only] => only.clone(),
        _ => quoted_calls("greatest", lengths.clone()),
    };
    let numbers = quoted_calls(SERIES_LIST, vec![bigint(number("1")), longest]);
    let mut subquery = select_of(quoted_call("unnest", numbers), ORDINALITY)?;
    if let SetExpr::Select(select) = subquery.body.as_mut() {
        let rows = lists.into_iter().map(|(list, row)| {
            let element = quoted_call("unnest", list);
            SelectItem::ExprWithAlias {
                expr: match row {
                    Some(row) => quoted_call(row, element),
                    None => element,
                },
                alias: Ident::with_quote('"', column.clone()),
            }
        });
        select.projection.splice(0..0, rows);
    }
    let own = || alias_of(Ident::with_quote('"', function));
    Ok(TableFactor::Derived {
        lateral: true,
        subquery,
        alias: Some(alias.cloned().unwrap_or_else(own)),
        sample: None,
    })
}

/// How many rows a list makes: those of its first dimension.
fn length_of(list: Expr) -> Expr {
    bigint(quoted_calls("array_length", vec![list, number("1")]))
}

fn number(digits: &str) -> Expr {
    Expr::Value(Value::Number(digits.to_owned(), false).into())
}

fn bigint(expression: Expr) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expression),
        data_type: DataType::BigInt(None),
        array: false,
        format: None,
    }
}
