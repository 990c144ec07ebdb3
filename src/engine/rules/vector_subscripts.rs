//! Subscripts of `int2vector` and `oidvector`, which are counted from 0: `indkey[0]` is an index's first
//! column. <https://www.postgresql.org/docs/16/catalog-pg-index.html>

use datafusion::common::{DFSchema, Result};
use datafusion::functions_nested::extract::array_element_udf;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{ExprSchemable, GetFieldAccess, lit};

use crate::types::{self, oid};

/// The planner of them; those of arrays are left to DataFusion's.
#[derive(Debug)]
pub(super) struct VectorSubscripts;

impl ExprPlanner for VectorSubscripts {
    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let GetFieldAccess::ListIndex { key } = &access.field_access else {
            return Ok(PlannerResult::Original(access));
        };
        let field = access.expr.to_field(schema)?.1;
        if !matches!(
            types::of_field(&field).oid,
            oid::INT2VECTOR | oid::OIDVECTOR
        ) {
            return Ok(PlannerResult::Original(access));
        }
        let place = key.as_ref().clone() + lit(1_i64);
        let element = array_element_udf().call(vec![access.expr, place]);
        Ok(PlannerResult::Planned(element))
    }
}
