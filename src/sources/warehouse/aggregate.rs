//! Groups, aggregates and orders in a source's SQL: only what is known to give there what it would
//! give here. As with conditions, what is in no list is left to us.

use std::borrow::Cow;

use arrow::datatypes::{DataType, Field};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::{AggregateFunction, Sort};

use super::condition::{Dialect, is_calendar, of_bytes};
use super::part::Part;
use super::relation::{Comparable, Misfit, RemoteColumn};
use crate::types::{self, oid};

/// Letters of the longest texts of MySQL that are sorted and grouped by all of their bytes, of which
/// a letter has four: `max_sort_length` is 1024.
const SORTED_LENGTH_MAX: i32 = 255;

/// What a modifier of `varchar` has beside the length.
const VARCHAR_HEADER: i32 = 4;

/// What is selected for a column of what groups become.
pub(super) struct Made {
    /// The expression, but for `cast`.
    sql: String,
    /// What it is cast to.
    cast: &'static str,
    /// What it is grouped by; `None` of an aggregate.
    pub(super) group: Option<String>,
    /// What its values become, by whatever name.
    pub(super) field: Field,
    /// How they are compared there.
    pub(super) comparable: Comparable,
}

impl Made {
    /// The expression.
    pub(super) fn selected(&self) -> String {
        format!("{}{}", self.sql, self.cast)
    }
}

impl Dialect {
    /// An expression that has equal values for equal values of a column, and no others, wherever the
    /// source sorts or groups by it.
    fn told_apart(self, column: &RemoteColumn) -> Option<String> {
        let sql = &column.sql;
        match (self, column.comparable) {
            (_, Comparable::Never) => None,
            (Self::Mysql, Comparable::Text { .. }) => is_short(column).then(|| of_bytes(sql)),
            // Several dates that are none may be one NULL here.
            (Self::Mysql, kind) if is_calendar(kind) => None,
            (_, Comparable::Text { .. }) => Some(format!("{sql}{}", self.bytewise())),
            _ => Some(sql.clone()),
        }
    }

    /// The least or greatest value of a column.
    fn extreme(self, function: &str, column: &RemoteColumn) -> Option<String> {
        let sql = &column.sql;
        match (self, column.comparable) {
            (_, Comparable::Never | Comparable::Boolean) => None,
            (Self::Mysql, Comparable::Text { .. }) => {
                let bytes = of_bytes(sql);
                Some(format!("CONVERT({function}({bytes}) USING utf8mb4)"))
            }
            (Self::Mysql, kind) if is_calendar(kind) => None,
            (_, Comparable::Text { .. }) => Some(format!("{function}({sql}{})", self.bytewise())),
            _ => Some(format!("{function}({sql})")),
        }
    }

    /// What a sum of integers or numerics is cast to, to be of this type. SQLite adds up whatever is in a column, as what it takes it for.
    fn cast_of_sum(self, of: Comparable, data_type: &DataType) -> Option<&'static str> {
        if of != Comparable::Number {
            return None;
        }
        match (self, data_type) {
            (Self::Postgres, DataType::Int64) => Some("::pg_catalog.int8"),
            (Self::Postgres, DataType::Decimal128(..) | DataType::Decimal256(..)) => {
                Some("::pg_catalog.numeric")
            }
            // A sum has 22 digits more, of which there are 65.
            (Self::Mysql, DataType::Int64 | DataType::Decimal128(..)) => Some(""),
            _ => None,
        }
    }

    /// An average, cut off one digit behind those that it has, and rounded then: PostgreSQL's own
    /// has another number of digits.
    fn average(self, of: &str, column: &RemoteColumn, data_type: &DataType) -> Option<String> {
        let DataType::Decimal128(_, scale) = data_type else {
            return None;
        };
        let is_known = self == Self::Postgres && column.comparable == Comparable::Number;
        let digits = usize::try_from(*scale).ok().filter(|_| is_known)?;
        let zeros = "0".repeat(digits + 1);
        let quotient = format!(
            "div(sum({of})::pg_catalog.numeric * 1{zeros}::pg_catalog.numeric, count({of}))"
        );
        let one = format!("0.{}1::pg_catalog.numeric", "0".repeat(digits));
        Some(format!("round({quotient} * {one}, {digits})"))
    }
}

/// Whether all of a text's bytes count where MySQL sorts.
fn is_short(column: &RemoteColumn) -> bool {
    let of = types::of_field(&column.field);
    of.oid == oid::VARCHAR && (0..=SORTED_LENGTH_MAX + VARCHAR_HEADER).contains(&of.modifier)
}

impl Part {
    /// What is grouped by.
    pub(super) fn key(&self, of: &Expr) -> Option<Made> {
        let column = self.column_of(&of.clone().unalias_nested().data)?;
        let is_truth = column.comparable == Comparable::Boolean;
        if is_truth && self.dialect != Dialect::Postgres {
            return None;
        }
        let group = self.dialect.told_apart(&column)?;
        let is_text = matches!(column.comparable, Comparable::Text { .. });
        let sql = match (self.dialect, is_text) {
            // All of a group have the same bytes.
            (Dialect::Mysql, true) => format!("CONVERT(MIN({group}) USING utf8mb4)"),
            _ => group.clone(),
        };
        Some(Made {
            sql,
            cast: "",
            group: Some(group),
            field: column.field.clone(),
            comparable: by_bytes(column.comparable),
        })
    }

    /// An aggregate, of this type.
    pub(super) fn aggregate(&self, of: &Expr, field: &Field) -> Option<Made> {
        let of = of.clone().unalias_nested().data;
        let Expr::AggregateFunction(call) = &of else {
            return None;
        };
        let parameters = &call.params;
        if !parameters.order_by.is_empty() || parameters.null_treatment.is_some() {
            return None;
        }
        let mut made = self.of_call(call, field.data_type())?;
        if let Some(filter) = &parameters.filter {
            let takes_filter = self.dialect != Dialect::Mysql && call.func.name() != "avg";
            let filter = self.condition(filter).filter(|_| takes_filter)?;
            made.sql = format!("{} FILTER (WHERE {filter})", made.sql);
        }
        made.field = made.field.with_nullable(field.is_nullable());
        Some(made)
    }

    fn of_call(&self, call: &AggregateFunction, data_type: &DataType) -> Option<Made> {
        let (function, is_distinct) = (call.func.name(), call.params.distinct);
        let [argument] = call.params.args.as_slice() else {
            return None;
        };
        let number = |sql: String| Made {
            sql,
            cast: "",
            group: None,
            field: Field::new("", data_type.clone(), true),
            comparable: Comparable::Number,
        };
        if let (Expr::Literal(value, _), "count") = (argument, function) {
            let counts_all = !value.is_null() && !is_distinct;
            return counts_all.then(|| number("count(*)".to_owned()));
        }
        let own = self.own(argument)?;
        if let (Expr::Column(column), "count", false) = (&own, function, is_distinct) {
            let column = self.relation.column(&column.name)?;
            let may_differ = self.dialect == Dialect::Mysql && is_calendar(column.comparable);
            return (!may_differ).then(|| number(format!("count({})", column.sql)));
        }
        let column = self.column_of(argument)?;
        let all = match is_distinct {
            true => format!("DISTINCT {}", self.dialect.told_apart(&column)?),
            false => column.sql.clone(),
        };
        match function {
            "count" => Some(number(format!("count({all})"))),
            "sum" => Some(Made {
                cast: self.dialect.cast_of_sum(column.comparable, data_type)?,
                ..number(format!("sum({all})"))
            }),
            "avg" => self.dialect.average(&all, &column, data_type).map(number),
            "min" | "max" => Some(Made {
                sql: self.dialect.extreme(function, &column)?,
                cast: "",
                group: None,
                field: column.field.clone(),
                comparable: by_bytes(column.comparable),
            }),
            _ => None,
        }
    }

    /// The column that an expression is, or that is computed of others.
    fn column_of(&self, of: &Expr) -> Option<Cow<'_, RemoteColumn>> {
        let own = self.own(of)?;
        match self.dialect.column(&own, &self.relation) {
            Some(column) => Some(Cow::Borrowed(column)),
            None => self.dialect.computed(&own, &self.relation).map(Cow::Owned),
        }
    }

    /// What rows are sorted by.
    pub(super) fn ordered(&self, by: &Sort) -> Option<String> {
        let own = self.own(&by.expr.clone().unalias_nested().data)?;
        let column = self.dialect.column(&own, &self.relation)?;
        let key = self.dialect.told_apart(column)?;
        let direction = if by.asc { "ASC" } else { "DESC" };
        Some(match (self.dialect, by.nulls_first) {
            (Dialect::Mysql, is_first) => {
                let nulls = if is_first { "DESC" } else { "ASC" };
                format!("({key} IS NULL) {nulls}, {key} {direction}")
            }
            (_, true) => format!("{key} {direction} NULLS FIRST"),
            (_, false) => format!("{key} {direction} NULLS LAST"),
        })
    }
}

/// How the values that groups become are compared: by no collation that would know more than bytes.
fn by_bytes(of: Comparable) -> Comparable {
    match of {
        Comparable::Text { .. } => Comparable::Text { is_bytewise: false },
        other => other,
    }
}

/// What becomes of dates that are none, where a group has them.
pub(super) const MISFIT: Misfit = Misfit::Fails;
