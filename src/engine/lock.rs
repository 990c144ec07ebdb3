//! LOCK TABLE, as far as reading needs it: pg_dump takes ACCESS SHARE on all that it will read. Nothing
//! is held, for nothing here can be taken away; in a transaction that sees one moment, each relation
//! is seen as it is now from then on.
//! <https://www.postgresql.org/docs/16/sql-lock.html>

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{SetExpr, TableFactor};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use futures::FutureExt;

use super::access::Checks;
use super::context::StatementContext;
use super::parse::{is_keyword, parse_query};
use super::statement::{Statement, StatementKind};
use super::{Engine, query_of, refuse, session_state};
use crate::catalog::sql::{self, Lines, near};
use crate::catalog::views::permission_denied;
use crate::error::Result;

/// A statement that begins with LOCK. The relations are those of a query that is never planned.
pub(super) fn parse(lines: &Arc<Lines>, tokens: &[TokenWithSpan]) -> Result<StatementKind> {
    let words: Vec<&TokenWithSpan> = tokens
        .iter()
        .filter(|it| sql::is_word_or_sign(it))
        .collect();
    let has_table = words
        .get(1)
        .is_some_and(|it| is_keyword(&it.token, "TABLE"));
    let start = 1 + usize::from(has_table);
    let is_end =
        |it: &&TokenWithSpan| is_keyword(&it.token, "IN") || is_keyword(&it.token, "NOWAIT");
    let end = words.iter().position(is_end).unwrap_or(words.len());
    let names = words.get(start..end).unwrap_or_default().iter();
    let names = names.filter(|it| !is_keyword(&it.token, "ONLY") && it.token != Token::Mul);
    let select = [
        Token::make_keyword("SELECT"),
        Token::Mul,
        Token::make_keyword("FROM"),
    ];
    let query: Vec<TokenWithSpan> = select
        .map(|word| TokenWithSpan::new(word, words[0].span))
        .into_iter()
        .chain(names.map(|it| TokenWithSpan::clone(it)))
        .collect();
    let StatementKind::Query(query) = parse_query(lines, &query)? else {
        return Err(near(lines, words[0]));
    };
    if !names_alone(&query.body) {
        return Err(near(lines, words[start]));
    }
    let rest: Vec<TokenWithSpan> = words[end..].iter().map(|it| (*it).clone()).collect();
    match mode(lines, &rest)?.as_str() {
        "ACCESS SHARE" => Ok(StatementKind::Lock(query)),
        _ => Ok(StatementKind::Refused(refuse::writing("LOCK TABLE"))),
    }
}

/// Whether a query reads relations by their names and nothing else.
fn names_alone(body: &SetExpr) -> bool {
    let SetExpr::Select(select) = body else {
        return false;
    };
    let mut from = select.from.iter();
    from.all(|item| {
        let is_name = matches!(
            &item.relation,
            TableFactor::Table {
                alias: None,
                args: None,
                ..
            }
        );
        is_name && item.joins.is_empty()
    })
}

/// `opt_lock` and `opt_nowait` of gram.y. The mode without one is the strongest.
fn mode(lines: &Arc<Lines>, tokens: &[TokenWithSpan]) -> Result<String> {
    const MODES: [&[&str]; 8] = [
        &["ACCESS", "SHARE"],
        &["ROW", "SHARE"],
        &["ROW", "EXCLUSIVE"],
        &["SHARE", "UPDATE", "EXCLUSIVE"],
        &["SHARE", "ROW", "EXCLUSIVE"],
        &["SHARE"],
        &["EXCLUSIVE"],
        &["ACCESS", "EXCLUSIVE"],
    ];
    let mut cursor = sql::Cursor::new(lines, tokens);
    let mut mode = "ACCESS EXCLUSIVE".to_owned();
    if cursor.skip_any(&["IN"]) {
        let found = MODES.iter().find(|words| cursor.skip_all(words));
        mode = found.ok_or_else(|| cursor.unexpected())?.join(" ");
        cursor.expect("MODE")?;
    }
    cursor.skip_any(&["NOWAIT"]);
    cursor.expect_end()?;
    Ok(mode)
}

impl Engine {
    /// Checks that the relations of a LOCK are there and may be read, and fixes their versions for a
    /// transaction that sees one moment. Cancel safe.
    ///
    /// # Errors
    /// `UndefinedTable`, `InsufficientPrivilege`, or that a relation cannot be read.
    pub async fn lock(&self, statement: &Arc<Statement>, context: &StatementContext) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        let (statement, own) = (Arc::clone(statement), context.clone());
        let step = async move {
            let query = query_of(&statement)?;
            let state = session_state::of_statement(&inner.base, &own);
            let clock = inner.clock(&state, &own, &[]);
            let pinned = inner.pin(query, &statement.lines, clock, Checks::Reading);
            match pinned.await?.limits.values().next() {
                // Rights on columns are not enough.
                Some(limit) => Err(permission_denied(limit.kind, &limit.name)),
                None => Ok(()),
            }
        };
        self.on_query_runtime(context, step.boxed()).await
    }
}
