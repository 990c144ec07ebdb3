//! Roles in the files of the views folder: read from them, and changed in them as text.
//!
//! Who may do what of it is PostgreSQL 16's, function by function of user.c.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Views;
use super::edit::Editor;
use super::facts::{no_role, role_path};
use super::grants::no_database;
use crate::auth::{Fact, OWNER, Password, Role, RoleChange, RoleSetting, Until, predefined};
use crate::catalog::sql::{CreateRole, RoleSpec, SettingChange, SettingsOf, identifier, literal};
use crate::error::{Error, ErrorKind, Result};

/// The role that a file defines.
///
/// # Errors
/// A name that is PostgreSQL's, a password that is no verifier.
pub(super) fn of_file(name: &str, change: RoleChange) -> Result<Role> {
    refuse_reserved(name)?;
    if let Some(Some(password)) = change.password.clone() {
        password.required_verifier()?;
    }
    let role = Role::new(name).after(change);
    owner_is_superuser(&role)?;
    Ok(role)
}

/// What nobody else owns is the owner's: no role that may less can be it.
fn owner_is_superuser(role: &Role) -> Result<()> {
    if role.name != OWNER || role.is_superuser {
        return Ok(());
    }
    let message = format!("role \"{OWNER}\" must be a superuser");
    Err(Error::new(ErrorKind::InvalidObjectDefinition, message)
        .with_detail("It owns what nobody else does."))
}

/// Roles decide for as long as the process runs once they did; while anything that is said of them
/// cannot be understood, all of it counts as it did before.
pub(super) fn keep_last_good(views: &mut Views, before: Option<&Views>) {
    let Some(before) = before else {
        return;
    };
    let is_enforced = views.authority.is_enforced || before.authority.is_enforced;
    if views.role_problem().is_some() {
        views.authority = Arc::clone(&before.authority);
    }
    if views.authority.is_enforced != is_enforced {
        Arc::make_mut(&mut views.authority).is_enforced = is_enforced;
    }
}

/// The statement that makes a role what it is.
pub(super) fn create_statement(role: &Role) -> String {
    let mut options = String::new();
    let attributes = [
        (role.is_superuser, " superuser"),
        (role.can_create_databases, " createdb"),
        (role.can_create_roles, " createrole"),
        (!role.inherits, " noinherit"),
        (role.can_replicate, " replication"),
        (role.bypasses_row_security, " bypassrls"),
    ];
    for (_, attribute) in attributes.iter().filter(|(is_set, _)| *is_set) {
        options.push_str(attribute);
    }
    options.push_str(if role.can_login { " login" } else { " nologin" });
    if let Some(verifier) = &role.password {
        options.push_str(&format!("\n  password {}", literal(&verifier.to_string())));
    }
    if role.valid_until != Until::Always {
        let until = literal(&role.valid_until.to_string());
        options.push_str(&format!("\n  valid until {until}"));
    }
    if role.connections_max != -1 {
        options.push_str(&format!("\n  connection limit {}", role.connections_max));
    }
    format!("create role {}{options};", identifier(&role.name))
}

/// `permission denied to ... role`, and what would have allowed it.
pub(super) fn denied(verb: &str, detail: impl Into<String>) -> Error {
    let message = format!("permission denied to {verb}");
    Error::new(ErrorKind::InsufficientPrivilege, message).with_detail(detail)
}

impl Editor<'_> {
    pub(super) fn create_role(&mut self, create: &CreateRole) -> Result<()> {
        let name = &create.name;
        refuse_reserved(name)?;
        self.require_may_create(&create.change)?;
        if self.views.authority.role(name).is_some() {
            let message = format!("role \"{name}\" already exists");
            return Err(Error::new(ErrorKind::DuplicateObject, message));
        }
        let change = self.without_empty_password(&create.change);
        let role = Role::new(name).after(change);
        owner_is_superuser(&role)?;
        if self.views.authority.roles.is_empty() && !role.can_administer() {
            let message = "the first role must be a superuser that can log in with a password";
            return Err(Error::new(ErrorKind::InvalidObjectDefinition, message)
                .with_hint("CREATE ROLE ... SUPERUSER LOGIN PASSWORD '...'"));
        }
        self.append(&role_path(name), &create_statement(&role));
        self.grant_to_new(create, &role)
    }

    /// As CreateRole in user.c.
    fn require_may_create(&self, change: &RoleChange) -> Result<()> {
        let Some(own) = self.own_rights() else {
            return Ok(());
        };
        let verb = "create role";
        if !own.can_create_roles {
            let detail = "Only roles with the CREATEROLE attribute may create roles.";
            return Err(denied(verb, detail));
        }
        for (attribute, asked, has) in attributes(change, &own) {
            if asked == Some(true) && !has {
                let detail = format!(
                    "Only roles with the {attribute} attribute may create roles with the \
                     {attribute} attribute."
                );
                return Err(denied(verb, detail));
            }
        }
        Ok(())
    }

    /// The attributes of whom the statement runs as; `None` for whom everything is allowed.
    pub(super) fn own_rights(&self) -> Option<Role> {
        let (authority, actor) = (&self.views.authority, self.surroundings.actor);
        if authority.may_everything(actor) {
            return None;
        }
        let own = authority.role(&actor.user).map(|role| Role::clone(role));
        Some(own.unwrap_or_else(|| Role::new(&actor.user)))
    }

    /// A role as it is before the statement.
    fn known_role(&self, name: &str) -> Option<Role> {
        self.views
            .authority
            .role(name)
            .map(|role| Role::clone(role))
    }

    pub(super) fn alter_role(&mut self, spec: &RoleSpec, change: &RoleChange) -> Result<()> {
        let name = self.changed_role(spec, "alter")?;
        let Some(role) = self.known_role(&name) else {
            return Err(no_role(&name));
        };
        self.require_may_alter(&role, change)?;
        let change = self.without_empty_password(change);
        let role = role.after(change);
        owner_is_superuser(&role)?;
        self.require_administrator(|other| match other.name == name {
            true => Some(role.clone()),
            false => Some(other.clone()),
        })?;
        let changed = BTreeMap::from([(name, Some(role))]);
        self.rewrite(&changed, self.views.authority.facts.clone())
    }

    /// As AlterRole in user.c.
    fn require_may_alter(&self, role: &Role, change: &RoleChange) -> Result<()> {
        let Some(own) = self.own_rights() else {
            return Ok(());
        };
        let verb = "alter role";
        if role.is_superuser || change.is_superuser.is_some() {
            let detail = match role.is_superuser {
                true => {
                    "Only roles with the SUPERUSER attribute may alter roles with the SUPERUSER attribute."
                }
                false => {
                    "Only roles with the SUPERUSER attribute may change the SUPERUSER attribute."
                }
            };
            return Err(denied(verb, detail));
        }
        if own.can_create_roles && self.views.authority.is_admin(&own.name, &role.name) {
            for (attribute, asked, has) in attributes(change, &own) {
                if asked.is_some() && !has {
                    let detail = format!(
                        "Only roles with the {attribute} attribute may change the {attribute} \
                         attribute."
                    );
                    return Err(denied(verb, detail));
                }
            }
            return Ok(());
        }
        let is_nothing = *change == RoleChange::default();
        if !change.is_password_alone() && !is_nothing {
            return Err(denied(verb, needs_admin(&role.name, "alter")));
        }
        if change.is_password_alone() && own.name != role.name {
            let detail = "To change another role's password, the current user must have the \
                          CREATEROLE attribute and the ADMIN option on the role.";
            return Err(denied(verb, detail));
        }
        Ok(())
    }

    /// As AlterRoleSet in user.c, and AlterDatabaseSet in dbcommands.c.
    pub(super) fn alter_setting(&mut self, of: &SettingsOf, change: &SettingChange) -> Result<()> {
        let (spec, database) = match of {
            SettingsOf::Role(spec, database) => (spec.as_ref(), database.as_ref()),
            SettingsOf::Database(name) => (None, Some(name)),
        };
        if let Some(name) = database
            && name != self.surroundings.database
        {
            return Err(no_database(name));
        }
        let in_database = database.is_some();
        let role = spec
            .map(|spec| self.changed_role(spec, "alter"))
            .transpose()?;
        if let SettingsOf::Database(name) = of {
            self.require_owns_database(name)?;
        } else if let Some(own) = self.own_rights() {
            let Some(name) = &role else {
                let detail = "Only roles with the SUPERUSER attribute may alter settings globally.";
                return Err(denied("alter setting", detail));
            };
            if self.views.authority.is_superuser(name) {
                let detail = "Only roles with the SUPERUSER attribute may alter roles with the \
                              SUPERUSER attribute.";
                return Err(denied("alter role", detail));
            }
            let is_admin = own.can_create_roles && self.views.authority.is_admin(&own.name, name);
            if !is_admin && own.name != *name {
                return Err(denied("alter role", needs_admin(name, "alter")));
            }
        }
        self.require_roles()?;
        let mut facts = self.views.authority.facts.clone();
        facts.retain(|fact| match (fact, change) {
            (Fact::Setting(setting), _)
                if (&setting.role, setting.in_database) != (&role, in_database) =>
            {
                true
            }
            (Fact::Setting(_), SettingChange::ResetAll) => false,
            (Fact::Setting(setting), SettingChange::Set(name, _) | SettingChange::Reset(name)) => {
                setting.name != *name
            }
            _ => true,
        });
        if let SettingChange::Set(name, value) = change {
            facts.insert(Fact::Setting(RoleSetting {
                role,
                in_database,
                name: name.clone(),
                value: value.clone(),
            }));
        }
        self.refuse_raised_limits(&facts)?;
        self.set_facts(facts)
    }

    pub(super) fn rename_role(&mut self, spec: &RoleSpec, to: &str) -> Result<()> {
        let name = self.changed_role(spec, "rename")?;
        let actor = self.surroundings.actor;
        for (user, what) in [(&actor.session_user, "session"), (&actor.user, "current")] {
            if *user == name {
                let message = format!("{what} user cannot be renamed");
                return Err(Error::new(ErrorKind::FeatureNotSupported, message));
            }
        }
        refuse_reserved(to)?;
        if self.views.authority.exists(to) {
            let message = format!("role \"{to}\" already exists");
            return Err(Error::new(ErrorKind::DuplicateObject, message));
        }
        let Some(role) = self.known_role(&name) else {
            return Err(no_role(&name));
        };
        self.require_may_end(&role, "rename")?;
        let servers = self.views.foreign.servers.values();
        let mut mapped = servers.flat_map(|server| server.mappings.keys().flatten());
        if mapped.any(|mapped| *mapped == name) {
            let what = "renaming a role that has a user mapping";
            return Err(Error::unsupported(what).with_hint("Drop its user mappings first."));
        }
        let facts = self.views.authority.facts.iter();
        let renamed = facts.map(|fact| fact.renamed(&name, to)).collect();
        self.rewrite(&BTreeMap::from([(name, None)]), renamed)?;
        let role = Role {
            name: to.to_owned(),
            ..role
        };
        self.append(&role_path(to), &create_statement(&role));
        Ok(())
    }

    pub(super) fn drop_roles(&mut self, specs: &[RoleSpec], if_exists: bool) -> Result<()> {
        let mut dropped = BTreeSet::new();
        for spec in specs {
            let name = match spec {
                RoleSpec::Name(name) => name.clone(),
                _ => {
                    let message = "cannot use special role specifier in DROP ROLE";
                    return Err(Error::new(ErrorKind::InvalidParameterValue, message));
                }
            };
            if predefined(&name).is_some() {
                let message = format!(
                    "cannot drop role {name} because it is required by the database system"
                );
                return Err(Error::new(ErrorKind::DependentObjectsStillExist, message));
            }
            let Some(role) = self.known_role(&name) else {
                if !if_exists {
                    return Err(no_role(&name));
                }
                let notice = format!("role \"{name}\" does not exist, skipping");
                self.edited.notices.push(notice);
                continue;
            };
            let actor = self.surroundings.actor;
            for (user, what) in [(&actor.user, "current"), (&actor.session_user, "session")] {
                if *user == name {
                    let message = format!("{what} user cannot be dropped");
                    return Err(Error::new(ErrorKind::ObjectInUse, message));
                }
            }
            self.require_may_end(&role, "drop")?;
            dropped.insert(name);
        }
        if dropped.is_empty() {
            return Ok(());
        }
        self.refuse_needed(&dropped)?;
        self.require_administrator(|role| (!dropped.contains(&role.name)).then(|| role.clone()))?;
        let mut facts = self.views.authority.facts.clone();
        facts.retain(|fact| !fact.roles().iter().any(|role| dropped.contains(*role)));
        let changed = dropped.into_iter().map(|name| (name, None)).collect();
        self.rewrite(&changed, facts)
    }

    /// The role that a statement changes, as check_rolespec_name in acl.c lets it.
    fn changed_role(&self, spec: &RoleSpec, verb: &str) -> Result<String> {
        let name = self.role_named(spec)?;
        if predefined(&name).is_some() {
            let message = format!("role name \"{name}\" is reserved");
            let detail = format!("Cannot {verb} reserved roles.");
            return Err(Error::new(ErrorKind::ReservedName, message).with_detail(detail));
        }
        Ok(name)
    }

    /// The name of a role that is there.
    pub(super) fn role_named(&self, spec: &RoleSpec) -> Result<String> {
        let actor = self.surroundings.actor;
        let name = match spec {
            RoleSpec::Name(name) => name,
            RoleSpec::CurrentUser => &actor.user,
            RoleSpec::SessionUser => &actor.session_user,
            RoleSpec::Public => return Err(no_role("public")),
        };
        match self.views.authority.exists(name) {
            true => Ok(name.clone()),
            false => Err(no_role(name)),
        }
    }

    /// What is said of roles means nothing before there is one.
    pub(super) fn require_roles(&self) -> Result<()> {
        if !self.views.authority.roles.is_empty() {
            return Ok(());
        }
        let message = "there are no roles: everybody may everything";
        Err(Error::new(ErrorKind::InvalidObjectDefinition, message)
            .with_hint("CREATE ROLE ... SUPERUSER LOGIN PASSWORD '...'"))
    }

    /// As DropRole and RenameRole in user.c.
    fn require_may_end(&self, role: &Role, verb: &str) -> Result<()> {
        let Some(own) = self.own_rights() else {
            return Ok(());
        };
        let what = format!("{verb} role");
        if !own.can_create_roles && verb == "drop" {
            let detail = "Only roles with the CREATEROLE attribute and the ADMIN option on the \
                          target roles may drop roles.";
            return Err(denied(&what, detail));
        }
        if role.is_superuser {
            let detail = format!(
                "Only roles with the SUPERUSER attribute may {verb} roles with the SUPERUSER \
                 attribute."
            );
            return Err(denied(&what, detail));
        }
        match own.can_create_roles && self.views.authority.is_admin(&own.name, &role.name) {
            true => Ok(()),
            false => Err(denied(&what, needs_admin(&role.name, verb))),
        }
    }

    /// Refuses a change that nobody could ever take back: the roles must have a superuser that can
    /// log in.
    fn require_administrator(&self, after: impl Fn(&Role) -> Option<Role>) -> Result<()> {
        let roles = &self.views.authority.roles;
        let mut after = roles.values().filter_map(|role| after(role));
        if after.any(|role| role.can_administer()) {
            return Ok(());
        }
        let message = "at least one role must be a superuser that can log in with a password";
        Err(Error::new(ErrorKind::InvalidObjectDefinition, message))
    }

    /// As CreateRole in user.c: nobody can log in with an empty password, so that it is none.
    fn without_empty_password(&mut self, change: &RoleChange) -> RoleChange {
        let mut change = change.clone();
        if change.password == Some(Some(Password::Plain(String::new()))) {
            let notice = "empty string is not a valid password, clearing password";
            self.edited.notices.push(notice.to_owned());
            change.password = Some(None);
        }
        change
    }
}

/// Attributes that only who has them may give, what is asked of them, and whether a role has them.
fn attributes(change: &RoleChange, own: &Role) -> [(&'static str, Option<bool>, bool); 4] {
    [
        ("SUPERUSER", change.is_superuser, own.is_superuser),
        (
            "CREATEDB",
            change.can_create_databases,
            own.can_create_databases,
        ),
        ("REPLICATION", change.can_replicate, own.can_replicate),
        (
            "BYPASSRLS",
            change.bypasses_row_security,
            own.bypasses_row_security,
        ),
    ]
}

fn needs_admin(role: &str, verb: &str) -> String {
    format!(
        "Only roles with the CREATEROLE attribute and the ADMIN option on role \"{role}\" may \
         {verb} this role."
    )
}

fn refuse_reserved(name: &str) -> Result<()> {
    let is_system = name.starts_with("pg_");
    if !is_system && !["public", "none"].contains(&name) {
        return Ok(());
    }
    let message = format!("role name \"{name}\" is reserved");
    let error = Error::new(ErrorKind::ReservedName, message);
    Err(match is_system {
        true => error.with_detail("Role names starting with \"pg_\" are reserved."),
        false => error,
    })
}
