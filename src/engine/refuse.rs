//! Refuses what would be answered wrongly: writes, and clauses that DataFusion drops or means
//! otherwise without a word.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr,
    JoinOperator, Query, Select, SelectItem, SetExpr, TableFactor, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::output_name::fold;
use crate::catalog::sql::Lines;
use crate::engine::walk::walk;
use crate::error::{Error, ErrorKind, Result};

/// The error of a statement that would write, as `PreventCommandIfReadOnly` in utility.c words it.
pub(super) fn writing(command: &str) -> Error {
    Error::new(
        ErrorKind::ReadOnlySqlTransaction,
        format!("cannot execute {command} in a read-only transaction"),
    )
}

/// Finds time travel of a kind that there is not in a statement that does not parse: spans of time, and
/// what is before a change. `None` if the statement is wrong for another reason.
pub(super) fn time_travel(lines: &Lines, tokens: &[TokenWithSpan]) -> Option<Error> {
    let tokens: Vec<&TokenWithSpan> = tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)))
        .collect();
    let word = |index: usize| match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_uppercase(),
        Some(Token::LParen) => "(".to_owned(),
        Some(Token::RArrow) => "=>".to_owned(),
        _ => String::new(),
    };
    let span = |index: usize| {
        let is_span = ["BETWEEN", "FROM", "ALL", "CONTAINED"].contains(&word(index + 2).as_str());
        word(index) == "FOR" && word(index + 1) == "SYSTEM_TIME" && is_span
    };
    let function = |index: usize| {
        let name = word(index);
        let is_of_at =
            name == "AT" && ["STATEMENT", "OFFSET", "STREAM"].contains(&word(index + 2).as_str());
        (["BEFORE", "CHANGES"].contains(&name.as_str()) || is_of_at)
            && word(index + 1) == "("
            && word(index + 3) == "=>"
    };
    (0..tokens.len())
        .find(|&at| span(at) || function(at))
        .map(|at| {
            let what = "time travel other than AS OF and AT";
            Error::unsupported(what).at(lines.position(tokens[at].span.start))
        })
}

/// Checks a query for clauses that would be dropped or answered wrongly.
pub(super) fn check(query: &Query) -> Result<()> {
    match walk(query, &mut Refusal) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Refusal;

/// A clause that is refused, and whether it is there.
type Clause = (&'static str, bool);

fn refuse_first(clauses: &[Clause]) -> ControlFlow<Error> {
    match clauses.iter().find(|(_, present)| *present) {
        Some((clause, _)) => ControlFlow::Break(Error::unsupported(clause)),
        None => ControlFlow::Continue(()),
    }
}

impl Visitor for Refusal {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        if let Some(lock) = query.locks.first() {
            return ControlFlow::Break(writing(&format!("SELECT FOR {}", lock.lock_type)));
        }
        set_expression(&query.body)?;
        let limit_by = matches!(
            &query.limit_clause,
            Some(datafusion::sql::sqlparser::ast::LimitClause::LimitOffset { limit_by, .. })
                if !limit_by.is_empty()
        );
        refuse_first(&[
            ("FOR XML or JSON", query.for_clause.is_some()),
            ("SETTINGS", query.settings.is_some()),
            ("FORMAT", query.format_clause.is_some()),
            ("the pipe operator", !query.pipe_operators.is_empty()),
            ("LIMIT BY", limit_by),
            (
                "FETCH ... PERCENT",
                query.fetch.as_ref().is_some_and(|fetch| fetch.percent),
            ),
        ])?;
        let has_ties = query.fetch.as_ref().is_some_and(|fetch| fetch.with_ties);
        match has_ties && query.order_by.is_none() {
            // As insertSelectOptions in gram.y.
            true => ControlFlow::Break(Error::new(
                ErrorKind::SyntaxError,
                "WITH TIES cannot be specified without ORDER BY clause",
            )),
            false => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
        if select.into.is_some() {
            return ControlFlow::Break(writing("SELECT INTO"));
        }
        refuse_first(&[
            ("TOP", select.top.is_some()),
            ("EXCLUDE", select.exclude.is_some()),
            ("optimizer hints", !select.optimizer_hints.is_empty()),
            ("SELECT modifiers", select.select_modifiers.is_some()),
            ("LATERAL VIEW", !select.lateral_views.is_empty()),
            ("PREWHERE", select.prewhere.is_some()),
            ("CONNECT BY", !select.connect_by.is_empty()),
            ("CLUSTER BY", !select.cluster_by.is_empty()),
            ("DISTRIBUTE BY", !select.distribute_by.is_empty()),
            ("SORT BY", !select.sort_by.is_empty()),
            ("SELECT AS STRUCT", select.value_table_mode.is_some()),
            (
                "one expression under two names in grouping sets",
                groups_one_expression_twice(select),
            ),
        ])?;
        select
            .from
            .iter()
            .flat_map(|from| &from.joins)
            .try_for_each(|join| join_operator(&join.join_operator))
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Error> {
        match factor {
            TableFactor::Table {
                with_hints,
                partitions,
                json_path,
                sample,
                index_hints,
                ..
            } => refuse_first(&[
                ("TABLESAMPLE", sample.is_some()),
                (
                    "a table hint",
                    !with_hints.is_empty() || !index_hints.is_empty(),
                ),
                ("PARTITION", !partitions.is_empty()),
                ("a path after a table", json_path.is_some()),
            ]),
            TableFactor::Derived { sample, .. } => {
                refuse_first(&[("TABLESAMPLE", sample.is_some())])
            }
            TableFactor::UNNEST { with_offset, .. } => {
                refuse_first(&[("WITH OFFSET", *with_offset)])
            }
            TableFactor::Function { .. } | TableFactor::NestedJoin { .. } => {
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(Error::unsupported("this kind of table")),
        }
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Error> {
        match expression {
            Expr::Function(function) => self::function(function),
            // Found out while a file is read, it would be the file's fault.
            Expr::BinaryOp {
                op: BinaryOperator::AtAt,
                ..
            } => ControlFlow::Break(Error::unsupported("the operator @@")),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Whether grouping sets name one expression of the select list under two of its names: PostgreSQL
/// groups by each, and DataFusion takes them for one.
fn groups_one_expression_twice(select: &Select) -> bool {
    let GroupByExpr::Expressions(keys, _) = &select.group_by else {
        return false;
    };
    let mut leaves: Vec<&Expr> = Vec::new();
    let mut has_sets = false;
    for key in keys {
        match key {
            Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) => {
                has_sets = true;
                leaves.extend(sets.iter().flatten());
            }
            other => leaves.push(other),
        }
    }
    let means = |leaf: &Expr| -> Option<Expr> {
        select.projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } => {
                let is_named = matches!(leaf, Expr::Identifier(name) if fold(name) == fold(alias));
                is_named.then(|| expr.clone())
            }
            _ => None,
        })
    };
    let meant: Vec<Expr> = leaves
        .iter()
        .map(|leaf| means(leaf).unwrap_or_else(|| (*leaf).clone()))
        .collect();
    has_sets
        && (0..leaves.len())
            .any(|at| (0..at).any(|other| leaves[at] != leaves[other] && meant[at] == meant[other]))
}

fn set_expression(body: &SetExpr) -> ControlFlow<Error> {
    match body {
        SetExpr::Insert(_) => ControlFlow::Break(writing("INSERT")),
        SetExpr::Update(_) => ControlFlow::Break(writing("UPDATE")),
        SetExpr::Delete(_) => ControlFlow::Break(writing("DELETE")),
        SetExpr::Merge(_) => ControlFlow::Break(writing("MERGE")),
        SetExpr::SetOperation { left, right, .. } => {
            set_expression(left)?;
            set_expression(right)
        }
        // The parser drops what follows the name; `parse` writes TABLE out before it sees it.
        SetExpr::Table(_) => ControlFlow::Break(Error::unsupported("TABLE")),
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => ControlFlow::Continue(()),
    }
}

fn join_operator(operator: &JoinOperator) -> ControlFlow<Error> {
    match operator {
        JoinOperator::Join(_)
        | JoinOperator::Inner(_)
        | JoinOperator::Left(_)
        | JoinOperator::LeftOuter(_)
        | JoinOperator::Right(_)
        | JoinOperator::RightOuter(_)
        | JoinOperator::FullOuter(_)
        | JoinOperator::CrossJoin(_) => ControlFlow::Continue(()),
        _ => ControlFlow::Break(Error::unsupported("this kind of join")),
    }
}

/// Functions that return sets: in a select list DataFusion gives one list instead of rows.
const SET_RETURNING: &[&str] = &[
    "generate_series",
    "generate_subscripts",
    "json_array_elements",
    "json_array_elements_text",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "range",
    "regexp_matches",
    "regexp_split_to_table",
];

fn function(function: &Function) -> ControlFlow<Error> {
    let name = function.name.to_string().to_lowercase();
    let set_returning = SET_RETURNING.contains(&name.as_str());
    let row_argument = match &function.args {
        FunctionArguments::List(list) => list.args.iter().any(|argument| {
            matches!(
                argument,
                FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(_))
            )
        }),
        _ => false,
    };
    refuse_first(&[
        ("a set-returning function in an expression", set_returning),
        // Rows that an outer join filled with NULLs would be counted.
        ("a whole row as an argument", row_argument),
    ])
}
