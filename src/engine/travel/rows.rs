//! Whole rows as JSON, for queries that compare relations of any columns.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Value,
};

use crate::engine::scope::Item;

/// What makes a JSON object of a relation's row. No name in SQL text holds the last character.
pub(super) const WHOLE_ROW: &str = "whole_row\u{1}";

/// The object of a row: the function that makes it, with each column by its name, its value as text.
/// `None` if the expression is another, or the relation's columns are not known.
pub(in crate::engine) fn whole_row<'a>(
    expression: &Expr,
    mut items: impl Iterator<Item = &'a Item>,
) -> Option<Expr> {
    let Expr::Function(call) = expression else {
        return None;
    };
    let name = call.name.0.last().and_then(|part| part.as_ident())?;
    let FunctionArguments::List(given) = &call.args else {
        return None;
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(relation)))] =
        given.args.as_slice()
    else {
        return None;
    };
    if name.value != WHOLE_ROW {
        return None;
    }
    let item = items.find(|item| item.qualifier.last() == Some(relation))?;
    let argument = |value: Expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(value));
    let members = item.columns.as_ref()?.iter().flat_map(|column| {
        let name = Value::SingleQuotedString(column.clone()).with_empty_span();
        let column = Expr::CompoundIdentifier(vec![
            relation.clone(),
            Ident::with_quote('"', column.clone()),
        ]);
        let text = Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(column),
            data_type: DataType::Text,
            array: false,
            format: None,
        };
        [argument(Expr::Value(name)), argument(text)]
    });
    Some(Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("jsonb_build_object")]),
        args: FunctionArguments::List(FunctionArgumentList {
            args: members.collect(),
            ..given.clone()
        }),
        ..call.clone()
    }))
}
