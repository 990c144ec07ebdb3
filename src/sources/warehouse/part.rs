//! What a part of a plan reads of one server: a table, or tables that are joined there, under
//! conditions. It is one only as far as all of it means the same there; whatever else there is in the
//! part makes it none.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column as ColumnName, DFSchema, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, TableScan, cast};

use super::RemoteSnapshot;
use super::condition::Dialect;
use super::provider::Foreign;
use super::relation::{RemoteColumn, RemoteRelation};

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
    /// Columns of the relation in which no two rows have the same, as the source tells: they decide about what is
    /// worth being asked, and about no rows.
    pub(super) keys: Vec<Vec<usize>>,
    /// Whether it is a table of the source, maybe under conditions.
    pub(super) is_table: bool,
    /// Whether some of the columns are computed of others.
    pub(super) computes: bool,
}

/// A column of a plan that is one of a relation, but maybe of a wider type.
#[derive(Debug)]
pub(super) struct Seen {
    /// The plan's name of it.
    pub(super) name: ColumnName,
    /// Which of the relation's it is.
    pub(super) place: usize,
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
    pub(super) fn seen_as(mut self, schema: &DFSchema) -> Option<Self> {
        if schema.fields().len() != self.columns.len() {
            return None;
        }
        for (seen, (qualifier, field)) in self.columns.iter_mut().zip(schema.iter()) {
            seen.name = ColumnName::new(qualifier.cloned(), field.name());
        }
        Some(self)
    }

    /// Some of the columns, by other names or as wider types, and what is computed of them.
    fn of_those(mut self, projection: &Projection) -> Option<Self> {
        let mut columns = Vec::new();
        for (expression, (qualifier, field)) in projection.expr.iter().zip(projection.schema.iter())
        {
            let place = match self.place(expression) {
                Some(place) => place,
                None => self.compute(expression)?,
            };
            columns.push(Seen {
                name: ColumnName::new(qualifier.cloned(), field.name()),
                place,
                data_type: field.data_type().clone(),
            });
        }
        self.columns = columns;
        Some(self)
    }

    /// The place of a column that is computed of others, which the relation has from then on.
    fn compute(&mut self, of: &Expr) -> Option<usize> {
        let own = self.own(&of.clone().unalias_nested().data)?;
        let column = self.dialect.computed(&own, &self.relation)?;
        let mut names = (0..).map(|number| format!("computed{number}"));
        let name = names.find(|name| self.relation.place(name).is_none())?;
        let relation = Arc::make_mut(&mut self.relation);
        relation.columns.push(RemoteColumn {
            field: column.field.clone().with_name(name),
            ..column
        });
        self.computes = true;
        Some(relation.columns.len() - 1)
    }

    /// The column of the relation that an expression is, or is cast from without a value becoming
    /// another.
    pub(super) fn place(&self, of: &Expr) -> Option<usize> {
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
                    let field = &self.relation.columns[seen.place].field;
                    let own = Expr::Column(ColumnName::from_name(field.name()));
                    Transformed::yes(match seen.data_type == *field.data_type() {
                        true => own,
                        false => cast(own, seen.data_type.clone()),
                    })
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

    /// The name under which what becomes of a part is scanned.
    pub(super) fn scanned_as() -> TableReference {
        TableReference::bare("remote")
    }
}
