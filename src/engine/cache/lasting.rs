//! Whether a plan gives the same rows whenever it is run over what was pinned.
//!
//! A key has the versions of everything that is read, and what the session's functions told. What is
//! left are the functions of a plan, as the planner resolved them: those that give something else at
//! another time have no key that tells their answers apart.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result as DataFusionResult, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan, Volatility};

use super::key::RIGHTS;
use super::reason::Reason;
use crate::engine::answer::Column;
use crate::engine::context::StatementContext;
use crate::engine::execute::is_of_function;
use crate::engine::protected::Protected;
use crate::functions;

/// The functions of the session whose answers are told apart by what [`super::key`] has of them.
const TOLD: &[&str] = &[
    "current_catalog",
    "current_database",
    "current_role",
    "current_user",
    "pg_backend_pid",
    "session_user",
    "user",
];

/// Gives the day in the session's zone, which ends.
pub(super) const CURRENT_DATE: &str = "current_date";

/// How long the rows of a plan stay right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lasting {
    /// When the day ends that they were made on; `None` if they are right for ever.
    pub(super) until: Option<DateTime<Utc>>,
}

/// What is known of functions, for one statement.
pub(super) struct Lasts<'a> {
    /// The functions that depend on nothing but their arguments and the session's style.
    pub(super) of_style: &'a BTreeSet<String>,
    /// Those that depend on nothing but their arguments.
    pub(super) of_arguments: &'a BTreeSet<String>,
    /// The functions that depend on nothing else but the catalog, where that is part of the statement's key.
    pub(super) of_catalog: BTreeSet<String>,
    /// What of the session is in the statement's key, by the function that tells it.
    pub(super) session: &'a BTreeMap<String, String>,
    pub(super) context: &'a StatementContext,
    /// What `now()` is in the statement.
    pub(super) started: DateTime<Utc>,
}

impl Lasts<'_> {
    /// How long the rows of a plan are right, whose columns are these.
    ///
    /// # Errors
    /// Why they may be others the next time.
    pub(super) fn of(&self, plan: &LogicalPlan, columns: &[Column]) -> Result<Lasting, Reason> {
        let mut columns = columns.iter();
        if columns.any(|column| functions::spelling(column.pg_type.oid).is_some()) {
            return Err(Reason::Names);
        }
        let mut found = Found::default();
        // A walk fails where a step of it does, and these do not.
        let walked = self.walk(plan, &mut found);
        match (walked, found.reason) {
            (Err(error), _) => Err(Reason::Changes(error.to_string())),
            (Ok(()), Some(reason)) => Err(reason),
            (Ok(()), None) if found.has_day => match day_end(self.context, self.started) {
                Some(until) => Ok(Lasting { until: Some(until) }),
                None => Err(Reason::Changes(CURRENT_DATE.to_owned())),
            },
            (Ok(()), None) => Ok(Lasting::default()),
        }
    }

    fn walk(&self, plan: &LogicalPlan, found: &mut Found) -> DataFusionResult<()> {
        plan.apply_with_subqueries(|node| {
            node.apply_expressions(|expression| {
                expression.apply(|inner| Ok(found.go_on(self.expression(inner, found.has_day))))
            })?;
            match node {
                LogicalPlan::TableScan(scan) => self.scan(scan, found)?,
                LogicalPlan::SubqueryAlias(alias) => found.names(&alias.alias),
                _ => {}
            }
            Ok(match found.reason {
                Some(_) => TreeNodeRecursion::Stop,
                None => TreeNodeRecursion::Continue,
            })
        })?;
        Ok(())
    }

    fn expression(&self, expression: &Expr, has_day: bool) -> Step {
        let (name, volatility) = match expression {
            Expr::ScalarFunction(call) => (call.name(), call.func.signature().volatility),
            Expr::AggregateFunction(call) => (call.func.name(), call.func.signature().volatility),
            Expr::WindowFunction(call) => (call.fun.name(), call.fun.signature().volatility),
            Expr::HigherOrderFunction(call) => (call.name(), call.func.signature().volatility),
            Expr::ScalarVariable(_, parts) => return Step::Changes(parts.join(".")),
            _ => return Step::Lasts { has_day },
        };
        let is_known = match volatility {
            Volatility::Immutable => true,
            Volatility::Stable if name == CURRENT_DATE => return Step::Lasts { has_day: true },
            Volatility::Stable => {
                let known = [self.of_arguments, self.of_style, &self.of_catalog];
                known.iter().any(|names| names.contains(name)) || self.is_told(name)
            }
            Volatility::Volatile => false,
        };
        match is_known {
            true => Step::Lasts { has_day },
            false => Step::Changes(name.to_owned()),
        }
    }

    /// Whether what a function tells of the session is in the key.
    fn is_told(&self, name: &str) -> bool {
        match name {
            // By the name of the setting, where it is known.
            "current_setting" => self.session.keys().any(|known| known.starts_with(name)),
            // What a transaction defines has no number of its own.
            "pg_has_role" => {
                let rights = self.session.get(RIGHTS);
                self.session.contains_key(name)
                    && rights.is_some_and(|rights| !rights.is_empty())
                    && self.context.draft.is_none()
            }
            name => TOLD.contains(&name) && self.session.contains_key(name),
        }
    }

    fn scan(&self, scan: &TableScan, found: &mut Found) -> DataFusionResult<()> {
        found.names(&scan.table_name);
        if let Some(below) = scan.source.get_logical_plan() {
            self.walk(&below, found)?;
        }
        let Ok(provider) = source_as_provider(&scan.source) else {
            return Ok(());
        };
        match provider.downcast_ref::<Protected>() {
            Some(protected) => self.walk(protected.plan(), found),
            None => Ok(()),
        }
    }
}

/// What was found of a plan so far.
#[derive(Default)]
struct Found {
    reason: Option<Reason>,
    /// Whether it depends on the day.
    has_day: bool,
}

/// What was found of one expression.
enum Step {
    Lasts { has_day: bool },
    Changes(String),
}

impl Found {
    /// Rows that are called so. What a function in FROM was given is computed when it is planned, and
    /// no longer tells what it was computed of.
    fn names(&mut self, name: &TableReference) {
        if is_of_function(name) {
            let function = Reason::TableFunction(name.table().to_owned());
            self.reason.get_or_insert(function);
        }
    }

    fn go_on(&mut self, step: Step) -> TreeNodeRecursion {
        match step {
            Step::Lasts { has_day } => {
                self.has_day = has_day;
                TreeNodeRecursion::Continue
            }
            Step::Changes(name) => {
                self.reason.get_or_insert(Reason::Changes(name));
                TreeNodeRecursion::Stop
            }
        }
    }
}

/// When the day ends in which a statement started, in its session's zone. `None` where the zone's
/// clocks are changed at that moment.
fn day_end(context: &StatementContext, started: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let zone = context.facts.style.zone;
    let day_of = |micros: i64| {
        let local = micros.checked_add(zone.offset_seconds(micros) * MICROS_PER_SECOND)?;
        Some(local.div_euclid(MICROS_PER_DAY))
    };
    let today = day_of(started.timestamp_micros())?;
    let midnight = today.checked_add(1)?.checked_mul(MICROS_PER_DAY)?;
    let end = midnight - zone.offset_at_local(midnight)? * MICROS_PER_SECOND;
    let is_end = day_of(end - 1)? == today && day_of(end)? == today + 1;
    is_end
        .then(|| DateTime::from_timestamp_micros(end))
        .flatten()
}

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = TimeDelta::days(1).num_seconds() * MICROS_PER_SECOND;
