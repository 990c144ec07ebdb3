//! `a IS DISTINCT FROM b AND c`: the parser takes all that follows for what `a` is compared with.
//! In PostgreSQL the comparison binds tighter than NOT, AND and OR, and is put together so here.
//! <https://www.postgresql.org/docs/16/sql-syntax-lexical.html#SQL-PRECEDENCE>

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Query, UnaryOperator, VisitorMut};

use crate::engine::walk::walk_mut;

/// Has the comparisons of a query take no more than what stands beside them.
pub(in crate::engine) fn bind_tightly(query: &mut Query) {
    // The visitor cannot break: its Break type has no values.
    let _: ControlFlow<Infallible> = walk_mut(query, &mut Rewriter);
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = Infallible;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Infallible> {
        if takes_too_much(expression) {
            let mut words = Vec::new();
            in_order(expression.clone(), &mut words);
            let mut words = words.into_iter().peekable();
            if let Some(together) = any_of(&mut words) {
                *expression = together;
            }
        }
        ControlFlow::Continue(())
    }
}

/// A condition without parentheses, as it is written.
enum Word {
    Not,
    And,
    Or,
    Is(Box<Expr>),
}

type Words = std::iter::Peekable<std::vec::IntoIter<Word>>;

fn is_junction(operator: &BinaryOperator) -> bool {
    matches!(operator, BinaryOperator::And | BinaryOperator::Or)
}

/// Whether there is a comparison, not between parentheses of its own, that took a junction.
fn takes_too_much(expression: &Expr) -> bool {
    match expression {
        Expr::BinaryOp { left, op, right } if is_junction(op) => {
            takes_too_much(left) || takes_too_much(right)
        }
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => takes_too_much(expr),
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => {
            matches!(&**right, Expr::BinaryOp { op, .. } if is_junction(op))
        }
        _ => false,
    }
}

fn in_order(expression: Expr, words: &mut Vec<Word>) {
    match expression {
        Expr::BinaryOp { left, op, right } if is_junction(&op) => {
            in_order(*left, words);
            words.push(match op {
                BinaryOperator::And => Word::And,
                _ => Word::Or,
            });
            in_order(*right, words);
        }
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => {
            words.push(Word::Not);
            in_order(*expr, words);
        }
        Expr::IsDistinctFrom(left, right) => {
            compared(*right, words, |right| Expr::IsDistinctFrom(left, right));
        }
        Expr::IsNotDistinctFrom(left, right) => {
            compared(*right, words, |right| Expr::IsNotDistinctFrom(left, right));
        }
        other => words.push(Word::Is(Box::new(other))),
    }
}

/// A comparison with the first of what it took, and the rest behind it.
fn compared(right: Expr, words: &mut Vec<Word>, comparison: impl FnOnce(Box<Expr>) -> Expr) {
    let mut rest = Vec::new();
    in_order(right, &mut rest);
    let mut rest = rest.into_iter();
    match rest.next() {
        Some(Word::Is(first)) => words.push(Word::Is(Box::new(comparison(first)))),
        // A NOT belongs to what is behind it alone.
        Some(other) => {
            let mut all = std::iter::once(other)
                .chain(rest)
                .collect::<Vec<_>>()
                .into_iter()
                .peekable();
            if let Some(right) = one(&mut all) {
                words.push(Word::Is(Box::new(comparison(Box::new(right)))));
            }
            words.extend(all);
            return;
        }
        None => {}
    }
    words.extend(rest);
}

fn any_of(words: &mut Words) -> Option<Expr> {
    let mut any = all_of(words)?;
    while words.next_if(|word| matches!(word, Word::Or)).is_some() {
        any = joined(any, BinaryOperator::Or, all_of(words)?);
    }
    Some(any)
}

fn all_of(words: &mut Words) -> Option<Expr> {
    let mut all = one(words)?;
    while words.next_if(|word| matches!(word, Word::And)).is_some() {
        all = joined(all, BinaryOperator::And, one(words)?);
    }
    Some(all)
}

fn one(words: &mut Words) -> Option<Expr> {
    match words.next()? {
        Word::Not => Some(Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(one(words)?),
        }),
        Word::Is(expression) => Some(*expression),
        Word::And | Word::Or => None,
    }
}

fn joined(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::SetExpr;

    use super::super::parsed;
    use super::*;

    #[test]
    fn the_comparison_takes_what_stands_beside_it() {
        let check = |written: &str, expected: &str| {
            let mut query = parsed(&format!("SELECT 1 WHERE {written}"));
            bind_tightly(&mut query);
            let expected = parsed(&format!("SELECT 1 WHERE {expected}")).to_string();
            let expected = expected.replace(['(', ')'], "");
            assert_eq!(query.to_string(), expected);
            let mut shown = String::new();
            if let SetExpr::Select(select) = *query.body
                && let Some(of) = select.selection
            {
                show(&of, &mut shown);
            }
            shown
        };
        let text = "a IS DISTINCT FROM b AND c";
        assert_eq!(check(text, text), "[[a IS DISTINCT FROM b]AND[c]]");
        let text = "x AND a IS DISTINCT FROM b OR c AND d";
        assert_eq!(
            check(text, text),
            "[[[x]AND[a IS DISTINCT FROM b]]OR[[c]AND[d]]]"
        );
        let text = "NOT a IS NOT DISTINCT FROM 1 OR c IS DISTINCT FROM d AND e";
        assert_eq!(
            check(text, text),
            "[![a IS NOT DISTINCT FROM 1]OR[[c IS DISTINCT FROM d]AND[e]]]"
        );
    }

    fn show(of: &Expr, shown: &mut String) {
        match of {
            Expr::BinaryOp { left, op, right } => {
                shown.push('[');
                show(left, shown);
                shown.push_str(&op.to_string());
                show(right, shown);
                shown.push(']');
            }
            Expr::UnaryOp { expr, .. } => {
                shown.push('!');
                show(expr, shown);
            }
            other => shown.push_str(&format!("[{other}]")),
        }
    }
}
