//! Which conditions tell nothing of the rows they are asked about but whether they hold: those may
//! be asked of rows that a policy hides.
//!
//! PostgreSQL marks functions LEAKPROOF for this (`contain_leaked_vars` in clauses.c). Here they are
//! the comparisons of a column with constants of its type, and what is made of them by AND, OR and
//! NOT: none of them can fail, has an effect, or runs anything of the user's.

use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// Whether a condition on rows of these columns is leakproof.
pub(super) fn is_leakproof(condition: &Expr, columns: &Schema) -> bool {
    let is_leakproof = |condition: &Expr| is_leakproof(condition, columns);
    let of_column = |value: &Expr| column_type(value, columns);
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And | Operator::Or => is_leakproof(left) && is_leakproof(right),
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom => {
                let compares = |value: &Expr, constant: &Expr| {
                    of_column(value).is_some_and(|it| is_constant_of(constant, &it))
                };
                compares(left, right) || compares(right, left)
            }
            _ => false,
        },
        Expr::Not(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsNotUnknown(inner) => is_leakproof(inner),
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
            of_column(inner).is_some() || is_leakproof(inner)
        }
        Expr::Between(between) => of_column(&between.expr).is_some_and(|it| {
            is_constant_of(&between.low, &it) && is_constant_of(&between.high, &it)
        }),
        Expr::InList(list) => of_column(&list.expr)
            .is_some_and(|it| list.list.iter().all(|one| is_constant_of(one, &it))),
        Expr::Literal(value, _) => matches!(value, ScalarValue::Boolean(_)),
        Expr::Column(_) => of_column(condition) == Some(DataType::Boolean),
        _ => false,
    }
}

/// The type of a column as it is compared: a cast that only changes how its values are held is
/// looked through.
fn column_type(value: &Expr, columns: &Schema) -> Option<DataType> {
    match value {
        Expr::Column(column) => {
            let field = columns.field_with_name(&column.name).ok()?;
            is_plain(field.data_type()).then(|| field.data_type().clone())
        }
        Expr::Cast(cast) => {
            let to = cast.field.data_type();
            let from = column_type(&cast.expr, columns)?;
            (is_plain(to) && held_as(&from) == held_as(to)).then(|| to.clone())
        }
        _ => None,
    }
}

/// Whether values of a type are compared by what they are, without a function of ours.
fn is_plain(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_plain(values),
        other => !other.is_nested(),
    }
}

/// The type that values are of, however they are held.
fn held_as(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => held_as(values),
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        other => other.clone(),
    }
}

fn is_constant_of(value: &Expr, data_type: &DataType) -> bool {
    match value {
        Expr::Literal(value, _) => held_as(&value.data_type()) == held_as(data_type),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;
    use datafusion::logical_expr::{cast, col, lit};

    use super::*;

    fn check(condition: &Expr, expected: bool) {
        let columns = Schema::new(vec![
            Field::new("id", DataType::Int32, true),
            Field::new("word", DataType::Utf8, true),
            Field::new("flag", DataType::Boolean, true),
            Field::new(
                "part",
                DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Utf8)),
                true,
            ),
        ]);
        assert_eq!(is_leakproof(condition, &columns), expected, "{condition}");
    }

    #[test]
    fn comparisons_with_constants_are_leakproof() {
        check(&col("id").eq(lit(1_i32)), true);
        check(&lit(1_i32).lt(col("id")), true);
        check(&col("word").in_list(vec![lit("a"), lit("b")], false), true);
        check(&col("word").is_null().or(col("flag")), true);
        check(&col("part").eq(lit("a")), true);
        check(&cast(col("part"), DataType::Utf8).eq(lit("a")), true);
        check(
            &col("id").between(lit(1_i32), lit(2_i32)).is_not_true(),
            true,
        );
    }

    #[test]
    fn what_can_fail_or_tell_is_not() {
        check(&(lit(1_i32) / col("id")).gt(lit(0_i32)), false);
        check(&cast(col("word"), DataType::Int32).eq(lit(1_i32)), false);
        check(&cast(col("id"), DataType::Int16).eq(lit(1_i16)), false);
        check(&col("word").like(lit("a%")), false);
        check(&col("id").eq(col("id")), false);
        check(&col("id").eq(lit(1_i64)), false);
        check(
            &col("id").eq(lit(1_i32)).and(col("word").like(lit("a"))),
            false,
        );
    }
}
