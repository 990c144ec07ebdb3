//! Row policies and column masks in the files of roles: read from them, and changed in them.
//!
//! Who may do what of it is PostgreSQL 16's, function by function of policy.c and seclabel.c.

use std::collections::BTreeSet;

use super::FullName;
use super::edit::Editor;
use super::facts::named;
use super::names::{no_relation, not_a_view};
use super::said::{relation, subject};
use crate::auth::{Fact, Mask, Object, Policy};
use crate::catalog::sql::{
    AlterPolicy, AlterRowSecurity, CreatePolicy, Definition, LabelColumn, MaskLabel, Name,
    PolicyChange, RoleSpec, RowSecurityChange, identifier, literal,
};
use crate::error::{Error, ErrorKind, Result};

/// What a statement of a file says of rows and columns; `None` if it is about something else, or
/// takes something away.
pub(super) fn facts_of(definition: &Definition) -> Option<Result<Vec<Fact>>> {
    match definition {
        Definition::CreatePolicy(create) => {
            let roles = roles_of(&create.roles, named);
            Some(roles.map(|roles| vec![policy(relation(&create.on), create, roles)]))
        }
        Definition::AlterRowSecurity(alter) => {
            let on = relation(&alter.on);
            Some(match alter.change {
                RowSecurityChange::Enabled(true) => Ok(vec![Fact::RowSecurityEnabled(on)]),
                RowSecurityChange::Forced(true) => Ok(vec![Fact::RowSecurityForced(on)]),
                _ => Err(
                    Error::unsupported("this of row security in the views folder").with_hint(
                        "A file says what is enabled; to disable it, take it out of the file.",
                    ),
                ),
            })
        }
        Definition::LabelColumn(LabelColumn {
            on,
            column,
            label: Some(label),
        }) => {
            let except = roles_of(&label.except, named);
            Some(except.map(|except| vec![mask(relation(on), column, label, except)]))
        }
        _ => None,
    }
}

/// The roles that a policy or a mask names; none for PUBLIC, beside which others say nothing
/// (`policy_role_list_to_array` in policy.c).
fn roles_of(
    specs: &[RoleSpec],
    mut name_of: impl FnMut(&RoleSpec) -> Result<String>,
) -> Result<BTreeSet<String>> {
    if specs.contains(&RoleSpec::Public) {
        return Ok(BTreeSet::new());
    }
    specs.iter().map(&mut name_of).collect()
}

fn policy(on: Object, create: &CreatePolicy, roles: BTreeSet<String>) -> Fact {
    Fact::Policy(Policy {
        relation: on,
        name: create.name.clone(),
        is_permissive: create.is_permissive,
        command: create.command,
        roles,
        using: create.using.as_ref().map(|using| using.text.clone()),
    })
}

fn mask(on: Object, column: &str, label: &MaskLabel, except: BTreeSet<String>) -> Fact {
    Fact::Mask(Mask {
        relation: on,
        column: column.to_owned(),
        expression: label.expression.text.clone(),
        except,
    })
}

/// An expression in parentheses; a comment in its last line must not swallow what follows.
fn enclosed(expression: &str) -> String {
    match expression.lines().next_back() {
        Some(line) if line.contains("--") => format!("({expression}\n)"),
        _ => format!("({expression})"),
    }
}

fn listed(roles: &BTreeSet<String>) -> String {
    let roles: Vec<String> = roles.iter().map(|role| identifier(role)).collect();
    roles.join(", ")
}

/// The statement that makes a policy.
pub(super) fn policy_statement(policy: &Policy) -> String {
    let (_, on) = subject(&policy.relation);
    let mut statement = format!("create policy {} on {on}", identifier(&policy.name));
    if !policy.is_permissive {
        statement.push_str(" as restrictive");
    }
    let command = policy.command.word().to_lowercase();
    statement.push_str(&format!(" for {command}"));
    if !policy.roles.is_empty() {
        statement.push_str(&format!(" to {}", listed(&policy.roles)));
    }
    if let Some(using) = &policy.using {
        statement.push_str(&format!("\n  using {}", enclosed(using)));
    }
    statement + ";"
}

/// The label of a masked column, as it is written and shown.
pub fn label_of(mask: &Mask) -> String {
    let label = format!("MASKED WITH {}", enclosed(&mask.expression));
    match mask.except.is_empty() {
        true => label,
        false => format!("{label} EXCEPT FOR {}", listed(&mask.except)),
    }
}

/// The statement that masks a column.
pub(super) fn mask_statement(mask: &Mask) -> String {
    let (_, on) = subject(&mask.relation);
    format!(
        "security label for lakegate on column {on}.{} is {};",
        identifier(&mask.column),
        literal(&label_of(mask))
    )
}

/// The statement that says something of a relation's row security.
pub(super) fn row_security_statement(on: &Object, what: &str) -> String {
    let (_, on) = subject(on);
    format!("alter table {on} {what} row level security;")
}

/// Refuses a second policy of one name, and a second mask of one column.
pub(super) fn refuse_second<'a>(
    mut known: impl Iterator<Item = &'a Fact>,
    fact: &Fact,
) -> Result<()> {
    match fact {
        Fact::Policy(policy) => {
            let is_same = |known: &Fact| {
                matches!(known, Fact::Policy(it)
                    if it.relation == policy.relation && it.name == policy.name)
            };
            match known.any(is_same) {
                true => Err(exists(policy)),
                false => Ok(()),
            }
        }
        Fact::Mask(mask) => {
            let is_same = |known: &Fact| {
                matches!(known, Fact::Mask(it)
                    if it.relation == mask.relation && it.column == mask.column)
            };
            match known.any(is_same) {
                true => {
                    let (_, on) = subject(&mask.relation);
                    let message = format!("column {on}.{} is masked twice", mask.column);
                    Err(Error::new(ErrorKind::DuplicateObject, message))
                }
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn exists(policy: &Policy) -> Error {
    let message = format!(
        "policy \"{}\" for table \"{}\" already exists",
        policy.name,
        own_name(&policy.relation)
    );
    Error::new(ErrorKind::DuplicateObject, message)
}

fn own_name(on: &Object) -> &str {
    match on {
        Object::Relation(_, name) => name,
        _ => "",
    }
}

impl Editor<'_> {
    /// A statement about row policies or column masks.
    pub(super) fn policies(&mut self, definition: &Definition) -> Result<()> {
        self.require_roles()?;
        match definition {
            Definition::CreatePolicy(create) => self.create_policy(create),
            Definition::AlterPolicy(alter) => self.alter_policy(alter),
            Definition::DropPolicy {
                name,
                on,
                if_exists,
            } => self.drop_policy(name, on, *if_exists),
            Definition::AlterRowSecurity(alter) => self.alter_row_security(alter),
            Definition::LabelColumn(label) => self.label_column(label),
            other => Err(Error::unsupported(other.tag())),
        }
    }

    /// A relation that the statement's user owns.
    fn owned_relation(&mut self, name: &Name) -> Result<Object> {
        let (is_view, object) = self.relation_named(name)?;
        let kind = if is_view { "view" } else { "table" };
        if let Object::Relation(schema, name) = &object {
            let full: FullName = (schema.clone(), name.clone());
            self.require_owns(kind, &full)?;
            self.edited.protected = Some(full);
        }
        Ok(object)
    }

    fn policy_roles(&mut self, specs: &[RoleSpec]) -> Result<BTreeSet<String>> {
        if specs.len() > 1 && specs.contains(&RoleSpec::Public) {
            let warning = "ignoring specified roles other than PUBLIC";
            self.edited.warnings.push(warning.to_owned());
        }
        roles_of(specs, |spec| self.role_named(spec))
    }

    fn create_policy(&mut self, create: &CreatePolicy) -> Result<()> {
        let on = self.owned_relation(&create.on)?;
        let roles = self.policy_roles(&create.roles)?;
        let mut facts = self.facts();
        let fact = policy(on, create, roles);
        refuse_second(facts.iter(), &fact)?;
        facts.insert(fact);
        self.change_facts(facts)
    }

    /// A policy that is there.
    fn policy_named(&self, on: &Object, name: &str) -> Result<Policy> {
        let mut policies = self.views.authority.policies_of(on);
        let found = policies.find(|policy| policy.name == name).cloned();
        found.ok_or_else(|| {
            let table = own_name(on);
            let message = format!("policy \"{name}\" for table \"{table}\" does not exist");
            Error::new(ErrorKind::UndefinedObject, message)
        })
    }

    fn alter_policy(&mut self, alter: &AlterPolicy) -> Result<()> {
        let on = self.owned_relation(&alter.on)?;
        let before = self.policy_named(&on, &alter.name);
        let mut after;
        match &alter.change {
            PolicyChange::Rename(to) => {
                if self.policy_named(&on, to).is_ok() {
                    let taken = Policy {
                        name: to.clone(),
                        ..before?
                    };
                    return Err(exists(&taken));
                }
                after = before.clone()?;
                after.name.clone_from(to);
            }
            PolicyChange::Set { roles, using } => {
                let roles = match roles {
                    Some(roles) => Some(self.policy_roles(roles)?),
                    None => None,
                };
                after = before.clone()?;
                if using.is_some() && after.command == crate::auth::PolicyCommand::Insert {
                    let message = "only WITH CHECK expression allowed for INSERT";
                    return Err(Error::new(ErrorKind::SyntaxError, message));
                }
                if let Some(roles) = roles {
                    after.roles = roles;
                }
                if let Some(using) = using {
                    after.using = Some(using.text.clone());
                }
            }
        }
        let mut facts = self.facts();
        facts.remove(&Fact::Policy(before?));
        facts.insert(Fact::Policy(after));
        self.change_facts(facts)
    }

    fn drop_policy(&mut self, name: &str, on: &Name, if_exists: bool) -> Result<()> {
        if if_exists && self.look_up(on)?.is_none() {
            self.skip("relation", on);
            return Ok(());
        }
        let object = self.owned_relation(on)?;
        match self.policy_named(&object, name) {
            Ok(policy) => {
                let mut facts = self.facts();
                facts.remove(&Fact::Policy(policy));
                self.change_facts(facts)
            }
            Err(_) if if_exists => {
                let table = own_name(&object);
                let notice =
                    format!("policy \"{name}\" for relation \"{table}\" does not exist, skipping");
                self.edited.notices.push(notice);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn alter_row_security(&mut self, alter: &AlterRowSecurity) -> Result<()> {
        if self.look_up(&alter.on)?.is_none() {
            if alter.if_exists {
                self.skip("relation", &alter.on);
                return Ok(());
            }
            return Err(no_relation(&alter.on));
        }
        let (is_view, _) = self.relation_named(&alter.on)?;
        if alter.is_view && !is_view {
            return Err(not_a_view(&alter.on.name));
        }
        let on = self.owned_relation(&alter.on)?;
        let (fact, is_set) = match alter.change {
            RowSecurityChange::Enabled(is_set) => (Fact::RowSecurityEnabled(on), is_set),
            RowSecurityChange::Forced(is_set) => (Fact::RowSecurityForced(on), is_set),
        };
        let mut facts = self.facts();
        match is_set {
            true => facts.insert(fact),
            false => facts.remove(&fact),
        };
        self.change_facts(facts)
    }

    fn label_column(&mut self, label: &LabelColumn) -> Result<()> {
        let on = self.owned_relation(&label.on)?;
        let mut facts = self.facts();
        facts.retain(|fact| {
            !matches!(fact, Fact::Mask(it) if it.relation == on && it.column == label.column)
        });
        if let Some(said) = &label.label {
            if said.except.contains(&RoleSpec::Public) {
                let message = "a mask except for PUBLIC masks nothing";
                return Err(Error::new(ErrorKind::InvalidParameterValue, message));
            }
            let except = self.policy_roles(&said.except)?;
            facts.insert(mask(on, &label.column, said, except));
        }
        self.change_facts(facts)
    }
}

/// As RemoveRoleFromObjectPolicy in policy.c: what a policy or a mask says of roles whose things are
/// dropped. A policy for nobody else goes.
pub(super) fn without_roles(fact: Fact, dropped: &[String]) -> Option<Fact> {
    match fact {
        Fact::Policy(mut policy) if !policy.roles.is_empty() => {
            policy.roles.retain(|role| !dropped.contains(role));
            (!policy.roles.is_empty()).then_some(Fact::Policy(policy))
        }
        Fact::Mask(mut mask) => {
            mask.except.retain(|role| !dropped.contains(role));
            Some(Fact::Mask(mask))
        }
        other => Some(other),
    }
}
