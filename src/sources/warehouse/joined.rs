//! Two parts of a plan that one server joins: how it is said, and whether it is worth it where nothing above
//! the join makes fewer rows of what comes of it.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{JoinType, NullEquality};
use datafusion::logical_expr::Join;

use super::condition::Dialect;
use super::part::{Part, Seen, column_name};
use super::quote::identifier;
use super::relation::{Comparable, RemoteColumn, RemoteRelation};
use crate::sources::Size;

/// Of how many rows a condition leaves one, as DataFusion estimates.
const LEFT_OF: u64 = 5;

/// How many keys of its one side a join sends to the other, so that rows without a partner do not come:
/// DataFusion's own limit of lists.
const KEYS_MAX: u64 = 150;

/// What may come of a join whatever its sides hold: one query instead of two, then.
const SMALL_BYTES: u64 = 1 << 20;

/// Bytes of a text, of which no source says how long it is.
const TEXT_BYTES: u64 = 32;

/// Both sides of a join, and which of them has at most one partner for a row of the other.
struct Sides {
    left: Part,
    right: Part,
    is_left_one: bool,
    is_right_one: bool,
    /// The bytes of the columns that are equal on both sides.
    equal_bytes: u64,
    /// Whether these are all numbers.
    are_numbers: bool,
}

impl Sides {
    fn of(join: &Join) -> Option<Self> {
        let is_known = matches!(
            join.join_type,
            JoinType::Inner
                | JoinType::Left
                | JoinType::Right
                | JoinType::LeftSemi
                | JoinType::LeftAnti
        );
        let is_plain = join.null_equality == NullEquality::NullEqualsNothing && !join.null_aware;
        if !is_known || !is_plain || join.on.is_empty() {
            return None;
        }
        let (left, right) = (Part::of(&join.left)?, Part::of(&join.right)?);
        if !Arc::ptr_eq(&left.snapshot, &right.snapshot) {
            return None;
        }
        let equal = join
            .on
            .iter()
            .map(|(one, other)| (left.place(one), right.place(other)));
        let (of_left, of_right): (Vec<_>, Vec<_>) = equal.unzip();
        let equal = || {
            of_right
                .iter()
                .flatten()
                .map(|at| &right.relation.columns[*at])
        };
        let equal_bytes = equal().map(|column| bytes_of(column.field.data_type()));
        Some(Self {
            is_left_one: left.is_one_by(&of_left),
            is_right_one: right.is_one_by(&of_right),
            equal_bytes: equal_bytes.sum(),
            are_numbers: equal().all(|column| column.comparable == Comparable::Number),
            left,
            right,
        })
    }

    /// Whether the server finds partners other than by looking through all rows for each: PostgreSQL hashes, SQLite makes
    /// an index where there is none, but not of what it looks up. MySQL has those that it has, of which keys tell, and
    /// none that orders texts by their bytes.
    fn finds_partners(&self, join_type: JoinType) -> bool {
        let looks_up = matches!(join_type, JoinType::LeftSemi | JoinType::LeftAnti);
        let of_left = self.is_left_one && self.left.is_table;
        let of_right = self.is_right_one && self.right.is_table;
        match (self.left.dialect, join_type) {
            (Dialect::Postgres, _) => true,
            (Dialect::Sqlite, _) => of_right || !looks_up,
            (Dialect::Mysql, JoinType::Inner) => self.are_numbers && (of_left || of_right),
            (Dialect::Mysql, JoinType::Right) => self.are_numbers && of_left,
            (Dialect::Mysql, _) => self.are_numbers && of_right,
        }
    }

    /// How many rows come of the join, as far as that is estimated; `None` if it is not worth it.
    fn worth(&self, join_type: JoinType) -> Option<Option<u64>> {
        let (left, right) = (self.left.n_rows(), self.right.n_rows());
        match (join_type, self.is_left_one, self.is_right_one) {
            (JoinType::LeftSemi | JoinType::LeftAnti, ..) => {
                Some(left.map(|left| left.div_ceil(2)))
            }
            // Pairs of one row each: no more than there are on either side.
            (JoinType::Inner, true, true) => Some(left.zip(right).map(|(l, r)| l.min(r))),
            (JoinType::Left, true, true) => Some(left),
            (JoinType::Right, true, true) => Some(right),
            (JoinType::Inner | JoinType::Left, _, true) => {
                let keeps_all = join_type == JoinType::Left;
                self.worth_with(&self.left, &self.right, keeps_all)
            }
            (JoinType::Inner | JoinType::Right, true, _) => {
                let keeps_all = join_type == JoinType::Right;
                self.worth_with(&self.right, &self.left, keeps_all)
            }
            _ => None,
        }
    }

    /// The same, of a side whose rows have at most one partner on the other side each.
    fn worth_with(&self, many: &Part, one: &Part, keeps_all: bool) -> Option<Option<u64>> {
        let (of_many, of_one) = (many.row_bytes(), one.row_bytes());
        let more = of_one.saturating_sub(self.equal_bytes);
        let (Some(n_many), Some(n_one)) = (many.n_rows(), one.n_rows()) else {
            // Nothing comes that would not come without the join.
            return (more == 0 && many.relation.ranges.is_empty()).then_some(None);
        };
        let is_left_out = !keeps_all && one.leaves_out();
        let n_joined = match is_left_out {
            true => n_many.div_ceil(LEFT_OF),
            false => n_many,
        };
        let n_apart = match !keeps_all && n_one <= KEYS_MAX {
            true => n_joined,
            false => n_many,
        };
        let joined = n_joined.saturating_mul(of_many + more);
        let apart = n_apart
            .saturating_mul(of_many)
            .saturating_add(n_one.saturating_mul(of_one));
        // By several connections a large table is read faster than it is joined by one.
        let is_slower = !many.relation.ranges.is_empty() && n_joined > n_many / 2;
        let is_worth = joined <= apart.max(SMALL_BYTES) && !is_slower;
        is_worth.then_some(Some(n_joined))
    }
}

impl Part {
    /// Two parts of one snapshot, joined there, whatever comes of it: something is made of its rows there.
    pub(super) fn joined(join: &Join) -> Option<Self> {
        Self::of_sides(join, &Sides::of(join)?, None)
    }

    /// The same, if less comes over the network than of both parts, or little.
    pub(super) fn worth_joining(join: &Join) -> Option<Self> {
        let sides = Sides::of(join)?;
        if sides.left.computes || sides.right.computes {
            return None;
        }
        let n_rows = sides.worth(join.join_type)?;
        Self::of_sides(join, &sides, n_rows)
    }

    fn of_sides(join: &Join, sides: &Sides, n_rows: Option<u64>) -> Option<Self> {
        if !sides.finds_partners(join.join_type) {
            return None;
        }
        let Sides { left, right, .. } = sides;
        let mut both = Self::beside(join.join_type, left, right);
        let equal = join
            .on
            .iter()
            .map(|(left, right)| left.clone().eq(right.clone()));
        let conditions = equal.chain(join.filter.clone());
        let conditions = conditions.map(|condition| both.condition(&condition));
        let conditions = conditions.collect::<Option<Vec<_>>>()?.join(" AND ");
        let (l, r) = (left.as_table("l"), right.as_table("r"));
        let n_left = left.columns.len();
        let joined = |word: &str| format!("{l} {word} {r} ON {conditions}");
        let looked_up = |not: &str| format!("({not}EXISTS (SELECT 1 FROM {r} WHERE {conditions}))");
        let mut columns = both.relation.columns.clone();
        let sql = match join.join_type {
            JoinType::Inner => joined("JOIN"),
            JoinType::Left => joined("LEFT JOIN"),
            JoinType::Right => joined("RIGHT JOIN"),
            of_left => {
                let not = if of_left == JoinType::LeftAnti {
                    "NOT "
                } else {
                    ""
                };
                both.conditions = vec![looked_up(not)];
                both.columns.truncate(n_left);
                columns.truncate(n_left);
                l.clone()
            }
        };
        let is_looked_up = !both.conditions.is_empty();
        if sides.is_right_one || is_looked_up {
            both.keys = left.seen_keys();
        }
        if sides.is_left_one && !is_looked_up {
            let keys = right.seen_keys().into_iter();
            let moved = keys.map(|key| key.into_iter().map(|at| n_left + at).collect());
            both.keys.extend(moved);
        }
        both.relation = Arc::new(joined_relation(sql, columns, n_rows));
        both.seen_as(&join.schema)
    }

    /// The columns of two parts, over which a join's conditions are written.
    fn beside(join_type: JoinType, left: &Self, right: &Self) -> Self {
        let lacks_left = join_type == JoinType::Right;
        let lacks_right = join_type == JoinType::Left;
        let mut columns = left.columns_of_table("l", (0, lacks_left));
        columns.extend(right.columns_of_table("r", (left.columns.len(), lacks_right)));
        let places = left.columns.iter().chain(&right.columns).enumerate();
        let seen = places.map(|(place, seen)| Seen {
            name: seen.name.clone(),
            place,
            data_type: seen.data_type.clone(),
        });
        Self {
            columns: seen.collect(),
            snapshot: Arc::clone(&left.snapshot),
            dialect: left.dialect,
            shown: format!("{}, {}", left.shown, right.shown),
            relation: Arc::new(joined_relation(String::new(), columns, None)),
            conditions: Vec::new(),
            keys: Vec::new(),
            is_table: false,
            computes: left.computes || right.computes,
        }
    }

    /// The part's rows as a table of this name.
    fn as_table(&self, name: &str) -> String {
        let columns = self.columns.iter().enumerate().map(|(place, seen)| {
            let sql = &self.column(seen).sql;
            format!("{sql} AS {}", identifier(&column_name(place)))
        });
        let columns: Vec<String> = columns.collect();
        let columns = match columns.as_slice() {
            [] => "NULL".to_owned(),
            columns => columns.join(", "),
        };
        format!("(SELECT {columns} {}) AS {name}", self.from())
    }

    /// The columns of the table that the part becomes, which begin with the `first` of all. They may be NULL
    /// where the table has no row, if it `lacks` some.
    fn columns_of_table(&self, name: &str, (first, lacks): (usize, bool)) -> Vec<RemoteColumn> {
        let columns = self.columns.iter().enumerate().map(|(place, seen)| {
            let column = self.column(seen);
            let field = column.field.clone().with_name(column_name(first + place));
            let is_nullable = lacks || field.is_nullable();
            RemoteColumn {
                sql: format!("{name}.{}", identifier(&column_name(place))),
                field: field.with_nullable(is_nullable),
                comparable: column.comparable,
                misfit: column.misfit,
            }
        });
        columns.collect()
    }

    /// Whether no two rows have the same in these columns, as the source tells.
    fn is_one_by(&self, places: &[Option<usize>]) -> bool {
        let has = |place: &usize| places.contains(&Some(*place));
        self.keys.iter().any(|key| key.iter().all(has))
    }

    /// The keys all of whose columns are among the part's, by their places there.
    pub(super) fn seen_keys(&self) -> Vec<Vec<usize>> {
        let seen = |of: &usize| self.columns.iter().position(|seen| seen.place == *of);
        let keys = self.keys.iter();
        keys.filter_map(|key| key.iter().map(seen).collect())
            .collect()
    }

    /// Whether conditions leave rows out.
    fn leaves_out(&self) -> bool {
        !self.conditions.is_empty() || !self.is_table
    }

    /// How many rows it has, as the source and we estimate.
    fn n_rows(&self) -> Option<u64> {
        let rows = self.relation.size.rows?;
        Some(match self.conditions.is_empty() {
            true => rows,
            false => rows.div_ceil(LEFT_OF),
        })
    }

    /// How many bytes a row of it has, about.
    fn row_bytes(&self) -> u64 {
        let columns = self.columns.iter();
        columns.map(|seen| bytes_of(&seen.data_type)).sum()
    }
}

fn joined_relation(sql: String, columns: Vec<RemoteColumn>, rows: Option<u64>) -> RemoteRelation {
    RemoteRelation {
        sql,
        columns,
        size: Size {
            rows,
            ..Size::default()
        },
        ranges: Vec::new(),
        depends: false,
    }
}

/// Bytes of a value, about.
fn bytes_of(data_type: &DataType) -> u64 {
    let width = data_type.primitive_width();
    match (data_type, width.map(u64::try_from)) {
        (DataType::Boolean, _) => 1,
        (_, Some(Ok(width))) => width,
        _ => TEXT_BYTES,
    }
}
