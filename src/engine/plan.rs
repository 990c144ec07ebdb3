//! Plans a pinned statement: our own step over DataFusion's SQL planner, which sees only what was pinned.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::TableFunctionArgs;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, TableReference};
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
use super::columns_read::{NamesOnly, columns_read};
use super::context::StatementContext;
use super::failure;
use super::nearest::{hint, nearest};
use super::ordinals;
use super::output_name::fold;
use super::pin::{Pinned, PinnedRelation, PinnedView, Relations};
use super::references::{Limits, in_view};
use super::rules::json_uses;
use super::{Parameter, Scene, table_arguments, typed_literals};
use crate::catalog::sql::Lines;
use crate::catalog::views::{View, permission_denied};
use crate::error::{Error, ErrorKind, Result};
use crate::functions;

/// A statement planned over pinned relations.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) logical: LogicalPlan,
}

/// Plans a pinned statement. `parameters` are the types of `$1`, `$2` ...; an absent one is left
/// to DataFusion to infer.
pub(super) fn plan(scene: &Scene<'_>, parameters: Vec<Option<FieldRef>>) -> Result<Plan> {
    let mut planning = Planning::new(scene.pinned, scene.state, scene.context);
    planning.values = scene.values;
    let relations = &scene.pinned.relations;
    let limits = &scene.pinned.limits;
    let logical = planning.query(scene.query, (relations, limits), scene.lines, parameters)?;
    Ok(Plan { logical })
}

/// The columns of the one view that was pinned for itself. The position of an error is one of the
/// view's query.
pub(super) fn columns_of_view(
    pinned: &Pinned,
    state: &SessionState,
    context: &StatementContext,
) -> Result<SchemaRef> {
    let view = pinned
        .relations
        .values()
        .find_map(|relation| match relation {
            PinnedRelation::View(view) => Some(view),
            PinnedRelation::Table(_) => None,
        });
    let mut planning = Planning::new(pinned, state, context);
    match view {
        Some(view) => Ok(planning.plan_view(view)?.schema()),
        None => Ok(Arc::new(Schema::empty())),
    }
}

/// The planning of one statement and the views below it, each once.
struct Planning<'a> {
    state: &'a SessionState,
    context: &'a StatementContext,
    functions: HashMap<String, Arc<ScalarUDF>>,
    /// Those of the statement's parameters, where they are known.
    values: &'a [Parameter],
    /// By OID.
    views: HashMap<u32, Arc<dyn TableProvider>>,
}

impl<'a> Planning<'a> {
    fn new(pinned: &Pinned, state: &'a SessionState, context: &'a StatementContext) -> Self {
        let functions = functions::of_session(
            &context.facts,
            &pinned.snapshot,
            &pinned.builtin,
            pinned.inventory.as_ref(),
        );
        let functions = functions.into_iter();
        Self {
            state,
            context,
            functions: functions
                .map(|function| (function.name().to_owned(), function))
                .collect(),
            values: &[],
            views: HashMap::new(),
        }
    }

    fn query(
        &mut self,
        query: &Query,
        (relations, limits): (&Relations, &Limits),
        lines: &Lines,
        parameters: Vec<Option<FieldRef>>,
    ) -> Result<LogicalPlan> {
        typed_literals::check(query, lines, &self.context.facts.style)?;
        let mut providers = HashMap::with_capacity(relations.len());
        for (name, relation) in relations {
            providers.insert(name.clone(), self.provider(relation)?);
        }
        let mut query = query.clone();
        bind::bind(&mut query, &columns(&providers));
        let names = Names {
            state: self.state,
            functions: &self.functions,
            values: self.values,
            relations: providers
                .into_iter()
                .map(|(name, provider)| (name, provider_as_source(provider)))
                .collect(),
        };
        ordinals::check(&query, lines)?;
        known_functions(&query, &names, lines)?;
        if !limits.is_empty() {
            self.within_limits(&query, &names, limits, lines, parameters.clone())?;
        }
        let mut planner = PlannerContext::new().with_prepare_param_data_types(parameters);
        SqlToRel::new_with_options(&names, parser_options(self.state))
            .sql_statement_to_plan_with_context(SqlStatement::Query(Box::new(query)), &mut planner)
            .and_then(json_uses::check)
            .map_err(|error| failure::in_statement(&error, lines))
    }

    /// Refuses a query that names columns which may not be read.
    fn within_limits(
        &self,
        query: &Query,
        names: &Names<'_>,
        limits: &Limits,
        lines: &Lines,
        parameters: Vec<Option<FieldRef>>,
    ) -> Result<()> {
        let relations = names.relations.iter().map(|(name, source)| {
            let names_only: Arc<dyn TableSource> = Arc::new(NamesOnly(source.schema()));
            (name.clone(), names_only)
        });
        let names = Names {
            state: self.state,
            functions: &self.functions,
            relations: relations.collect(),
            values: self.values,
        };
        let query = SqlStatement::Query(Box::new(query.clone()));
        let mut planner = PlannerContext::new().with_prepare_param_data_types(parameters);
        let plan = SqlToRel::new_with_options(&names, parser_options(self.state))
            .sql_statement_to_plan_with_context(query, &mut planner)
            .map_err(|error| failure::in_statement(&error, lines))?;
        let read = columns_read(&plan);
        for (reference, limit) in limits {
            let read = read.get(reference).into_iter().flatten();
            if read
                .into_iter()
                .any(|column| !limit.columns.contains(column))
            {
                return Err(permission_denied(limit.kind, &limit.name));
            }
        }
        Ok(())
    }

    fn provider(&mut self, relation: &PinnedRelation) -> Result<Arc<dyn TableProvider>> {
        match relation {
            PinnedRelation::Table(table) => {
                in_session_zone(&table.provider, &self.context.time_zone)
                    .map_err(|error| failure::from_datafusion(&error))
            }
            PinnedRelation::View(view) => {
                if let Some(planned) = self.views.get(&view.oid) {
                    return Ok(Arc::clone(planned));
                }
                let planned = self.plan_view(view);
                let planned = planned.map_err(|error| in_view(error, &view.view))?;
                self.views.insert(view.oid, Arc::clone(&planned));
                Ok(planned)
            }
        }
    }

    /// A view as a relation with the columns that its definition names.
    fn plan_view(&mut self, view: &PinnedView) -> Result<Arc<dyn TableProvider>> {
        let relations = (&view.relations, &view.limits);
        let plan = self.query(&view.query, relations, &view.lines, Vec::new())?;
        let columns = view_columns(&plan, &view.view)?;
        let plan = LogicalPlanBuilder::from(plan)
            .project(columns)
            .and_then(LogicalPlanBuilder::build)
            .map_err(|error| failure::from_datafusion(&error))?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}

/// The columns of a view: named as its definition says, text where PostgreSQL knows no type yet.
fn view_columns(plan: &LogicalPlan, view: &View) -> Result<Vec<Expr>> {
    let schema = plan.schema();
    let n_columns = schema.fields().len();
    if view.columns.len() > n_columns {
        let message = "CREATE VIEW specifies more column names than columns";
        return Err(Error::new(ErrorKind::SyntaxError, message));
    }
    let mut seen = HashSet::new();
    let mut columns = Vec::with_capacity(n_columns);
    for (index, (qualifier, field)) in schema.iter().enumerate() {
        let given = view.columns.get(index).map(String::as_str);
        let name = given.unwrap_or_else(|| bind::shown(field.name()));
        if !seen.insert(name.to_owned()) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(Error::new(ErrorKind::DuplicateColumn, message));
        }
        let column = Expr::Column(datafusion::common::Column::new(
            qualifier.cloned(),
            field.name(),
        ));
        let column = match field.data_type() {
            DataType::Null => cast(column, DataType::Utf8),
            _ => column,
        };
        columns.push(column.alias(name));
    }
    Ok(columns)
}

/// A function that nobody knows is its own error in PostgreSQL; the planner has one for all.
fn known_functions(query: &Query, names: &Names<'_>, lines: &Lines) -> Result<()> {
    let mut unknown = UnknownFunction { names };
    match query.visit(&mut unknown) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break((name, start)) => {
            let error = failure::undefined_function(&name).at(lines.position(start));
            let known = names.udf_names().into_iter().chain(names.udaf_names());
            let found = nearest(&name, known.chain(names.udwf_names()), |known| known);
            Err(match hint("", "function", &found) {
                Some(hint) => error.with_hint(hint),
                None => error,
            })
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

fn columns(providers: &HashMap<TableReference, Arc<dyn TableProvider>>) -> TableColumns {
    let names = |schema: SchemaRef| {
        let fields = schema.fields().iter();
        fields.map(|field| field.name().clone()).collect()
    };
    providers
        .iter()
        .map(|(reference, provider)| (reference.clone(), names(provider.schema())))
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
    functions: &'a HashMap<String, Arc<ScalarUDF>>,
    values: &'a [Parameter],
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
        let arguments = table_arguments::with_values(arguments, self.values)?;
        let (arguments, narrow) = table_arguments::folded(arguments, self.state)?;
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
