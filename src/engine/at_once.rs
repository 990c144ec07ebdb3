//! Gives at once what is kept: where nothing must be waited for to know that it is still right, a statement
//! needs no other thread, no state of its own and no plan.

use super::access::Checks;
use super::answer::{Answer, Description};
use super::cache::Descriptions;
use super::context::StatementContext;
use super::history::Came;
use super::pin::Pinned;
use super::statement::{Statement, StatementKind};
use super::{Inner, Parameter, Scene, pin, session_state, travel};

impl Inner {
    /// The answer of a query, if it is kept and right. Blocks for a few system calls where tables lie on a local
    /// disk, and for nothing else.
    pub(super) fn answer_at_once(
        &self,
        statement: &Statement,
        parameters: &[Parameter],
        context: &StatementContext,
    ) -> Option<Answer> {
        let pinned = self.pinned_at_once(statement, context, Checks::Reading)?;
        let kept = |scene: &Scene<'_>| self.results.kept(statement, scene);
        let held = self.over(statement, &pinned, parameters, context, kept)?;
        self.results.statements.count(true);
        let mut asking = self.history.begins(statement, context);
        asking.reads(&pinned);
        asking.comes(Came::Hit, Some(0));
        let answer = asking.follow(Answer::of_held(held));
        Some(travel::telling(answer, &pinned, context))
    }

    /// What a query takes and gives, if that is kept and right. Blocks as [`Self::answer_at_once`].
    pub(super) fn describe_at_once(
        &self,
        statement: &Statement,
        declared: &[u32],
        context: &StatementContext,
    ) -> Option<Description> {
        let pinned = self.pinned_at_once(statement, context, Checks::Names)?;
        let described = |scene: &Scene<'_>| {
            let key = Descriptions::key(statement, scene, declared)?;
            self.results.descriptions.kept(&key)
        };
        let known = self.over(statement, &pinned, &[], context, described)?;
        self.results.statements.count(true);
        Some(known)
    }

    /// Every relation of a query, if it is known without waiting what the names mean and that none has changed.
    fn pinned_at_once(
        &self,
        statement: &Statement,
        context: &StatementContext,
        checks: Checks,
    ) -> Option<Pinned> {
        let statements = &self.results.statements;
        let resolved = statements.bound(statement, context, checks, &self.catalog)?;
        pin::pin_at_once(&self.catalog, &resolved)
    }

    /// Looks for something over what is pinned for a query.
    fn over<T>(
        &self,
        statement: &Statement,
        pinned: &Pinned,
        values: &[Parameter],
        context: &StatementContext,
        look: impl FnOnce(&Scene<'_>) -> Option<T>,
    ) -> Option<T> {
        let StatementKind::Query(query) = &statement.kind else {
            return None;
        };
        let state = session_state::of_statement(&self.base, context);
        look(&Scene {
            query,
            lines: &statement.lines,
            pinned,
            state: &state,
            context,
            values,
        })
    }
}
