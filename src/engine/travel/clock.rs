//! Computes which moment is meant: by a clause of a statement, by a quoted name, or by the session.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, Utc};
use datafusion::common::{DFSchema, ParamValues, ScalarValue};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr as PlannedExpr, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::planner::{PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast::{Expr, TableVersion, Value, Visitor};

use super::Point;
use crate::catalog::Catalog;
use crate::catalog::Snapshot;
use crate::catalog::sql::Lines;
use crate::engine::context::StatementContext;
use crate::engine::parameters::Parameter;
use crate::engine::plan::{self, Plan};
use crate::engine::planner_names::{Names, SessionFunctions};
use crate::engine::session_state::StatementState;
use crate::engine::walk::walk;
use crate::engine::{execute, failure, typed_literals};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::output::Style;
use crate::functions::{self, input};
use crate::types::{self, oid};

/// The setting that says at which moment a session reads.
pub(in crate::engine) const AS_OF: &str = "lakegate.as_of";

/// The setting that says what becomes of relations without history.
const AS_OF_MODE: &str = "lakegate.as_of_mode";

/// The word for what is newest.
const NOW: &str = "now";

/// What moments are computed with.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Clock<'a> {
    pub(in crate::engine) catalog: &'a Catalog,
    pub(in crate::engine) state: &'a StatementState<'a>,
    pub(in crate::engine) context: &'a StatementContext,
    /// The values of `$1`, `$2` ...; none where the statement is only described.
    pub(in crate::engine) values: &'a [Parameter],
    /// Whether the session's own moment holds. Definitions are of what is there now.
    pub(in crate::engine) heeds_session: bool,
}

/// What kind of moment a value says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    Version,
    Instant,
    /// What its type is.
    Either,
}

/// Whether a session reads at a moment of its own.
pub(in crate::engine) fn looks_back(context: &StatementContext) -> bool {
    let said = context.facts.settings.get(AS_OF);
    said.is_some_and(|said| !said.trim().is_empty())
}

impl Clock<'_> {
    /// The moment that a clause means. Where values of parameters are not known yet, it is the latest:
    /// what is described by it is compared once more when it is run.
    ///
    /// # Errors
    /// `UndefinedColumn` and others of the expression; `InvalidParameterValue` for a moment that is to
    /// come; `DatatypeMismatch` for what is no moment.
    pub(in crate::engine) fn point(
        &self,
        version: &TableVersion,
        snapshot: &Arc<Snapshot>,
        lines: &Lines,
    ) -> Result<Point> {
        let (says, value) = match version {
            TableVersion::VersionAsOf(value) => (Says::Version, value),
            TableVersion::TimestampAsOf(value) => (Says::Instant, value),
            TableVersion::ForSystemTimeAsOf(value) => (Says::Either, value),
            _ => return Err(Error::unsupported("this kind of time travel")),
        };
        let value = match plain(value) {
            Some(value) => value,
            None => match self.value(value, snapshot, lines)? {
                Some(value) => value,
                None => return Ok(Point::Latest),
            },
        };
        self.meant(says, &value, snapshot)
    }

    /// The moment that the session reads at.
    ///
    /// # Errors
    /// `InvalidParameterValue`: the setting says none.
    pub(in crate::engine) fn of_session(&self, snapshot: &Snapshot) -> Result<Point> {
        let said = self.context.facts.settings.get(AS_OF);
        match said.map_or("", |said| said.trim()) {
            "" => Ok(Point::Latest),
            said => self.of_text(said, snapshot, &self.context.facts.style),
        }
    }

    /// Whether the session reads at a moment of its own.
    pub(in crate::engine) fn looks_back(&self) -> bool {
        looks_back(self.context)
    }

    /// Whether relations without history are read as they are.
    pub(in crate::engine) fn is_mixed(&self) -> bool {
        let mode = self.context.facts.settings.get(AS_OF_MODE);
        mode.is_some_and(|mode| mode == "mixed")
    }

    /// The moment behind the `@` of a quoted name: a version, an instant in UTC, or a snapshot.
    ///
    /// # Errors
    /// `UndefinedObject`: there is no such snapshot; `InvalidParameterValue`.
    pub(in crate::engine) fn of_name(&self, said: &str, snapshot: &Snapshot) -> Result<Point> {
        let digits = said.strip_prefix(['v', 'V']).unwrap_or_default();
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return version_of(digits);
        }
        self.of_text(said, snapshot, &Style::default())
    }

    /// Whether a snapshot may be called so: nothing else that is said behind an `@` is.
    pub(in crate::engine) fn could_name(&self, name: &str) -> bool {
        let digits = name.strip_prefix(['v', 'V']).unwrap_or("x");
        let is_version = digits.bytes().all(|byte| byte.is_ascii_digit());
        let style = Style::default();
        let is_instant = || match input::value(name, oid::TIMESTAMPTZ, &style) {
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::InvalidDatetimeFormat,
        };
        let is_now = name.eq_ignore_ascii_case(NOW);
        is_word(name) && !name.contains('@') && !is_version && !is_now && !is_instant()
    }

    /// A snapshot's name, else an instant.
    fn of_text(&self, said: &str, snapshot: &Snapshot, style: &Style) -> Result<Point> {
        if let Some(saved) = snapshot.views.snapshots.get(said) {
            return Ok(Point::Saved(Arc::clone(saved)));
        }
        if said.eq_ignore_ascii_case(NOW) {
            return Ok(Point::Latest);
        }
        match input::value(said, oid::TIMESTAMPTZ, style) {
            Ok(value) => self.instant(&value),
            Err(error) if is_word(said) && error.kind() == ErrorKind::InvalidDatetimeFormat => {
                let message = format!("snapshot \"{said}\" does not exist");
                Err(Error::new(ErrorKind::UndefinedObject, message))
            }
            Err(error) => Err(error),
        }
    }

    fn meant(&self, says: Says, value: &ScalarValue, snapshot: &Snapshot) -> Result<Point> {
        if value.is_null() {
            let message = "the moment of a table must not be null";
            return Err(Error::new(ErrorKind::NullValueNotAllowed, message));
        }
        if let Some(Some(said)) = value.try_as_str() {
            return match says {
                Says::Version | Says::Either if said.bytes().all(|byte| byte.is_ascii_digit()) => {
                    version_of(said)
                }
                _ => self.of_text(said, snapshot, &self.context.facts.style),
            };
        }
        let is_whole = value.data_type().is_integer();
        match says {
            Says::Version | Says::Either if is_whole => version_of(&value.to_string()),
            Says::Instant | Says::Either if is_moment(&value.data_type()) => self.instant(value),
            _ => {
                let (clause, wanted) = match says {
                    Says::Version => ("VERSION", "bigint"),
                    Says::Instant | Says::Either => ("TIMESTAMP", "timestamp with time zone"),
                };
                let is = types::of_arrow(&value.data_type());
                let is = types::format_type(is.oid, -1).unwrap_or_default();
                let message =
                    format!("argument of {clause} AS OF must be type {wanted}, not type {is}");
                Err(Error::new(ErrorKind::DatatypeMismatch, message))
            }
        }
    }

    /// A date, a timestamp or an instant; what has no zone is of the session's.
    fn instant(&self, value: &ScalarValue) -> Result<Point> {
        let has_zone = matches!(value.data_type(), DataType::Timestamp(_, Some(_)));
        let plain = value
            .cast_to(&DataType::Timestamp(TimeUnit::Microsecond, None))
            .map_err(|error| failure::from_datafusion(&error))?;
        let ScalarValue::TimestampMicrosecond(Some(micros), _) = plain else {
            return Err(out_of_range());
        };
        let zone = self.context.facts.style.zone;
        let offset = match has_zone {
            true => Some(0),
            false => zone.offset_at_local(micros),
        };
        let micros = offset.and_then(|seconds| micros.checked_sub(seconds.checked_mul(1_000_000)?));
        let instant = micros.and_then(DateTime::<Utc>::from_timestamp_micros);
        let instant = instant.ok_or_else(out_of_range)?;
        match instant > Utc::now() {
            true => {
                let shown = instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
                let message = format!("the instant {shown} has not come yet");
                Err(Error::new(ErrorKind::InvalidParameterValue, message))
            }
            false => Ok(Point::Instant(instant)),
        }
    }

    /// The value of an expression; `None` if a parameter in it has none yet.
    fn value(
        &self,
        value: &Expr,
        snapshot: &Arc<Snapshot>,
        lines: &Lines,
    ) -> Result<Option<ScalarValue>> {
        let n_parameters = highest_parameter(value);
        if n_parameters > self.values.len() {
            return Ok(None);
        }
        let facts = &self.context.facts;
        typed_literals::check(value, lines, &facts.style)?;
        let builtin = self.catalog.builtin();
        let functions =
            SessionFunctions::new(|| functions::of_session(facts, snapshot, builtin, None));
        let names = Names {
            state: self.state,
            relations: HashMap::new(),
            functions: &functions,
            values: self.values,
        };
        let fields = self.values.iter().map(|value| Some(value.field()));
        let mut planner = PlannerContext::new().with_prepare_param_data_types(fields.collect());
        let planned = SqlToRel::new_with_options(&names, plan::parser_options(self.state))
            .sql_to_expr(value.clone(), &DFSchema::empty(), &mut planner)
            .map_err(|error| failure::in_statement(&error, lines))?;
        let values = self.values.iter().cloned().map(Parameter::into_scalar);
        let logical = LogicalPlanBuilder::empty(true)
            .project([planned.alias("moment")])
            .and_then(LogicalPlanBuilder::build)
            .and_then(|plan| plan.replace_params_with_values(&ParamValues::List(values.collect())))
            .map_err(|error| failure::in_statement(&error, lines))?;
        let analyzed = execute::analyzed(&Plan { logical }, self.state)?;
        self.constant(&analyzed).map(Some)
    }

    /// The one value of an analyzed plan, which depends on no row.
    fn constant(&self, analyzed: &LogicalPlan) -> Result<ScalarValue> {
        let changing = || Error::unsupported("a moment that is computed of what is no constant");
        let LogicalPlan::Projection(projection) = analyzed else {
            return Err(changing());
        };
        let [value] = projection.expr.as_slice() else {
            return Err(changing());
        };
        let started = self.state.execution_props().query_execution_start_time;
        let context = SimplifyContext::builder()
            .with_config_options(Arc::clone(self.state.config_options()))
            .with_schema(Arc::new(DFSchema::empty()))
            .with_query_execution_start_time(started)
            .build();
        let value = ExprSimplifier::new(context)
            .simplify(value.clone().unalias())
            .map_err(|error| failure::from_datafusion(&error))?;
        match value {
            PlannedExpr::Literal(value, _) => Ok(value),
            _ => Err(changing()),
        }
    }
}

/// Whether a clause says the number of a version, and so means the same whenever, and by whomever, it is said.
pub(in crate::engine) fn is_number(version: &TableVersion) -> bool {
    match version {
        TableVersion::VersionAsOf(value) => matches!(plain(value), Some(ScalarValue::Int64(_))),
        _ => false,
    }
}

/// The value of a literal.
fn plain(value: &Expr) -> Option<ScalarValue> {
    match value {
        Expr::Nested(inner) => plain(inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(ScalarValue::from(text.as_str())),
            Value::Number(digits, _) => digits.parse::<i64>().ok().map(ScalarValue::from),
            _ => None,
        },
        _ => None,
    }
}

fn version_of(digits: &str) -> Result<Point> {
    match digits.parse() {
        Ok(version) => Ok(Point::Version(version)),
        Err(_) => {
            let message = format!("version {digits} is out of range");
            Err(Error::new(ErrorKind::InvalidParameterValue, message))
        }
    }
}

fn is_moment(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date32)
}

/// Whether a text could be the name of a snapshot: no instant begins with a letter.
fn is_word(said: &str) -> bool {
    said.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn out_of_range() -> Error {
    Error::new(ErrorKind::DatetimeFieldOverflow, "timestamp out of range")
}

/// The highest number of a parameter in an expression; 0 if there is none.
fn highest_parameter(value: &Expr) -> usize {
    #[derive(Default)]
    struct Finder(usize);
    impl Visitor for Finder {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &Expr) -> std::ops::ControlFlow<()> {
            if let Expr::Value(value) = expression
                && let Value::Placeholder(name) = &value.value
            {
                let number = name
                    .strip_prefix('$')
                    .and_then(|number| number.parse().ok());
                self.0 = self.0.max(number.unwrap_or_default());
            }
            std::ops::ControlFlow::Continue(())
        }
    }
    let mut finder = Finder::default();
    let _: std::ops::ControlFlow<()> = walk(value, &mut finder);
    finder.0
}
