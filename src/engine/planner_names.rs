//! What names mean to DataFusion's planner: the pinned relations, and the functions of the session.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};
use datafusion::catalog::TableFunctionArgs;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::datasource::{TableProvider, ViewTable, provider_as_source};
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlanBuilder, ScalarUDF, TableSource, WindowUDF, cast,
};

use super::{Parameter, failure, table_arguments};

/// The functions that depend on the session and on what exists, by their names. They are made when one is first looked up:
/// most queries of tables call none.
pub(super) struct SessionFunctions<'a> {
    make: Box<dyn Fn() -> Vec<Arc<ScalarUDF>> + Send + Sync + 'a>,
    made: OnceLock<HashMap<String, Arc<ScalarUDF>>>,
}

impl<'a> SessionFunctions<'a> {
    /// Those that `make` gives.
    pub(super) fn new(make: impl Fn() -> Vec<Arc<ScalarUDF>> + Send + Sync + 'a) -> Self {
        Self {
            make: Box::new(make),
            made: OnceLock::new(),
        }
    }

    /// The function of a lower-case name.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<ScalarUDF>> {
        self.all().get(name)
    }

    fn all(&self) -> &HashMap<String, Arc<ScalarUDF>> {
        self.made.get_or_init(|| {
            let functions = (self.make)().into_iter();
            functions
                .map(|function| (function.name().to_owned(), function))
                .collect()
        })
    }
}

/// What names mean to the planner: the pinned relations, and the functions of the session.
pub(super) struct Names<'a> {
    pub(super) state: &'a SessionState,
    pub(super) relations: HashMap<TableReference, Arc<dyn TableSource>>,
    pub(super) functions: &'a SessionFunctions<'a>,
    pub(super) values: &'a [Parameter],
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
        // No function of the session has the name of an aggregate.
        let is_aggregate = self.state.aggregate_functions().contains_key(name);
        let of_session = (!is_aggregate).then(|| self.functions.get(name));
        of_session
            .flatten()
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
        let of_session = self.functions.all().keys();
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

/// A relation whose instants are in the session's zone, as PostgreSQL's are when their hours are
/// asked for or they are printed. The lake's own are in UTC, and stay so in a session in UTC.
pub(super) fn in_session_zone(
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
