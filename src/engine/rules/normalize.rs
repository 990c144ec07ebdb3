//! Brings PostgreSQL's spellings into equal ones that DataFusion plans.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr,
    Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Query, TableFactor, TimezoneInfo, TypedString, Value, ValueWithSpan, VisitorMut,
};

use super::calls::{
    bits_as_number, called_without_parentheses, keywords, ntile, ordered_if_distinct, other_call,
};
use super::{
    array_casts, catalog_functions, characters, interval_literals, numeric_literals,
    row_comparisons, subquery_array, untyped_arrays, values_casts,
};
use crate::catalog::system::LAKEGATE;
use crate::engine::cache::CLEAR_CACHE;
use crate::engine::output_name::fold;
use crate::engine::walk::walk_mut;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::LIKE_ESCAPE;

/// Rewrites a query in place.
///
/// # Errors
/// A spelling whose meaning would be lost.
pub(in crate::engine) fn normalize(query: &mut Query) -> Result<()> {
    match walk_mut(query, &mut Normalizer) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Normalizer;

impl VisitorMut for Normalizer {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        if let TableFactor::Table {
            name,
            args: Some(_),
            ..
        }
        | TableFactor::Function { name, .. } = factor
        {
            strip_pg_catalog(name);
        }
        catalog_functions::as_relation(factor);
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        values_casts::each_values(&mut query.body, &mut values_casts::cast_alike);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        if let Some(array) = array_casts::array_of_casts(expression) {
            *expression = array;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        if let Some(call) = keywords(expression) {
            *expression = call;
            return ControlFlow::Continue(());
        }
        let rewritten = match expression {
            Expr::Collate { expr, collation } => collated(expr, collation),
            Expr::BinaryOp { left, op, right } => operator(op).map(|()| {
                roles_literal(left, right);
                roles_literal(right, left);
                row_comparisons::by_values(left, op, right)
            }),
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type,
                ..
            } => cast(expr, data_type),
            Expr::TypedString(literal) => typed_string(literal),
            Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } => {
                untyped_arrays::mark(left, right);
                Ok(None)
            }
            Expr::Interval(literal) => Ok(interval_literals::literal(literal)),
            Expr::Like {
                pattern,
                escape_char,
                ..
            }
            | Expr::ILike {
                pattern,
                escape_char,
                ..
            } => {
                escape_by_backslash(pattern, escape_char);
                Ok(None)
            }
            // A keyword in PostgreSQL, a name to the parser.
            Expr::Identifier(name)
                if name.quote_style.is_none()
                    && ["current_schema", "current_role"].contains(&fold(name).as_str()) =>
            {
                Ok(Some(call(&fold(name), Vec::new())))
            }
            Expr::CompoundFieldAccess { root, access_chain } => Ok(field_of(root, access_chain)),
            Expr::Function(function) => {
                strip_pg_catalog(&mut function.name);
                strip_own_schema(&mut function.name);
                called_without_parentheses(function);
                ordered_if_distinct(function);
                if let Some(ntile) = ntile(function) {
                    *expression = ntile;
                    return ControlFlow::Continue(());
                }
                match other_call(function) {
                    Some(call) => Ok(Some(call)),
                    None => subquery_array::array_of_subquery(function),
                }
            }
            _ => Ok(None),
        };
        match rewritten {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(rewritten)) => {
                *expression = rewritten;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// `(value).field`, whatever the value is computed by; `None` for subscripts.
fn field_of(root: &Expr, access_chain: &[AccessExpr]) -> Option<Expr> {
    let mut taken = root.clone();
    for access in access_chain {
        let AccessExpr::Dot(Expr::Identifier(field)) = access else {
            return None;
        };
        let name = Expr::Value(Value::SingleQuotedString(fold(field)).into());
        taken = call("get_field", vec![taken, name]);
    }
    Some(taken)
}

/// `type 'text'`, where the parser's type means something else.
fn typed_string(literal: &TypedString) -> Result<Option<Expr>> {
    let text = Expr::Value(literal.value.clone());
    match &literal.data_type {
        DataType::Uuid => Ok(Some(call("uuid", vec![text]))),
        DataType::Numeric(ExactNumberInfo::None) | DataType::Decimal(ExactNumberInfo::None) => {
            Ok(Some(numeric_literals::numeric(&text)))
        }
        other => match json_cast(&text, other).or_else(|| precise(&text, other)) {
            Some(call) => Ok(Some(call)),
            None => characters::cast(&text, other),
        },
    }
}

/// `x LIKE p ESCAPE c` is `x LIKE like_escape(p, c)`, as PostgreSQL's grammar has it.
fn escape_by_backslash(pattern: &mut Expr, escape: &mut Option<ValueWithSpan>) {
    if let Some(escape) = escape.take() {
        let arguments = vec![pattern.clone(), Expr::Value(escape)];
        *pattern = call(LIKE_ESCAPE, arguments);
    }
}

/// `pg_catalog.f` is `f`: no other schema has functions or types.
fn strip_pg_catalog(name: &mut ObjectName) {
    let of_catalog = name.0.len() == 2
        && name.0[0]
            .as_ident()
            .is_some_and(|schema| schema.value.eq_ignore_ascii_case("pg_catalog"));
    if of_catalog {
        name.0.remove(0);
    }
}

/// `lakegate.clear_cache()`: the planner knows functions by their names alone.
fn strip_own_schema(name: &mut ObjectName) {
    let schema = name.0.first().and_then(|part| part.as_ident());
    let is_own = name.0.len() == 2
        && schema.is_some_and(|schema| schema.value.eq_ignore_ascii_case(LAKEGATE))
        && last_part(name) == CLEAR_CACHE;
    if is_own {
        name.0.remove(0);
    }
}

pub(in crate::engine) fn last_part(name: &ObjectName) -> String {
    let last = name.0.last().and_then(|part| part.as_ident());
    last.map_or_else(String::new, |last| match last.quote_style {
        Some(_) => last.value.clone(),
        None => last.value.to_lowercase(),
    })
}

/// Text is compared by its bytes here; other collations would order it otherwise.
fn collated(expression: &Expr, collation: &ObjectName) -> Result<Option<Expr>> {
    let name = last_part(collation);
    match name.as_str() {
        "default" | "C" | "POSIX" | "C.UTF-8" | "ucs_basic" => Ok(Some(expression.clone())),
        _ => Err(Error::unsupported(format!("collation \"{name}\""))),
    }
}

/// `OPERATOR(pg_catalog.~)` is `~`.
fn operator(operator: &mut BinaryOperator) -> Result<()> {
    let BinaryOperator::PGCustomBinaryOperator(name) = operator else {
        return Ok(());
    };
    let (symbol, schema) = match name.as_slice() {
        [symbol] => (symbol, "pg_catalog"),
        [schema, symbol] => (symbol, schema.as_str()),
        _ => return Err(undefined_operator(&name.join("."))),
    };
    let plain = match symbol.as_str() {
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "=" => BinaryOperator::Eq,
        "<>" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        "<=" => BinaryOperator::LtEq,
        ">" => BinaryOperator::Gt,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        "||" => BinaryOperator::StringConcat,
        _ => return Err(undefined_operator(symbol)),
    };
    if !schema.eq_ignore_ascii_case("pg_catalog") {
        return Err(undefined_operator(&format!("{schema}.{symbol}")));
    }
    *operator = plain;
    Ok(())
}

fn undefined_operator(name: &str) -> Error {
    let message = format!("operator does not exist: {name}");
    Error::new(ErrorKind::UndefinedFunction, message)
}

/// `x::timestamp(3)` is `of_precision(x::timestamp, 3)`: DataFusion forgets the digits.
fn precise(expression: &Expr, data_type: &DataType) -> Option<Expr> {
    let (digits, whole) = match data_type {
        DataType::Time(digits, zone) => (digits, DataType::Time(None, *zone)),
        DataType::Timestamp(digits, zone) => (digits, DataType::Timestamp(None, *zone)),
        DataType::Interval {
            fields: None,
            precision,
        } => {
            let whole = DataType::Interval {
                fields: None,
                precision: None,
            };
            (precision, whole)
        }
        _ => return None,
    };
    let cast = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expression.clone()),
        data_type: whole,
        array: false,
        format: None,
    };
    let digits = Expr::Value(Value::Number((*digits)?.to_string(), false).into());
    Some(call("of_precision", vec![cast, digits]))
}

/// The types whose casts are functions of ours (`functions::reg`, `functions::casts`).
const FUNCTION_CASTS: &[&str] = &[
    "regclass",
    "regtype",
    "regproc",
    "regprocedure",
    "regoper",
    "regoperator",
    "regnamespace",
    "regrole",
    "name",
    "char",
    "uuid",
];

fn cast(expression: &Expr, data_type: &mut DataType) -> Result<Option<Expr>> {
    plain_type(data_type);
    // A value that names an object is spelled as text, not as the number it is.
    let spelled = spelled(expression);
    let expression = spelled.as_ref().unwrap_or(expression);
    if let Some(number) = bits_as_number(expression, data_type) {
        return Ok(Some(number));
    }
    if let Some(cast) = characters::cast(expression, data_type)? {
        return Ok(Some(cast));
    }
    let of_fields = interval_literals::cast(expression, data_type);
    if let Some(cast) = precise(expression, data_type).or(of_fields) {
        return Ok(Some(cast));
    }
    Ok(match data_type {
        DataType::Custom(name, modifiers) if modifiers.is_empty() => {
            let name = last_part(name);
            let known = FUNCTION_CASTS.iter().find(|known| **known == name);
            known.map(|known| call(known, vec![expression.clone()]))
        }
        DataType::Regclass => Some(call("regclass", vec![expression.clone()])),
        DataType::JSON | DataType::JSONB => json_cast(expression, data_type),
        DataType::Array(_) => {
            array_casts::deepen(expression, data_type);
            None
        }
        DataType::Numeric(ExactNumberInfo::None)
        | DataType::Decimal(ExactNumberInfo::None)
        | DataType::Dec(ExactNumberInfo::None) => Some(numeric_literals::numeric(expression)),
        DataType::Uuid => Some(call("uuid", vec![expression.clone()])),
        DataType::Text => spelled,
        _ => None,
    })
}

/// Casts to JSON check and normalise texts (`functions::json`).
fn json_cast(expression: &Expr, data_type: &DataType) -> Option<Expr> {
    match data_type {
        DataType::JSON => Some(call("json", vec![expression.clone()])),
        DataType::JSONB => Some(call("jsonb", vec![expression.clone()])),
        _ => None,
    }
}

/// `regclass(x)::text` is `regclass_out(regclass(x))`.
fn spelled(expression: &Expr) -> Option<Expr> {
    let inner = match expression {
        Expr::Nested(inner) => inner,
        other => other,
    };
    let Expr::Function(function) = inner else {
        return None;
    };
    let name = last_part(&function.name);
    let named = name.starts_with("reg") && FUNCTION_CASTS.contains(&name.as_str());
    named.then(|| call(&format!("{name}_out"), vec![expression.clone()]))
}

/// `pg_catalog.int2[]` and its kind, in the grammar's own spelling.
fn plain_type(data_type: &mut DataType) {
    match data_type {
        DataType::Array(
            ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::AngleBracket(element),
        ) => plain_type(element),
        DataType::Custom(name, modifiers) if modifiers.is_empty() => {
            strip_pg_catalog(name);
            let name = last_part(name);
            // Array types are named by their elements': `_int4`.
            if let Some(element) = name.strip_prefix('_') {
                let element = ObjectName::from(vec![Ident::with_quote('"', element)]);
                let mut element = DataType::Custom(element, Vec::new());
                plain_type(&mut element);
                if !matches!(element, DataType::Custom(..)) {
                    let array = ArrayElemTypeDef::SquareBracket(Box::new(element), None);
                    *data_type = DataType::Array(array);
                }
                return;
            }
            let plain = match name.as_str() {
                "text" => DataType::Text,
                "varchar" => DataType::Varchar(None),
                "int2" => DataType::SmallInt(None),
                "int4" => DataType::Integer(None),
                "int8" => DataType::BigInt(None),
                "float4" => DataType::Real,
                "bool" => DataType::Boolean,
                "float8" => DataType::DoublePrecision,
                "numeric" => DataType::Numeric(ExactNumberInfo::None),
                "bytea" => DataType::Bytea,
                "date" => DataType::Date,
                "time" => DataType::Time(None, TimezoneInfo::None),
                "timestamp" => DataType::Timestamp(None, TimezoneInfo::None),
                "timestamptz" => DataType::Timestamp(None, TimezoneInfo::Tz),
                "timetz" => DataType::Time(None, TimezoneInfo::Tz),
                "interval" => DataType::Interval {
                    fields: None,
                    precision: None,
                },
                "json" => DataType::JSON,
                "jsonb" => DataType::JSONB,
                _ => return,
            };
            *data_type = plain;
        }
        _ => {}
    }
}

/// `pol.polroles = '{0}'` compares arrays; DataFusion would take the literal for text.
fn roles_literal(column: &Expr, literal: &mut Expr) {
    let name = match column {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        _ => None,
    };
    if name.is_some_and(|name| name.value == "polroles") {
        let oid = DataType::Custom(ObjectName::from(vec![Ident::new("oid")]), Vec::new());
        let is_text = matches!(literal, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)));
        if is_text {
            *literal = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(literal.clone()),
                data_type: DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(oid), None)),
                array: false,
                format: None,
            };
        }
    }
}

pub(in crate::engine) fn call(name: &str, expressions: Vec<Expr>) -> Expr {
    Expr::Function(function(name, arguments(expressions)))
}

pub(super) fn function(name: &str, arguments: FunctionArgumentList) -> Function {
    Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(arguments),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }
}

pub(super) fn arguments(expressions: Vec<Expr>) -> FunctionArgumentList {
    let unnamed = |expression| FunctionArg::Unnamed(FunctionArgExpr::Expr(expression));
    FunctionArgumentList {
        duplicate_treatment: None,
        args: expressions.into_iter().map(unnamed).collect(),
        clauses: Vec::new(),
    }
}
