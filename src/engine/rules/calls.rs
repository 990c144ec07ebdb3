//! Calls of functions that stand for PostgreSQL's own spellings, and calls that other expressions
//! stand for.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DateTimeField, DuplicateTreatment, Expr, Function,
    FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Ident, OrderByExpr,
    OrderByOptions, Value, ValueWithSpan,
};

use super::normalize::{arguments, call, last_part};
use crate::engine::output_name::fold;
use crate::functions::{BITS_AS_BIGINT, SIMILAR_TO_ESCAPE};

/// The columns of the system that hold numbers of transactions, of which `age` is another function.
const TRANSACTIONS: [&str; 3] = ["xmin", "datfrozenxid", "relfrozenxid"];

/// Whether an expression is the number of a transaction, by its name or its cast.
fn is_transaction(expression: &Expr) -> bool {
    let is_column = |name: &Ident| TRANSACTIONS.contains(&fold(name).as_str());
    match expression {
        Expr::Identifier(name) => is_column(name),
        Expr::CompoundIdentifier(parts) => parts.last().is_some_and(is_column),
        Expr::Nested(inner) => is_transaction(inner),
        Expr::Cast {
            data_type: DataType::Custom(name, _),
            ..
        } => last_part(name) == "xid",
        _ => false,
    }
}

/// The functions that keywords stand for in PostgreSQL's grammar.
pub(super) fn keywords(expression: &Expr) -> Option<Expr> {
    Some(match expression {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::PGExp,
            right,
        } => call("power", vec![(**left).clone(), (**right).clone()]),
        Expr::SimilarTo {
            negated,
            expr,
            pattern,
            escape_char,
        } => similar(*negated, expr, pattern, escape_char.as_ref()),
        Expr::Extract { field, expr, .. } => extract(field, expr),
        Expr::AtTimeZone {
            timestamp,
            time_zone,
        } => call(
            "timezone",
            vec![(**time_zone).clone(), (**timestamp).clone()],
        ),
        _ => return None,
    })
}

/// `x SIMILAR TO p` is `x ~ similar_to_escape(p)`, as PostgreSQL's grammar has it.
fn similar(is_negated: bool, text: &Expr, pattern: &Expr, escape: Option<&ValueWithSpan>) -> Expr {
    let escape = escape.map(|escape| Expr::Value(escape.clone()));
    let arguments = std::iter::once(pattern.clone()).chain(escape).collect();
    Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(text.clone()),
        op: match is_negated {
            true => BinaryOperator::PGRegexNotMatch,
            false => BinaryOperator::PGRegexMatch,
        },
        right: Box::new(call(SIMILAR_TO_ESCAPE, arguments)),
    }))
}

/// `extract(field FROM x)` is `extract('field', x)`, as PostgreSQL's grammar has it.
fn extract(field: &DateTimeField, of: &Expr) -> Expr {
    let name = match field {
        DateTimeField::Custom(name) => name.value.clone(),
        field => field.to_string(),
    };
    let name = name.trim_matches('\'').to_owned();
    let name = Expr::Value(Value::SingleQuotedString(name).into());
    call("extract", vec![name, of.clone()])
}

/// `x::bit(n)::bigint`: bits are known on their way to a number alone.
pub(super) fn bits_as_number(expression: &Expr, data_type: &DataType) -> Option<Expr> {
    let is_bigint = matches!(data_type, DataType::BigInt(_) | DataType::Int8(_));
    match expression {
        Expr::Cast {
            expr,
            data_type: DataType::Bit(length),
            ..
        } if is_bigint => {
            let length = length.unwrap_or(1).to_string();
            let length = Expr::Value(Value::Number(length, false).into());
            Some(call(BITS_AS_BIGINT, vec![(**expr).clone(), length]))
        }
        _ => None,
    }
}

/// Calls that another expression stands for: `mod(a, b)`, `age(x)`, and `pg_typeof` of a literal that
/// has no type yet.
pub(super) fn other_call(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    if last_part(&function.name) == "make_interval" {
        return positional(&list.args);
    }
    let mut arguments = Vec::new();
    for argument in &list.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => arguments.push(argument),
            _ => return None,
        }
    }
    let text = |text: &str| Expr::Value(Value::SingleQuotedString(text.to_owned()).into());
    match (last_part(&function.name).as_str(), arguments.as_slice()) {
        ("mod", [left, right]) => Some(Expr::Nested(Box::new(Expr::BinaryOp {
            left: Box::new(Expr::Nested(Box::new((*left).clone()))),
            op: BinaryOperator::Modulo,
            right: Box::new(Expr::Nested(Box::new((*right).clone()))),
        }))),
        ("age", [of]) if is_transaction(of) => Some(call("xid_age", vec![(*of).clone()])),
        // As timestamp.c defines it: from midnight of the current date.
        ("age", [of]) => {
            let today = call("current_date", Vec::new());
            Some(call("age", vec![today, (*of).clone()]))
        }
        // A quoted literal is bytes there.
        ("encode", [literal @ Expr::Value(value), encoding])
            if matches!(value.value, Value::SingleQuotedString(_)) =>
        {
            let bytes = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new((*literal).clone()),
                data_type: DataType::Bytea,
                array: false,
                format: None,
            };
            Some(call("encode", vec![bytes, (*encoding).clone()]))
        }
        // Which types there are is asked of the others alone.
        ("coalesce", given) if given.iter().any(|it| is_null(it)) => {
            let others = given.iter().filter(|it| !is_null(it));
            let others: Vec<Expr> = others.map(|it| (*it).clone()).collect();
            (!others.is_empty()).then(|| call("coalesce", others))
        }
        ("pg_typeof", [Expr::Value(value)])
            if matches!(value.value, Value::SingleQuotedString(_) | Value::Null) =>
        {
            Some(call("regtype", vec![text("unknown")]))
        }
        _ => None,
    }
}

fn is_null(expression: &Expr) -> bool {
    matches!(expression, Expr::Value(value) if value.value == Value::Null)
}

/// `ntile` is an integer, and DataFusion's a bigint.
pub(super) fn ntile(function: &Function) -> Option<Expr> {
    let is_ntile = function.over.is_some() && last_part(&function.name) == "ntile";
    is_ntile.then(|| Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Function(function.clone())),
        data_type: DataType::Int4(None),
        array: false,
        format: None,
    })
}

/// What an aggregate lists without duplicates PostgreSQL has sorted, and so lists in order.
pub(super) fn ordered_if_distinct(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    let is_listing = ["array_agg", "string_agg"].contains(&last_part(&function.name).as_str());
    let is_distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    if !is_listing || !is_distinct || !list.clauses.is_empty() {
        return;
    }
    if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(listed))) = list.args.first() {
        let by = OrderByExpr {
            expr: listed.clone(),
            options: OrderByOptions {
                asc: None,
                nulls_first: None,
            },
            with_fill: None,
        };
        list.clauses.push(FunctionArgumentClause::OrderBy(vec![by]));
    }
}

/// The arguments of `make_interval`, which all have a default of 0.
const INTERVAL_ARGUMENTS: [&str; 7] = ["years", "months", "weeks", "days", "hours", "mins", "secs"];

/// `make_interval(days => 3)` with all its arguments; `None` if none is named.
fn positional(given: &[FunctionArg]) -> Option<Expr> {
    let zero = Expr::Value(Value::Number("0".to_owned(), false).into());
    let mut written = vec![zero; INTERVAL_ARGUMENTS.len()];
    let mut has_names = false;
    for (index, argument) in given.iter().enumerate() {
        let (place, value) = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => (index, value),
            FunctionArg::Named {
                name,
                arg: FunctionArgExpr::Expr(value),
                ..
            }
            | FunctionArg::ExprNamed {
                name: Expr::Identifier(name),
                arg: FunctionArgExpr::Expr(value),
                ..
            } => {
                has_names = true;
                let name = fold(name);
                let place = INTERVAL_ARGUMENTS.iter().position(|known| *known == name);
                (place?, value)
            }
            _ => return None,
        };
        *written.get_mut(place)? = value.clone();
    }
    has_names.then(|| call("make_interval", written))
}

/// Functions that SQL calls without parentheses, and DataFusion only with them.
pub(super) fn called_without_parentheses(function: &mut Function) {
    let names = [
        "current_user",
        "session_user",
        "user",
        "current_role",
        "current_catalog",
        "current_schema",
    ];
    let bare = matches!(function.args, FunctionArguments::None);
    if bare && names.contains(&last_part(&function.name).as_str()) {
        function.args = FunctionArguments::List(arguments(Vec::new()));
    }
}
