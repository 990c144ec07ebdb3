//! Rewrites that give PostgreSQL's meaning to what DataFusion plans otherwise.

pub(in crate::engine) mod aggregate_calls;
mod array_casts;
mod calls;
mod cast_nulls;
mod catalog_functions;
mod characters;
mod chosen;
mod comparison;
mod correlated_scalar;
mod counted_sets;
pub(in crate::engine) mod distinct_from;
mod distinct_names;
mod division;
pub(in crate::engine) mod elements;
mod exact_literals;
pub(in crate::engine) mod exists_in_lists;
pub(in crate::engine) mod fetch;
mod input;
pub(in crate::engine) mod interval_literals;
mod interval_operators;
mod json_operators;
mod json_paths;
pub(in crate::engine) mod json_uses;
pub(in crate::engine) mod kept_casts;
pub(in crate::engine) mod kept_uses;
pub(in crate::engine) mod keyed_recursion;
mod lateral;
pub(in crate::engine) mod literals;
mod lookup;
mod matching_types;
mod named_types;
pub(in crate::engine) mod named_windows;
pub(in crate::engine) mod never_run;
pub(in crate::engine) mod normalize;
mod null_aware_in;
mod null_safe;
mod numbers;
mod numeric_literals;
pub(in crate::engine) mod ordered_subqueries;
mod ordinality;
mod repeated_keys;
mod row_comparisons;
mod row_nulls;
pub(in crate::engine) mod rows_in_lists;
pub(in crate::engine) mod schemas;
mod single_distinct;
mod single_value;
mod subquery_array;
pub(super) mod subquery_names;
mod subscripts;
mod text_arguments;
mod uncorrelated_scalar;
mod unnesting;
pub(in crate::engine) mod untyped_arrays;
mod values_casts;
mod values_subqueries;
mod with_ties;
mod without_rows;
mod yielding;

use std::sync::Arc;

use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder};
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
#[cfg(test)]
use datafusion::sql::sqlparser::{ast::Query, dialect::PostgreSqlDialect, parser::Parser};

use crate::error::{Error, Result};
use crate::sources::warehouse::SentWhole;

/// DataFusion's rules for what plain plans have not: joins, unions, windows, DISTINCT, subqueries, parts of structures, and
/// numbers of rows that are known beforehand.
const OF_OTHER_PLANS: &[&str] = &[
    "HashJoinBuffering",
    "LimitPushPastWindows",
    "TopKRepartition",
    "WindowTopN",
    "aggregate_statistics",
    "decorrelate_lateral_join",
    "decorrelate_predicate_subquery",
    "eliminate_cross_join",
    "eliminate_join",
    "eliminate_outer_join",
    "extract_equijoin_predicate",
    "extract_leaf_expressions",
    "filter_null_join_keys",
    "join_selection",
    "optimize_unions",
    "push_down_leaf_projections",
    "replace_distinct_aggregate",
    "rewrite_set_comparison",
    "scalar_subquery_to_join",
    "unions_to_filter",
];

/// Which plans a state is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Plans {
    /// Whatever there is.
    All,
    /// Those that are already analyzed, and have nothing but projections, filters, groups, sorts, limits and scans. What they
    /// are made into is the same, and it takes less time.
    Plain,
}

/// Adds the rules to a state.
///
/// # Errors
/// DataFusion does not take one of them.
pub(in crate::engine) fn register(
    builder: SessionStateBuilder,
    plans: Plans,
) -> Result<SessionState> {
    // First, for the joins are made of what the text says; and before types are fitted.
    let mut analyzer = Analyzer::new().rules;
    let first: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![
        Arc::new(repeated_keys::RepeatedKeys),
        Arc::new(without_rows::WithoutRows),
        Arc::new(values_subqueries::ValuesSubqueries),
        Arc::new(lateral::Lateral),
        Arc::new(exact_literals::ExactLiterals),
        Arc::new(division::Division),
        Arc::new(matching_types::MatchingTypes),
        Arc::new(comparison::Comparison),
        Arc::new(chosen::Chosen),
        Arc::new(text_arguments::TextArguments),
        Arc::new(counted_sets::CountedSets),
        Arc::new(with_ties::WithTies),
    ];
    analyzer.splice(0..0, first);
    let mut builder = builder;
    let planners = builder.expr_planners().get_or_insert_default();
    // First, for DataFusion's own make arrays and structures of everything.
    planners.insert(0, Arc::new(named_types::NamedTypes));
    planners.insert(0, Arc::new(subscripts::Subscripts));
    let mut logical = single_distinct::careful();
    let mut physical = distinct_names::careful(PhysicalOptimizer::new().rules);
    if plans == Plans::Plain {
        logical.retain(|rule| !OF_OTHER_PLANS.contains(&rule.name()));
        physical.retain(|rule| !OF_OTHER_PLANS.contains(&rule.name()));
    }
    let builder = builder
        .with_analyzer_rules(analyzer)
        .with_optimizer_rules(logical)
        // Last, for it takes what the others have left.
        .with_optimizer_rule(Arc::new(SentWhole))
        .with_optimizer_rule(Arc::new(cast_nulls::CastNulls))
        .with_physical_optimizer_rules(physical)
        .with_physical_optimizer_rule(Arc::new(yielding::Yielding));
    let mut state = builder.build();
    let operators = Arc::new(json_operators::JsonOperators);
    FunctionRegistry::register_expr_planner(&mut state, operators).map_err(Error::internal)?;
    let operators = Arc::new(interval_operators::IntervalOperators);
    FunctionRegistry::register_expr_planner(&mut state, operators).map_err(Error::internal)?;
    state.add_analyzer_rule(Arc::new(null_aware_in::NullAwareIn));
    state.add_analyzer_rule(Arc::new(null_safe::NullSafe));
    state.add_analyzer_rule(Arc::new(correlated_scalar::CorrelatedScalar));
    state.add_analyzer_rule(Arc::new(unnesting::Unnesting));
    state.add_analyzer_rule(Arc::new(uncorrelated_scalar::UncorrelatedScalar));
    state.add_analyzer_rule(Arc::new(input::Input));
    state.add_analyzer_rule(Arc::new(numbers::Numbers));
    // Last, for the others change what a plan knows of its columns.
    state.add_analyzer_rule(Arc::new(schemas::Schemas));
    Ok(state)
}

/// A query as a rule's test starts with it.
#[cfg(test)]
fn parsed(text: &str) -> Query {
    let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text);
    let mut parser = parser.expect("the text has tokens");
    *parser.parse_query().expect("the text is a query")
}
