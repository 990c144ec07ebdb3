//! What the bare name of a relation is, where no column has it: its whole row as one value.
//! <https://www.postgresql.org/docs/16/rowtypes.html#ROWTYPES-USAGE>

use datafusion::sql::sqlparser::ast::{
    AccessExpr, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, Value,
};

use super::{Binder, shown};
use crate::engine::merged::is_named;
use crate::engine::output_name::fold;
use crate::engine::scope::Item;
use crate::error::{Error, Result};
use crate::functions::WHOLE_ROW;
use crate::types::oid;

impl Binder<'_> {
    /// The row that a name means. `None` if it may be a column's, or is no relation's.
    ///
    /// # Errors
    /// An outer join gives NULL for the row, which is not told from a row of NULLs.
    pub(super) fn whole_row(&self, name: &Ident) -> Result<Option<Expr>> {
        let folded = fold(name);
        for scope in self.scopes.iter().rev() {
            let is_column = |item: &Item| match &item.columns {
                Some(columns) => columns.iter().any(|column| is_named(column, name)),
                None => true,
            };
            if scope.given.contains(&folded) || scope.items.iter().any(is_column) {
                return Ok(None);
            }
            let is_meant =
                |item: &&Item| item.qualifier.last().is_some_and(|it| fold(it) == folded);
            let Some(item) = scope.items.iter().find(is_meant) else {
                continue;
            };
            if item.is_filled {
                let message = "the whole row of a relation that an outer join fills with NULLs";
                return Err(Error::unsupported(message));
            }
            return Ok(row_of(item));
        }
        Ok(None)
    }
}

/// `orders.items[1]` is read as the row of `orders` of which a field is taken: gives it the column as its root.
pub(super) fn name_column(root: &mut Expr, access_chain: &mut Vec<AccessExpr>) {
    let (Expr::Identifier(relation), Some(AccessExpr::Dot(Expr::Identifier(column)))) =
        (&*root, access_chain.first())
    else {
        return;
    };
    *root = Expr::CompoundIdentifier(vec![relation.clone(), column.clone()]);
    access_chain.remove(0);
}

/// The call that makes a value of a relation's columns, of the relation's own type if it has one.
fn row_of(item: &Item) -> Option<Expr> {
    let argument = |value: Expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(value));
    let constant = |value: Value| argument(Expr::Value(value.with_empty_span()));
    let row_type = item.row_type.unwrap_or(oid::RECORD).to_string();
    let mut arguments = vec![constant(Value::Number(row_type, false))];
    for column in item.columns.as_ref()? {
        let name = shown(column).to_owned();
        let mut path = item.qualifier.clone();
        path.push(Ident::with_quote('"', column.clone()));
        arguments.push(constant(Value::SingleQuotedString(name)));
        arguments.push(argument(Expr::CompoundIdentifier(path)));
    }
    Some(Expr::Function(Function {
        name: ObjectName::from(vec![Ident::with_quote('"', WHOLE_ROW)]),
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None::<DuplicateTreatment>,
            args: arguments,
            clauses: Vec::new(),
        }),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }))
}
