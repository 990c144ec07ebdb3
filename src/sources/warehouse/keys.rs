//! What a join has learned of its keys, as conditions for a source: rows that would find no partner
//! are not sent. A source is asked for more rows than are wanted where it must be, never for fewer.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::{Column as ColumnName, ScalarValue};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr as Binary, Cast, Expr};
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, Literal,
};
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};

use super::condition::Dialect;
use super::relation::RemoteRelation;

/// The longest condition of keys that is sent.
const SQL_BYTES_MAX: usize = 1 << 20;

/// Writes what was learned as the source judges it.
#[derive(Clone, Debug)]
pub(super) struct Learned {
    /// The filters, which joins fill once they know one side.
    filters: Vec<Arc<dyn PhysicalExpr>>,
    dialect: Dialect,
    relation: Arc<RemoteRelation>,
    /// The columns that the filters count.
    schema: SchemaRef,
}

impl Learned {
    /// Nothing, yet.
    pub(super) fn new(
        dialect: Dialect,
        relation: &Arc<RemoteRelation>,
        schema: &SchemaRef,
    ) -> Self {
        Self {
            filters: Vec::new(),
            dialect,
            relation: Arc::clone(relation),
            schema: Arc::clone(schema),
        }
    }

    /// Also from these, of which those that are known beforehand have been judged already.
    pub(super) fn with(&self, filters: impl Iterator<Item = Arc<dyn PhysicalExpr>>) -> Self {
        let mut with = self.clone();
        let later = filters.filter(|filter| filter.is::<DynamicFilterPhysicalExpr>());
        with.filters.extend(later);
        with
    }

    /// What fills up later.
    pub(super) fn filters(&self) -> &[Arc<dyn PhysicalExpr>] {
        &self.filters
    }

    /// What is known by now.
    pub(super) fn conditions(&self) -> Vec<String> {
        let known = self.filters.iter().filter_map(|filter| {
            let filter = filter.downcast_ref::<DynamicFilterPhysicalExpr>()?;
            // Without it all rows are read, and joined here.
            filter.current().ok()
        });
        let known: Vec<_> = known.collect();
        let parts = known.iter().flat_map(split_conjunction);
        let conditions = parts.filter_map(|part| self.condition(part));
        let mut n_bytes = 0;
        conditions
            .take_while(|condition| {
                n_bytes += condition.len();
                n_bytes <= SQL_BYTES_MAX
            })
            .collect()
    }

    fn condition(&self, of: &Arc<dyn PhysicalExpr>) -> Option<String> {
        match of.downcast_ref::<CaseExpr>() {
            Some(case) => self.any_of(case),
            // Nothing is known yet, or the other side has no rows.
            None if of.is::<Literal>() => None,
            None => self.dialect.condition(&self.logical(of)?, &self.relation),
        }
    }

    /// What is known of each partition of a join, one of which is a row's: the condition of one of
    /// them is true of it.
    fn any_of(&self, case: &CaseExpr) -> Option<String> {
        let branches = case.when_then_expr().iter().map(|(_, then)| then);
        let branches = branches.chain(case.else_expr());
        let mut any = Vec::new();
        for branch in branches {
            if is_false(branch) {
                continue;
            }
            let parts = split_conjunction(branch).into_iter();
            let all: Vec<String> = parts.filter_map(|part| self.condition(part)).collect();
            if all.is_empty() {
                return None;
            }
            any.push(format!("({})", all.join(" AND ")));
        }
        // A CASE without ELSE is NULL where none is met, as no condition of it is.
        (!any.is_empty()).then(|| format!("({})", any.join(" OR ")))
    }

    /// The same, in the terms of conditions that statements have.
    fn logical(&self, of: &Arc<dyn PhysicalExpr>) -> Option<Expr> {
        if let Some(column) = of.downcast_ref::<Column>() {
            let field = self.schema.fields().get(column.index())?;
            return Some(Expr::Column(ColumnName::from_name(field.name())));
        }
        if let Some(literal) = of.downcast_ref::<Literal>() {
            return Some(Expr::Literal(literal.value().clone(), None));
        }
        if let Some(cast) = of.downcast_ref::<CastExpr>() {
            let inner = Box::new(self.logical(cast.expr())?);
            return Some(Expr::Cast(Cast::new(inner, cast.cast_type().clone())));
        }
        if let Some(both) = of.downcast_ref::<BinaryExpr>() {
            let (left, right) = (self.logical(both.left())?, self.logical(both.right())?);
            let both = Binary::new(Box::new(left), *both.op(), Box::new(right));
            return Some(Expr::BinaryExpr(both));
        }
        let list = of.downcast_ref::<InListExpr>()?;
        let values = list.list().iter().map(|value| self.logical(value));
        let mut values = values.collect::<Option<Vec<_>>>()?;
        // NULL is equal to nothing.
        values.retain(|value| !matches!(value, Expr::Literal(value, _) if value.is_null()));
        let column = Box::new(self.logical(list.expr())?);
        (!list.negated()).then(|| Expr::InList(InList::new(column, values, false)))
    }
}

fn is_false(of: &Arc<dyn PhysicalExpr>) -> bool {
    let literal = of.downcast_ref::<Literal>();
    literal.is_some_and(|literal| *literal.value() == ScalarValue::Boolean(Some(false)))
}
