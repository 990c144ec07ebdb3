//! A relation of the catalog that always has rows: they are made when it is scanned, no more of them
//! than the scan asks for.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{
    BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_plan::ExecutionPlan;

use crate::catalog::{Only, SystemRelation, SystemView, Wanted};

/// A system relation, as one statement sees it.
#[derive(Debug)]
pub(super) struct SystemTable {
    relation: Arc<dyn SystemRelation>,
    view: Arc<SystemView>,
}

impl SystemTable {
    pub(super) fn new(relation: &Arc<dyn SystemRelation>, view: &Arc<SystemView>) -> Self {
        Self {
            relation: Arc::clone(relation),
            view: Arc::clone(view),
        }
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        self.relation.columns()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // Rows that a condition rules out may still come.
        let pushed = |filter: &&Expr| match only(filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(pushed).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted = Wanted {
            columns: projection.cloned(),
            only: filters.iter().filter_map(only).collect(),
        };
        let rows = self.relation.rows(&self.view, &wanted);
        let rows = rows.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let schema = rows.schema();
        let scan = MemorySourceConfig::try_new_exec(&[vec![rows]], schema, None)?;
        Ok(scan)
    }
}

/// What a condition asks of one column, if it asks that it be one of some names or numbers.
fn only(condition: &Expr) -> Option<Only> {
    let (column, values) = match condition {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _))
            | (Expr::Literal(value, _), Expr::Column(column)) => (column, vec![text(value)?]),
            _ => return None,
        },
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => {
            let (left, right) = (only(left)?, only(right)?);
            let same = left.column == right.column;
            let values = left.values.into_iter().chain(right.values).collect();
            return same.then_some(Only { values, ..right });
        }
        Expr::InList(InList {
            expr,
            list,
            negated: false,
        }) => {
            let Expr::Column(column) = expr.as_ref() else {
                return None;
            };
            let values = list.iter().map(|value| match value {
                Expr::Literal(value, _) => text(value),
                _ => None,
            });
            (column, values.collect::<Option<_>>()?)
        }
        _ => return None,
    };
    let Column { name, .. } = column;
    Some(Only {
        column: name.clone(),
        values,
    })
}

/// A name or a whole number as text.
fn text(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => {
            text.clone()
        }
        other if other.data_type().is_integer() && !other.is_null() => Some(other.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    #[test]
    fn conditions_on_one_column_are_understood() {
        let check = |condition: Expr, expected: Option<(&str, &[&str])>| {
            let expected = expected.map(|(column, values)| Only {
                column: column.to_owned(),
                values: values.iter().map(ToString::to_string).collect(),
            });
            assert_eq!(only(&condition), expected, "{condition}");
        };
        check(col("attrelid").eq(lit(7_u32)), Some(("attrelid", &["7"])));
        check(lit("t").eq(col("relname")), Some(("relname", &["t"])));
        let either = col("a").eq(lit("x")).or(col("a").eq(lit("y")));
        check(either, Some(("a", &["x", "y"])));
        check(col("a").eq(lit("x")).or(col("b").eq(lit("y"))), None);
        let list = vec![lit("x"), lit("y")];
        check(
            col("a").in_list(list.clone(), false),
            Some(("a", &["x", "y"])),
        );
        check(col("a").in_list(list, true), None);
        check(col("a").not_eq(lit("x")), None);
        check(col("a").eq(lit(ScalarValue::Utf8(None))), None);
        check(col("a").eq(col("b")), None);
    }
}
