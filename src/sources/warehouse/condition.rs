//! Conditions in a source's SQL: only what the source is known to find true of the same rows as
//! we would. Everything else is left to us, by saying nothing.
//!
//! Operators, types and casts stand in lists here, and what is in none is not pushed. Text is
//! compared as bytes here, so a source is asked with the collation that does the same.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Between, InList, Like};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::constant::{text_of, widens};
use super::quote::literal;
use super::relation::{Comparable, RemoteColumn, RemoteRelation};

/// What a source speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// PostgreSQL's SQL.
    Postgres,
    /// SQLite's.
    Sqlite,
    /// That of MySQL and MariaDB, in a session whose quotes are SQL's.
    Mysql,
}

/// How many values of a list are sent; a longer list is judged here.
const LIST_MAX: usize = 1_000;

/// How deep conditions may nest.
pub(super) const DEPTH_MAX: usize = 32;

impl Dialect {
    /// A condition over the columns of a relation; `None` if the source is not to judge it.
    pub(super) fn condition(self, of: &Expr, relation: &RemoteRelation) -> Option<String> {
        Scene {
            dialect: self,
            relation,
        }
        .condition(of, DEPTH_MAX)
    }

    /// Whether a source that judged a condition has judged it as we would. MySQL has dates that are
    /// none, and an order of them: the rows that it sends are judged again, which reads the dates.
    pub(super) fn is_exact(self, of: &Expr, relation: &RemoteRelation) -> bool {
        let columns = of.column_refs();
        let mut columns = columns
            .iter()
            .filter_map(|column| relation.column(&column.name));
        self != Self::Mysql || !columns.any(|column| is_calendar(column.comparable))
    }

    /// The column of a relation that an expression is, or is cast from without a value becoming
    /// another, if its values are compared there as we would.
    pub(super) fn column<'a>(
        self,
        of: &Expr,
        relation: &'a RemoteRelation,
    ) -> Option<&'a RemoteColumn> {
        Scene {
            dialect: self,
            relation,
        }
        .column(of)
    }

    /// How a comparison of texts says that it is one of bytes.
    pub(super) fn bytewise(self) -> &'static str {
        match self {
            Self::Postgres => " COLLATE \"C\"",
            Self::Sqlite => " COLLATE BINARY",
            // Both sides are made bytes: its binary collations take no notice of blanks at the end.
            Self::Mysql => "",
        }
    }
}

struct Scene<'a> {
    dialect: Dialect,
    relation: &'a RemoteRelation,
}

impl<'a> Scene<'a> {
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
            Expr::IsNull(inner) => Some(format!("({} IS NULL)", self.known(inner)?.sql)),
            Expr::IsNotNull(inner) => Some(format!("({} IS NOT NULL)", self.known(inner)?.sql)),
            Expr::InList(list) => self.in_list(list),
            Expr::Between(between) => self.between(between),
            Expr::Like(like) => self.like(like),
            // What is known of a column makes such of a condition that was taken before.
            Expr::Literal(ScalarValue::Boolean(known), _) => Some(match known {
                Some(true) => "(1 = 1)".to_owned(),
                Some(false) => "(1 = 0)".to_owned(),
                None => "(1 = NULL)".to_owned(),
            }),
            Expr::Column(_) | Expr::Cast(_) => {
                let column = self.column(of)?;
                (column.comparable == Comparable::Boolean).then(|| column.sql.clone())
            }
            _ => None,
        }
    }

    /// The column that an expression is.
    fn any_column(&self, of: &Expr) -> Option<&'a RemoteColumn> {
        match of {
            Expr::Column(column) => self.relation.column(&column.name),
            _ => None,
        }
    }

    /// The column that an expression is, if it is NULL there where it is here. MySQL finds dates
    /// NULL that are `0000-00-00`.
    fn known(&self, of: &Expr) -> Option<&'a RemoteColumn> {
        let column = self.any_column(of)?;
        let may_differ = self.dialect == Dialect::Mysql && is_calendar(column.comparable);
        (!may_differ).then_some(column)
    }

    /// The column that an expression is, or is cast from without a value becoming another.
    fn column(&self, of: &Expr) -> Option<&'a RemoteColumn> {
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
            Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => {
                return self.null_safe(left, op, right);
            }
            _ => return None,
        };
        self.signed(left, sign, right)
    }

    /// Whether two values are the same or both NULL, or that they are not.
    fn null_safe(&self, left: &Expr, op: Operator, right: &Expr) -> Option<String> {
        let is_distinct = op == Operator::IsDistinctFrom;
        match (self.dialect, is_distinct) {
            (Dialect::Postgres, true) => self.signed(left, "IS DISTINCT FROM", right),
            (Dialect::Postgres, false) => self.signed(left, "IS NOT DISTINCT FROM", right),
            (Dialect::Sqlite, true) => self.signed(left, "IS NOT", right),
            (Dialect::Sqlite, false) => self.signed(left, "IS", right),
            (Dialect::Mysql, false) => self.signed(left, "<=>", right),
            (Dialect::Mysql, true) => {
                let same = self.signed(left, "<=>", right)?;
                Some(format!("(NOT {same})"))
            }
        }
    }

    fn signed(&self, left: &Expr, sign: &str, right: &Expr) -> Option<String> {
        if let (Some(left), Some(right)) = (self.column(left), self.column(right)) {
            let kind = kind_of_both(left.comparable, right.comparable)?;
            return Some(self.compared(&left.sql, sign, &right.sql, kind));
        }
        let (column, value, is_turned) = match (self.column(left), self.column(right)) {
            (Some(column), None) => (column, right, false),
            (None, Some(column)) => (column, left, true),
            _ => return None,
        };
        let kind = column.comparable;
        let constant = self.dialect.constant(value, kind)?;
        Some(match is_turned {
            false => self.compared(&column.sql, sign, &constant, kind),
            true => self.compared(&constant, sign, &column.sql, kind),
        })
    }

    /// A comparison of what is compared as `kind`.
    fn compared(&self, left: &str, sign: &str, right: &str, kind: Comparable) -> String {
        let is_equality = !["<", "<=", ">", ">="].contains(&sign);
        let end = self.collation(kind, is_equality);
        let Some(may_ask_first) = self.is_made_bytes(kind) else {
            return format!("({left} {sign} {right}{end})");
        };
        let exactly = format!("{} {sign} {}", of_bytes(left), of_bytes(right));
        match sign == "=" && may_ask_first && left.is_ascii() && right.is_ascii() {
            true => format!("({left} = {right} AND {exactly})"),
            false => format!("({exactly})"),
        }
    }

    /// Whether both sides of a comparison are made bytes, and if so, whether the column may be
    /// asked first as it compares itself: it finds equal what has equal bytes, and has an index.
    fn is_made_bytes(&self, kind: Comparable) -> Option<bool> {
        match (self.dialect, kind) {
            (Dialect::Mysql, Comparable::Text { is_bytewise }) => Some(is_bytewise),
            _ => None,
        }
    }

    fn in_list(&self, list: &InList) -> Option<String> {
        if list.list.is_empty() || list.list.len() > LIST_MAX {
            return None;
        }
        let column = self.column(&list.expr)?;
        let kind = column.comparable;
        let values = list.list.iter();
        let values = values.map(|value| self.dialect.constant(value, kind));
        let values = values.collect::<Option<Vec<_>>>()?;
        let word = if list.negated { "NOT IN" } else { "IN" };
        let (sql, together) = (&column.sql, values.join(", "));
        let Some(may_ask_first) = self.is_made_bytes(kind) else {
            let collation = self.collation(kind, true);
            return Some(format!("({sql}{collation} {word} ({together}))"));
        };
        let bytes: Vec<String> = values.iter().map(|value| of_bytes(value)).collect();
        let exactly = format!("{} {word} ({})", of_bytes(sql), bytes.join(", "));
        Some(
            match !list.negated && may_ask_first && together.is_ascii() {
                true => format!("({sql} IN ({together}) AND {exactly})"),
                false => format!("({exactly})"),
            },
        )
    }

    fn between(&self, between: &Between) -> Option<String> {
        let column = self.column(&between.expr)?;
        let kind = column.comparable;
        let low = self.dialect.constant(&between.low, kind)?;
        let high = self.dialect.constant(&between.high, kind)?;
        let low = self.compared(&column.sql, ">=", &low, kind);
        let high = self.compared(&column.sql, "<=", &high, kind);
        Some(match between.negated {
            true => format!("(NOT ({low} AND {high}))"),
            false => format!("({low} AND {high})"),
        })
    }

    /// SQLite's LIKE takes letters of either case for each other.
    fn like(&self, like: &Like) -> Option<String> {
        let is_plain = !like.case_insensitive && like.escape_char.is_none();
        let column = self.column(&like.expr)?;
        let is_text = matches!(column.comparable, Comparable::Text { .. });
        if self.dialect == Dialect::Sqlite || !is_plain || !is_text {
            return None;
        }
        let pattern = text_of(&like.pattern)
            .filter(|pattern| !pattern.contains(['\\', '\0']))
            .map(literal)?;
        let word = if like.negated { "NOT LIKE" } else { "LIKE" };
        let sql = &column.sql;
        Some(match self.dialect {
            // Letter by letter, with blanks at the end.
            Dialect::Mysql => {
                format!("(CONVERT({sql} USING utf8mb4) COLLATE utf8mb4_bin {word} {pattern})")
            }
            _ => format!("({sql}{} {word} {pattern})", self.dialect.bytewise()),
        })
    }

    fn collation(&self, of: Comparable, is_equality: bool) -> &'static str {
        match of {
            // An index of the column's own collation can then be used.
            Comparable::Text { is_bytewise: true } if is_equality => "",
            Comparable::Text { .. } => self.dialect.bytewise(),
            _ => "",
        }
    }
}

/// A text of MySQL's as the bytes that it has in UTF-8.
pub(super) fn of_bytes(text: &str) -> String {
    format!("CAST(CONVERT({text} USING utf8mb4) AS BINARY)")
}

pub(super) fn is_calendar(kind: Comparable) -> bool {
    matches!(
        kind,
        Comparable::Date | Comparable::Timestamp | Comparable::Instant
    )
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

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, TimeUnit};
    use datafusion::logical_expr::{cast, col, lit};

    use super::*;
    use crate::sources::Size;
    use crate::sources::warehouse::relation::Misfit;

    fn relation() -> RemoteRelation {
        let column = |name: &str, data_type: DataType, comparable| RemoteColumn {
            sql: format!("\"{name}\""),
            field: Field::new(name, data_type, true),
            comparable,
            misfit: Misfit::Fails,
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
            ranges: Vec::new(),
            depends: false,
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
        check(&lit(true), Some("(1 = 1)"));
        check(&!lit(ScalarValue::Boolean(None)), Some("(NOT (1 = NULL))"));
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
}
