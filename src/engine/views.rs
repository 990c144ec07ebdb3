//! Views from the engine's side: their columns, whether they can be planned, and what a statement
//! that defines one does.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::access::{Access, Checks};
use super::context::StatementContext;
use super::renamed::renamed;
use super::travel::Clock;
use super::{Engine, Inner, Scene, judge_policy, parse, plan, session_state, travel};
use crate::catalog::sql::{
    AlterKeys, Definition, GrantObjects, KeyAction, KeyKindSpec, Name, identifier,
};
use crate::catalog::views::{Draft, FullName, Surroundings, View, permission_denied};
use crate::catalog::{Judge, Snapshot};
use crate::error::{Error, ErrorKind, Result};

/// What a statement that defines something did.
#[derive(Debug)]
pub struct Defined {
    /// The transaction's definitions, this one among them.
    pub draft: Draft,
    /// Messages for the client.
    pub notices: Vec<String>,
    /// What it is warned of.
    pub warnings: Vec<String>,
    /// The materialized view that is to have its rows once this is committed.
    pub to_refresh: Option<FullName>,
}

impl Engine {
    /// Reads the views folder again, if it changed.
    ///
    /// # Errors
    /// The folder cannot be read; what was known stays.
    pub async fn reload_views(&self) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        let step = async move { inner.catalog.reload(inner.as_ref()).await };
        self.on_query_runtime(&self.inner.own_context(), step.boxed())
            .await
    }

    /// Plans the views that were never planned, and keeps the good ones for the next start.
    ///
    /// # Errors
    /// The state folder cannot be written.
    pub async fn prove_views(&self) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        let step = async move { inner.catalog.prove(inner.as_ref()).await };
        self.on_query_runtime(&self.inner.own_context(), step.boxed())
            .await
    }

    /// Runs a statement that defines something, on what the transaction defined before. Nothing is
    /// written: [`Engine::commit`] does that. Cancel safe.
    ///
    /// # Errors
    /// As PostgreSQL's command of that name; a view's query is planned.
    pub async fn define(
        &self,
        definition: &Definition,
        context: &StatementContext,
    ) -> Result<Defined> {
        let inner = Arc::clone(&self.inner);
        let (definition, own) = (definition.clone(), context.clone());
        let step = async move { Box::pin(inner.define(&definition, &own)).await };
        self.on_query_runtime(context, step.boxed()).await
    }

    /// Writes what a transaction defined, all or nothing.
    ///
    /// # Errors
    /// `SerializationFailure` if somebody else changed the same files meanwhile.
    pub async fn commit(&self, draft: &Draft) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        let draft = draft.clone();
        // Once begun it is not given up: the client would not know what became of it.
        let task = self
            .inner
            .runtime
            .spawn(async move { inner.catalog.commit(&draft, inner.as_ref()).await });
        task.await.map_err(Error::internal)?
    }
}

impl Judge for Inner {
    fn judge<'a>(
        &'a self,
        view: &'a Arc<View>,
        snapshot: &'a Arc<Snapshot>,
    ) -> BoxFuture<'a, Result<()>> {
        let context = self.own_context();
        async move {
            let planned = self.plan_view(view, snapshot, None, &context).await;
            planned.map(|_| ())
        }
        .boxed()
    }
}

impl Inner {
    /// The context of what no session asked for.
    pub(super) fn own_context(&self) -> StatementContext {
        StatementContext::of_process(&self.database)
    }

    async fn define(&self, definition: &Definition, context: &StatementContext) -> Result<Defined> {
        let draft = match &context.draft {
            Some(draft) => {
                self.require_same_rights(draft, context)?;
                draft.clone()
            }
            None => {
                self.catalog.reload(self).await?;
                self.catalog.refresh().await?;
                Draft::new(self.catalog.views())
            }
        };
        let references_of = self.catalog.references_of();
        let authority = self.catalog.authority();
        let may_know_all = authority.may_everything(&context.facts.actor);
        let in_query = |error: Error| match may_know_all {
            true => error,
            false => error.without_hint(),
        };
        let in_query = |error: Error| match (definition, error.position()) {
            (Definition::CreateView(view), Some(position)) => {
                in_query(error.at(view.query.position + position - 1))
            }
            _ => in_query(error),
        };
        if let Definition::CreateView(view) = definition {
            references_of(&view.query.text).map_err(in_query)?;
        }
        judge_policy::check_syntax(definition)?;
        let before = self.catalog.snapshot_with(&draft.views).await?;
        self.require_names(definition, &before, context).await?;
        let completed;
        let definition = match definition {
            Definition::CreateSnapshot(said) => {
                let state = session_state::of_statement(&self.base, context);
                let clock = self.clock(&state, context, &[]);
                let said = travel::complete(said, &before, clock).await?;
                completed = Definition::CreateSnapshot(said);
                &completed
            }
            other => other,
        };
        let surroundings = Surroundings {
            snapshot: &before,
            search_path: &context.facts.search_path,
            database: &context.facts.database,
            actor: &context.facts.actor,
            renamed,
        };
        let (draft, edited) = draft.define(definition, surroundings, references_of)?;
        if let Some(created) = &edited.created
            && let Some(view) = draft.views.view(created)
        {
            let after = self.catalog.snapshot_with(&draft.views).await?;
            self.judge_new(view, &after).await.map_err(in_query)?;
            self.keep_readers(&draft, created, &before, &after).await?;
        }
        self.catalog.require_listed(&before, &draft.views).await?;
        if let Some(protected) = &edited.protected {
            self.judge_policy(definition, protected, &before, context)
                .await?;
        }
        Ok(Defined {
            draft,
            notices: edited.notices,
            warnings: edited.warnings,
            to_refresh: edited.created.filter(|_| definition.wants_rows()),
        })
    }

    /// Refuses a view that cannot be planned, or whose rows are to be stored and cannot be.
    async fn judge_new(&self, view: &Arc<View>, snapshot: &Arc<Snapshot>) -> Result<()> {
        self.judge(view, snapshot).await?;
        match view.materialized {
            Some(_) => self.check_materialized(view, snapshot).await,
            None => Ok(()),
        }
    }

    /// A transaction defines by the rights that it began with; if others changed them meanwhile, it
    /// must begin anew, lest what was revoked is used once more.
    fn require_same_rights(&self, draft: &Draft, context: &StatementContext) -> Result<()> {
        let latest = self.catalog.authority();
        if latest == draft.base_authority || latest.may_everything(&context.facts.actor) {
            return Ok(());
        }
        let message = "could not serialize access due to concurrent change of roles";
        Err(Error::new(ErrorKind::SerializationFailure, message)
            .with_hint("Try the transaction again."))
    }

    /// Refuses names of schemas that may not be used, and of columns that are not there.
    async fn require_names(
        &self,
        definition: &Definition,
        snapshot: &Snapshot,
        context: &StatementContext,
    ) -> Result<()> {
        if let Definition::CreateView(view) = definition {
            let access = Access::of(&self.catalog, context, Checks::Names);
            for (schema, _) in self.catalog.references_of()(&view.query.text)? {
                if let Some(schema) = schema
                    && snapshot.schemas.contains_key(&schema)
                    && !access.may_use(&schema)
                {
                    return Err(permission_denied("schema", &schema));
                }
            }
        }
        if let Definition::AlterKeys(alter) = definition {
            return self.require_key_columns(alter, snapshot, context).await;
        }
        let Definition::GrantPrivilege(grant) = definition else {
            return Ok(());
        };
        let GrantObjects::Relations(names) = &grant.on else {
            return Ok(());
        };
        for name in names.iter().filter(|_| grant.names_columns()) {
            let known = self.columns_of(name, context).await?;
            if let Some(missing) = grant.columns().find(|column| !known.contains(column)) {
                let message = format!(
                    "column \"{missing}\" of relation \"{}\" does not exist",
                    name.name
                );
                return Err(Error::new(ErrorKind::UndefinedColumn, message));
            }
        }
        Ok(())
    }

    /// Refuses keys of columns that are not there.
    async fn require_key_columns(
        &self,
        alter: &AlterKeys,
        snapshot: &Snapshot,
        context: &StatementContext,
    ) -> Result<()> {
        let is_known = |name: &Name| {
            let schemas = match &name.schema {
                Some(schema) => std::slice::from_ref(schema),
                None => context.facts.search_path.as_slice(),
            };
            let mut found = schemas
                .iter()
                .map(|schema| snapshot.find(schema, &name.name, |_| false));
            found.any(|found| matches!(found, Ok(Some(_))))
        };
        for action in &alter.actions {
            let KeyAction::Add(key) = action else {
                continue;
            };
            let mut named = vec![(&alter.on, &key.columns)];
            let mut place = "named in key";
            if let KeyKindSpec::Foreign(to, columns) = &key.kind {
                place = "referenced in foreign key constraint";
                named.push((to, columns));
            }
            for (name, columns) in named.into_iter().filter(|(name, _)| is_known(name)) {
                let known = self.columns_of(name, context).await?;
                if let Some(missing) = columns.iter().find(|column| !known.contains(column)) {
                    let message = format!("column \"{missing}\" {place} does not exist");
                    return Err(Error::new(ErrorKind::UndefinedColumn, message));
                }
            }
        }
        Ok(())
    }

    /// The names of a relation's columns.
    async fn columns_of(&self, name: &Name, context: &StatementContext) -> Result<Vec<String>> {
        let schema = name.schema.as_deref().map(identifier);
        let schema = schema
            .map(|schema| format!("{schema}."))
            .unwrap_or_default();
        let text = format!("select * from {schema}{}", identifier(&name.name));
        let (query, lines) = parse::parse_view(&text)?;
        let state = session_state::of_statement(&self.base, context);
        let clock = Clock {
            heeds_session: false,
            ..self.clock(&state, context, &[])
        };
        let pinned = self.pin(&query, &lines, clock, Checks::Names).await;
        let pinned = pinned.map_err(Error::without_position)?;
        let scene = Scene {
            query: &query,
            lines: &lines,
            pinned: &pinned,
            state: &state,
            context,
            values: &[],
        };
        let plan = plan::plan(&scene, Vec::new())?;
        let fields = plan.logical.schema().fields().iter();
        Ok(fields.map(|field| field.name().clone()).collect())
    }

    /// Refuses a definition that breaks a view which reads the one defined.
    async fn keep_readers(
        &self,
        draft: &Draft,
        created: &FullName,
        before: &Arc<Snapshot>,
        after: &Arc<Snapshot>,
    ) -> Result<()> {
        for name in draft.views.readers(created) {
            let Some(reader) = draft.views.view(&name) else {
                continue;
            };
            if let Err(error) = self.judge(reader, after).await
                && self.judge(reader, before).await.is_ok()
            {
                let (what, by) = (&created.1, &name.1);
                let message =
                    format!("cannot replace view {what} because other objects depend on it");
                return Err(Error::new(ErrorKind::DependentObjectsStillExist, message)
                    .with_detail(format!("view {by}: {}", error.message())));
            }
        }
        Ok(())
    }
}
