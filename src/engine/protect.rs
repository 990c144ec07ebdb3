//! A relation's row policies and column masks as a query over it, which is bound and planned as a
//! view's is; and what of the session that query reads.
//!
//! The relation itself stands in the query under a name that no other text can say, so that a
//! policy's own subqueries mean relations by their names.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::{Column, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, Select,
    SelectItem, SetExpr, Value, Visitor,
};

use super::context::StatementContext;
use super::output_name::fold;
use super::parse;
use crate::auth::Protection;
use crate::catalog::sql::{Lines, identifier};
use crate::engine::walk::walk;
use crate::error::{Error, ErrorKind, Result};

/// The relation that is protected, in the query that protects it. No name in SQL text holds it, for
/// PostgreSQL's lexer takes no control characters in names.
const OWN: &str = "\u{1}protected";

/// The reference of the protected relation in its query.
pub(super) fn own_reference() -> TableReference {
    TableReference::bare(OWN)
}

/// The query of a protection: the masks as its select list, the conditions as its WHERE.
///
/// # Errors
/// One of them is no expression.
pub(super) fn query_of(name: &str, protection: &Protection) -> Result<(Box<Query>, Arc<Lines>)> {
    let masks = protection.masks.iter();
    let masks: Vec<String> = masks
        .map(|(column, mask)| format!("({mask}\n) as {}", quoted(column)))
        .collect();
    let masks = match masks.as_slice() {
        [] => "null as nothing".to_owned(),
        masks => masks.join(", "),
    };
    let mut conditions: Vec<String> = vec!["true".to_owned()];
    for alternatives in &protection.conditions {
        let alternatives = alternatives.iter().map(|text| format!("({text}\n)"));
        let alternatives: Vec<String> = alternatives.collect();
        conditions.push(match alternatives.as_slice() {
            [] => "false".to_owned(),
            alternatives => format!("({})", alternatives.join(" or ")),
        });
    }
    let text = format!(
        "select {masks} from {} as {} where {}",
        quoted(OWN),
        identifier(name),
        conditions.join(" and ")
    );
    let (query, lines) = parse::parse_view(&text)?;
    if query.with.is_some() || query.order_by.is_some() || query.limit_clause.is_some() {
        return Err(Error::new(ErrorKind::SyntaxError, "not an expression"));
    }
    Ok((query, lines))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The query with all columns of the relation in its select list, masked or as they are.
///
/// # Errors
/// `UndefinedColumn`: a column that is masked is not there (any more), so that nobody knows by which
/// name it is there now.
pub(super) fn with_columns(query: &Query, name: &str, columns: &Schema) -> Result<Query> {
    let mut query = query.clone();
    let select = select_of(&mut query)?;
    let mut masks = HashMap::new();
    for item in std::mem::take(&mut select.projection) {
        if let SelectItem::ExprWithAlias { alias, .. } = &item
            && alias.quote_style.is_some()
        {
            masks.insert(alias.value.clone(), item);
        }
    }
    select.projection = columns
        .fields()
        .iter()
        .map(|field| {
            masks.remove(field.name()).unwrap_or_else(|| {
                let parts = [name, field.name()].map(|part| Ident::with_quote('"', part));
                SelectItem::UnnamedExpr(SqlExpr::CompoundIdentifier(parts.to_vec()))
            })
        })
        .collect();
    match masks.keys().min() {
        None => Ok(query),
        Some(missing) => {
            let message = format!("masked column \"{missing}\" does not exist");
            Err(Error::new(ErrorKind::UndefinedColumn, message))
        }
    }
}

fn select_of(query: &mut Query) -> Result<&mut Select> {
    match query.body.as_mut() {
        SetExpr::Select(select) => Ok(select),
        _ => Err(Error::unsupported(
            "a function that gives rows, in a row policy or a mask",
        )),
    }
}

/// The plan, if it gives each row for itself.
///
/// # Errors
/// `GroupingError`: an aggregate or a window is in it.
pub(super) fn row_by_row(plan: LogicalPlan) -> Result<LogicalPlan> {
    let is_filtered = |plan: &LogicalPlan| {
        matches!(plan, LogicalPlan::Projection(rows)
            if matches!(rows.input.as_ref(), LogicalPlan::Filter(_)))
    };
    match is_filtered(&plan) {
        true => Ok(plan),
        false => {
            let message = "aggregate and window functions are not allowed in policy expressions";
            Err(Error::new(ErrorKind::GroupingError, message))
        }
    }
}

/// The plan with the types that the relation's columns have.
///
/// # Errors
/// `DatatypeMismatch`: a mask's type cannot be cast to its column's.
pub(super) fn with_types(plan: LogicalPlan, columns: &SchemaRef) -> Result<LogicalPlan> {
    let mut fitted = Vec::with_capacity(columns.fields().len());
    for ((qualifier, field), own) in plan.schema().iter().zip(columns.fields()) {
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        let (is, wanted) = (field.data_type(), own.data_type());
        if !is_fitting(is, wanted) {
            let message = format!(
                "the mask of column \"{}\" is of type {is}, and the column of type {wanted}",
                own.name()
            );
            return Err(Error::new(ErrorKind::DatatypeMismatch, message));
        }
        let column = match is == wanted {
            true => column,
            false => cast(column, wanted.clone()),
        };
        let metadata = FieldMetadata::from(own.metadata());
        fitted.push(column.alias_with_metadata(own.name(), Some(metadata)));
    }
    LogicalPlanBuilder::from(plan)
        .project(fitted)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| super::failure::from_datafusion(&error))
}

/// Whether a mask of one type stands for values of another: PostgreSQL's casts of assignment, and
/// quoted literals.
fn is_fitting(is: &DataType, wanted: &DataType) -> bool {
    let is_text = |it: &DataType| {
        matches!(
            it,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    let is_time = |it: &DataType| {
        matches!(
            it,
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64
        )
    };
    let is_close = is == wanted
        || *is == DataType::Null
        || is_text(is)
        || is_text(wanted)
        || (is.is_numeric() && wanted.is_numeric())
        || (is_time(is) && is_time(wanted));
    is_close && arrow::compute::can_cast_types(is, wanted)
}

/// An error inside of a policy or a mask, as it is told of a statement that reads the relation. It
/// has no place in the statement, and tells no names but the policy's own.
pub(super) fn in_protection(error: Error, schema: &str, name: &str) -> Error {
    let place = format!("In a row policy or a mask of \"{schema}.{name}\".");
    let detail = match error.detail() {
        Some(detail) => format!("{detail} {place}"),
        None => place,
    };
    error.without_position().without_hint().with_detail(detail)
}

/// A call of a function that tells of the session: its name, and its first argument if that is a text.
pub(super) type SessionCall = (String, Option<String>);

/// The calls of functions that tell of the session.
pub(super) fn session_calls(query: &Query) -> BTreeSet<SessionCall> {
    let mut finder = SessionFunctions::default();
    let _: ControlFlow<()> = walk(query, &mut finder);
    finder.found
}

/// What of the session these calls tell, by name: rows that are made with them are the same for
/// sessions in which all of it is the same.
pub(super) fn session_values(
    calls: &BTreeSet<SessionCall>,
    context: &StatementContext,
    rights: impl FnOnce() -> String,
) -> BTreeMap<String, String> {
    let facts = &context.facts;
    let mut values = BTreeMap::new();
    let mut needs_rights = false;
    for (function, argument) in calls {
        let value = match function.as_str() {
            "current_user" | "user" | "current_role" => facts.actor.user.clone(),
            "session_user" => facts.actor.session_user.clone(),
            "current_setting" => match argument {
                Some(name) => {
                    let value = facts.settings.get(&name.to_lowercase());
                    values.insert(format!("current_setting {name}"), format!("{value:?}"));
                    continue;
                }
                None => format!("{:?}", facts.settings),
            },
            "current_schema" | "current_schemas" => format!("{:?}", facts.search_path),
            "current_database" | "current_catalog" => facts.database.clone(),
            "pg_backend_pid" => facts.backend_pid.to_string(),
            // Groups of a token are memberships of the session.
            name if name.starts_with("has_")
                || name.starts_with("pg_has_")
                || name == "row_security_active" =>
            {
                needs_rights = true;
                format!("{:?}", facts.actor)
            }
            _ => continue,
        };
        values.insert(function.clone(), value);
    }
    if needs_rights {
        values.insert("rights".to_owned(), rights());
    }
    values
}

/// Collects the functions of a query, with their first arguments if those are texts.
#[derive(Default)]
struct SessionFunctions {
    found: BTreeSet<SessionCall>,
}

impl Visitor for SessionFunctions {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &SqlExpr) -> ControlFlow<()> {
        if let SqlExpr::Function(function) = expression
            && let Some(name) = function.name.0.last().and_then(|part| part.as_ident())
        {
            let first = match &function.args {
                FunctionArguments::List(list) => list.args.first(),
                _ => None,
            };
            let text = match first {
                Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(SqlExpr::Value(value)))) => {
                    match &value.value {
                        Value::SingleQuotedString(text) => Some(text.clone()),
                        _ => None,
                    }
                }
                _ => None,
            };
            self.found.insert((fold(name), text));
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(conditions: &[&[&str]], expected: &str) {
        let protection = Protection {
            conditions: conditions
                .iter()
                .map(|texts| texts.iter().map(|text| (*text).to_owned()).collect())
                .collect(),
            masks: BTreeMap::new(),
        };
        let (query, _) = query_of("t", &protection).expect("they are expressions");
        let text = query.to_string();
        let (_, condition) = text.split_once(" WHERE ").expect("it has one");
        assert_eq!(condition, expected);
    }

    #[test]
    fn one_of_the_alternatives_must_hold_of_each_condition() {
        check(&[&[]], "true AND false");
        check(
            &[&["a = 1 -- one", "b"], &["c or d"]],
            "true AND ((a = CAST(1 AS INT4)) OR (b)) AND ((c OR d))",
        );
    }

    #[test]
    fn a_masked_column_that_went_is_an_error() {
        let protection = Protection {
            masks: BTreeMap::from([("secret".to_owned(), "null".to_owned())]),
            ..Protection::default()
        };
        let (query, _) = query_of("t", &protection).expect("it is an expression");
        let field = arrow::datatypes::Field::new("other", arrow::datatypes::DataType::Utf8, true);
        let refused = with_columns(&query, "t", &Schema::new(vec![field]));
        assert_eq!(
            refused.expect_err("it is not there").kind(),
            ErrorKind::UndefinedColumn
        );
    }
}
