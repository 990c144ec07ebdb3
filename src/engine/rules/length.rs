//! Casts to `varchar(n)` cut what is longer, as PostgreSQL's do; DataFusion forgets the length.
//! <https://www.postgresql.org/docs/16/datatype-character.html>

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, CharacterLength, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, Query, Value, VisitMut, VisitorMut,
};

/// Rewrites `x::varchar(n)` to `left(x::text, n)`.
pub(in crate::engine) fn cut_to_length(query: &mut Query) {
    // The visitor cannot break: its Break type has no values.
    let _: ControlFlow<Infallible> = query.visit(&mut Cutter);
}

struct Cutter;

impl VisitorMut for Cutter {
    type Break = Infallible;

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Infallible> {
        if let Expr::Cast {
            expr, data_type, ..
        } = expression
            && let Some(length) = length_of(data_type)
        {
            let text = Expr::Cast {
                kind: CastKind::Cast,
                expr: expr.clone(),
                data_type: DataType::Text,
                array: false,
                format: None,
            };
            let length = Expr::Value(Value::Number(length.to_string(), false).into());
            *expression = left(text, length);
        }
        ControlFlow::Continue(())
    }
}

fn length_of(data_type: &DataType) -> Option<u64> {
    match data_type {
        DataType::Varchar(length)
        | DataType::CharacterVarying(length)
        | DataType::CharVarying(length) => match length {
            Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
            Some(CharacterLength::Max) | None => None,
        },
        _ => None,
    }
}

fn left(text: Expr, length: Expr) -> Expr {
    let argument = |argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("left")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument(text), argument(length)],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
