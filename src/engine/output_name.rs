//! Names the columns of every SELECT as PostgreSQL would.
//!
//! DataFusion names an expression by its text; PostgreSQL by `FigureColname` in parse_target.c,
//! which this follows: a column's name, a function's, a cast's, else `?column?`.

use std::convert::Infallible;
use std::ops::ControlFlow;

use crate::engine::walk::walk_mut;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, DataType, Expr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, Subscript,
    TimezoneInfo, TrimWhereField, VisitorMut,
};

/// The name of a column that has none.
const UNNAMED: &str = "?column?";

/// Gives every unnamed expression of every select list the name PostgreSQL gives it.
pub(super) fn name_columns(query: &mut Query) {
    // The visitor cannot break: its Break type has no values.
    let _: ControlFlow<Infallible> = walk_mut(query, &mut Namer);
}

struct Namer;

impl VisitorMut for Namer {
    type Break = Infallible;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
        for item in &mut select.projection {
            let SelectItem::UnnamedExpr(expression) = item else {
                continue;
            };
            if matches!(
                expression,
                Expr::Identifier(_) | Expr::CompoundIdentifier(_)
            ) {
                continue;
            }
            let name = figure(expression).map_or(UNNAMED.to_owned(), |figured| figured.name);
            *item = SelectItem::ExprWithAlias {
                expr: expression.clone(),
                alias: Ident::with_quote('"', name),
            };
        }
        ControlFlow::Continue(())
    }
}

/// The name of a select item's expression.
pub(super) fn of(expression: &Expr) -> String {
    figure(expression).map_or(UNNAMED.to_owned(), |figured| figured.name)
}

/// An identifier as PostgreSQL folds it.
pub(super) fn fold(identifier: &Ident) -> String {
    match identifier.quote_style {
        Some(_) => identifier.value.clone(),
        None => identifier.value.to_lowercase(),
    }
}

/// A name, and whether it is a strong one: the name of a type gives way to what the cast is in.
struct Figured {
    name: String,
    strong: bool,
}

fn strong(name: impl Into<String>) -> Option<Figured> {
    let name = name.into();
    Some(Figured { name, strong: true })
}

fn figure(expression: &Expr) -> Option<Figured> {
    match expression {
        Expr::Identifier(name) => strong(fold(name)),
        Expr::CompoundIdentifier(parts) => strong(fold(parts.last()?)),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => figure(inner),
        Expr::CompoundFieldAccess { root, access_chain } => field_access(root, access_chain),
        Expr::Function(function) => strong(function_name(&function.name)),
        Expr::Cast {
            expr, data_type, ..
        } => cast(figure(expr), data_type),
        Expr::TypedString(literal) => cast(None, &literal.data_type),
        Expr::Interval(_) => Some(Figured {
            name: "interval".to_owned(),
            strong: false,
        }),
        Expr::Case { else_result, .. } => else_result
            .as_deref()
            .and_then(figure)
            .filter(|figured| figured.strong)
            .or(Some(Figured {
                name: "case".to_owned(),
                strong: false,
            })),
        Expr::Subquery(query) => subquery(query),
        Expr::Exists { .. } => strong("exists"),
        Expr::Array(_) => strong("array"),
        Expr::Tuple(_) => strong("row"),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::Extract { .. } => strong("extract"),
        Expr::Position { .. } => strong("position"),
        Expr::Substring { shorthand, .. } => strong(match shorthand {
            true => "substr",
            false => "substring",
        }),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::Ceil { .. } => strong("ceil"),
        Expr::Floor { .. } => strong("floor"),
        Expr::Trim { trim_where, .. } => strong(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            Some(TrimWhereField::Both) | None => "btrim",
        }),
        _ => None,
    }
}

/// A field selected from a value names the column; a subscript does not.
fn field_access(root: &Expr, chain: &[AccessExpr]) -> Option<Figured> {
    let field = chain.iter().rev().find_map(|access| match access {
        AccessExpr::Dot(Expr::Identifier(name)) => Some(fold(name)),
        AccessExpr::Dot(_)
        | AccessExpr::Subscript(Subscript::Index { .. } | Subscript::Slice { .. }) => None,
    });
    field.map_or_else(|| figure(root), strong)
}

fn function_name(name: &ObjectName) -> String {
    name.0
        .last()
        .and_then(|part| part.as_ident())
        .map_or(UNNAMED.to_owned(), fold)
}

fn cast(inner: Option<Figured>, data_type: &DataType) -> Option<Figured> {
    match inner {
        Some(figured) if figured.strong => Some(figured),
        _ => Some(Figured {
            name: type_name(data_type),
            strong: false,
        }),
    }
}

fn subquery(query: &Query) -> Option<Figured> {
    match query.body.as_ref() {
        SetExpr::Select(select) => match select.projection.first()? {
            SelectItem::ExprWithAlias { alias, .. } => strong(fold(alias)),
            SelectItem::UnnamedExpr(expression) => figure(expression),
            _ => None,
        },
        SetExpr::Query(inner) => subquery(inner),
        _ => None,
    }
}

/// The internal name of a type, which `FigureColname` uses: `int4`, not `integer`.
fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::SmallInt(_) | DataType::Int2(_) => "int2",
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => "int4",
        DataType::BigInt(_) | DataType::Int8(_) => "int8",
        DataType::Real | DataType::Float4 => "float4",
        DataType::Double(_) | DataType::DoublePrecision | DataType::Float8 | DataType::Float(_) => {
            "float8"
        }
        DataType::Numeric(_) | DataType::Decimal(_) | DataType::Dec(_) => "numeric",
        DataType::Boolean | DataType::Bool => "bool",
        DataType::Varchar(_) | DataType::CharacterVarying(_) | DataType::CharVarying(_) => {
            "varchar"
        }
        DataType::Char(_) | DataType::Character(_) => "bpchar",
        DataType::Text => "text",
        DataType::Bytea => "bytea",
        DataType::Date => "date",
        DataType::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => "timestamptz",
        DataType::Timestamp(..) => "timestamp",
        DataType::TimestampNtz(_) => "timestamp",
        DataType::Time(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => "timetz",
        DataType::Time(..) => "time",
        DataType::Interval { .. } => "interval",
        DataType::JSON => "json",
        DataType::JSONB => "jsonb",
        DataType::Uuid => "uuid",
        DataType::Regclass => "regclass",
        DataType::Custom(name, _) => return function_name(name),
        // PostgreSQL keeps the element's name: `'{}'::int[]` is a column "int4".
        DataType::Array(array) => {
            use datafusion::sql::sqlparser::ast::ArrayElemTypeDef::{
                AngleBracket, None, Parenthesis, SquareBracket,
            };
            return match array {
                AngleBracket(element) | SquareBracket(element, _) | Parenthesis(element) => {
                    type_name(element)
                }
                None => UNNAMED.to_owned(),
            };
        }
        other => return other.to_string().to_lowercase(),
    };
    name.to_owned()
}
