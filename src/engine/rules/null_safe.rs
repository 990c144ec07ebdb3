//! `a = b OR (a IS NULL AND b IS NULL)`, by which BI tools join what may be null, is as a condition of WHERE and
//! ON what `a IS NOT DISTINCT FROM b` is: of that DataFusion makes a hash join, of the other a loop over all pairs.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, binary_expr};
use datafusion::optimizer::AnalyzerRule;

/// The rule; it runs after types were coerced.
#[derive(Debug)]
pub(super) struct NullSafe;

impl AnalyzerRule for NullSafe {
    fn name(&self) -> &'static str {
        "null_safe"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| {
            Ok(match node {
                LogicalPlan::Filter(mut filter) => match rewritten(&filter.predicate) {
                    Some(predicate) => {
                        filter.predicate = predicate;
                        Transformed::yes(LogicalPlan::Filter(filter))
                    }
                    None => Transformed::no(LogicalPlan::Filter(filter)),
                },
                LogicalPlan::Join(mut join) => match join.filter.as_ref().and_then(rewritten) {
                    Some(condition) => {
                        join.filter = Some(condition);
                        Transformed::yes(LogicalPlan::Join(join))
                    }
                    None => Transformed::no(LogicalPlan::Join(join)),
                },
                other => Transformed::no(other),
            })
        })?;
        Ok(rewritten.data)
    }
}

/// A condition with the comparisons in it that mind nulls; `None` if it has none.
fn rewritten(condition: &Expr) -> Option<Expr> {
    let parts = split_conjunction(condition);
    let compared: Vec<Option<Expr>> = parts.iter().map(|part| null_safe(part)).collect();
    if compared.iter().all(Option::is_none) {
        return None;
    }
    let all = compared.into_iter().zip(parts);
    conjunction(all.map(|(compared, part)| compared.unwrap_or_else(|| part.clone())))
}

/// `a IS NOT DISTINCT FROM b`, of what says as much.
fn null_safe(part: &Expr) -> Option<Expr> {
    let (one, other) = operands(part, Operator::Or)?;
    let of = |equal: &Expr, nulls: &Expr| {
        let (a, b) = operands(equal, Operator::Eq)?;
        let (Expr::IsNull(first), Expr::IsNull(second)) = operands(nulls, Operator::And)? else {
            return None;
        };
        let is = |a: &Expr, b: &Expr| uncast(a) == uncast(first) && uncast(b) == uncast(second);
        (is(a, b) || is(b, a))
            .then(|| binary_expr(a.clone(), Operator::IsNotDistinctFrom, b.clone()))
    };
    of(one, other).or_else(|| of(other, one))
}

fn operands(expression: &Expr, operator: Operator) -> Option<(&Expr, &Expr)> {
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if *op == operator => Some((left, right)),
        _ => None,
    }
}

/// A cast is null where its operand is.
fn uncast(expression: &Expr) -> &Expr {
    match expression {
        Expr::Cast(cast) => uncast(&cast.expr),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    #[test]
    fn both_ways_to_write_it_are_known() {
        let expected = binary_expr(col("a"), Operator::IsNotDistinctFrom, col("b"));
        let nulls = col("b").is_null().and(col("a").is_null());
        let one = col("a").eq(col("b")).or(nulls.clone());
        let other = nulls.clone().or(col("a").eq(col("b")));
        for condition in [one, other] {
            assert_eq!(rewritten(&condition), Some(expected.clone()));
            let with = col("c").gt(lit(1)).and(condition);
            assert_eq!(
                rewritten(&with),
                Some(col("c").gt(lit(1)).and(expected.clone()))
            );
        }
        let of_others = col("a").eq(col("c")).or(nulls);
        assert_eq!(rewritten(&of_others), None);
    }
}
