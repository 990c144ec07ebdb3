//! What a part of a plan reads of one server: a table, or tables that are joined there, under
//! conditions. It is one only as far as all of it means the same there; whatever else there is in the
//! part makes it none.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column as ColumnName, DFSchema, JoinType, NullEquality, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Projection, TableScan};

use super::RemoteSnapshot;
use super::condition::Dialect;
use super::provider::Foreign;
use super::quote::identifier;
use super::relation::{RemoteColumn, RemoteRelation};
use crate::sources::Size;

/// What a part of a plan reads of one server.
#[derive(Debug)]
pub(super) struct Part {
    /// The server's.
    pub(super) snapshot: Arc<dyn RemoteSnapshot>,
    /// What it speaks.
    pub(super) dialect: Dialect,
    /// The tables, for messages.
    pub(super) shown: String,
    /// What the rows are taken from.
    pub(super) relation: Arc<RemoteRelation>,
    /// Which of them.
    pub(super) conditions: Vec<String>,
    /// The columns of the part, in their order.
    pub(super) columns: Vec<Seen>,
}

/// A column of a plan that is one of a relation, but maybe of a wider type.
#[derive(Debug)]
pub(super) struct Seen {
    name: ColumnName,
    /// Which of the relation's it is.
    place: usize,
    /// The type that the plan takes it for.
    pub(super) data_type: DataType,
}

/// The name of a column of what is selected of a part.
pub(super) fn column_name(place: usize) -> String {
    format!("c{place}")
}

impl Part {
    /// The part that all of a plan is.
    pub(super) fn of(plan: &LogicalPlan) -> Option<Self> {
        match plan {
            LogicalPlan::TableScan(scan) => Self::of_scan(scan),
            LogicalPlan::SubqueryAlias(alias) => Self::of(&alias.input)?.seen_as(&alias.schema),
            LogicalPlan::Projection(projection) => {
                Self::of(&projection.input)?.of_those(projection)
            }
            LogicalPlan::Filter(filter) => {
                let mut part = Self::of(&filter.input)?;
                let condition = part.condition(&filter.predicate)?;
                part.conditions.push(condition);
                Some(part)
            }
            LogicalPlan::Join(join) => Self::joined(join),
            _ => None,
        }
    }

    fn of_scan(scan: &TableScan) -> Option<Self> {
        let provider = source_as_provider(&scan.source).ok()?;
        let foreign = provider.downcast_ref::<Foreign>()?;
        if scan.fetch.is_some() {
            return None;
        }
        let mut part = foreign.part(&scan.filters)?;
        let columns = scan.projected_schema.iter().map(|(qualifier, field)| {
            Some(Seen {
                name: ColumnName::new(qualifier.cloned(), field.name()),
                place: part.relation.place(field.name())?,
                data_type: field.data_type().clone(),
            })
        });
        part.columns = columns.collect::<Option<_>>()?;
        Some(part)
    }

    /// The same columns by other names.
    fn seen_as(mut self, schema: &DFSchema) -> Option<Self> {
        if schema.fields().len() != self.columns.len() {
            return None;
        }
        for (seen, (qualifier, field)) in self.columns.iter_mut().zip(schema.iter()) {
            seen.name = ColumnName::new(qualifier.cloned(), field.name());
        }
        Some(self)
    }

    /// Some of the columns, by other names or as wider types.
    fn of_those(mut self, projection: &Projection) -> Option<Self> {
        let named = projection.expr.iter().zip(projection.schema.iter());
        let columns = named.map(|(expression, (qualifier, field))| {
            Some(Seen {
                name: ColumnName::new(qualifier.cloned(), field.name()),
                place: self.place(expression)?,
                data_type: field.data_type().clone(),
            })
        });
        self.columns = columns.collect::<Option<_>>()?;
        Some(self)
    }

    /// The column of the relation that an expression is, or is cast from without a value becoming
    /// another.
    fn place(&self, of: &Expr) -> Option<usize> {
        let own = self.own(&of.clone().unalias_nested().data)?;
        let column = match &own {
            Expr::Column(column) => self.relation.column(&column.name)?,
            cast => self.dialect.column(cast, &self.relation)?,
        };
        self.relation.place(column.field.name())
    }

    /// An expression over the part's columns as one over the relation's.
    pub(super) fn own(&self, of: &Expr) -> Option<Expr> {
        let mut are_known = true;
        let own = of.clone().transform_up(|expression| {
            let Expr::Column(column) = &expression else {
                return Ok(Transformed::no(expression));
            };
            Ok(match self.seen(column) {
                Some(seen) => {
                    let name = self.relation.columns[seen.place].field.name();
                    Transformed::yes(Expr::Column(ColumnName::from_name(name)))
                }
                None => {
                    are_known = false;
                    Transformed::no(expression)
                }
            })
        });
        own.ok().map(|own| own.data).filter(|_| are_known)
    }

    /// The one column that a name means.
    fn seen(&self, column: &ColumnName) -> Option<&Seen> {
        let is_meant = |seen: &&Seen| {
            let is_of = column.relation.is_none() || seen.name.relation == column.relation;
            is_of && seen.name.name == column.name
        };
        let mut meant = self.columns.iter().filter(is_meant);
        meant.next().filter(|_| meant.next().is_none())
    }

    /// A condition that the source judges exactly as we would.
    pub(super) fn condition(&self, of: &Expr) -> Option<String> {
        let own = self.own(of)?;
        let is_exact = self.dialect.is_exact(&own, &self.relation);
        self.dialect
            .condition(&own, &self.relation)
            .filter(|_| is_exact)
    }

    /// The relation's column that one of the part is.
    pub(super) fn column(&self, seen: &Seen) -> &RemoteColumn {
        &self.relation.columns[seen.place]
    }

    /// What is taken from the relation, behind its columns.
    pub(super) fn from(&self) -> String {
        let from = &self.relation.sql;
        match self.conditions.as_slice() {
            [] => format!("FROM {from}"),
            conditions => format!("FROM {from} WHERE {}", conditions.join(" AND ")),
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

    /// The columns of the table that the part becomes, which begin with the `first` of all.
    fn columns_of_table(&self, name: &str, first: usize) -> Vec<RemoteColumn> {
        let columns = self.columns.iter().enumerate().map(|(place, seen)| {
            let column = self.column(seen);
            let field = column.field.clone().with_name(column_name(first + place));
            RemoteColumn {
                sql: format!("{name}.{}", identifier(&column_name(place))),
                field: field.with_nullable(true),
                comparable: column.comparable,
                misfit: column.misfit,
            }
        });
        columns.collect()
    }

    /// Two parts of one snapshot, joined there.
    fn joined(join: &Join) -> Option<Self> {
        let word = match join.join_type {
            JoinType::Inner => "JOIN",
            JoinType::Left => "LEFT JOIN",
            JoinType::Right => "RIGHT JOIN",
            _ => return None,
        };
        let is_plain = join.null_equality == NullEquality::NullEqualsNothing && !join.null_aware;
        if !is_plain || join.on.is_empty() {
            return None;
        }
        let (left, right) = (Self::of(&join.left)?, Self::of(&join.right)?);
        if !Arc::ptr_eq(&left.snapshot, &right.snapshot) {
            return None;
        }
        let mut columns = left.columns_of_table("l", 0);
        columns.extend(right.columns_of_table("r", left.columns.len()));
        let mut both = Self {
            snapshot: Arc::clone(&left.snapshot),
            dialect: left.dialect,
            shown: format!("{}, {}", left.shown, right.shown),
            relation: Arc::new(RemoteRelation {
                sql: String::new(),
                columns,
                size: Size::default(),
                ranges: Vec::new(),
                depends: false,
            }),
            conditions: Vec::new(),
            columns: Vec::new(),
        };
        let places = left.columns.iter().chain(&right.columns).enumerate();
        let columns = places.map(|(place, seen)| Seen {
            name: seen.name.clone(),
            place,
            data_type: seen.data_type.clone(),
        });
        both.columns = columns.collect();
        let equal = join
            .on
            .iter()
            .map(|(left, right)| left.clone().eq(right.clone()));
        let conditions = equal.chain(join.filter.clone());
        let conditions = conditions.map(|condition| both.condition(&condition));
        let conditions = conditions.collect::<Option<Vec<_>>>()?.join(" AND ");
        let relation = RemoteRelation {
            sql: format!(
                "{} {word} {} ON {conditions}",
                left.as_table("l"),
                right.as_table("r")
            ),
            columns: both.relation.columns.clone(),
            size: Size::default(),
            ranges: Vec::new(),
            depends: false,
        };
        both.relation = Arc::new(relation);
        both.seen_as(&join.schema)
    }

    /// The name under which what becomes of a part is scanned.
    pub(super) fn scanned_as() -> TableReference {
        TableReference::bare("remote")
    }
}
