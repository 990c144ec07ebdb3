//! The types of `$1`, `$2` ...: as the client declared them, else as the statement uses them, else text.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit};
use datafusion::common::ScalarValue;
use datafusion::common::metadata::{FieldMetadata, ScalarAndMetadata};
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, LimitClause, Query, TableFactor,
    TableVersion, Value, ValueWithSpan, Visitor,
};

use super::Scene;
use super::failure;
use super::plan;
use super::rules::normalize::last_part;
use super::type_planner::PostgresTypes;
use crate::engine::walk::walk;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::SERIES_LIST;
use crate::types::{self, PgType, TYPE_KEY, oid};

/// More than the protocol can carry in a Bind message (its count is an int16, read unsigned).
const NUMBER_MAX: usize = 65_535;

/// A parameter's type, as its values are held and as clients know it.
#[derive(Clone, Debug)]
pub(super) struct ParameterType {
    pub(super) data_type: DataType,
    pub(super) pg_type: PgType,
}

/// What a parameter stands for.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its value.
    pub value: ScalarValue,
    /// The OID of its type, which tells JSON from text.
    pub oid: u32,
}

impl ParameterType {
    /// The field by which the planner knows the parameter.
    pub(super) fn field(&self) -> FieldRef {
        field(&self.data_type, self.pg_type.oid)
    }
}

impl Parameter {
    /// As [`ParameterType::field`].
    pub(super) fn field(&self) -> FieldRef {
        field(&self.value.data_type(), self.oid)
    }

    /// The value and its type's name for the planner.
    pub(super) fn into_scalar(self) -> ScalarAndMetadata {
        let field = self.field();
        let metadata =
            (!field.metadata().is_empty()).then(|| FieldMetadata::new_from_field(&field));
        ScalarAndMetadata::new(self.value, metadata)
    }
}

/// A field of a type that its values alone do not tell.
fn field(data_type: &DataType, pg_oid: u32) -> FieldRef {
    let field = Field::new("", data_type.clone(), true);
    let is_kept = *data_type == DataType::Binary && pg_oid != oid::BYTEA;
    let is_other_array = types::element_of(pg_oid).is_some()
        && types::of_field(&field).oid != pg_oid
        && matches!(data_type, DataType::List(_));
    let is_named = is_kept
        || is_other_array
        || matches!(
            pg_oid,
            oid::JSON | oid::JSONB | oid::UUID | oid::NAME | oid::XID | oid::VARCHAR | oid::BPCHAR
        );
    Arc::new(match is_named {
        true => field.with_metadata([(TYPE_KEY.to_owned(), pg_oid.to_string())].into()),
        false => field,
    })
}

/// The type of every parameter of a statement. `declared` are OIDs; 0 is undeclared.
pub(super) fn types(scene: &Scene<'_>, declared: &[u32]) -> Result<Vec<ParameterType>> {
    let mut found = Found::default();
    let _: ControlFlow<()> = walk(scene.query, &mut found);
    if found.number_max > NUMBER_MAX {
        let message = format!("there is no parameter ${}", found.number_max);
        return Err(Error::new(ErrorKind::UndefinedParameter, message));
    }
    let n_parameters = found.number_max.max(declared.len());
    let declared = |number: usize| {
        let declared = declared.get(number - 1).copied();
        declared.filter(|oid| *oid != 0 && *oid != oid::UNKNOWN)
    };
    let mut known: Vec<Option<DataType>> = Vec::with_capacity(n_parameters);
    for number in 1..=n_parameters {
        let named = declared(number).or_else(|| found.named.get(&number).copied());
        known.push(match named {
            Some(oid) => Some(arrow_type(oid)?),
            None => found.types.get(&number).cloned(),
        });
    }
    let mut named: Vec<u32> = (1..=n_parameters)
        .map(|number| declared(number).or_else(|| found.named.get(&number).copied()))
        .map(Option::unwrap_or_default)
        .collect();
    if known.iter().any(Option::is_none) {
        infer(&mut known, &mut named, scene)?;
    }
    let parameters = known.into_iter().zip(named).map(|(known, named)| {
        let data_type = known.unwrap_or(DataType::Utf8);
        let pg_type = match named {
            0 => types::of_arrow(&data_type),
            named => PgType::of(named),
        };
        ParameterType { data_type, pg_type }
    });
    Ok(parameters.collect())
}

fn arrow_type(oid: u32) -> Result<DataType> {
    types::arrow_type(oid).ok_or_else(|| Error::unsupported(format!("a parameter of type {oid}")))
}

/// Asks DataFusion what it would take the open parameters for, by what they are compared with.
fn infer(known: &mut [Option<DataType>], named: &mut [u32], scene: &Scene<'_>) -> Result<()> {
    let fields: Vec<Option<FieldRef>> = known
        .iter()
        .zip(named.iter())
        .map(|(known, named)| known.as_ref().map(|data_type| field(data_type, *named)))
        .collect();
    let plan = plan::plan(scene, fields)?;
    let inferred = plan
        .logical
        .get_parameter_fields()
        .map_err(|error| failure::from_datafusion(&error))?;
    for (index, known) in known
        .iter_mut()
        .enumerate()
        .filter(|(_, known)| known.is_none())
    {
        let inferred = inferred.get(&format!("${}", index + 1)).cloned().flatten();
        let Some(inferred) = inferred else { continue };
        let of = types::of_field(&inferred).oid;
        let element = types::element_of(of).unwrap_or(of);
        let is_array = element != of;
        if is_array
            || types::is_kept(element)
            || types::kept(&inferred).is_some()
            || element == oid::UUID
        {
            named[index] = of;
        }
        *known = match inferred.data_type() {
            // One OID has lists of every depth.
            list @ DataType::List(_) => Some(list.clone()),
            data_type => types::arrow_type(match named[index] {
                0 => types::of_arrow(data_type).oid,
                named => named,
            }),
        };
    }
    Ok(())
}

/// What the text alone says: the highest number, casts of parameters, and LIMIT and OFFSET.
#[derive(Default)]
struct Found {
    number_max: usize,
    types: BTreeMap<usize, DataType>,
    /// OIDs of types that are texts to Arrow.
    named: BTreeMap<usize, u32>,
}

/// Casts that are functions (`rules::normalize`), and the types of what they take.
const CASTING: &[(&str, u32)] = &[
    ("bpchar", oid::BPCHAR),
    ("json", oid::JSON),
    ("jsonb", oid::JSONB),
    ("name", oid::NAME),
    ("numeric", oid::NUMERIC),
    ("uuid", oid::UUID),
    ("varchar", oid::VARCHAR),
];

/// Functions of one argument whose type DataFusion does not ask them for.
const ARGUMENTS: &[(&str, u32)] = &[
    ("pg_cancel_backend", oid::INT4),
    ("pg_sleep", oid::FLOAT8),
    ("pg_terminate_backend", oid::INT4),
];

impl Visitor for Found {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            version: Some(version),
            ..
        } = factor
        {
            self.moment(version);
        }
        let called = match factor {
            TableFactor::Table {
                name,
                args: Some(given),
                ..
            } => Some((name, &given.args)),
            TableFactor::Function { name, args, .. } => Some((name, args)),
            _ => None,
        };
        if let Some((name, given)) = called {
            self.series(&last_part(name), given);
        }
        ControlFlow::Continue(())
    }

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
                if let (Some(number), Some(oid)) = (number(expr), named_type(data_type)) {
                    self.named.entry(number).or_insert(oid);
                } else if let (Some(number), Some(data_type)) = (number(expr), cast_type(data_type))
                {
                    self.types.entry(number).or_insert(data_type);
                }
            }
            Expr::Function(function) => {
                if let Some((number, oid)) = cast_by_function(function) {
                    self.named.entry(number).or_insert(oid);
                }
                if let FunctionArguments::List(list) = &function.args {
                    self.series(&last_part(&function.name), &list.args);
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

impl Found {
    /// A parameter that says at which moment a table is read.
    fn moment(&mut self, version: &TableVersion) {
        let (value, oid) = match version {
            TableVersion::VersionAsOf(value) => (value, oid::INT8),
            TableVersion::TimestampAsOf(value) => (value, oid::TIMESTAMPTZ),
            _ => return,
        };
        if let Some(number) = number(value) {
            self.named.entry(number).or_insert(oid);
        }
    }

    /// The parameters of `generate_series`: of the types that it has for its other arguments.
    fn series(&mut self, name: &str, given: &[FunctionArg]) {
        if name != "generate_series" && name != SERIES_LIST {
            return;
        }
        let given = given.iter().filter_map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
            _ => None,
        });
        let given: Vec<&Expr> = given.collect();
        let mut known: Vec<DataType> = given.iter().filter_map(|it| evident_type(it)).collect();
        known.sort_by_key(|data_type| *data_type != DataType::Int64);
        let Some(bound) = known.first() else { return };
        for (index, expression) in given.into_iter().enumerate() {
            let Some(number) = number(expression) else {
                continue;
            };
            let data_type = match (bound.is_integer(), index) {
                (false, 2) => DataType::Interval(IntervalUnit::MonthDayNano),
                _ => bound.clone(),
            };
            self.types.entry(number).or_insert(data_type);
        }
    }
}

/// The type of a whole number or of a cast.
fn evident_type(expression: &Expr) -> Option<DataType> {
    match expression {
        Expr::Value(ValueWithSpan {
            value: Value::Number(digits, _),
            ..
        }) => match digits.parse::<i32>() {
            Ok(_) => Some(DataType::Int32),
            Err(_) => digits.parse::<i64>().is_ok().then_some(DataType::Int64),
        },
        Expr::Cast { data_type, .. } => cast_type(data_type),
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => evident_type(inner),
        _ => None,
    }
}

/// The parameter that a function is called with, and the type that it has by that.
fn cast_by_function(function: &ast::Function) -> Option<(usize, u32)> {
    let name = function.name.to_string();
    let mut known = CASTING.iter().chain(ARGUMENTS);
    let (_, oid) = known.find(|(known, _)| *known == name)?;
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    match list.args.as_slice() {
        // Behind it there may be a length.
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)), ..] => {
            Some((number(argument)?, *oid))
        }
        _ => None,
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

/// The OID of a type that has a name of its own, whatever its values are to Arrow.
fn named_type(data_type: &ast::DataType) -> Option<u32> {
    let planned = PostgresTypes.plan_type_field(data_type).ok().flatten()?;
    let is_named = planned.metadata().contains_key(TYPE_KEY);
    is_named.then(|| types::of_field(&planned).oid)
}

/// The OID of a type as written; `None` if there is none of this name.
pub(super) fn type_of(data_type: &ast::DataType) -> Option<u32> {
    match data_type {
        // Kept as text, and still of their own name to a client.
        ast::DataType::Varchar(_) | ast::DataType::CharacterVarying(_) => Some(oid::VARCHAR),
        ast::DataType::Char(_) | ast::DataType::Character(_) => Some(oid::BPCHAR),
        _ if named_type(data_type).is_some() => named_type(data_type),
        _ => cast_type(data_type).map(|data_type| types::of_arrow(&data_type).oid),
    }
}

fn cast_type(data_type: &ast::DataType) -> Option<DataType> {
    if let ast::DataType::Array(ast::ArrayElemTypeDef::SquareBracket(element, _)) = data_type {
        return Some(DataType::new_list(cast_type(element)?, true));
    }
    let simple = match data_type {
        ast::DataType::SmallInt(_) | ast::DataType::Int2(_) => oid::INT2,
        ast::DataType::Int(_) | ast::DataType::Integer(_) | ast::DataType::Int4(_) => oid::INT4,
        ast::DataType::BigInt(_) | ast::DataType::Int8(_) => oid::INT8,
        ast::DataType::Real | ast::DataType::Float4 => oid::FLOAT4,
        ast::DataType::DoublePrecision | ast::DataType::Float8 => oid::FLOAT8,
        ast::DataType::Numeric(_) | ast::DataType::Decimal(_) => oid::NUMERIC,
        ast::DataType::Boolean | ast::DataType::Bool => oid::BOOL,
        ast::DataType::Date => oid::DATE,
        ast::DataType::Bytea => oid::BYTEA,
        other => {
            let planned = PostgresTypes.plan_type_field(other).ok().flatten();
            return planned.map(|field| field.data_type().clone());
        }
    };
    types::arrow_type(simple)
}
