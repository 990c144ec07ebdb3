//! Aggregates of groups that are made of the groups of a view.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{AggregateUDF, Expr, cast, lit, when};

use super::derive::Known;
use super::reason::Reason;
use crate::engine::stored::numbers::{as_number, square};
use crate::engine::stored::shape::{Call, Part};
use crate::functions;

/// The aggregates that give the same however often they meet a value.
pub(super) const IDLE: &[&str] = &["bit_and", "bit_or", "bool_and", "bool_or", "max", "min"];

/// The aggregates that are exact over rows in whatever order they come.
pub(super) const UNORDERED: &[&str] = &["avg", "count", "sum"];

/// Those that are made of a sum, a sum of squares and a count.
pub(super) const SPREADS: &[&str] = &["stddev_pop", "stddev_samp", "var_pop", "var_samp"];

/// The aggregates of groups, as they are collected.
pub(super) struct RollUp<'a> {
    pub(super) known: &'a Known<'a>,
    /// The relation's columns.
    pub(super) base: &'a DFSchema,
    /// The aggregates of which the view's rows hold the values, and their columns.
    pub(super) calls: &'a [(Call, Column)],
    /// Whether floating-point numbers may be added in another order.
    pub(super) floats: bool,
    /// Whether the view has one row, also where the relation has none.
    pub(super) is_one_group: bool,
    /// Those to be computed of the view's rows, each once.
    pub(super) aggregates: Vec<Expr>,
}

impl RollUp<'_> {
    /// A call over rows of the relation as an expression over [`Self::aggregates`], which [`Part::Call`] names.
    ///
    /// # Errors
    /// It is not to be had of what the view has.
    pub(super) fn rolled(&mut self, call: &Call) -> Result<Expr, Reason> {
        require_exact(call, self.known, self.floats)?;
        if let Some(own) = self.of_values(call) {
            return Ok(self.aggregate(own));
        }
        if !call.is_plain() {
            return Err(Reason::Aggregate);
        }
        let rolled = match call.function.name() {
            "count" => self.counted(call),
            "sum" => self.summed(call),
            "avg" => self.averaged(call),
            name if SPREADS.contains(&name) => self.spread(call),
            name if IDLE.contains(&name) => {
                let found = self.stored(name, &call.arguments, call.filter.as_ref());
                found.map(|(column, filter)| {
                    self.aggregate(called(&call.function, Expr::Column(column), filter))
                })
            }
            _ => None,
        };
        rolled.ok_or(Reason::Aggregate)
    }

    /// A call of values that the view has, where it does not matter how often it has them.
    fn of_values(&self, call: &Call) -> Option<Expr> {
        let name = call.function.name();
        let is_idle = IDLE.contains(&name) || (call.is_distinct && UNORDERED.contains(&name));
        if self.is_one_group || !is_idle || !call.order_by.is_empty() || call.nulls.is_some() {
            return None;
        }
        own_call(call, self.known)
    }

    fn aggregate(&mut self, own: Expr) -> Expr {
        let place = self.aggregates.iter().position(|known| *known == own);
        let number = place.unwrap_or_else(|| {
            self.aggregates.push(own);
            self.aggregates.len() - 1
        });
        Expr::Column(Part::Call(number).column())
    }

    /// The column of a call that the view has, and which of its rows are taken of it.
    fn stored(
        &self,
        name: &str,
        arguments: &[Expr],
        filter: Option<&Expr>,
    ) -> Option<(Column, Option<Expr>)> {
        let is_same = |known: &Call, condition: Option<&Expr>| {
            known.is_plain()
                && known.function.name() == name
                && known.filter.as_ref() == condition
                && known.arguments.len() == arguments.len()
                && known.arguments.iter().zip(arguments).all(|(own, asked)| {
                    own == asked || as_number(own, self.base) == as_number(asked, self.base)
                })
        };
        let find = |condition: Option<&Expr>| {
            let mut calls = self.calls.iter();
            let found = calls.find(|(known, _)| is_same(known, condition));
            found.map(|(_, column)| column.clone())
        };
        if let Some(column) = find(filter) {
            return Some((column, None));
        }
        let condition = self.known.derived(filter?)?;
        Some((find(None)?, Some(condition)))
    }

    /// The column that counts all rows of a group, and which of the view's rows are taken of it.
    fn rows(&self, filter: Option<&Expr>) -> Option<(Column, Option<Expr>)> {
        let find = |condition: Option<&Expr>| {
            let mut calls = self.calls.iter();
            let found =
                calls.find(|(known, _)| known.counts_rows() && known.filter.as_ref() == condition);
            found.map(|(_, column)| column.clone())
        };
        if let Some(column) = find(filter) {
            return Some((column, None));
        }
        let condition = self.known.derived(filter?)?;
        Some((find(None)?, Some(condition)))
    }

    /// A count, which is 0 where there is nothing.
    fn counted(&mut self, call: &Call) -> Option<Expr> {
        let filter = call.filter.as_ref();
        let found = match call.counts_rows() {
            true => self.rows(filter),
            false => self.stored("count", &call.arguments, filter),
        };
        let (count, filter) = match found {
            Some((column, filter)) => (Expr::Column(column), filter),
            None => {
                // Of keys: all rows of a group have them, or none.
                let [argument] = call.arguments.as_slice() else {
                    return None;
                };
                let key = self.known.derived(argument)?;
                let (column, filter) = self.rows(filter)?;
                let none = lit(ScalarValue::Int64(Some(0)));
                let count = when(key.is_not_null(), Expr::Column(column)).otherwise(none);
                (count.ok()?, filter)
            }
        };
        let sum = self.aggregate(called(&sum_udaf(), count, filter));
        let none = lit(ScalarValue::Int64(Some(0)));
        when(sum.clone().is_null(), none).otherwise(sum).ok()
    }

    fn summed(&mut self, call: &Call) -> Option<Expr> {
        let (column, filter) = self.stored("sum", &call.arguments, call.filter.as_ref())?;
        Some(self.aggregate(called(&sum_udaf(), Expr::Column(column), filter)))
    }

    /// An average, of a sum and a count of the same.
    fn averaged(&mut self, call: &Call) -> Option<Expr> {
        let to = self.known.type_of(&call.to_expr())?;
        let filter = call.filter.as_ref();
        let (sum, of_sum) = self.stored("sum", &call.arguments, filter)?;
        let (count, of_count) = self.stored("count", &call.arguments, filter)?;
        let sum_type = self.calls.iter().find(|(_, column)| *column == sum);
        let sum_type = self.known.type_of(&sum_type?.0.to_expr())?;
        let sum = self.aggregate(called(&sum_udaf(), Expr::Column(sum), of_sum));
        let count = self.aggregate(called(&sum_udaf(), Expr::Column(count), of_count));
        let sum = match (&sum_type, &to) {
            (DataType::Float64, DataType::Float64) => {
                return Some(sum / cast(count, DataType::Float64));
            }
            (DataType::Int64, _) => cast(sum, DataType::Decimal128(38, 0)),
            (DataType::Decimal128(..), _) => sum,
            _ => return None,
        };
        let count = cast(count, DataType::Int64);
        Some(functions::average_of(&to)?.call(vec![sum, count]))
    }

    /// A variance or its root, of a sum, a sum of squares and a count of the same.
    fn spread(&mut self, call: &Call) -> Option<Expr> {
        let [argument] = call.arguments.as_slice() else {
            return None;
        };
        let spread = functions::spread_of(call.function.name())?;
        let filter = call.filter.as_ref();
        let number = std::slice::from_ref(argument);
        let parts = [
            self.stored("sum", number, filter)?,
            self.stored("sum", &[square(argument, self.base)?], filter)?,
            self.stored("count", number, filter)?,
        ];
        let mut added = |(column, filter): (Column, Option<Expr>)| {
            self.aggregate(called(&sum_udaf(), Expr::Column(column), filter))
        };
        let [sum, squares, count] = parts.map(&mut added);
        let count = cast(count, DataType::Int64);
        Some(spread.call(vec![sum, squares, count]))
    }
}

/// A call over values of a view instead of the relation's columns.
pub(super) fn own_call(call: &Call, known: &Known<'_>) -> Option<Expr> {
    let filter = match &call.filter {
        Some(filter) => Some(known.derived(filter)?),
        None => None,
    };
    let own = Call {
        arguments: known.all(&call.arguments)?,
        filter,
        ..call.clone()
    };
    Some(own.to_expr())
}

/// Whether a call is the same over the same rows in another order, and in other files.
///
/// # Errors
/// It is not known to be.
pub(super) fn require_exact(call: &Call, known: &Known<'_>, floats: bool) -> Result<(), Reason> {
    let name = call.function.name();
    if name == "count" && call.order_by.is_empty() {
        return Ok(());
    }
    if ![IDLE, UNORDERED, SPREADS]
        .iter()
        .any(|known| known.contains(&name))
    {
        return Err(Reason::Aggregate);
    }
    let mut types = call
        .arguments
        .iter()
        .map(|argument| known.type_of(argument));
    let is_exact = |data_type: Option<DataType>| data_type.is_some_and(|it| !it.is_floating());
    match floats || types.all(is_exact) {
        true => Ok(()),
        false => Err(Reason::Float),
    }
}

fn called(function: &Arc<AggregateUDF>, argument: Expr, filter: Option<Expr>) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(
        Arc::clone(function),
        vec![argument],
        false,
        filter.map(Box::new),
        Vec::new(),
        None,
    ))
}
