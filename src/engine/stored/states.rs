//! What is kept of each group of a view, so that what comes and goes below it can be added and taken away: the states
//! of its aggregates.
//!
//! States are columns with types of SQL, never those that DataFusion keeps within: a count, a sum in the type that
//! PostgreSQL's has, a minimum. What is no such state, or is not the same in every order, has none, and then the view
//! is computed as a whole.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DataFusionError, ScalarValue};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable, cast, lit};

use super::numbers::{as_number, square};
use super::shape::{Call, Groups, Part, Shape};
use super::whole::Whole;
use crate::functions;
use crate::types::kept;

/// What is kept of each group of a view.
#[derive(Clone, Debug)]
pub(in crate::engine) struct States {
    /// The view's query.
    pub(in crate::engine) shape: Shape,
    /// One for each key of the shape.
    pub(in crate::engine) keys: Vec<Key>,
    /// The first is the number of the group's rows.
    pub(in crate::engine) states: Vec<State>,
    /// For each call of the shape what it gives, over columns of keys and states.
    pub(in crate::engine) given: Vec<Expr>,
}

/// A key of groups.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Key {
    /// Over the relation's columns.
    pub(in crate::engine) expression: Expr,
    /// Of its values.
    pub(in crate::engine) data_type: DataType,
}

/// A state of groups.
#[derive(Clone, Debug)]
pub(in crate::engine) struct State {
    /// Which it is.
    pub(in crate::engine) kind: StateKind,
    /// What computes it from rows.
    pub(in crate::engine) call: Call,
    /// Of its values.
    pub(in crate::engine) data_type: DataType,
    /// The state that counts the values it is made of, by its number: without any it is NULL. A count has none.
    pub(in crate::engine) counted_by: Option<usize>,
}

impl State {
    /// Whether it is the least or the greatest of what there is.
    pub(in crate::engine) fn is_extreme(&self) -> bool {
        matches!(self.kind, StateKind::Least | StateKind::Greatest)
    }
}

/// How a state is put together of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum StateKind {
    /// Added up; never NULL.
    Count,
    /// Added up.
    Sum,
    /// The least one.
    Least,
    /// The greatest one.
    Greatest,
}

impl StateKind {
    /// As what is stored tells of it.
    pub(in crate::engine) fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Least => "min",
            Self::Greatest => "max",
        }
    }
}

impl States {
    /// Those of a query.
    ///
    /// # Errors
    /// Why it has none.
    pub(in crate::engine) fn of(shape: Shape, session: &SessionState) -> Result<Self, Whole> {
        let Some(Groups { keys, calls }) = shape.groups.clone() else {
            return Err(Whole::NoGroups);
        };
        if !shape.having.is_empty() {
            return Err(Whole::Having);
        }
        let schema = shape.base.source.schema();
        let schema = DFSchema::try_from(schema).map_err(|_| Whole::Fault)?;
        let mut making = Making {
            schema,
            sum: session.udaf("sum").map_err(|_| Whole::Fault)?,
            states: Vec::new(),
        };
        let keys = keys.into_iter().map(|key| making.key(key));
        let keys = keys.collect::<Result<_, _>>()?;
        making.count(vec![lit(1_i64)], None)?;
        let given = calls.iter().map(|call| making.given(call));
        let given = given.collect::<Result<_, _>>()?;
        Ok(Self {
            shape,
            keys,
            given,
            states: making.states,
        })
    }

    /// An output of the shape, over columns of keys and states.
    pub(in crate::engine) fn output(&self, output: &Expr) -> Result<Expr, DataFusionError> {
        let given = output
            .clone()
            .transform_up(|inner| match Part::of(&inner) {
                Some(Part::Key(number)) => Ok(Transformed::yes(key_column(number))),
                Some(Part::Call(number)) => {
                    let given = self.given.get(number);
                    let given =
                        given.ok_or_else(|| DataFusionError::Internal(output.to_string()))?;
                    Ok(Transformed::yes(given.clone()))
                }
                None => Ok(Transformed::no(inner)),
            })?;
        Ok(given.data)
    }

    /// Whether what went may not be told from a state alone: the least of what is left is not known.
    pub(in crate::engine) fn has_extremes(&self) -> bool {
        self.states.iter().any(State::is_extreme)
    }

    /// Whether something over columns of keys and states is made of an extreme.
    pub(in crate::engine) fn is_of_extremes(&self, given: &Expr) -> bool {
        let columns = given.column_refs();
        let mut states = self.states.iter().enumerate();
        states.any(|(number, state)| {
            let name = state_name(number);
            state.is_extreme() && columns.iter().any(|column| column.name == name)
        })
    }
}

/// The name of the column of a key, where keys and states are columns.
pub(in crate::engine) fn key_name(number: usize) -> String {
    format!("key_{number}")
}

/// The same of a state.
pub(in crate::engine) fn state_name(number: usize) -> String {
    format!("state_{number}")
}

/// The column of a key.
pub(in crate::engine) fn key_column(number: usize) -> Expr {
    Expr::Column(Column::new_unqualified(key_name(number)))
}

/// The column of a state.
pub(in crate::engine) fn state_column(number: usize) -> Expr {
    Expr::Column(Column::new_unqualified(state_name(number)))
}

/// States that are being collected, each once.
struct Making {
    /// The relation's columns.
    schema: DFSchema,
    sum: Arc<AggregateUDF>,
    states: Vec<State>,
}

impl Making {
    fn key(&self, key: Expr) -> Result<Key, Whole> {
        let (_, field) = key.to_field(&self.schema).map_err(|_| Whole::Fault)?;
        match is_exact(field.data_type()) && kept(&field).is_none() {
            true => Ok(Key {
                data_type: field.data_type().clone(),
                expression: key,
            }),
            false if field.data_type().is_floating() => Err(Whole::Float),
            false => Err(Whole::Type),
        }
    }

    /// What a call gives, over states.
    fn given(&mut self, call: &Call) -> Result<Expr, Whole> {
        if !call.is_plain() {
            return Err(match call.is_distinct {
                true => Whole::Distinct,
                false => Whole::Aggregate,
            });
        }
        let given = match call.function.name() {
            "count" if call.counts_rows() => self.count(vec![lit(1_i64)], call.filter.as_ref()),
            "count" if call.arguments.len() == 1 => {
                self.count(call.arguments.clone(), call.filter.as_ref())
            }
            "sum" => self.sum(call),
            "avg" => return self.average(call),
            "stddev_pop" | "stddev_samp" | "var_pop" | "var_samp" => return self.spread(call),
            "min" | "bool_and" => self.extreme(call, StateKind::Least),
            "max" | "bool_or" => self.extreme(call, StateKind::Greatest),
            _ => return Err(Whole::Aggregate),
        };
        let number = given?;
        let data_type = self.type_of(call)?;
        let column = state_column(number);
        Ok(match self.states[number].data_type == data_type {
            true => column,
            false => cast(column, data_type),
        })
    }

    fn count(&mut self, arguments: Vec<Expr>, filter: Option<&Expr>) -> Result<usize, Whole> {
        let call = Call {
            function: count_udaf(),
            arguments,
            is_distinct: false,
            filter: filter.cloned(),
            order_by: Vec::new(),
            nulls: None,
        };
        self.add(StateKind::Count, call, None)
    }

    fn sum(&mut self, call: &Call) -> Result<usize, Whole> {
        let argument = self.argument(call)?;
        match argument {
            DataType::Int32 | DataType::Decimal128(..) => {}
            floating if floating.is_floating() => return Err(Whole::Float),
            _ => return Err(Whole::Type),
        }
        let n_values = self.count(call.arguments.clone(), call.filter.as_ref())?;
        let call = Call {
            function: Arc::clone(&self.sum),
            ..call.clone()
        };
        self.add(StateKind::Sum, call, Some(n_values))
    }

    fn average(&mut self, call: &Call) -> Result<Expr, Whole> {
        let sum = self.sum(call)?;
        let n_values = self.states[sum].counted_by.ok_or(Whole::Fault)?;
        let given = call.to_expr().get_type(&self.schema);
        let average = given.ok().and_then(|given| functions::average_of(&given));
        let average = average.ok_or(Whole::Type)?;
        Ok(average.call(vec![state_column(sum), state_column(n_values)]))
    }

    /// A variance or its root: of a sum, a sum of squares and a count.
    fn spread(&mut self, call: &Call) -> Result<Expr, Whole> {
        let given = self.argument(call)?;
        let argument = call.arguments.first().ok_or(Whole::Fault)?;
        let squared = square(argument, &self.schema).ok_or(match given.is_floating() {
            true => Whole::Float,
            false => Whole::Type,
        })?;
        let of = |argument: Expr| Call {
            arguments: vec![argument],
            ..call.clone()
        };
        let number = as_number(argument, &self.schema).clone();
        let number = match number.get_type(&self.schema) {
            Ok(DataType::Int8 | DataType::Int16) => cast(number, DataType::Int32),
            _ => number,
        };
        let sum = self.sum(&of(number))?;
        let n_values = self.states[sum].counted_by.ok_or(Whole::Fault)?;
        let squares = Call {
            function: Arc::clone(&self.sum),
            ..of(squared)
        };
        let squares = self.add(StateKind::Sum, squares, Some(n_values))?;
        let spread = functions::spread_of(call.function.name()).ok_or(Whole::Fault)?;
        Ok(spread.call([sum, squares, n_values].map(state_column).into()))
    }

    fn extreme(&mut self, call: &Call, kind: StateKind) -> Result<usize, Whole> {
        match self.argument(call)? {
            exact if is_exact(&exact) => {}
            floating if floating.is_floating() => return Err(Whole::Float),
            _ => return Err(Whole::Type),
        }
        let argument = call.arguments.first().ok_or(Whole::Fault)?;
        let (_, field) = argument.to_field(&self.schema).map_err(|_| Whole::Fault)?;
        if kept(&field).is_some() {
            return Err(Whole::Type);
        }
        let n_values = self.count(call.arguments.clone(), call.filter.as_ref())?;
        self.add(kind, call.clone(), Some(n_values))
    }

    /// The type of what a call takes, if that is one thing.
    fn argument(&self, call: &Call) -> Result<DataType, Whole> {
        let [argument] = call.arguments.as_slice() else {
            return Err(Whole::Aggregate);
        };
        argument.get_type(&self.schema).map_err(|_| Whole::Fault)
    }

    fn type_of(&self, call: &Call) -> Result<DataType, Whole> {
        let given = call.to_expr().get_type(&self.schema);
        given.map_err(|_| Whole::Fault)
    }

    fn add(
        &mut self,
        kind: StateKind,
        call: Call,
        counted_by: Option<usize>,
    ) -> Result<usize, Whole> {
        let mut known = self.states.iter();
        if let Some(number) = known.position(|state| state.call == call) {
            return Ok(number);
        }
        let data_type = self.type_of(&call)?;
        self.states.push(State {
            kind,
            call,
            data_type,
            counted_by,
        });
        Ok(self.states.len() - 1)
    }
}

/// Whether equal values of a type are one value, and come back from a Delta table as they were.
fn is_exact(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Date32
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::Timestamp(TimeUnit::Microsecond, _) => true,
        DataType::Decimal128(precision, scale) => {
            u8::try_from(*scale).is_ok_and(|scale| scale <= *precision)
        }
        _ => false,
    }
}

/// NULL of a type.
pub(super) fn null(data_type: &DataType) -> Result<Expr, DataFusionError> {
    Ok(lit(ScalarValue::try_from(data_type)?))
}
