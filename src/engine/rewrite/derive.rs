//! Expressions over a relation's columns as expressions over what a view has of them.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DataFusionError};
use datafusion::logical_expr::{Expr, ExprSchemable, cast};

use super::grain::Grain;

/// What a view has of each row or group: the values of some expressions.
#[derive(Debug)]
pub(super) struct Known<'a> {
    /// The relation's columns.
    base: &'a DFSchema,
    /// Expressions over them, and the view's columns that hold their values.
    values: Vec<(&'a Expr, Expr)>,
    grains: Vec<Grain>,
}

impl<'a> Known<'a> {
    /// What is known by these columns of the view, whose types are those of `rows`.
    pub(super) fn new(
        base: &'a DFSchema,
        columns: impl Iterator<Item = (&'a Expr, &'a Column)>,
        rows: &DFSchema,
    ) -> Self {
        let type_of = |expression: &Expr| expression.get_type(base).ok();
        let typed = |(expression, column): (&'a Expr, &Column)| {
            let own = Expr::Column(column.clone());
            let stored = own.get_type(rows).ok()?;
            let meant = type_of(expression)?;
            Some((expression, as_type(own, &stored, &meant)))
        };
        let values: Vec<_> = columns.filter_map(typed).collect();
        let grains = values.iter();
        let grains = grains.filter_map(|(key, column)| Grain::of(key, column, type_of));
        Self {
            base,
            grains: grains.collect(),
            values,
        }
    }

    /// The same value, over the view's columns; `None` if it does not follow from them.
    pub(super) fn derived(&self, expression: &Expr) -> Option<Expr> {
        if let Some(own) = self.own(expression) {
            return Some(own);
        }
        match expression {
            Expr::Literal(..) => return Some(expression.clone()),
            Expr::Column(_) | Expr::AggregateFunction(_) => return None,
            _ => {}
        }
        let unknown = || DataFusionError::Internal("it does not follow".to_owned());
        let derived = expression.clone().map_children(|child| {
            let derived = self.derived(&child).ok_or_else(unknown)?;
            Ok(Transformed::yes(derived))
        });
        derived.ok().map(|derived| derived.data)
    }

    /// Whether it is a value that the view has, or a unit of a moment that it has in smaller units.
    pub(super) fn has(&self, expression: &Expr) -> bool {
        self.own(expression).is_some()
    }

    fn own(&self, expression: &Expr) -> Option<Expr> {
        let mut values = self.values.iter();
        if let Some((_, own)) = values.find(|(known, _)| *known == expression) {
            return Some(own.clone());
        }
        let mut grains = self.grains.iter();
        grains.find_map(|grain| grain.derived(expression))
    }

    /// As [`Self::derived`], of many.
    pub(super) fn all(&self, expressions: &[Expr]) -> Option<Vec<Expr>> {
        expressions.iter().map(|it| self.derived(it)).collect()
    }

    /// The type of an expression over the relation's columns.
    pub(super) fn type_of(&self, expression: &Expr) -> Option<DataType> {
        expression.get_type(self.base).ok()
    }
}

/// A value of one type as one of another that holds it as well.
pub(super) fn as_type(value: Expr, own: &DataType, wanted: &DataType) -> Expr {
    match own == wanted {
        true => value,
        false => cast(value, wanted.clone()),
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema};
    use datafusion::logical_expr::{col, lit};

    use super::*;

    #[test]
    fn what_follows_from_keys_is_made_of_them() {
        let int = |name: &str| Field::new(name, DataType::Int64, true);
        let base = Schema::new(vec![int("a"), int("b"), int("c")]);
        let base = DFSchema::try_from(base).expect("names are distinct");
        let rows = Schema::new(vec![int("x"), Field::new("y", DataType::Int32, true)]);
        let rows = DFSchema::try_from(rows).expect("names are distinct");
        let (key, sum) = (col("a"), col("b") + lit(1_i64));
        let (x, y) = (Column::new_unqualified("x"), Column::new_unqualified("y"));
        let known = Known::new(&base, [(&key, &x), (&sum, &y)].into_iter(), &rows);
        let check = |of: Expr, expected: Option<&str>| {
            let derived = known.derived(&of).map(|derived| derived.to_string());
            assert_eq!(derived.as_deref(), expected, "{of}");
        };
        check(col("a") * lit(2_i64), Some("x * Int64(2)"));
        check(col("b") + lit(1_i64), Some("CAST(y AS Int64)"));
        check(col("b"), None);
        check(col("a") + col("c"), None);
        check(lit(7), Some("Int32(7)"));
    }
}
