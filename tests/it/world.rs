//! Relations, roles and grants at random, and by the rules of PostgreSQL's manual what follows of
//! them: who may read which columns and rows.

use std::collections::BTreeSet;

use crate::every_right::{N_ROWS, VEIL, word};
use crate::rights::PASSWORD;

/// A role of every kind; `ada` is a superuser, and there before.
pub(crate) const ROLES: [&str; 11] = [
    "ada", "nobody", "fields", "homeless", "heir", "apart", "bound", "owner", "revoked", "reader",
    "team",
];

const SCHEMAS: [&str; 2] = ["vault", "open"];
const COLUMNS: [&str; 3] = ["id", "word", "kind"];

/// Numbers of a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("it is small");
        usize::try_from(self.next() % end).expect("it is below a small number")
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn choose<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// What a relation is made of.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Rows of its own.
    Rows,
    /// A view of another, with its owner's rights or, as `security_invoker`, the session's.
    View {
        of: usize,
        owner: &'static str,
        is_invoker: bool,
    },
}

/// A permissive policy: whom it is for, all if `None`, and the kind of rows that it lets through.
type Policy = (Option<&'static str>, &'static str);

/// A table or a view, with the columns `id`, `word` and `kind`.
#[derive(Debug)]
pub(crate) struct Relation {
    pub(crate) schema: &'static str,
    pub(crate) name: String,
    source: Source,
    /// With row level security.
    policies: Option<Vec<Policy>>,
    /// Its words are masked from all but this role.
    masked_but_for: Option<&'static str>,
}

impl Relation {
    pub(crate) fn is_view(&self) -> bool {
        matches!(self.source, Source::View { .. })
    }
}

/// What somebody sees of a relation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How many rows.
    pub(crate) n_rows: usize,
    /// Their words, unless they are masked.
    pub(crate) words: BTreeSet<String>,
    pub(crate) is_masked: bool,
}

/// Relations and what is granted on them.
pub(crate) struct World {
    pub(crate) relations: Vec<Relation>,
    /// Who may use which schema.
    usages: BTreeSet<(&'static str, &'static str)>,
    /// Who may read which column of which relation; `None` is all of it.
    grants: BTreeSet<(&'static str, usize, Option<&'static str>)>,
}

impl World {
    pub(crate) fn random(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut relations = Vec::new();
        for index in 0..8 {
            relations.push(relation(&mut random, index));
        }
        let mut world = Self {
            relations,
            usages: BTreeSet::new(),
            grants: BTreeSet::new(),
        };
        for role in ROLES {
            world.grant_at_random(&mut random, role);
        }
        world
    }

    fn grant_at_random(&mut self, random: &mut Random, role: &'static str) {
        for schema in SCHEMAS {
            let chance = match (role, schema) {
                ("ada" | "reader", _) | ("homeless", "vault") => 0,
                ("nobody" | "heir" | "apart" | "bound", _) => 50,
                _ => 90,
            };
            if random.percent(chance) {
                self.usages.insert((role, schema));
            }
        }
        let (all, one) = match role {
            "homeless" | "owner" => (70, 0),
            "fields" => (0, 80),
            "team" => (50, 50),
            "heir" | "apart" | "bound" => (10, 10),
            _ => (0, 0),
        };
        for index in 0..self.relations.len() {
            if random.percent(all) {
                self.grants.insert((role, index, None));
            } else if random.percent(one) {
                let column = random.choose(&["id", "word", "word"]);
                self.grants.insert((role, index, Some(column)));
            }
        }
    }

    /// The relations that have rows of their own.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (usize, &Relation)> {
        let all = self.relations.iter().enumerate();
        all.filter(|(_, relation)| !relation.is_view())
    }

    /// What a superuser says to make it.
    pub(crate) fn statements(&self) -> Vec<String> {
        let made = ROLES.iter().filter(|role| **role != "ada");
        let mut said: Vec<String> = made
            .map(|role| format!("create role {role} login password '{PASSWORD}'"))
            .collect();
        for membership in [
            "team to heir with inherit true",
            "team to apart with inherit false, set true",
            "team to bound with inherit false, set false",
            "pg_read_all_data to reader",
        ] {
            said.push(format!("grant {membership}"));
        }
        said.push("grant usage on schema commons to public".to_owned());
        said.push("grant select on commons.plain to public".to_owned());
        for relation in &self.relations {
            said.extend(self.statements_of(relation));
        }
        for (role, schema) in &self.usages {
            said.push(format!("grant usage on schema {schema} to {role}"));
        }
        for (role, index, column) in &self.grants {
            let columns = column.map_or_else(String::new, |column| format!(" ({column})"));
            said.push(format!(
                "grant select{columns} on {} to {role}",
                self.full_name(*index)
            ));
        }
        let all = (0..self.relations.len()).map(|index| self.full_name(index));
        let all: Vec<String> = all.collect();
        said.push(format!("grant select on {} to revoked", all.join(", ")));
        said
    }

    fn statements_of(&self, relation: &Relation) -> Vec<String> {
        let Relation { schema, name, .. } = relation;
        let (full, mut said) = (format!("{schema}.{name}"), Vec::new());
        let mut kind = "table";
        if let Source::View {
            of,
            owner,
            is_invoker,
        } = relation.source
        {
            kind = "view";
            let of = self.full_name(of);
            let options = if is_invoker {
                " with (security_invoker = true)"
            } else {
                ""
            };
            said.push(format!(
                "create view {full}{options} as select id, word, kind from {of}"
            ));
            said.push(format!("alter view {full} owner to {owner}"));
        }
        if let Some(policies) = &relation.policies {
            said.push(format!("alter {kind} {full} enable row level security"));
            for (number, (role, of_kind)) in policies.iter().enumerate() {
                let to = role.unwrap_or("public");
                said.push(format!(
                    "create policy p{number} on {full} to {to} using (kind = '{of_kind}')"
                ));
            }
        }
        if let Some(role) = relation.masked_but_for {
            said.push(format!(
                "security label for lakegate on column {full}.word is 'MASKED WITH (''{VEIL}'') EXCEPT FOR {role}'"
            ));
        }
        said
    }

    /// What a superuser says to take from `revoked` what it had.
    pub(crate) fn revocations(&self) -> Vec<String> {
        let all = 0..self.relations.len();
        all.map(|index| format!("revoke select on {} from revoked", self.full_name(index)))
            .collect()
    }

    fn full_name(&self, index: usize) -> String {
        let Relation { schema, name, .. } = &self.relations[index];
        format!("{schema}.{name}")
    }

    /// What a role sees that reads columns of a relation; `None` if it may not.
    pub(crate) fn read(&self, role: &str, index: usize, columns: &[&str]) -> Option<Seen> {
        if !self.may_use(role, self.relations[index].schema) {
            return None;
        }
        let (table, ids, is_masked) = self.rows(role, role, index, columns)?;
        let words = ids.iter().map(|id| word(table, *id));
        Some(Seen {
            n_rows: ids.len(),
            words: if is_masked {
                BTreeSet::new()
            } else {
                words.collect()
            },
            is_masked,
        })
    }

    /// The table of whose rows they are, which, and whether their words are masked.
    fn rows(
        &self,
        session: &str,
        reader: &str,
        index: usize,
        columns: &[&str],
    ) -> Option<(usize, Vec<usize>, bool)> {
        if !self.may_select(reader, index, columns) {
            return None;
        }
        let relation = &self.relations[index];
        let (table, mut ids, mut is_masked) = match relation.source {
            Source::Rows => (index, (1..=N_ROWS).collect(), false),
            Source::View {
                of,
                owner,
                is_invoker,
            } => {
                let reader = if is_invoker { session } else { owner };
                self.rows(session, reader, of, &COLUMNS)?
            }
        };
        let owns = self.owns(reader, index);
        if let Some(policies) = relation.policies.as_ref().filter(|_| !owns) {
            let mut meant = policies.clone();
            meant.retain(|(role, _)| role.is_none_or(|role| closure(reader).contains(&role)));
            ids.retain(|id| {
                let kind = if id % 2 == 1 { "a" } else { "b" };
                meant.iter().any(|(_, of_kind)| *of_kind == kind)
            });
        }
        let sees_through = |role: &str| owns || closure(reader).contains(&role);
        is_masked |= relation
            .masked_but_for
            .is_some_and(|role| !sees_through(role));
        Some((table, ids, is_masked))
    }

    fn owns(&self, role: &str, index: usize) -> bool {
        let is_owner = match self.relations[index].source {
            Source::Rows => false,
            Source::View { owner, .. } => owner == role,
        };
        role == "ada" || is_owner
    }

    fn may_use(&self, role: &str, schema: &str) -> bool {
        let has = |role: &&str| self.usages.contains(&(*role, schema));
        let roles = closure(role);
        role == "ada" || roles.contains(&"pg_read_all_data") || roles.iter().any(has)
    }

    fn may_select(&self, role: &str, index: usize, columns: &[&str]) -> bool {
        let roles = closure(role);
        let may = |column: Option<&str>| {
            let mut grants = self.grants.iter();
            grants.any(|(to, on, what)| *on == index && *what == column && roles.contains(to))
        };
        self.owns(role, index)
            || roles.contains(&"pg_read_all_data")
            || may(None)
            || columns.iter().all(|column| may(Some(column)))
    }

    pub(crate) fn may_set_role(&self, role: &str, to: &str) -> bool {
        role == to || ["ada", "heir", "apart"].contains(&role)
    }

    /// Whether a role has any privilege on a relation, and on its schema.
    pub(crate) fn may_read_some(&self, role: &str, index: usize) -> bool {
        let mut columns = COLUMNS.iter();
        self.may_use(role, self.relations[index].schema)
            && columns.any(|column| self.may_select(role, index, &[column]))
    }

    /// Whether a role may know a relation's name: it has a privilege on it, or a view of its own
    /// says so.
    pub(crate) fn may_know(&self, role: &str, index: usize) -> bool {
        let mut columns = COLUMNS.iter();
        let names_it = |at: usize| match self.relations[at].source {
            Source::View { of, .. } => of == index && self.owns(role, at),
            Source::Rows => false,
        };
        columns.any(|column| self.may_select(role, index, &[column]))
            || (0..self.relations.len()).any(names_it)
    }

    /// How many relations roles may read a word of, of all relations for all roles.
    pub(crate) fn n_readable(&self) -> usize {
        let all = ROLES.iter().flat_map(|role| {
            (0..self.relations.len()).filter(|index| {
                let seen = self.read(role, *index, &["word"]);
                seen.is_some_and(|seen| !seen.words.is_empty())
            })
        });
        all.count()
    }
}

/// The roles whose privileges a role has.
fn closure(role: &str) -> Vec<&str> {
    match role {
        "heir" => vec![role, "team"],
        "reader" => vec![role, "pg_read_all_data"],
        _ => vec![role],
    }
}

/// The first four are tables, the others views of those before them.
fn relation(random: &mut Random, index: usize) -> Relation {
    let is_table = index < 4;
    let letter = if is_table { 't' } else { 'v' };
    let name = format!("{letter}{index}_{:05x}", random.next() & 0xf_ffff);
    let source = match is_table {
        true => Source::Rows,
        false => Source::View {
            of: random.below(index),
            owner: random.choose(&["ada", "owner"]),
            is_invoker: index == 6 || random.percent(20),
        },
    };
    let mut policies = None;
    if index == 1 || random.percent(20) {
        let n_policies = random.below(3);
        let each = (0..n_policies).map(|_| {
            let role = random.choose(&[None, Some("team"), Some("owner"), Some("fields")]);
            (role, random.choose(&["a", "b"]))
        });
        policies = Some(each.collect());
    }
    let is_masked = index == 2 || random.percent(15);
    Relation {
        schema: if index < 3 {
            "vault"
        } else {
            random.choose(&SCHEMAS)
        },
        name,
        source,
        policies,
        masked_but_for: is_masked.then(|| random.choose(&["team", "owner"])),
    }
}
