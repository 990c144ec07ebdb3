//! Exact numbers in expressions over a relation's columns, however they are cast, and their squares.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, ExprSchemable, cast};

/// The digits of numbers of which squares are added up: squares have 24 then, and ten million million of them the 38 that there are.
const SQUARED_DIGITS_MAX: i16 = 12;

/// An expression without casts that keep the number that it is.
pub(in crate::engine) fn as_number<'a>(expression: &'a Expr, base: &DFSchema) -> &'a Expr {
    let Expr::Cast(cast) = expression else {
        return expression;
    };
    let Ok(from) = cast.expr.get_type(base) else {
        return expression;
    };
    match (digits(&from), digits(cast.field.data_type())) {
        (Some((whole, behind)), Some((wider, more))) if whole <= wider && behind <= more => {
            as_number(&cast.expr, base)
        }
        _ => expression,
    }
}

/// The digits before and behind the point that a type of exact numbers holds.
fn digits(data_type: &DataType) -> Option<(i16, i16)> {
    Some(match data_type {
        DataType::Int8 => (3, 0),
        DataType::Int16 => (5, 0),
        DataType::Int32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            (i16::from(*precision) - i16::from(*scale), i16::from(*scale))
        }
        _ => return None,
    })
}

/// The square of an exact number, of which any may be added up; `None` of numbers with more digits, and of others.
pub(in crate::engine) fn square(expression: &Expr, base: &DFSchema) -> Option<Expr> {
    let number = as_number(expression, base);
    let (whole, behind) = digits(&number.get_type(base).ok()?)?;
    let n_digits = Some(whole + behind).filter(|digits| *digits <= SQUARED_DIGITS_MAX)?;
    let wide = DataType::Decimal128(u8::try_from(n_digits).ok()?, i8::try_from(behind).ok()?);
    let number = cast(number.clone(), wide);
    Some(number.clone() * number)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema};
    use datafusion::logical_expr::{col, lit};

    use super::*;

    #[test]
    fn casts_to_wider_numbers_keep_them() {
        let field = Field::new("n", DataType::Int32, true);
        let base = DFSchema::try_from(Schema::new(vec![field])).expect("names are distinct");
        let wide = cast(col("n"), DataType::Decimal128(23, 13));
        assert_eq!(as_number(&wide, &base), &col("n"));
        let narrow = cast(col("n"), DataType::Decimal128(20, 13));
        assert_eq!(as_number(&narrow, &base), &narrow);
        let float = cast(col("n"), DataType::Float64);
        assert_eq!(as_number(&float, &base), &float);
    }

    #[test]
    fn squares_are_of_numbers_of_which_they_fit() {
        let field = |name: &str, data_type| Field::new(name, data_type, true);
        let base = Schema::new(vec![
            field("n", DataType::Int32),
            field("big", DataType::Int64),
            field("price", DataType::Decimal128(12, 2)),
            field("f", DataType::Float64),
        ]);
        let base = DFSchema::try_from(base).expect("names are distinct");
        let type_of =
            |of: &Expr| square(of, &base).map(|it| it.get_type(&base).expect("it has one"));
        assert_eq!(type_of(&col("n")), Some(DataType::Decimal128(21, 0)));
        // However wide it is made.
        let wide = cast(col("n"), DataType::Int64);
        assert_eq!(square(&wide, &base), square(&col("n"), &base));
        assert_eq!(type_of(&col("price")), Some(DataType::Decimal128(25, 4)));
        for none in [col("big"), col("f"), lit("1")] {
            assert_eq!(type_of(&none), None, "{none}");
        }
    }
}
