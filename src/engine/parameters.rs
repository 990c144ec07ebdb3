//! The types of `$1`, `$2` ...: as the client declared them, else as the statement uses them, else text.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{
    self, Expr, LimitClause, Query, Value, ValueWithSpan, Visit, Visitor,
};

use super::Scene;
use super::failure;
use super::plan;
use super::type_planner::PostgresTypes;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{self, oid};

/// More than the protocol can carry in a Bind message (its count is an int16, read unsigned).
const NUMBER_MAX: usize = 65_535;

/// The Arrow type of every parameter of a statement. `declared` are OIDs; 0 is undeclared.
pub(super) fn types(scene: &Scene<'_>, declared: &[u32]) -> Result<Vec<DataType>> {
    let mut found = Found::default();
    let _: ControlFlow<()> = scene.query.visit(&mut found);
    if found.number_max > NUMBER_MAX {
        let message = format!("there is no parameter ${}", found.number_max);
        return Err(Error::new(ErrorKind::UndefinedParameter, message));
    }
    let n_parameters = found.number_max.max(declared.len());
    let mut known: Vec<Option<DataType>> = Vec::with_capacity(n_parameters);
    for number in 1..=n_parameters {
        let declared = declared
            .get(number - 1)
            .copied()
            .filter(|oid| *oid != 0 && *oid != oid::UNKNOWN);
        known.push(match declared {
            Some(oid) => Some(arrow_type(oid)?),
            None => found.types.get(&number).cloned(),
        });
    }
    if known.iter().any(Option::is_none) {
        infer(&mut known, scene)?;
    }
    Ok(known
        .into_iter()
        .map(|known| known.unwrap_or(DataType::Utf8))
        .collect())
}

fn arrow_type(oid: u32) -> Result<DataType> {
    types::arrow_type(oid).ok_or_else(|| Error::unsupported(format!("a parameter of type {oid}")))
}

/// Asks DataFusion what it would take the open parameters for, by what they are compared with.
fn infer(known: &mut [Option<DataType>], scene: &Scene<'_>) -> Result<()> {
    let plan = plan::plan(scene, known)?;
    let inferred = plan
        .logical
        .get_parameter_types()
        .map_err(|error| failure::from_datafusion(&error))?;
    for (index, known) in known
        .iter_mut()
        .enumerate()
        .filter(|(_, known)| known.is_none())
    {
        let inferred = inferred.get(&format!("${}", index + 1)).cloned().flatten();
        *known = inferred.and_then(|inferred| types::arrow_type(types::of_arrow(&inferred).oid));
    }
    Ok(())
}

/// What the text alone says: the highest number, casts of parameters, and LIMIT and OFFSET.
#[derive(Default)]
struct Found {
    number_max: usize,
    types: BTreeMap<usize, DataType>,
}

impl Visitor for Found {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause else {
            return ControlFlow::Continue(());
        };
        let counts = limit
            .iter()
            .chain(offset.iter().map(|offset| &offset.value));
        for number in counts.filter_map(number) {
            self.types.entry(number).or_insert(DataType::Int64);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::Cast {
                expr, data_type, ..
            } => {
                if let (Some(number), Some(data_type)) = (number(expr), cast_type(data_type)) {
                    self.types.entry(number).or_insert(data_type);
                }
            }
            other => {
                let number = number(other).unwrap_or_default();
                self.number_max = self.number_max.max(number);
            }
        }
        ControlFlow::Continue(())
    }
}

/// The number of a parameter.
fn number(expression: &Expr) -> Option<usize> {
    match expression {
        Expr::Value(ValueWithSpan {
            value: Value::Placeholder(name),
            ..
        }) => name.strip_prefix('$')?.parse().ok(),
        Expr::Nested(inner) => number(inner),
        _ => None,
    }
}

fn cast_type(data_type: &ast::DataType) -> Option<DataType> {
    let simple = match data_type {
        ast::DataType::SmallInt(_) | ast::DataType::Int2(_) => oid::INT2,
        ast::DataType::Int(_) | ast::DataType::Integer(_) | ast::DataType::Int4(_) => oid::INT4,
        ast::DataType::BigInt(_) | ast::DataType::Int8(_) => oid::INT8,
        ast::DataType::Real | ast::DataType::Float4 => oid::FLOAT4,
        ast::DataType::DoublePrecision | ast::DataType::Float8 => oid::FLOAT8,
        ast::DataType::Numeric(_) | ast::DataType::Decimal(_) => oid::NUMERIC,
        ast::DataType::Boolean | ast::DataType::Bool => oid::BOOL,
        ast::DataType::Date => oid::DATE,
        other => {
            let planned = PostgresTypes.plan_type_field(other).ok().flatten();
            return planned.map(|field| field.data_type().clone());
        }
    };
    types::arrow_type(simple)
}
