//! Privileges on objects: what there is to grant, what was granted, and whether somebody has it.
//!
//! The rules are those of PostgreSQL's aclchk.c and acl.c.

use std::collections::BTreeSet;

use super::predefined::OWNER;
use super::{Actor, Authority, Fact, Standing};

/// What can be granted. Of those on tables only SELECT allows something: the others are kept and
/// shown, as nothing is written here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Privilege {
    /// INSERT.
    Insert,
    /// SELECT.
    Select,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// TRUNCATE.
    Truncate,
    /// REFERENCES.
    References,
    /// TRIGGER.
    Trigger,
    /// USAGE.
    Usage,
    /// CREATE.
    Create,
    /// TEMPORARY.
    Temporary,
    /// CONNECT.
    Connect,
}

impl Privilege {
    /// All of them, in the order in which PostgreSQL prints them (`ACL_ALL_RIGHTS_STR` in acl.h).
    pub const ALL: [Self; 11] = [
        Self::Insert,
        Self::Select,
        Self::Update,
        Self::Delete,
        Self::Truncate,
        Self::References,
        Self::Trigger,
        Self::Usage,
        Self::Create,
        Self::Temporary,
        Self::Connect,
    ];

    /// Its word in GRANT.
    pub fn word(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Select => "SELECT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Truncate => "TRUNCATE",
            Self::References => "REFERENCES",
            Self::Trigger => "TRIGGER",
            Self::Usage => "USAGE",
            Self::Create => "CREATE",
            Self::Temporary => "TEMPORARY",
            Self::Connect => "CONNECT",
        }
    }

    /// The privilege of a word; TEMP is TEMPORARY.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "TEMP" => Some(Self::Temporary),
            word => Self::ALL.into_iter().find(|it| it.word() == word),
        }
    }

    /// Its letter in an `aclitem`.
    pub fn letter(self) -> char {
        match self {
            Self::Insert => 'a',
            Self::Select => 'r',
            Self::Update => 'w',
            Self::Delete => 'd',
            Self::Truncate => 'D',
            Self::References => 'x',
            Self::Trigger => 't',
            Self::Usage => 'U',
            Self::Create => 'C',
            Self::Temporary => 'T',
            Self::Connect => 'c',
        }
    }
}

/// What privileges are granted on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// The database.
    Database,
    /// A schema.
    Schema(String),
    /// A table or view: its schema and its name.
    Relation(String, String),
    /// A column of one.
    Column(String, String, String),
    /// A foreign server.
    Server(String),
    /// A foreign-data wrapper.
    Wrapper(String),
}

impl Object {
    /// A table or view.
    pub fn relation(schema: &str, name: &str) -> Self {
        Self::Relation(schema.to_owned(), name.to_owned())
    }

    /// A schema.
    pub fn schema(name: &str) -> Self {
        Self::Schema(name.to_owned())
    }

    /// The privileges that there are on it, in the order of their printing.
    pub fn privileges(&self) -> &'static [Privilege] {
        match self {
            Self::Database => &[Privilege::Create, Privilege::Temporary, Privilege::Connect],
            Self::Schema(_) => &[Privilege::Usage, Privilege::Create],
            Self::Relation(..) => Privilege::ALL.split_at(7).0,
            Self::Column(..) => &[
                Privilege::Insert,
                Privilege::Select,
                Privilege::Update,
                Privilege::References,
            ],
            Self::Server(_) | Self::Wrapper(_) => &[Privilege::Usage],
        }
    }

    /// What owns it: a column has no owner but its relation's.
    pub fn owned(&self) -> Self {
        match self {
            Self::Column(schema, name, _) => Self::relation(schema, name),
            other => other.clone(),
        }
    }

    /// What PUBLIC has on it unless it is revoked: CONNECT and TEMPORARY as in `acldefault`, and USAGE
    /// on schema `public` as `initdb` grants it.
    pub fn of_public(&self) -> &'static [Privilege] {
        match self {
            Self::Database => &[Privilege::Temporary, Privilege::Connect],
            Self::Schema(name) if name == "public" => &[Privilege::Usage],
            _ => &[],
        }
    }
}

/// A privilege that was granted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// On what.
    pub object: Object,
    /// To whom; `None` for PUBLIC.
    pub grantee: Option<String>,
    /// By whom.
    pub grantor: String,
    /// Which.
    pub privilege: Privilege,
    /// WITH GRANT OPTION.
    pub has_option: bool,
}

/// What ALTER DEFAULT PRIVILEGES grants on objects to come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DefaultGrant {
    /// Whose new objects. `None` is said by a file alone: GRANT ON ALL TABLES IN SCHEMA, which holds
    /// for all that are there, whosever they are.
    pub owner: Option<String>,
    /// In which schema; `None` for all.
    pub schema: Option<String>,
    /// ON SCHEMAS; else ON TABLES.
    pub on_schemas: bool,
    /// To whom; `None` for PUBLIC.
    pub grantee: Option<String>,
    /// Which.
    pub privilege: Privilege,
    /// WITH GRANT OPTION.
    pub has_option: bool,
}

impl DefaultGrant {
    /// Whether it holds for an object without a grant of its own: what is found in the lake is made
    /// by nobody, so that its owner's default privileges hold for all of it.
    pub fn reaches(&self, authority: &Authority, object: &Object) -> bool {
        let fits = match object.owned() {
            Object::Relation(schema, _) => {
                !self.on_schemas && self.schema.as_ref().is_none_or(|of| *of == schema)
            }
            Object::Schema(_) => self.on_schemas,
            _ => false,
        };
        let of_owner = |owner: &String| owner == OWNER && authority.owner_of(object) == OWNER;
        fits && self.owner.as_ref().is_none_or(of_owner)
    }
}

/// What somebody may read of a relation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Readable {
    /// All of it.
    All,
    /// These columns.
    Columns(BTreeSet<String>),
    /// Nothing.
    Nothing,
}

impl Readable {
    /// What both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, _) | (_, Self::Nothing) => Self::Nothing,
            (Self::All, some) | (some, Self::All) => some,
            (Self::Columns(a), Self::Columns(b)) => {
                let both: BTreeSet<String> = a.intersection(&b).cloned().collect();
                match both.is_empty() {
                    true => Self::Nothing,
                    false => Self::Columns(both),
                }
            }
        }
    }
}

/// What a role may, or whom a statement runs as.
#[derive(Clone, Debug)]
pub struct Rights<'a> {
    authority: &'a Authority,
    /// A superuser's, or there are no roles.
    everything: bool,
    /// BYPASSRLS, which is not inherited.
    bypass: bool,
    /// The roles whose privileges it has.
    roles: BTreeSet<&'a str>,
}

impl Authority {
    /// The rights of whom a statement runs as. Who has proved nothing has those of PUBLIC.
    pub fn rights_of(&self, actor: &Actor) -> Rights<'_> {
        match actor.standing {
            Standing::Unproved => Rights {
                authority: self,
                everything: false,
                bypass: false,
                roles: BTreeSet::new(),
            },
            Standing::Open => Rights {
                authority: self,
                everything: true,
                bypass: true,
                roles: BTreeSet::new(),
            },
            Standing::Proved => {
                let mut rights = self.rights_of_role(&actor.user);
                for group in self.groups_of(&actor.groups) {
                    rights.roles.extend(self.inherited_by(group));
                }
                rights
            }
        }
    }

    /// The rights of a role; those of PUBLIC for one that is not there.
    pub fn rights_of_role(&self, role: &str) -> Rights<'_> {
        Rights {
            authority: self,
            everything: !self.is_enforced || self.is_superuser(role),
            bypass: self
                .role(role)
                .is_some_and(|role| role.bypasses_row_security),
            roles: self.inherited_by(role),
        }
    }

    /// The privileges that were granted.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.facts.iter().filter_map(|fact| match fact {
            Fact::Grant(grant) => Some(grant),
            _ => None,
        })
    }

    /// What ALTER DEFAULT PRIVILEGES granted.
    pub fn default_grants(&self) -> impl Iterator<Item = &DefaultGrant> {
        self.facts.iter().filter_map(|fact| match fact {
            Fact::Default(grant) => Some(grant),
            _ => None,
        })
    }

    /// Who owns an object.
    pub fn owner_of(&self, object: &Object) -> &str {
        let owned = object.owned();
        let found = self.facts.iter().find_map(|fact| match fact {
            Fact::Owner(of, owner) if *of == owned => Some(owner.as_str()),
            _ => None,
        });
        found.unwrap_or(OWNER)
    }

    /// Whether a privilege that PUBLIC has without a grant was revoked.
    pub fn is_withdrawn(&self, object: &Object, privilege: Privilege) -> bool {
        self.facts.iter().any(|fact| {
            matches!(fact, Fact::Withdrawn(of, which) if of == object && *which == privilege)
        })
    }
}

impl Rights<'_> {
    /// Whether everything is allowed.
    pub fn are_everything(&self) -> bool {
        self.everything
    }

    /// Whom they are rights by.
    pub(super) fn authority(&self) -> &Authority {
        self.authority
    }

    /// Whether row policies do not count for them (`has_bypassrls_privilege` in aclchk.c).
    pub(super) fn bypass_row_security(&self) -> bool {
        self.everything || self.bypass
    }

    /// Whether they include those of a role.
    pub fn include(&self, role: &str) -> bool {
        self.everything || self.roles.contains(role)
    }

    /// `object_ownercheck`: whether an object is owned by one of its roles.
    pub fn own(&self, object: &Object) -> bool {
        self.include(self.authority.owner_of(object))
    }

    fn is_grantee(&self, grantee: Option<&String>) -> bool {
        grantee.is_none_or(|grantee| self.roles.contains(grantee.as_str()))
    }

    /// By what is granted on more than one object.
    fn may_by_default(&self, privilege: Privilege, object: &Object) -> bool {
        self.authority.default_grants().any(|it| {
            it.privilege == privilege
                && self.is_grantee(it.grantee.as_ref())
                && it.reaches(self.authority, object)
        })
    }

    fn has_grant(&self, is_meant: impl Fn(&Grant) -> bool) -> bool {
        let mut grants = self.authority.grants();
        grants.any(|it| is_meant(it) && self.is_grantee(it.grantee.as_ref()))
    }

    /// `pg_class_aclcheck`, `object_aclcheck` and their kind.
    pub fn may(&self, privilege: Privilege, object: &Object) -> bool {
        let is_public = || {
            object.of_public().contains(&privilege)
                && !self.authority.is_withdrawn(object, privilege)
        };
        let reads_all = || match object {
            Object::Relation(..) | Object::Column(..) => privilege == Privilege::Select,
            Object::Schema(_) => privilege == Privilege::Usage,
            Object::Database | Object::Server(_) | Object::Wrapper(_) => false,
        };
        self.own(object)
            || (reads_all() && self.roles.contains("pg_read_all_data"))
            || is_public()
            || self.has_grant(|it| it.privilege == privilege && it.object == *object)
            || self.may_by_default(privilege, object)
    }

    /// Whether a privilege may be granted on.
    pub fn may_grant(&self, privilege: Privilege, object: &Object) -> bool {
        self.own(object)
            || self.has_grant(|it| {
                it.has_option
                    && it.privilege == privilege
                    && it.object == *object
                    && it.grantee.is_some()
            })
    }

    /// Whether there is any privilege on a relation, or a column of it.
    pub fn may_any(&self, schema: &str, name: &str) -> bool {
        let object = Object::relation(schema, name);
        self.own(&object)
            || object.privileges().iter().any(|it| self.may(*it, &object))
            || self.has_grant(|it| it.object.owned() == object)
    }

    /// Whether there is any privilege on a column, by itself or with its relation.
    pub fn may_any_of_column(&self, schema: &str, name: &str, column: &str) -> bool {
        let relation = Object::relation(schema, name);
        let column = Object::Column(schema.to_owned(), name.to_owned(), column.to_owned());
        let mut all = column.privileges().iter();
        all.any(|it| self.may(*it, &relation) || self.may(*it, &column))
    }

    /// What of a relation may be read.
    pub fn readable(&self, schema: &str, name: &str) -> Readable {
        let object = Object::relation(schema, name);
        if self.may(Privilege::Select, &object) {
            return Readable::All;
        }
        let selects = self
            .authority
            .grants()
            .filter(|it| it.privilege == Privilege::Select && self.is_grantee(it.grantee.as_ref()));
        let columns: BTreeSet<String> = selects
            .filter_map(|it| match &it.object {
                Object::Column(of, relation, column) if of == schema && relation == name => {
                    Some(column.clone())
                }
                _ => None,
            })
            .collect();
        match columns.is_empty() {
            true => Readable::Nothing,
            false => Readable::Columns(columns),
        }
    }
}
