//! Whether a row policy or a column mask that is being defined can be planned over its relation.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;

use super::context::StatementContext;
use super::{Inner, pin, plan, protect, references, session_state};
use crate::auth::Protection;
use crate::catalog::sql::{Definition, PolicyChange, SelectText};
use crate::catalog::views::FullName;
use crate::catalog::{Relation, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{format_type, of_arrow};

/// What a definition says of the rows or a column of its relation.
enum Said<'a> {
    Condition(&'a SelectText),
    Mask(&'a str, &'a SelectText),
}

fn said(definition: &Definition) -> Option<Said<'_>> {
    match definition {
        Definition::CreatePolicy(create) => create.using.as_ref().map(Said::Condition),
        Definition::AlterPolicy(alter) => match &alter.change {
            PolicyChange::Set { using, .. } => using.as_ref().map(Said::Condition),
            PolicyChange::Rename(_) => None,
        },
        Definition::LabelColumn(label) => {
            let mask = label.label.as_ref()?;
            Some(Said::Mask(&label.column, &mask.expression))
        }
        _ => None,
    }
}

/// Refuses what is no expression, before anything is written of it.
///
/// # Errors
/// `SyntaxError`, and whatever queries are refused for.
pub(super) fn check_syntax(definition: &Definition) -> Result<()> {
    let expression = match said(definition) {
        Some(Said::Condition(text) | Said::Mask(_, text)) => text,
        None => return Ok(()),
    };
    let query = protect::query_of("relation", &mask_alone("value", &expression.text));
    query.map(|_| ()).map_err(Error::without_position)
}

fn mask_alone(column: &str, expression: &str) -> Protection {
    Protection {
        conditions: Vec::new(),
        masks: BTreeMap::from([(column.to_owned(), expression.to_owned())]),
    }
}

impl Inner {
    /// Plans what a definition says over the relation it is about.
    ///
    /// # Errors
    /// Whatever planning finds wrong; `DatatypeMismatch` for a policy that is no condition.
    pub(super) async fn judge_policy(
        &self,
        definition: &Definition,
        name: &FullName,
        snapshot: &Arc<Snapshot>,
        context: &StatementContext,
    ) -> Result<()> {
        let relations = snapshot.schemas.get(&name.0).map(|it| &it.relations);
        let relation = relations.and_then(|relations| relations.get(&name.1));
        let (Some(said), Some(relation)) = (said(definition), relation) else {
            return Ok(());
        };
        let protection = match said {
            Said::Condition(condition) => {
                let text = &condition.text;
                self.require_condition(text, relation, snapshot, context)
                    .await?;
                Protection {
                    conditions: vec![vec![text.clone()]],
                    masks: BTreeMap::new(),
                }
            }
            Said::Mask(column, expression) => {
                let text = &expression.text;
                self.type_of(text, relation, snapshot, context).await?;
                mask_alone(column, text)
            }
        };
        let state = session_state::of_statement(&self.base, context);
        let pinned = self
            .protected(relation, &protection, snapshot, context)
            .await?;
        plan::check_protection(&pinned, &state, context)
    }

    async fn protected(
        &self,
        relation: &Relation,
        protection: &Protection,
        snapshot: &Arc<Snapshot>,
        context: &StatementContext,
    ) -> Result<pin::Pinned> {
        let state = session_state::of_statement(&self.base, context);
        let clock = self.clock(&state, context, &[]);
        let resolved = references::resolve_protection(snapshot, relation, protection, clock)?;
        let inventory = self.inventory_for(&resolved, clock).await?;
        Ok(pin::pin(&self.catalog, &resolved, inventory, context).await?)
    }

    /// The type of an expression over the rows of a relation, each for itself.
    async fn type_of(
        &self,
        text: &str,
        relation: &Relation,
        snapshot: &Arc<Snapshot>,
        context: &StatementContext,
    ) -> Result<DataType> {
        let as_value = mask_alone("value", text);
        let pinned = self
            .protected(relation, &as_value, snapshot, context)
            .await?;
        let state = session_state::of_statement(&self.base, context);
        plan::type_of_mask(&pinned, &state, context)
    }

    /// As `transformWhereClause` in parse_clause.c.
    async fn require_condition(
        &self,
        text: &str,
        relation: &Relation,
        snapshot: &Arc<Snapshot>,
        context: &StatementContext,
    ) -> Result<()> {
        match self.type_of(text, relation, snapshot, context).await? {
            DataType::Boolean | DataType::Null => Ok(()),
            other => {
                let shown = of_arrow(&other);
                let shown = format_type(shown.oid, -1).unwrap_or_default();
                let message = format!("argument of POLICY must be type boolean, not type {shown}");
                Err(Error::new(ErrorKind::DatatypeMismatch, message))
            }
        }
    }
}
