//! Decides what a statement may read, when its names are bound and before anything is planned.
//!
//! A relation of the statement is read as whom the statement runs; one of a view as the view's
//! owner, or as whom the statement runs if the view says `security_invoker`. Rights are those of
//! now, whatever moment the transaction sees, so that a REVOKE holds from the next statement on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use super::context::StatementContext;
use crate::auth::{
    Actor, Authority, Object, Privilege, Protection, Readable, Rights, RowSecurity, Standing,
};
use crate::catalog::views::permission_denied;
use crate::catalog::{Catalog, Relation};
use crate::error::{Error, ErrorKind, Result};

/// What is checked of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Checks {
    /// Whether its names may be looked up: PostgreSQL asks for more only when it is run
    /// (`ExecCheckPermissions` in execMain.c), and tells its columns before.
    Names,
    /// Also whether what they mean may be read.
    Reading,
}

/// As whom a relation is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// As whom the statement runs.
    Session,
    /// As the owner of a view: its schema and name.
    OwnerOf(String, String),
}

/// The rights under which a statement's names are bound.
#[derive(Debug)]
pub(super) struct Access {
    actor: Actor,
    /// All of them must allow it: what the transaction defined, and what others did meanwhile.
    authorities: Vec<Arc<Authority>>,
    checks: Checks,
    /// `row_security = off`: an error is better than rows held back.
    refuses_policies: bool,
}

/// One decision: what was allowed to be read of a relation, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) reader: Reader,
    pub(super) readable: Readable,
    /// The conditions and masks it is read under.
    pub(super) protection: Option<Protection>,
}

/// What was decided for a statement. Two statements of equal policies may read the same, whoever
/// runs them.
#[derive(Debug, Default)]
pub(super) struct Policies {
    pub(super) decisions: Vec<Decision>,
    /// What of the session decides about rows, by name: `current_user` is among it only if a policy
    /// or a mask asks for it.
    pub(super) session: BTreeMap<String, String>,
    fingerprint: OnceLock<blake3::Hash>,
}

impl Policies {
    /// A digest of all that was decided, once that is done.
    pub(super) fn fingerprint(&self) -> blake3::Hash {
        *self.fingerprint.get_or_init(|| self.digest())
    }

    fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for decision in &self.decisions {
            hasher.update(format!("{decision:?}").as_bytes());
        }
        hasher.update(format!("{:?}", self.session).as_bytes());
        hasher.finalize()
    }
}

/// The columns to which the reading of a relation is limited.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    /// For the error: `table`, or `view`.
    pub(super) kind: &'static str,
    /// The relation's name.
    pub(super) name: String,
    /// Those that may be read.
    pub(super) columns: BTreeSet<String>,
}

impl Access {
    /// The rights of a statement.
    pub(super) fn of(catalog: &Catalog, context: &StatementContext, checks: Checks) -> Self {
        let latest = catalog.authority();
        let authorities = match &context.draft {
            None => vec![latest],
            Some(draft) => {
                let (own, base) = (&draft.views.authority, &draft.base_authority);
                match (own == base, latest == *base) {
                    (true, _) => vec![latest],
                    (false, true) => vec![Arc::clone(own)],
                    (false, false) => vec![Arc::clone(own), latest],
                }
            }
        };
        Self {
            actor: context.facts.actor.clone(),
            authorities,
            checks,
            refuses_policies: context
                .facts
                .settings
                .get("row_security")
                .is_some_and(|value| value == "off"),
        }
    }

    /// Who may what, as it was when the statement began; `None` where nothing is checked.
    pub(super) fn latest(&self) -> Option<&Arc<Authority>> {
        self.authorities.last()
    }

    /// No limits: a definition is planned to see whether it can be.
    pub(super) fn open() -> Self {
        Self {
            actor: Actor::open(crate::auth::OWNER),
            authorities: Vec::new(),
            checks: Checks::Names,
            refuses_policies: false,
        }
    }

    fn is_open(&self) -> bool {
        self.actor.standing == Standing::Open
    }

    fn rights<'a>(&self, authority: &'a Authority, reader: &Reader) -> Rights<'a> {
        match reader {
            Reader::Session => authority.rights_of(&self.actor),
            Reader::OwnerOf(schema, name) => {
                let view = Object::relation(schema, name);
                authority.rights_of_role(authority.owner_of(&view))
            }
        }
    }

    /// The role as which a server is asked: whose rights are used. `None` where nothing is read, and
    /// only names are asked for.
    pub(super) fn role_of(&self, reader: &Reader) -> Option<String> {
        let latest = self.authorities.first()?;
        Some(match reader {
            Reader::Session => self.actor.user.clone(),
            Reader::OwnerOf(schema, name) => {
                let view = Object::relation(schema, name);
                latest.owner_of(&view).to_owned()
            }
        })
    }

    /// Whether the statement may look names up in a schema.
    pub(super) fn may_use(&self, schema: &str) -> bool {
        let object = Object::schema(schema);
        self.is_open()
            || self.authorities.iter().all(|authority| {
                let rights = self.rights(authority, &Reader::Session);
                rights.may(Privilege::Usage, &object)
            })
    }

    /// What may be read of a relation.
    pub(super) fn readable(&self, reader: &Reader, schema: &str, name: &str) -> Readable {
        if self.is_open() || self.checks == Checks::Names {
            return Readable::All;
        }
        let allowed = self.authorities.iter();
        let allowed = allowed.map(|it| self.rights(it, reader).readable(schema, name));
        allowed.fold(Readable::All, Readable::and)
    }

    /// The conditions and masks under which a relation is read; `None` if all of it is read as it
    /// is.
    ///
    /// # Errors
    /// `InsufficientPrivilege`: rows would be held back, and `row_security` is off.
    pub(super) fn protection(
        &self,
        reader: &Reader,
        schema: &str,
        name: &str,
    ) -> Result<Option<Protection>> {
        if self.is_open() || self.checks == Checks::Names {
            return Ok(None);
        }
        let relation = Object::relation(schema, name);
        let mut protection = Protection::default();
        for authority in &self.authorities {
            let rights = self.rights(authority, reader);
            if let RowSecurity::On { is_owner } = rights.row_security(&relation)
                && self.refuses_policies
            {
                return Err(would_be_affected(name, is_owner));
            }
            protection = protection.and(rights.protection(&relation));
        }
        Ok((!protection.is_empty()).then_some(protection))
    }

    /// A digest of all that roles may.
    pub(super) fn rights_fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for authority in &self.authorities {
            hasher.update(format!("{authority:?}").as_bytes());
        }
        hasher.finalize().to_string()
    }

    /// Whether the statement may know of a relation's name by more than asking for it.
    pub(super) fn may_see(&self, relation: &Relation) -> bool {
        self.is_open()
            || (self.may_use(&relation.schema)
                && self.authorities.iter().all(|authority| {
                    let rights = self.rights(authority, &Reader::Session);
                    rights.may_any(&relation.schema, &relation.name)
                }))
    }

    /// Refuses a system relation that is not for everybody.
    ///
    /// # Errors
    /// `InsufficientPrivilege`.
    pub(super) fn require_system(&self, reader: &Reader, schema: &str, name: &str) -> Result<()> {
        let Some((kind, role)) = guarded(schema, name) else {
            return Ok(());
        };
        let is_allowed = self.is_open()
            || self.checks == Checks::Names
            || self.authorities.iter().all(|authority| {
                let rights = self.rights(authority, reader);
                rights.are_everything() || role.is_some_and(|role| rights.include(role))
            });
        match is_allowed {
            true => Ok(()),
            false => Err(permission_denied(kind, name)),
        }
    }
}

/// As `check_enable_rls` in rls.c.
fn would_be_affected(name: &str, is_owner: bool) -> Error {
    let message =
        format!("query would be affected by row-level security policy for table \"{name}\"");
    let error = Error::new(ErrorKind::InsufficientPrivilege, message);
    match is_owner {
        true => error.with_hint(
            "To disable the policy for the table's owner, use ALTER TABLE NO FORCE ROW LEVEL \
             SECURITY.",
        ),
        false => error,
    }
}

/// A kind of relation, and whose members may read it beside superusers.
type Guarded = (&'static str, Option<&'static str>);

/// The system relations that PUBLIC may not read (`system_views.sql` and `system_catalog` in
/// PostgreSQL's source), and those of Lakegate that tell of files.
fn guarded(schema: &str, name: &str) -> Option<Guarded> {
    match (schema, name) {
        (
            "pg_catalog",
            "pg_authid"
            | "pg_statistic"
            | "pg_statistic_ext_data"
            | "pg_user_mapping"
            | "pg_largeobject"
            | "pg_subscription",
        ) => Some(("table", Some("pg_read_all_data"))),
        (
            "pg_catalog",
            "pg_shadow"
            | "pg_config"
            | "pg_file_settings"
            | "pg_hba_file_rules"
            | "pg_ident_file_mappings",
        ) => Some(("view", Some("pg_read_all_data"))),
        ("pg_catalog", "pg_backend_memory_contexts" | "pg_shmem_allocations") => {
            Some(("view", Some("pg_read_all_stats")))
        }
        ("lakegate", "omissions" | "view_errors") => Some(("view", Some("pg_monitor"))),
        _ => None,
    }
}
