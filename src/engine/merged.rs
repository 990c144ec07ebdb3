//! Columns that RIGHT and FULL joins merge: `USING` and `NATURAL` as the conditions that they stand for.
//! <https://www.postgresql.org/docs/16/queries-table-expressions.html#QUERIES-JOIN>
//!
//! DataFusion takes the left side's column for the merged one, which is NULL where only the right
//! side has a row. Here the joins get their conditions, and the merged columns the expressions that
//! they are: the right side's, or the first of both that is not NULL.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, JoinConstraint, JoinOperator, TableFactor, TableWithJoins,
};

use super::output_name::fold;
use super::rules::normalize::call;
use super::scope::Unfolded;
use crate::error::{Error, ErrorKind, Result};

/// Which side a merged column is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
    /// The first that is not NULL.
    Both,
}

/// The constraint of a join that makes one column of two, and whose it is.
pub(super) fn merging(operator: &JoinOperator) -> Option<(&JoinConstraint, Side)> {
    let (constraint, side) = match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint) => (constraint, Side::Left),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
            (constraint, Side::Right)
        }
        JoinOperator::FullOuter(constraint) => (constraint, Side::Both),
        _ => return None,
    };
    let is_merging = matches!(
        constraint,
        JoinConstraint::Using(_) | JoinConstraint::Natural
    );
    is_merging.then_some((constraint, side))
}

/// Whether a merged column of these joins is not simply the left side's.
pub(super) fn has_others(tables: &TableWithJoins) -> bool {
    let is_other =
        |operator: &JoinOperator| merging(operator).is_some_and(|(_, side)| side != Side::Left);
    let in_factor = |factor: &TableFactor| match factor {
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => has_others(table_with_joins),
        _ => false,
    };
    let mut joins = tables.joins.iter();
    in_factor(&tables.relation)
        || joins.any(|join| is_other(&join.join_operator) || in_factor(&join.relation))
}

/// The names of the columns that a constraint merges; `None` if they are not known.
pub(super) fn merged_names(
    constraint: &JoinConstraint,
    left: &[Unfolded],
    right: &[Unfolded],
) -> Option<Vec<String>> {
    match constraint {
        JoinConstraint::Using(names) => names
            .iter()
            .map(|name| name.0.last().and_then(|part| part.as_ident()).map(fold))
            .collect(),
        _ => Some(
            left.iter()
                .filter(|column| right.iter().any(|other| other.name == column.name))
                .map(|column| column.name.clone())
                .collect(),
        ),
    }
}

/// The merged column of two.
pub(super) fn merged(left: &Unfolded, right: &Unfolded, side: Side) -> Unfolded {
    let expression = match side {
        Side::Left => left.expression.clone(),
        Side::Right => right.expression.clone(),
        Side::Both => call(
            "coalesce",
            vec![left.expression.clone(), right.expression.clone()],
        ),
    };
    Unfolded {
        name: left.name.clone(),
        expression,
    }
}

/// The condition that a constraint stands for.
///
/// # Errors
/// A side has no such column, or two of them; or its columns are not known.
pub(super) fn condition(
    constraint: &JoinConstraint,
    left: &[Unfolded],
    right: &[Unfolded],
) -> Result<JoinConstraint> {
    let names = merged_names(constraint, left, right).ok_or_else(unknown)?;
    let mut condition: Option<Expr> = None;
    for name in &names {
        let equal = Expr::BinaryOp {
            left: Box::new(only(left, name, "left")?.expression.clone()),
            op: BinaryOperator::Eq,
            right: Box::new(only(right, name, "right")?.expression.clone()),
        };
        condition = Some(match condition {
            None => equal,
            Some(before) => Expr::BinaryOp {
                left: Box::new(before),
                op: BinaryOperator::And,
                right: Box::new(equal),
            },
        });
    }
    // NATURAL without a column in common joins every row with every other.
    let always = || Expr::Value(datafusion::sql::sqlparser::ast::Value::Boolean(true).into());
    Ok(JoinConstraint::On(condition.unwrap_or_else(always)))
}

/// Gives a join another constraint.
pub(super) fn set_condition(operator: &mut JoinOperator, condition: JoinConstraint) {
    if let JoinOperator::Join(constraint)
    | JoinOperator::Inner(constraint)
    | JoinOperator::Left(constraint)
    | JoinOperator::LeftOuter(constraint)
    | JoinOperator::Right(constraint)
    | JoinOperator::RightOuter(constraint)
    | JoinOperator::FullOuter(constraint) = operator
    {
        *constraint = condition;
    }
}

/// As `transformFromClauseItem` words it.
fn only<'a>(columns: &'a [Unfolded], name: &str, side: &str) -> Result<&'a Unfolded> {
    let mut found = columns.iter().filter(|column| column.name == name);
    match (found.next(), found.next()) {
        (Some(column), None) => Ok(column),
        (None, _) => {
            let message = format!(
                "column \"{name}\" specified in USING clause does not exist in {side} table"
            );
            Err(Error::new(ErrorKind::UndefinedColumn, message))
        }
        (Some(_), Some(_)) => {
            let message =
                format!("common column name \"{name}\" appears more than once in {side} table");
            Err(Error::new(ErrorKind::AmbiguousColumn, message))
        }
    }
}

/// The refusal of joins of relations whose columns are known to the planner alone.
pub(super) fn unknown() -> Error {
    Error::unsupported("RIGHT or FULL JOIN with USING or NATURAL of a function's rows")
        .with_hint("Join ON a condition, and coalesce the two columns.")
}

/// Whether a column is named by this identifier.
pub(super) fn is_named(column: &str, name: &Ident) -> bool {
    match name.quote_style {
        Some(_) => column == name.value,
        None => column.to_lowercase() == fold(name),
    }
}
