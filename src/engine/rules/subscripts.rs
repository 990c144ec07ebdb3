//! Subscripts that are counted from 0: of `int2vector` and `oidvector`, where `indkey[0]` is an index's first
//! column, and of `name`, whose elements are its bytes.
//! <https://www.postgresql.org/docs/16/catalog-pg-index.html>

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::functions::unicode::expr_fn::substring;
use datafusion::functions_nested::extract::array_element_udf;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, lit};

use crate::functions::kept::as_type;
use crate::types::{self, oid};

/// The bytes of a `name`: NAMEDATALEN of PostgreSQL.
const NAME_BYTES: i64 = 64;

/// The planner of them; those of arrays are left to DataFusion's.
#[derive(Debug)]
pub(super) struct Subscripts;

impl ExprPlanner for Subscripts {
    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let GetFieldAccess::ListIndex { key } = &access.field_access else {
            return Ok(PlannerResult::Original(access));
        };
        let field = access.expr.to_field(schema)?.1;
        match (types::of_field(&field).oid, key.as_ref()) {
            (oid::INT2VECTOR | oid::OIDVECTOR, key) => {
                let place = key.clone() + lit(1_i64);
                let element = array_element_udf().call(vec![access.expr, place]);
                Ok(PlannerResult::Planned(element))
            }
            (oid::NAME, Expr::Literal(ScalarValue::Int64(Some(place @ 0..NAME_BYTES)), _)) => {
                let letter = substring(access.expr, lit(place + 1), lit(1_i64));
                let named = Arc::new(Field::new("name", DataType::Utf8, true));
                let letter = as_type(&types::named(&named, oid::CHAR)).call(vec![letter]);
                Ok(PlannerResult::Planned(letter))
            }
            _ => Ok(PlannerResult::Original(access)),
        }
    }
}
