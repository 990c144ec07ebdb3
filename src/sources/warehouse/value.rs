//! Values that a source computes of columns, in its SQL: arithmetic and CASE, where they are known to give
//! there what they would give here. As with conditions, what is in no list is left to us.
//!
//! Integers are computed by PostgreSQL alone, in types of the same widths as ours, so that it fails where we would.
//! Decimals have all digits of their results there and here. Nothing is divided: quotients have other digits.

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::logical_expr::expr::{Case, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

use super::aggregate::MISFIT;
use super::condition::{DEPTH_MAX, Dialect, is_calendar};
use super::constant::widens;
use super::relation::{Comparable, RemoteColumn, RemoteRelation};

/// Digits of MySQL's longest decimals, and how many of them stand behind the point.
/// <https://dev.mysql.com/doc/refman/8.4/en/precision-math-decimal-characteristics.html>
const MYSQL_DIGITS_MAX: i16 = 65;
const MYSQL_SCALE_MAX: i16 = 30;

/// A value, as it is computed.
struct Value {
    sql: String,
    kind: Comparable,
    /// The most digits that it has, and how many of them behind the point, if it is a number.
    digits: Option<(i16, i16)>,
}

/// What values are computed of.
struct Scene<'a> {
    dialect: Dialect,
    relation: &'a RemoteRelation,
    schema: DFSchema,
}

impl Dialect {
    /// An expression over the columns of a relation as a column that the source computes, by no name.
    pub(super) fn computed(self, of: &Expr, relation: &RemoteRelation) -> Option<RemoteColumn> {
        if of.column_refs().is_empty() || !self.is_exact(of, relation) {
            return None;
        }
        let schema = DFSchema::try_from(relation.schema()).ok()?;
        let scene = Scene {
            dialect: self,
            relation,
            schema,
        };
        let value = scene.value(of, DEPTH_MAX)?;
        let data_type = of.get_type(&scene.schema).ok()?;
        Some(RemoteColumn {
            sql: value.sql,
            field: Field::new("", data_type, true),
            comparable: value.kind,
            misfit: MISFIT,
        })
    }
}

impl Scene<'_> {
    fn value(&self, of: &Expr, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        match of {
            Expr::Column(column) => self.column(self.relation.column(&column.name)?),
            Expr::Literal(..) => self.literal(of),
            Expr::Cast(cast) => {
                let to = cast.field.data_type();
                let from = cast.expr.get_type(&self.schema).ok()?;
                let value = self.value(&cast.expr, depth)?;
                widens(&from, to).then(|| self.typed(value, to))
            }
            Expr::ScalarFunction(call) => self.of_integers(call, depth),
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply) =>
            {
                self.of_decimals((left, right), *op, depth)
            }
            Expr::Case(case) => self.case(case, depth),
            // Whether a condition is true.
            _ => Some(Value {
                sql: self.dialect.condition(of, self.relation)?,
                kind: Comparable::Boolean,
                digits: None,
            }),
        }
    }

    fn column(&self, column: &RemoteColumn) -> Option<Value> {
        let (sql, kind) = (&column.sql, column.comparable);
        let data_type = column.field.data_type();
        let digits = digits(data_type);
        let sql = match (self.dialect, kind, data_type) {
            (_, Comparable::Never, _) => return None,
            // Texts of several collations do not mix, and some dates are none.
            (Dialect::Mysql, Comparable::Text { .. }, _) => return None,
            (Dialect::Mysql, kind, _) if is_calendar(kind) => return None,
            // What is unsigned there would be so computed.
            (Dialect::Mysql, Comparable::Number, DataType::Decimal128(precision, scale)) => {
                format!("CAST({sql} AS DECIMAL({precision}, {scale}))")
            }
            (Dialect::Mysql, Comparable::Number, _) => format!("CAST({sql} AS SIGNED)"),
            _ => sql.clone(),
        };
        Some(Value { sql, kind, digits })
    }

    fn literal(&self, of: &Expr) -> Option<Value> {
        let data_type = of.get_type(&self.schema).ok()?;
        let kind = kind_of(&data_type)?;
        if self.dialect == Dialect::Mysql && !matches!(kind, Comparable::Number) {
            return None;
        }
        let is_null = matches!(of, Expr::Literal(value, _) if value.is_null());
        let sql = match is_null {
            true => "NULL".to_owned(),
            false => self.dialect.constant(of, kind)?,
        };
        let value = Value {
            sql,
            kind,
            digits: digits(&data_type),
        };
        Some(self.typed(value, &data_type))
    }

    /// A value as one of a type, where the source would take it for one of another.
    fn typed(&self, value: Value, data_type: &DataType) -> Value {
        let name = match (self.dialect, data_type) {
            (Dialect::Mysql | Dialect::Sqlite, _) => None,
            (_, DataType::Int16) => Some("int2"),
            (_, DataType::Int32) => Some("int4"),
            (_, DataType::Int64) => Some("int8"),
            (_, DataType::Decimal128(..)) => Some("numeric"),
            (_, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => Some("text"),
            _ => None,
        };
        let sql = match name {
            Some(name) => format!("{}::pg_catalog.{name}", value.sql),
            None => value.sql,
        };
        Value { sql, ..value }
    }

    /// Integers that are added, subtracted or multiplied, which fails where the type does not hold it.
    fn of_integers(&self, call: &ScalarFunction, depth: usize) -> Option<Value> {
        let sign = match call.func.name() {
            "checked_add" => "+",
            "checked_subtract" => "-",
            "checked_multiply" => "*",
            _ => return None,
        };
        let [left, right] = call.args.as_slice() else {
            return None;
        };
        let of_type = |of: &Expr| of.get_type(&self.schema).ok();
        let data_type = of_type(left).filter(|of| Some(of) == of_type(right).as_ref())?;
        let is_integer = matches!(
            data_type,
            DataType::Int16 | DataType::Int32 | DataType::Int64
        );
        if self.dialect != Dialect::Postgres || !is_integer {
            return None;
        }
        let (left, right) = (self.number(left, depth)?, self.number(right, depth)?);
        Some(Value {
            sql: format!("({} {sign} {})", left.sql, right.sql),
            kind: Comparable::Number,
            digits: digits(&data_type),
        })
    }

    fn number(&self, of: &Expr, depth: usize) -> Option<Value> {
        let value = self.value(of, depth)?;
        (value.kind == Comparable::Number).then_some(value)
    }

    /// Decimals that are added, subtracted or multiplied.
    fn of_decimals(&self, both: (&Expr, &Expr), op: Operator, depth: usize) -> Option<Value> {
        let is_decimal =
            |of: &Expr| matches!(of.get_type(&self.schema), Ok(DataType::Decimal128(..)));
        if !is_decimal(both.0) || !is_decimal(both.1) || self.dialect == Dialect::Sqlite {
            return None;
        }
        let (left, right) = (self.number(both.0, depth)?, self.number(both.1, depth)?);
        let ((left_all, left_scale), (right_all, right_scale)) = (left.digits?, right.digits?);
        let (sign, all, scale) = match op {
            Operator::Multiply => ("*", left_all + right_all, left_scale + right_scale),
            _ => {
                let scale = left_scale.max(right_scale);
                let whole = (left_all - left_scale).max(right_all - right_scale);
                let sign = if op == Operator::Plus { "+" } else { "-" };
                (sign, whole + scale + 1, scale)
            }
        };
        let is_rounded = all > MYSQL_DIGITS_MAX || scale > MYSQL_SCALE_MAX;
        if self.dialect == Dialect::Mysql && is_rounded {
            return None;
        }
        Some(Value {
            sql: format!("({} {sign} {})", left.sql, right.sql),
            kind: Comparable::Number,
            digits: Some((all, scale)),
        })
    }

    fn case(&self, case: &Case, depth: usize) -> Option<Value> {
        let mut sql = "(CASE".to_owned();
        let mut found: Option<Value> = None;
        let branches = case.when_then_expr.iter();
        let branches = branches.map(|(when, then)| (Some(when), then));
        let other = case.else_expr.iter().map(|other| (None, other));
        for (when, then) in branches.chain(other) {
            let then = self.value(then, depth)?;
            match when {
                Some(when) => {
                    let when = match &case.expr {
                        Some(base) => base.as_ref().clone().eq(when.as_ref().clone()),
                        None => when.as_ref().clone(),
                    };
                    let when = self.dialect.condition(&when, self.relation)?;
                    sql.push_str(&format!(" WHEN {when} THEN {}", then.sql));
                }
                None => sql.push_str(&format!(" ELSE {}", then.sql)),
            }
            found = Some(match found {
                Some(before) => one_of(&before, &then)?,
                None => then,
            });
        }
        sql.push_str(" END)");
        found.map(|found| Value { sql, ..found })
    }
}

/// What is known of a value that is one of two.
fn one_of(one: &Value, other: &Value) -> Option<Value> {
    let is_text = |value: &Value| matches!(value.kind, Comparable::Text { .. });
    let kind = match is_text(one) && is_text(other) {
        true => Comparable::Text { is_bytewise: false },
        false if one.kind == other.kind => one.kind,
        false => return None,
    };
    let digits = match (one.digits, other.digits) {
        (Some((all, scale)), Some((other_all, other_scale))) => {
            let most = scale.max(other_scale);
            let whole = (all - scale).max(other_all - other_scale);
            Some((whole + most, most))
        }
        _ => None,
    };
    Some(Value {
        sql: String::new(),
        kind,
        digits,
    })
}

/// How a source compares constants of a type.
fn kind_of(data_type: &DataType) -> Option<Comparable> {
    Some(match data_type {
        DataType::Boolean => Comparable::Boolean,
        DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Decimal128(..) => {
            Comparable::Number
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            Comparable::Text { is_bytewise: false }
        }
        DataType::Date32 => Comparable::Date,
        DataType::Timestamp(TimeUnit::Microsecond, None) => Comparable::Timestamp,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => Comparable::Instant,
        _ => return None,
    })
}

/// All digits of the numbers of a type, and those behind the point.
fn digits(of: &DataType) -> Option<(i16, i16)> {
    match of {
        DataType::Int16 => Some((5, 0)),
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::Decimal128(precision, scale) => Some((i16::from(*precision), i16::from(*scale))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{cast, col, lit, when};

    use super::*;
    use crate::sources::Size;
    use crate::sources::warehouse::relation::Misfit;

    fn relation() -> RemoteRelation {
        let column = |name: &str, data_type: DataType, comparable| RemoteColumn {
            sql: name.to_owned(),
            field: Field::new(name, data_type, true),
            comparable,
            misfit: Misfit::Fails,
        };
        let text = Comparable::Text { is_bytewise: true };
        RemoteRelation {
            sql: "t".to_owned(),
            columns: vec![
                column("n", DataType::Int32, Comparable::Number),
                column("m", DataType::Decimal128(12, 2), Comparable::Number),
                column("wide", DataType::Decimal128(30, 16), Comparable::Number),
                column("w", DataType::Utf8, text),
                column("d", DataType::Date32, Comparable::Date),
                column("f", DataType::Float64, Comparable::Never),
            ],
            size: Size::default(),
            ranges: Vec::new(),
            depends: false,
        }
    }

    fn check(of: &Expr, expected: [Option<&str>; 3]) {
        let dialects = [Dialect::Postgres, Dialect::Mysql, Dialect::Sqlite];
        for (dialect, expected) in dialects.into_iter().zip(expected) {
            let found = dialect.computed(of, &relation()).map(|column| column.sql);
            assert_eq!(found.as_deref(), expected, "{dialect:?}: {of}");
        }
    }

    #[test]
    fn what_is_computed_is_written_for_who_computes_the_same() {
        let of_mysql = "(CAST(m AS DECIMAL(12, 2)) * CAST(m AS DECIMAL(12, 2)))";
        check(
            &(col("m") * col("m")),
            [Some("(m * m)"), Some(of_mysql), None],
        );
        // 32 digits behind the point are rounded by MySQL.
        let wide = col("wide") * col("wide");
        check(&wide, [Some("(wide * wide)"), None, None]);
        let many = when(col("n").gt(lit(5)), col("n"))
            .otherwise(lit(0))
            .expect("a CASE");
        check(
            &many,
            [
                Some("(CASE WHEN (n > 5) THEN n ELSE 0::pg_catalog.int4 END)"),
                Some("(CASE WHEN (n > 5) THEN CAST(n AS SIGNED) ELSE 0 END)"),
                Some("(CASE WHEN (n > 5) THEN n ELSE 0 END)"),
            ],
        );
        let word = when(col("n").is_null(), col("w"))
            .otherwise(lit("none"))
            .expect("a CASE");
        check(
            &word,
            [
                Some("(CASE WHEN (n IS NULL) THEN w ELSE 'none'::pg_catalog.text END)"),
                None,
                Some("(CASE WHEN (n IS NULL) THEN w ELSE 'none' END)"),
            ],
        );
    }

    #[test]
    fn what_may_be_another_value_is_left_to_us() {
        // DataFusion's own sum of integers wraps; what is checked is another function.
        check(&(col("n") + col("n")), [None; 3]);
        check(&(col("m") / col("m")), [None; 3]);
        check(&(col("f") + col("f")), [None; 3]);
        check(&cast(col("m"), DataType::Int32), [None; 3]);
        check(&lit(5), [None; 3]);
        // Of dates MySQL has some that are none.
        let day = when(col("d").is_not_null(), lit(1)).end().expect("a CASE");
        let of_others = "(CASE WHEN (d IS NOT NULL) THEN ";
        let found = Dialect::Postgres.computed(&day, &relation());
        assert!(found.is_some_and(|column| column.sql.starts_with(of_others)));
        assert!(Dialect::Mysql.computed(&day, &relation()).is_none());
    }
}
