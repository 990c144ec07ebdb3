//! Which columns of its relations a query names, for relations of which not every column may be
//! read.
//!
//! As PostgreSQL's parser marks them (`markVarForSelectPriv` in parse_relation.c): each column that
//! any part of the query names, whether or not it changes the answer. They are found in the plan
//! as it is first made, before anything is moved or left out; that plan is never run.

use std::collections::{BTreeSet, HashMap};

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, TableReference};
use datafusion::logical_expr::{Distinct, Expr, JoinType, LogicalPlan, TableSource};

/// A relation of which only the names of columns matter.
#[derive(Debug)]
pub(super) struct NamesOnly(pub(super) SchemaRef);

impl TableSource for NamesOnly {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.0)
    }
}

/// The columns that a plan over [`NamesOnly`] relations names, by the reference as written.
pub(super) fn columns_read(plan: &LogicalPlan) -> HashMap<TableReference, BTreeSet<String>> {
    let mut finder = Finder::default();
    finder.whole(plan);
    finder.found
}

/// The relation and the column that a column of a plan is, if it is one.
type Origin = Option<(TableReference, String)>;

/// The columns of a plan's input, and what they are.
#[derive(Debug, Default)]
struct Scope {
    names: Vec<(Option<TableReference>, String)>,
    origins: Vec<Origin>,
}

impl Scope {
    fn add(&mut self, schema: &DFSchema, origins: Vec<Origin>) {
        let names = schema.iter();
        self.names
            .extend(names.map(|(qualifier, field)| (qualifier.cloned(), field.name().clone())));
        self.origins.extend(origins);
    }

    fn find(&self, column: &Column) -> Option<&Origin> {
        let mut places = self.names.iter().zip(&self.origins);
        let found = places.find(|((qualifier, name), _)| {
            let fits = match (&column.relation, qualifier) {
                (Some(asked), Some(has)) => asked.resolved_eq(has),
                (Some(_), None) => false,
                (None, _) => true,
            };
            fits && *name == column.name
        });
        found.map(|(_, origin)| origin)
    }
}

#[derive(Debug, Default)]
struct Finder {
    found: HashMap<TableReference, BTreeSet<String>>,
    /// All columns of all relations met so far: what a name may be that is found nowhere.
    known: Vec<(TableReference, String)>,
    /// Of the queries around a subquery.
    around: Vec<Scope>,
}

impl Finder {
    /// A plan whose rows are all used.
    fn whole(&mut self, plan: &LogicalPlan) {
        let origins = self.origins(plan);
        for origin in origins {
            self.mark(origin);
        }
    }

    fn mark(&mut self, origin: Origin) {
        if let Some((relation, column)) = origin {
            self.found.entry(relation).or_default().insert(column);
        }
    }

    /// What the columns of a plan's rows are.
    fn origins(&mut self, plan: &LogicalPlan) -> Vec<Origin> {
        let scope = self.input(plan);
        self.expressions(plan, scope.as_ref());
        let scope = scope.unwrap_or_default();
        let n_columns = plan.schema().fields().len();
        match plan {
            LogicalPlan::TableScan(scan) => {
                let fields = scan.projected_schema.fields().iter();
                let origins = fields.map(|field| (scan.table_name.clone(), field.name().clone()));
                let origins: Vec<_> = origins.collect();
                self.found.entry(scan.table_name.clone()).or_default();
                self.known.extend(origins.iter().cloned());
                origins.into_iter().map(Some).collect()
            }
            LogicalPlan::Subquery(subquery) => self.origins(&subquery.subquery),
            LogicalPlan::Join(join) => {
                let n_left = join.left.schema().fields().len();
                let mut origins = scope.origins;
                match join.join_type {
                    JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
                        origins.truncate(n_left);
                    }
                    JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                        origins.drain(..n_left);
                    }
                    JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {}
                }
                origins.resize(n_columns, None);
                origins
            }
            LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Distinct(Distinct::All(_))
            | LogicalPlan::Window(_) => {
                let mut origins = scope.origins;
                origins.resize(n_columns, None);
                origins
            }
            LogicalPlan::Projection(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Distinct(Distinct::On(_)) => vec![None; n_columns],
            // Whatever it does with them, it may use all.
            _ => {
                for origin in scope.origins {
                    self.mark(origin);
                }
                vec![None; n_columns]
            }
        }
    }

    /// The columns of what a plan reads, one input after the other.
    fn input(&mut self, plan: &LogicalPlan) -> Option<Scope> {
        if matches!(plan, LogicalPlan::Subquery(_)) {
            return None;
        }
        let mut scope = Scope::default();
        for input in plan.inputs() {
            // What is joined laterally sees what stands before it.
            self.around.push(std::mem::take(&mut scope));
            let origins = self.origins(input);
            scope = self.around.pop().unwrap_or_default();
            scope.add(input.schema(), origins);
        }
        Some(scope)
    }

    fn expressions(&mut self, plan: &LogicalPlan, scope: Option<&Scope>) {
        let Some(scope) = scope else { return };
        let mut named = Vec::new();
        let mut subqueries = Vec::new();
        let mut collect = |expression: &Expr| {
            match expression {
                Expr::Column(column) => named.push((column.clone(), false)),
                Expr::OuterReferenceColumn(_, column) => named.push((column.clone(), true)),
                Expr::ScalarSubquery(subquery) => subqueries.push(subquery.clone()),
                Expr::Exists(exists) => subqueries.push(exists.subquery.clone()),
                Expr::InSubquery(within) => subqueries.push(within.subquery.clone()),
                Expr::SetComparison(compared) => subqueries.push(compared.subquery.clone()),
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        };
        let visited = plan.apply_expressions(|expression| expression.apply(&mut collect));
        debug_assert!(visited.is_ok(), "nothing that is collected fails");
        for (column, is_outer) in named {
            self.mark_named(&column, (!is_outer).then_some(scope));
        }
        for subquery in subqueries {
            self.around.push(Scope {
                names: scope.names.clone(),
                origins: scope.origins.clone(),
            });
            self.whole(&subquery.subquery);
            self.around.pop();
        }
    }

    /// Marks what a name means; all that it may mean, if that is not found out.
    fn mark_named(&mut self, column: &Column, own: Option<&Scope>) {
        let around = self.around.iter().rev();
        let mut scopes = own.into_iter().chain(around);
        match scopes.find_map(|scope| scope.find(column)) {
            Some(origin) => {
                let origin = origin.clone();
                self.mark(origin);
            }
            None => {
                let known = self.known.iter().filter(|(_, name)| *name == column.name);
                let all: Vec<_> = known.cloned().collect();
                for origin in all {
                    self.mark(Some(origin));
                }
            }
        }
    }
}
