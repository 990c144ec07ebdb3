//! Plans a pinned statement: our own step over DataFusion's SQL planner, which sees only what was pinned.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::common::TableReference;
use datafusion::datasource::{TableProvider, ViewTable, provider_as_source};
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::ContextProvider;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableSource, cast};
use datafusion::sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Query, Statement as SqlStatement, Visitor};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::bind::{self, TableColumns};
use super::columns;
use super::columns_read::{NamesOnly, columns_read};
use super::context::StatementContext;
use super::failure;
use super::grouping;
use super::nearest::{hint, nearest};
use super::ordinals;
use super::output_name::fold;
use super::pin::{Pinned, PinnedProtection, PinnedRelation, PinnedView, Relations};
use super::planner_names::{Names, SessionFunctions, in_session_zone};
use super::protected::Protected;
use super::references::in_view;
use super::resolved::{Limits, ViewKey};
use super::rules::{
    aggregate_calls, json_uses, kept_casts, kept_uses, ordered_subqueries, untyped_arrays,
};
use super::stored::Stored;
use super::{Parameter, Scene, execute, protect, travel, typed_literals};
use crate::catalog::Snapshot;
use crate::catalog::sql::Lines;
use crate::catalog::views::{View, permission_denied};
use crate::engine::walk::walk;
use crate::error::{Error, ErrorKind, Result};

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
            PinnedRelation::Table(_) | PinnedRelation::Protected(_) => None,
        });
    let mut planning = Planning::new(pinned, state, context);
    match view {
        Some(view) => {
            let planned = planning.plan_view(view)?;
            let plan = planned.get_logical_plan();
            Ok(plan.map_or_else(|| planned.schema(), |plan| columns::of_view(&plan)))
        }
        None => Ok(Arc::new(Schema::empty())),
    }
}

/// The query of the one view that was pinned for itself, with the columns that its definition names.
pub(super) fn logical_of_view(
    pinned: &Pinned,
    state: &SessionState,
    context: &StatementContext,
) -> Result<LogicalPlan> {
    let mut relations = pinned.relations.values();
    let view = relations.find_map(|relation| match relation {
        PinnedRelation::View(view) => Some(view),
        PinnedRelation::Table(_) | PinnedRelation::Protected(_) => None,
    });
    let view = view.ok_or_else(|| Error::new(ErrorKind::InternalError, "a view was not pinned"))?;
    logical_of(view, pinned, state, context)
}

/// The query of a view whose relations are pinned, with the columns that its definition names.
pub(super) fn logical_of(
    view: &PinnedView,
    pinned: &Pinned,
    state: &SessionState,
    context: &StatementContext,
) -> Result<LogicalPlan> {
    let planned = Planning::new(pinned, state, context).plan_view(view)?;
    let plan = planned.get_logical_plan();
    let plan = plan.ok_or_else(|| Error::new(ErrorKind::InternalError, "a view has no plan"))?;
    Ok(plan.into_owned())
}

/// Plans the one protection that was pinned for itself.
///
/// # Errors
/// It cannot be planned over its relation.
pub(super) fn check_protection(
    pinned: &Pinned,
    state: &SessionState,
    context: &StatementContext,
) -> Result<()> {
    let mut planning = Planning::new(pinned, state, context);
    for relation in pinned.relations.values() {
        if let PinnedRelation::Protected(protection) = relation {
            planning.plan_protection(protection)?;
        }
    }
    Ok(())
}

/// The type of the first mask of the one protection that was pinned for itself.
///
/// # Errors
/// It cannot be planned over its relation.
pub(super) fn type_of_mask(
    pinned: &Pinned,
    state: &SessionState,
    context: &StatementContext,
) -> Result<DataType> {
    let mut planning = Planning::new(pinned, state, context);
    for relation in pinned.relations.values() {
        if let PinnedRelation::Protected(protection) = relation {
            let relations = (&protection.relations, &protection.limits);
            let (query, lines) = (&protection.query, &protection.lines);
            let logical = planning.query(query, relations, lines, Vec::new());
            let logical = protect::row_by_row(logical.map_err(Error::without_position)?)?;
            let plan = execute::analyzed(&Plan { logical }, state)?;
            return Ok(plan.schema().field(0).data_type().clone());
        }
    }
    Ok(DataType::Null)
}

/// The planning of one statement and the views below it, each once.
struct Planning<'a> {
    state: &'a SessionState,
    context: &'a StatementContext,
    functions: SessionFunctions<'a>,
    snapshot: &'a Snapshot,
    /// Those of the statement's parameters, where they are known.
    values: &'a [Parameter],
    views: HashMap<ViewKey, Arc<dyn TableProvider>>,
    /// Those that are read in place of views.
    stored: &'a Stored,
    /// By number.
    protections: HashMap<usize, Arc<dyn TableProvider>>,
}

impl<'a> Planning<'a> {
    fn new(pinned: &'a Pinned, state: &'a SessionState, context: &'a StatementContext) -> Self {
        Self {
            state,
            context,
            functions: SessionFunctions::new(|| pinned.functions(&context.facts)),
            snapshot: &pinned.snapshot,
            values: &[],
            views: HashMap::new(),
            stored: &pinned.stored,
            protections: HashMap::new(),
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
        let (written, tables) = (query.clone(), columns(&providers));
        let views = relations
            .iter()
            .filter(|(_, relation)| matches!(relation.unprotected(), PinnedRelation::View(_)))
            .map(|(name, _)| name.clone())
            .collect();
        let known = bind::Known {
            columns: &tables,
            views,
            row_types: self.row_types(relations),
        };
        bind::bind(&mut query, &known)?;
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
            .and_then(ordered_subqueries::projected)
            .and_then(untyped_arrays::typed)
            .and_then(aggregate_calls::check)
            .and_then(json_uses::check)
            .and_then(|plan| {
                let session = kept_casts::Session {
                    style: self.context.facts.style,
                    functions: &self.functions,
                };
                kept_uses::check(plan, session)
            })
            .map_err(|error| {
                let failed = failure::in_statement(&error, lines);
                let failed = travel::naming_versions(failed, relations);
                let is_aggregate = |name: &str| names.get_aggregate_meta(name).is_some();
                let ungrouped = (failed.kind() == ErrorKind::InvalidStatement)
                    .then(|| grouping::ungrouped(&written, &tables, &is_aggregate, lines));
                ungrouped.flatten().unwrap_or(failed)
            })
    }

    /// The types of the rows of relations.
    fn row_types(&self, relations: &Relations) -> HashMap<TableReference, u32> {
        let types = relations.iter().filter_map(|(reference, relation)| {
            let (schema, name) = relation.name();
            Some((reference.clone(), self.snapshot.row_type(schema, name)?))
        });
        types.collect()
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
                if let Some(planned) = self.views.get(&view.key) {
                    return Ok(Arc::clone(planned));
                }
                if let Some(stored) = self.stored.get(&view.key) {
                    return in_session_zone(&stored.provider, &self.context.time_zone)
                        .map_err(|error| failure::from_datafusion(&error));
                }
                let planned = self.plan_view(view);
                let planned = planned.map_err(|error| in_view(error, &view.view))?;
                self.views.insert(view.key.clone(), Arc::clone(&planned));
                Ok(planned)
            }
            PinnedRelation::Protected(protection) => {
                if let Some(planned) = self.protections.get(&protection.number) {
                    return Ok(Arc::clone(planned));
                }
                let planned = self.plan_protection(protection).map_err(|error| {
                    protect::in_protection(error, &protection.schema, &protection.name)
                })?;
                let number = protection.number;
                self.protections.insert(number, Arc::clone(&planned));
                Ok(planned)
            }
        }
    }

    /// A relation behind its policies and masks. They are planned before anything is known of the
    /// query that reads it.
    fn plan_protection(&mut self, protection: &PinnedProtection) -> Result<Arc<dyn TableProvider>> {
        let columns = self.provider(&protection.relation)?.schema();
        let query = protect::with_columns(&protection.query, &protection.name, &columns)?;
        let relations = (&protection.relations, &protection.limits);
        let values = std::mem::take(&mut self.values);
        let planned = self.query(&query, relations, &protection.lines, Vec::new());
        self.values = values;
        let planned = planned.map_err(Error::without_position)?;
        let logical = protect::with_types(protect::row_by_row(planned)?, &columns)?;
        let plan = execute::analyzed(&Plan { logical }, self.state)?;
        let name = format!("{}.{}", protection.schema, protection.name);
        let masked = |column: &str| protection.masked.contains(column);
        Ok(Arc::new(Protected::new(&name, plan, masked)))
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
    match walk(query, &mut unknown) {
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

pub(super) fn parser_options(state: &SessionState) -> ParserOptions {
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
