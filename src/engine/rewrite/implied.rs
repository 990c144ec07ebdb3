//! Whether conditions imply another: equal ones, ranges within ranges, sets within sets.
//!
//! What is not known to be implied, is not. NULL meets no condition that bounds a value, on either side.

use std::cmp::Ordering;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// Whether every row that meets all of `given` meets `wanted`.
pub(super) fn is_implied(wanted: &Expr, given: &[Expr]) -> bool {
    if given.contains(wanted) || *wanted == Expr::Literal(ScalarValue::from(true), None) {
        return true;
    }
    match wanted {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::And,
            right,
        }) => return is_implied(left, given) && is_implied(right, given),
        Expr::IsNotNull(inner) => {
            let mut bounds = given.iter().filter_map(bound);
            return bounds.any(|(of, _)| of == **inner);
        }
        _ => {}
    }
    if let Some((of, wanted)) = bound(wanted) {
        let mut own = Domain::default();
        for (other, domain) in given.iter().filter_map(bound) {
            if other == of {
                own.meet(domain);
            }
        }
        if own.is_within(&wanted) {
            return true;
        }
    }
    match wanted {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => is_implied(left, given) || is_implied(right, given),
        _ => false,
    }
}

/// An end of a range: a value, and whether it is in it.
type End = (ScalarValue, bool);

/// Values, none of them NULL.
#[derive(Clone, Debug, Default)]
struct Domain {
    low: Option<End>,
    high: Option<End>,
    /// None but these.
    only: Option<Vec<ScalarValue>>,
    /// All but these.
    not: Vec<ScalarValue>,
}

impl Domain {
    /// What is in both.
    fn meet(&mut self, other: Self) {
        if let Some(low) = other.low
            && !self.low.as_ref().is_some_and(|own| is_above(own, &low))
        {
            self.low = Some(low);
        }
        if let Some(high) = other.high
            && !self.high.as_ref().is_some_and(|own| is_below(own, &high))
        {
            self.high = Some(high);
        }
        self.only = match (self.only.take(), other.only) {
            (Some(own), Some(other)) => {
                Some(own.into_iter().filter(|it| other.contains(it)).collect())
            }
            (own, other) => own.or(other),
        };
        self.not.extend(other.not);
    }

    fn has(&self, value: &ScalarValue) -> bool {
        let point = (value.clone(), true);
        self.low.as_ref().is_none_or(|low| is_above(&point, low))
            && self.high.as_ref().is_none_or(|high| is_below(&point, high))
            && self.only.as_ref().is_none_or(|only| only.contains(value))
            && !self.not.contains(value)
    }

    /// Whether the value is known to be out of it.
    fn has_not(&self, value: &ScalarValue) -> bool {
        let is_beyond = |end: &End, side: Ordering| match value.partial_cmp(&end.0) {
            Some(Ordering::Equal) => !end.1,
            Some(order) => order == side,
            None => false,
        };
        self.not.contains(value)
            || self.only.as_ref().is_some_and(|only| !only.contains(value))
            || self
                .low
                .as_ref()
                .is_some_and(|low| is_beyond(low, Ordering::Less))
            || self
                .high
                .as_ref()
                .is_some_and(|high| is_beyond(high, Ordering::Greater))
    }

    /// Whether all that is in it is in the other.
    fn is_within(&self, other: &Self) -> bool {
        if let Some(only) = &self.only {
            let mut left = only.iter().filter(|value| !self.has_not(value));
            return left.all(|value| other.has(value));
        }
        let is_lower = |low: &End| self.low.as_ref().is_some_and(|own| is_above(own, low));
        let is_higher = |high: &End| self.high.as_ref().is_some_and(|own| is_below(own, high));
        other.only.is_none()
            && other.low.as_ref().is_none_or(is_lower)
            && other.high.as_ref().is_none_or(is_higher)
            && other.not.iter().all(|value| self.has_not(value))
    }
}

/// Whether what begins at the first begins within what begins at the second.
fn is_above(own: &End, other: &End) -> bool {
    match own.0.partial_cmp(&other.0) {
        Some(Ordering::Greater) => true,
        Some(Ordering::Equal) => other.1 || !own.1,
        _ => false,
    }
}

/// Whether what ends at the first ends within what ends at the second.
fn is_below(own: &End, other: &End) -> bool {
    match own.0.partial_cmp(&other.0) {
        Some(Ordering::Less) => true,
        Some(Ordering::Equal) => other.1 || !own.1,
        _ => false,
    }
}

/// What a condition says of one expression's value, if that is all that it says.
fn bound(condition: &Expr) -> Option<(Expr, Domain)> {
    match condition {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => {
            let ((of, left), (other, right)) = (bound(left)?, bound(right)?);
            let mut only = plain_set(left)?;
            only.extend(plain_set(right)?);
            (of == other).then(|| (of, set(only)))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (&**left, &**right) {
            (of, Expr::Literal(value, _)) => compared(of, *op, value),
            (Expr::Literal(value, _), of) => compared(of, op.swap()?, value),
            _ => None,
        },
        Expr::Between(between) if !between.negated => {
            let low = compared(&between.expr, Operator::GtEq, literal(&between.low)?)?.1;
            let high = compared(&between.expr, Operator::LtEq, literal(&between.high)?)?.1;
            let domain = Domain {
                high: high.high,
                ..low
            };
            Some((between.expr.as_ref().clone(), domain))
        }
        Expr::InList(list) => {
            let values: Option<Vec<ScalarValue>> = list
                .list
                .iter()
                .map(|value| literal(value).filter(|it| is_ordered(it)).cloned())
                .collect();
            let domain = match list.negated {
                false => set(values?),
                true => Domain {
                    not: values?,
                    ..Domain::default()
                },
            };
            Some((list.expr.as_ref().clone(), domain))
        }
        _ => None,
    }
}

fn set(only: Vec<ScalarValue>) -> Domain {
    Domain {
        only: Some(only),
        ..Domain::default()
    }
}

/// The values of a set that is nothing else.
fn plain_set(domain: Domain) -> Option<Vec<ScalarValue>> {
    let is_plain = domain.low.is_none() && domain.high.is_none() && domain.not.is_empty();
    domain.only.filter(|_| is_plain)
}

fn literal(expression: &Expr) -> Option<&ScalarValue> {
    match expression {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

/// Whether a value is compared with others as the executor compares them: no NULL, and no floating-point number,
/// of which there are several zeros and NaNs.
fn is_ordered(value: &ScalarValue) -> bool {
    !value.is_null() && !value.data_type().is_floating() && !value.data_type().is_nested()
}

fn compared(of: &Expr, op: Operator, value: &ScalarValue) -> Option<(Expr, Domain)> {
    if !is_ordered(value) {
        return None;
    }
    let mut domain = Domain::default();
    let value = value.clone();
    match op {
        Operator::Eq => domain.only = Some(vec![value]),
        Operator::NotEq => domain.not.push(value),
        Operator::Lt => domain.high = Some((value, false)),
        Operator::LtEq => domain.high = Some((value, true)),
        Operator::Gt => domain.low = Some((value, false)),
        Operator::GtEq => domain.low = Some((value, true)),
        _ => return None,
    }
    Some((of.clone(), domain))
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    #[test]
    fn ranges_and_sets_imply_wider_ones() {
        let n = || col("n");
        let check = |given: Vec<Expr>, wanted: Expr, expected: bool| {
            assert_eq!(
                is_implied(&wanted, &given),
                expected,
                "{given:?} => {wanted}"
            );
        };
        check(vec![n().gt(lit(5))], n().gt(lit(3)), true);
        check(vec![n().gt(lit(3))], n().gt(lit(5)), false);
        check(vec![n().gt(lit(3))], n().gt_eq(lit(3)), true);
        check(vec![n().gt_eq(lit(3))], n().gt(lit(3)), false);
        check(vec![n().gt(lit(5))], n().gt(lit(3_i64)), false);
        check(vec![n().eq(lit(4))], n().between(lit(1), lit(4)), true);
        check(vec![n().eq(lit(5))], n().between(lit(1), lit(4)), false);
        check(
            vec![n().gt_eq(lit(1)), n().lt(lit(4))],
            n().between(lit(0), lit(4)),
            true,
        );
        check(vec![n().gt_eq(lit(1))], n().between(lit(0), lit(4)), false);
        let in_list = |values: &[i32]| {
            let values = values.iter().map(|value| lit(*value)).collect();
            n().in_list(values, false)
        };
        check(vec![in_list(&[1, 2])], in_list(&[2, 1, 3]), true);
        check(vec![in_list(&[1, 4])], in_list(&[2, 1, 3]), false);
        check(
            vec![n().eq(lit(1)).or(n().eq(lit(2)))],
            in_list(&[1, 2, 3]),
            true,
        );
        check(
            vec![n().eq(lit(1)).or(col("m").eq(lit(2)))],
            in_list(&[1, 2, 3]),
            false,
        );
        check(vec![in_list(&[1, 2])], n().lt(lit(3)), true);
        check(
            vec![in_list(&[1, 2, 9]), n().lt(lit(5))],
            n().lt(lit(3)),
            true,
        );
        check(vec![n().gt(lit(5))], n().not_eq(lit(5)), true);
        check(vec![n().gt(lit(4))], n().not_eq(lit(5)), false);
        check(vec![n().gt(lit(4))], n().is_not_null(), true);
        check(vec![n().is_null()], n().is_not_null(), false);
        check(
            vec![n().eq(lit(1))],
            n().eq(lit(1)).or(col("m").is_null()),
            true,
        );
        check(vec![lit(5).lt(n())], n().gt(lit(3)), true);
        check(vec![col("x").gt(lit(5.0))], col("x").gt(lit(3.0)), false);
        check(vec![], n().gt(lit(3)), false);
        check(vec![], in_list(&[]), false);
    }
}
