//! The values of an EXECUTE's arguments.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::statement::{Execute, Statement, StatementKind};
use super::{Engine, Parameter, Shown, StatementContext, failure, parse};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{PgType, format_type};

impl Engine {
    /// The values of an EXECUTE's arguments, for parameters of these types. Cancel safe.
    ///
    /// # Errors
    /// `SyntaxError` if there are fewer or more of them than parameters, as `EvaluateParams` in
    /// prepare.c has it; whatever is wrong with an argument.
    pub async fn arguments(
        &self,
        execute: &Execute,
        types: &[PgType],
        context: &StatementContext,
    ) -> Result<Vec<Parameter>> {
        let (n_given, n_expected) = (execute.arguments.len(), types.len());
        if n_given != n_expected {
            let message = format!(
                "wrong number of parameters for prepared statement \"{}\"",
                execute.name
            );
            let detail = format!("Expected {n_expected} parameters but got {n_given}.");
            return Err(Error::new(ErrorKind::SyntaxError, message).with_detail(detail));
        }
        if types.is_empty() {
            return Ok(Vec::new());
        }
        let query = parse::checked(row_of(&execute.arguments, types)?)?;
        let (kind, lines) = (StatementKind::Query(query), Arc::clone(&execute.lines));
        let statement = Arc::new(Statement::new("".into(), kind, lines));
        let mut answer = self
            .answer(&statement, Vec::new(), None, Shown::Binary, context)
            .await?;
        let mut values = Vec::with_capacity(n_expected);
        while let Some(batch) = answer.next().await {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            for (column, pg_type) in batch.columns().iter().zip(types) {
                let value = ScalarValue::try_from_array(column, 0);
                values.push(Parameter {
                    value: value.map_err(|error| failure::from_datafusion(&error))?,
                    oid: pg_type.oid,
                });
            }
        }
        Ok(values)
    }
}

/// A query of one row: each argument cast to its parameter's type.
fn row_of(arguments: &[ast::Expr], types: &[PgType]) -> Result<Box<ast::Query>> {
    let dialect = PostgreSqlDialect {};
    let parsed = Parser::new(&dialect).try_with_sql("SELECT NULL");
    let mut query = parsed
        .and_then(|mut parser| parser.parse_query())
        .map_err(Error::internal)?;
    if let ast::SetExpr::Select(select) = query.body.as_mut() {
        select.projection = arguments
            .iter()
            .zip(types)
            .map(|(argument, pg_type)| {
                Ok(ast::SelectItem::UnnamedExpr(ast::Expr::Cast {
                    kind: ast::CastKind::Cast,
                    expr: Box::new(argument.clone()),
                    data_type: written(*pg_type)?,
                    array: false,
                    format: None,
                }))
            })
            .collect::<Result<_>>()?;
    }
    Ok(query)
}

/// A type as a query writes it.
fn written(pg_type: PgType) -> Result<ast::DataType> {
    let name = format_type(pg_type.oid, pg_type.modifier)
        .ok_or_else(|| Error::unsupported(format!("a parameter of type {}", pg_type.oid)))?;
    Parser::new(&PostgreSqlDialect {})
        .try_with_sql(&name)
        .and_then(|mut parser| parser.parse_data_type())
        .map_err(Error::internal)
}
