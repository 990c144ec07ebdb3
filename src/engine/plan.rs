//! Plans a pinned statement: our own step over DataFusion's SQL planner, which sees only what was pinned.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef, TimeUnit};
use datafusion::catalog::TableFunctionArgs;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, ScalarValue, TableReference};
use datafusion::datasource::{TableProvider, ViewTable, provider_as_source};
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF, TableSource,
    WindowUDF, cast,
};
use datafusion::sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, Query, Statement as SqlStatement, Visit, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::bind::{self, TableColumns};
use super::context::StatementContext;
use super::failure;
use super::output_name::fold;
use super::pin::Pinned;
use super::statement::Lines;
use crate::error::Result;
use crate::functions;

/// A statement planned over pinned relations.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) logical: LogicalPlan,
}

/// Plans a pinned statement. `parameters` are the types of `$1`, `$2` ...; an absent one is left
/// to DataFusion to infer.
pub(super) fn plan(
    pinned: &Pinned,
    parameters: &[Option<DataType>],
    lines: &Lines,
    state: &SessionState,
    context: &StatementContext,
) -> Result<Plan> {
    let mut query = pinned.query.clone();
    bind::bind(&mut query, &columns(pinned));
    let names =
        Names::new(pinned, state, context).map_err(|error| failure::from_datafusion(&error))?;
    known_functions(&query, &names, lines)?;
    let parameters: Vec<Option<FieldRef>> = parameters
        .iter()
        .map(|data_type| {
            let field = |data_type: &DataType| Arc::new(Field::new("", data_type.clone(), true));
            data_type.as_ref().map(field)
        })
        .collect();
    let mut planner = PlannerContext::new().with_prepare_param_data_types(parameters);
    let logical = SqlToRel::new_with_options(&names, parser_options(state))
        .sql_statement_to_plan_with_context(SqlStatement::Query(Box::new(query)), &mut planner)
        .map_err(|error| failure::in_statement(&error, lines))?;
    Ok(Plan { logical })
}

/// A function that nobody knows is its own error in PostgreSQL; the planner has one for all.
fn known_functions(query: &Query, names: &Names<'_>, lines: &Lines) -> Result<()> {
    let mut unknown = UnknownFunction { names };
    match query.visit(&mut unknown) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break((name, start)) => {
            Err(failure::undefined_function(&name).at(lines.position(start)))
        }
    }
}

struct UnknownFunction<'a> {
    names: &'a Names<'a>,
}

impl Visitor for UnknownFunction<'_> {
    type Break = (String, Location);

    fn pre_visit_expr(&mut self, expression: &SqlExpr) -> ControlFlow<Self::Break> {
        let SqlExpr::Function(function) = expression else {
            return ControlFlow::Continue(());
        };
        let Some(last) = function.name.0.last().and_then(|part| part.as_ident()) else {
            return ControlFlow::Continue(());
        };
        let name = fold(last);
        let known = self.names.get_function_meta(&name).is_some()
            || self.names.get_aggregate_meta(&name).is_some()
            || self.names.get_window_meta(&name).is_some()
            || self.names.get_higher_order_meta(&name).is_some()
            // The planner's own: it makes a list's elements rows.
            || name == "unnest";
        match known {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break((name, last.span.start)),
        }
    }
}

fn columns(pinned: &Pinned) -> TableColumns {
    let names = |schema: SchemaRef| {
        schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    };
    pinned
        .relations
        .iter()
        .map(|(reference, relation)| (reference.clone(), names(relation.provider.schema())))
        .collect()
}

fn parser_options(state: &SessionState) -> ParserOptions {
    let options = &state.config_options().sql_parser;
    ParserOptions {
        parse_float_as_decimal: options.parse_float_as_decimal,
        enable_ident_normalization: options.enable_ident_normalization,
        enable_options_value_normalization: options.enable_options_value_normalization,
        support_varchar_with_length: options.support_varchar_with_length,
        map_string_types_to_utf8view: options.map_string_types_to_utf8view,
        collect_spans: options.collect_spans,
        default_null_ordering: options.default_null_ordering.as_str().into(),
    }
}

/// What names mean to the planner: the pinned relations, and the functions of the session.
struct Names<'a> {
    state: &'a SessionState,
    relations: HashMap<TableReference, Arc<dyn TableSource>>,
    functions: HashMap<String, Arc<ScalarUDF>>,
}

impl<'a> Names<'a> {
    fn new(
        pinned: &Pinned,
        state: &'a SessionState,
        context: &StatementContext,
    ) -> datafusion::common::Result<Self> {
        let mut relations = HashMap::with_capacity(pinned.relations.len());
        for (reference, relation) in &pinned.relations {
            let provider = in_session_zone(&relation.provider, &context.time_zone)?;
            relations.insert(reference.clone(), provider_as_source(provider));
        }
        let functions = functions::of_session(&context.facts, &pinned.snapshot, &pinned.builtin)
            .into_iter()
            .map(|function| (function.name().to_owned(), function))
            .collect();
        Ok(Self {
            state,
            relations,
            functions,
        })
    }
}

/// A relation whose instants are in the session's zone, as PostgreSQL's are when their hours are
/// asked for or they are printed. The lake's own are in UTC, and stay so in a session in UTC.
fn in_session_zone(
    provider: &Arc<dyn TableProvider>,
    time_zone: &Arc<str>,
) -> datafusion::common::Result<Arc<dyn TableProvider>> {
    if time_zone.as_ref() == "UTC" {
        return Ok(Arc::clone(provider));
    }
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(time_zone)));
    cast_columns(provider, &zoned, |field| {
        matches!(field.data_type(), DataType::Timestamp(_, Some(_)))
    })
}

/// Whether an argument is an integer by PostgreSQL's reading: `generate_series(1, 3)` is of those.
fn is_integer(argument: &Expr) -> bool {
    let value = match argument {
        Expr::Literal(ScalarValue::Int64(Some(value)), _) => *value,
        Expr::Literal(ScalarValue::Int32(_), _) => return true,
        _ => return false,
    };
    i32::try_from(value).is_ok()
}

/// A relation with some of its columns cast to another type.
fn cast_columns(
    provider: &Arc<dyn TableProvider>,
    to: &DataType,
    which: impl Fn(&Field) -> bool,
) -> datafusion::common::Result<Arc<dyn TableProvider>> {
    let schema = provider.schema();
    if !schema.fields().iter().any(|field| which(field)) {
        return Ok(Arc::clone(provider));
    }
    let columns = schema.fields().iter().map(|field| {
        let column = Expr::Column(datafusion::common::Column::new_unqualified(field.name()));
        match which(field) {
            true => cast(column, to.clone()).alias(field.name()),
            false => column,
        }
    });
    let source = provider_as_source(Arc::clone(provider));
    let plan = LogicalPlanBuilder::scan("relation", source, None)?
        .project(columns)?
        .build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

impl ContextProvider for Names<'_> {
    fn get_table_source(
        &self,
        name: TableReference,
    ) -> datafusion::common::Result<Arc<dyn TableSource>> {
        let source = self.relations.get(&name).map(Arc::clone);
        source.ok_or_else(|| DataFusionError::Plan(format!("relation \"{name}\" was not pinned")))
    }

    fn get_table_function_source(
        &self,
        name: &str,
        arguments: Vec<Expr>,
    ) -> datafusion::common::Result<Arc<dyn TableSource>> {
        let function = self.state.table_functions().get(name).ok_or_else(|| {
            let error = failure::undefined_function(name);
            DataFusionError::External(Box::new(error))
        })?;
        let narrow = arguments.iter().all(is_integer);
        let arguments = TableFunctionArgs::new(&arguments, self.state);
        let provider = function.create_table_provider_with_args(arguments)?;
        let provider = match narrow {
            true => cast_columns(&provider, &DataType::Int32, |field| {
                *field.data_type() == DataType::Int64
            })?,
            false => provider,
        };
        Ok(provider_as_source(provider))
    }

    fn create_cte_work_table(
        &self,
        name: &str,
        schema: SchemaRef,
    ) -> datafusion::common::Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(
            name, schema,
        ))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(super::type_planner::PostgresTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let of_session = self.functions.get(name);
        of_session
            .or_else(|| self.state.scalar_functions().get(name))
            .map(Arc::clone)
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state
            .higher_order_functions()
            .get(name)
            .map(Arc::clone)
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).map(Arc::clone)
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).map(Arc::clone)
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        let of_session = self.functions.keys();
        of_session
            .chain(self.state.scalar_functions().keys())
            .cloned()
            .collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state
            .higher_order_functions()
            .keys()
            .cloned()
            .collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}
