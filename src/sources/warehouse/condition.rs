//! Conditions in a source's SQL: only what the source is known to find true of the same rows as
//! we would. Everything else is left to us, by saying nothing.
//!
//! Operators, types and casts stand in lists here, and what is in none is not pushed. Text is
//! compared as bytes here, so a source is asked with the collation that does the same.

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Between, InList, Like};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::quote::literal;
use super::relation::{Comparable, RemoteColumn, RemoteRelation};

/// What a source speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// PostgreSQL's SQL.
    Postgres,
    /// SQLite's.
    Sqlite,
}

/// The years whose dates are written alike everywhere.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// How many values of a list are sent; a longer list is judged here.
const LIST_MAX: usize = 1_000;

/// How deep conditions may nest.
const DEPTH_MAX: usize = 32;

impl Dialect {
    /// A condition over the columns of a relation; `None` if the source is not to judge it.
    pub(super) fn condition(self, of: &Expr, relation: &RemoteRelation) -> Option<String> {
        Scene {
            dialect: self,
            relation,
        }
        .condition(of, DEPTH_MAX)
    }

    /// How a comparison of texts says that it is one of bytes.
    fn bytewise(self) -> &'static str {
        match self {
            Self::Postgres => " COLLATE \"C\"",
            Self::Sqlite => " COLLATE BINARY",
        }
    }
}

struct Scene<'a> {
    dialect: Dialect,
    relation: &'a RemoteRelation,
}

impl Scene<'_> {
    fn condition(&self, of: &Expr, depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        match of {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::And | Operator::Or => {
                    let (left, right) =
                        (self.condition(left, depth)?, self.condition(right, depth)?);
                    let word = if *op == Operator::And { "AND" } else { "OR" };
                    Some(format!("({left} {word} {right})"))
                }
                _ => self.comparison(left, *op, right),
            },
            Expr::Not(inner) => Some(format!("(NOT {})", self.condition(inner, depth)?)),
            Expr::IsNull(inner) => Some(format!("({} IS NULL)", self.any_column(inner)?.sql)),
            Expr::IsNotNull(inner) => {
                Some(format!("({} IS NOT NULL)", self.any_column(inner)?.sql))
            }
            Expr::InList(list) => self.in_list(list),
            Expr::Between(between) => self.between(between),
            Expr::Like(like) => self.like(like),
            Expr::Column(_) | Expr::Cast(_) => {
                let column = self.column(of)?;
                (column.comparable == Comparable::Boolean).then(|| column.sql.clone())
            }
            _ => None,
        }
    }

    /// The column that an expression is.
    fn any_column(&self, of: &Expr) -> Option<&RemoteColumn> {
        match of {
            Expr::Column(column) => self.relation.column(&column.name),
            _ => None,
        }
    }

    /// The column that an expression is, or is cast from without a value becoming another.
    fn column(&self, of: &Expr) -> Option<&RemoteColumn> {
        let Expr::Cast(cast) = of else {
            let column = self.any_column(of)?;
            return (column.comparable != Comparable::Never).then_some(column);
        };
        let column = self.column(&cast.expr)?;
        let (from, to) = (column.field.data_type(), cast.field.data_type());
        widens(from, to).then_some(column)
    }

    fn comparison(&self, left: &Expr, op: Operator, right: &Expr) -> Option<String> {
        let sign = match op {
            Operator::Eq => "=",
            Operator::NotEq => "<>",
            Operator::Lt => "<",
            Operator::LtEq => "<=",
            Operator::Gt => ">",
            Operator::GtEq => ">=",
            _ => return None,
        };
        let is_equality = matches!(op, Operator::Eq | Operator::NotEq);
        if let (Some(left), Some(right)) = (self.column(left), self.column(right)) {
            let kind = kind_of_both(left.comparable, right.comparable)?;
            let end = self.collation(kind, is_equality);
            return Some(format!("({} {sign} {}{end})", left.sql, right.sql));
        }
        let (column, value, is_turned) = match (self.column(left), self.column(right)) {
            (Some(column), None) => (column, right, false),
            (None, Some(column)) => (column, left, true),
            _ => return None,
        };
        let value = self.value(value, column.comparable)?;
        let end = self.collation(column.comparable, is_equality);
        Some(match is_turned {
            false => format!("({} {sign} {value}{end})", column.sql),
            true => format!("({value} {sign} {}{end})", column.sql),
        })
    }

    fn in_list(&self, list: &InList) -> Option<String> {
        if list.list.is_empty() || list.list.len() > LIST_MAX {
            return None;
        }
        let column = self.column(&list.expr)?;
        let values = list.list.iter();
        let values = values.map(|value| self.value(value, column.comparable));
        let values = values.collect::<Option<Vec<_>>>()?.join(", ");
        let collation = self.collation(column.comparable, true);
        let word = if list.negated { "NOT IN" } else { "IN" };
        Some(format!("({}{collation} {word} ({values}))", column.sql))
    }

    fn between(&self, between: &Between) -> Option<String> {
        let column = self.column(&between.expr)?;
        let low = self.value(&between.low, column.comparable)?;
        let high = self.value(&between.high, column.comparable)?;
        let (sql, end) = (&column.sql, self.collation(column.comparable, false));
        let within = format!("({sql} >= {low}{end} AND {sql} <= {high}{end})");
        Some(match between.negated {
            true => format!("(NOT {within})"),
            false => within,
        })
    }

    /// SQLite's LIKE takes letters of either case for each other.
    fn like(&self, like: &Like) -> Option<String> {
        let is_plain = !like.case_insensitive && like.escape_char.is_none();
        let column = self.column(&like.expr)?;
        let is_text = matches!(column.comparable, Comparable::Text { .. });
        if self.dialect != Dialect::Postgres || !is_plain || !is_text {
            return None;
        }
        let pattern = text_of(&like.pattern).filter(|pattern| !pattern.contains('\\'))?;
        let word = if like.negated { "NOT LIKE" } else { "LIKE" };
        let (sql, pattern) = (&column.sql, literal(pattern));
        Some(format!(
            "({sql}{} {word} {pattern})",
            self.dialect.bytewise()
        ))
    }

    fn collation(&self, of: Comparable, is_equality: bool) -> &'static str {
        match of {
            // An index of the column's own collation can then be used.
            Comparable::Text { is_bytewise: true } if is_equality => "",
            Comparable::Text { .. } => self.dialect.bytewise(),
            _ => "",
        }
    }

    /// A constant, of a type that the column's values are compared with as we would.
    fn value(&self, of: &Expr, beside: Comparable) -> Option<String> {
        let value = match of {
            Expr::Literal(value, _) => value,
            Expr::Cast(cast) => match cast.expr.as_ref() {
                Expr::Literal(value, _) if widens(&value.data_type(), cast.field.data_type()) => {
                    value
                }
                _ => return None,
            },
            _ => return None,
        };
        let is_postgres = self.dialect == Dialect::Postgres;
        match (beside, value) {
            (Comparable::Boolean, ScalarValue::Boolean(Some(value))) => {
                Some(if *value { "TRUE" } else { "FALSE" }.to_owned())
            }
            (Comparable::Number, value) => number(value, is_postgres),
            (Comparable::Text { .. }, _) => {
                text_of(of).filter(|text| !text.contains('\0')).map(literal)
            }
            (Comparable::Date, ScalarValue::Date32(Some(days))) => {
                let day = date(*days)?;
                Some(format!("DATE {}", literal(&day.to_string())))
            }
            (Comparable::Timestamp, ScalarValue::TimestampMicrosecond(Some(micros), None)) => {
                Some(format!("TIMESTAMP {}", literal(&moment(*micros)?)))
            }
            (Comparable::Instant, ScalarValue::TimestampMicrosecond(Some(micros), Some(_))) => {
                let instant = format!("{}+00", moment(*micros)?);
                Some(format!("TIMESTAMPTZ {}", literal(&instant)))
            }
            _ => None,
        }
    }
}

/// What two columns are compared as.
fn kind_of_both(left: Comparable, right: Comparable) -> Option<Comparable> {
    match (left, right) {
        // Of two collations PostgreSQL would know none to use: ours is said.
        (Comparable::Text { .. }, Comparable::Text { .. }) => {
            Some(Comparable::Text { is_bytewise: false })
        }
        (left, right) => (left == right).then_some(left),
    }
}

/// Whether a cast leaves every value what it is.
fn widens(from: &DataType, to: &DataType) -> bool {
    let digits = |of: &DataType| match of {
        DataType::Int16 => Some((5, 0)),
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            Some((i16::from(*precision) - i16::from(*scale), i16::from(*scale)))
        }
        _ => None,
    };
    let is_text = |of: &DataType| {
        matches!(
            of,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    let is_instant =
        |of: &DataType| matches!(of, DataType::Timestamp(TimeUnit::Microsecond, Some(_)));
    if let (Some((whole, scale)), Some((whole_to, scale_to))) = (digits(from), digits(to)) {
        return whole <= whole_to && scale <= scale_to;
    }
    from == to || (is_text(from) && is_text(to)) || (is_instant(from) && is_instant(to))
}

fn text_of(of: &Expr) -> Option<&str> {
    match of {
        Expr::Literal(
            ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text),
            _,
        ) => text.as_deref(),
        Expr::Cast(cast) if widens(&DataType::Utf8, cast.field.data_type()) => text_of(&cast.expr),
        _ => None,
    }
}

/// A number's digits. SQLite takes those with a point for floating-point numbers.
fn number(value: &ScalarValue, has_numerics: bool) -> Option<String> {
    let digits = match value {
        ScalarValue::Int16(Some(value)) => value.to_string(),
        ScalarValue::Int32(Some(value)) => value.to_string(),
        ScalarValue::Int64(Some(value)) => value.to_string(),
        ScalarValue::Decimal128(Some(value), _, scale) if has_numerics => {
            decimal(*value, u32::from(scale.unsigned_abs())).filter(|_| *scale >= 0)?
        }
        _ => return None,
    };
    // A minus before a constant that is cast, or raised to a power, is another's.
    Some(match digits.starts_with('-') {
        true => format!("({digits})"),
        false => digits,
    })
}

fn decimal(value: i128, scale: u32) -> Option<String> {
    let sign = if value < 0 { "-" } else { "" };
    let one = 10_u128.checked_pow(scale)?;
    let (whole, fraction) = (value.unsigned_abs() / one, value.unsigned_abs() % one);
    Some(match scale {
        0 => format!("{sign}{whole}"),
        scale => {
            let width = usize::try_from(scale).ok()?;
            format!("{sign}{whole}.{fraction:0width$}")
        }
    })
}

fn date(days: i32) -> Option<NaiveDate> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    let day = epoch.checked_add_signed(TimeDelta::try_days(days.into())?)?;
    YEARS.contains(&day.year()).then_some(day)
}

fn moment(micros: i64) -> Option<String> {
    let moment = DateTime::from_timestamp_micros(micros)?.naive_utc();
    let is_plain = YEARS.contains(&moment.year());
    is_plain.then(|| moment.format("%Y-%m-%d %H:%M:%S%.6f").to_string())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;
    use datafusion::logical_expr::{cast, col, lit};

    use super::*;
    use crate::sources::Size;

    fn relation() -> RemoteRelation {
        let column = |name: &str, data_type: DataType, comparable| RemoteColumn {
            sql: format!("\"{name}\""),
            field: Field::new(name, data_type, true),
            comparable,
        };
        let instants = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        RemoteRelation {
            sql: "t".to_owned(),
            columns: vec![
                column("n", DataType::Int32, Comparable::Number),
                column("w", DataType::Utf8, Comparable::Text { is_bytewise: true }),
                column(
                    "odd",
                    DataType::Utf8,
                    Comparable::Text { is_bytewise: false },
                ),
                column("f", DataType::Float64, Comparable::Never),
                column("b", DataType::Boolean, Comparable::Boolean),
                column("d", DataType::Date32, Comparable::Date),
                column("i", instants, Comparable::Instant),
            ],
            size: Size::default(),
        }
    }

    fn check(of: &Expr, expected: Option<&str>) {
        let found = Dialect::Postgres.condition(of, &relation());
        assert_eq!(found.as_deref(), expected, "{of}");
    }

    #[test]
    fn what_means_the_same_is_written() {
        check(&col("n").eq(lit(5)), Some("(\"n\" = 5)"));
        check(
            &lit(-5_i64).lt(cast(col("n"), DataType::Int64)),
            Some("((-5) < \"n\")"),
        );
        check(&col("w").eq(lit("it's")), Some("(\"w\" = 'it''s')"));
        check(
            &col("odd").eq(lit("x")),
            Some("(\"odd\" = 'x' COLLATE \"C\")"),
        );
        check(&col("w").lt(lit("x")), Some("(\"w\" < 'x' COLLATE \"C\")"));
        check(
            &col("b").and(col("n").is_null()),
            Some("(\"b\" AND (\"n\" IS NULL))"),
        );
        check(&col("f").is_not_null(), Some("(\"f\" IS NOT NULL)"));
        let day = lit(ScalarValue::Date32(Some(0)));
        check(&col("d").gt_eq(day), Some("(\"d\" >= DATE '1970-01-01')"));
        let zone = Some("Europe/Berlin".into());
        let instant = lit(ScalarValue::TimestampMicrosecond(Some(1), zone.clone()));
        let shown = cast(col("i"), DataType::Timestamp(TimeUnit::Microsecond, zone));
        let expected = "(\"i\" > TIMESTAMPTZ '1970-01-01 00:00:00.000001+00')";
        check(&shown.gt(instant), Some(expected));
        let list = vec![lit("a"), lit("b")];
        check(
            &col("w").in_list(list, true),
            Some("(\"w\" NOT IN ('a', 'b'))"),
        );
        check(
            &col("w").like(lit("a%")),
            Some("(\"w\" COLLATE \"C\" LIKE 'a%')"),
        );
    }

    #[test]
    fn what_may_mean_something_else_is_left_to_us() {
        check(&col("f").eq(lit(1.0)), None);
        check(&col("n").eq(lit(1.5)), None);
        check(&(col("n") + lit(1)).eq(lit(5)), None);
        check(&cast(col("n"), DataType::Int16).eq(lit(5_i16)), None);
        check(&col("w").like(lit("a\\%")), None);
        check(&col("w").ilike(lit("a%")), None);
        check(&col("w").eq(lit("a\0")), None);
        check(&col("n").eq(lit(5)).or(col("f").eq(lit(1.0))), None);
        check(&col("elsewhere").eq(lit(5)), None);
        check(&col("n").eq(lit(ScalarValue::Int32(None))), None);
        let infinity = lit(ScalarValue::Date32(Some(i32::MAX)));
        check(&col("d").lt(infinity), None);
        let like = Dialect::Sqlite.condition(&col("w").like(lit("a%")), &relation());
        assert_eq!(like, None);
    }

    #[test]
    fn decimals_keep_their_digits() {
        let of = |value, scale| number(&ScalarValue::Decimal128(Some(value), 38, scale), true);
        assert_eq!(of(-5, 2).as_deref(), Some("(-0.05)"));
        assert_eq!(of(12_345, 0).as_deref(), Some("12345"));
        assert_eq!(of(1, -2), None);
        assert_eq!(
            number(&ScalarValue::Decimal128(Some(5), 38, 1), false),
            None
        );
    }
}
