//! Every object, by every way, as every kind of role: rights made at random, and a small model of who
//! may read what, which says beforehand what must come out and what must not.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::delta::{Row, write_table};
use crate::gateway::{Gateway, given_if_set};
use crate::login::{Stream, log_in};
use crate::rights::{LOOKS, PASSWORD, WAYS, answers, codes, rows, tells};
use crate::wire::{Message, Wire};
use crate::world::{ROLES, Relation, Seen, World};

/// Rows of each table: no answer says a number of rows that is this one by chance.
pub(crate) const N_ROWS: usize = 7;

/// What a masked word is instead.
pub(crate) const VEIL: &str = "veiled";

/// The word of a row: of which table it is, and which row.
pub(crate) fn word(table: usize, id: usize) -> String {
    format!("canary-t{table}-r{id}")
}

/// The words among messages.
fn words_in(messages: &[Message]) -> BTreeSet<String> {
    let pattern = regex::bytes::Regex::new(r"canary-t\d-r\d").expect("it is a pattern");
    let bodies = messages.iter();
    bodies
        .flat_map(|message| pattern.find_iter(&message.body))
        .map(|found| String::from_utf8_lossy(found.as_bytes()).into_owned())
        .collect()
}

/// Messages as an assertion shows them.
fn shown(messages: &[Message]) -> String {
    let messages = messages.iter().map(|message| match message.tag {
        b'E' => {
            let report = message.report();
            format!("E {} {}", report.code(), report.message())
        }
        tag => {
            let text = String::from_utf8_lossy(&message.body);
            format!("{} {}", char::from(tag), text.replace('\0', " "))
        }
    });
    messages.collect::<Vec<_>>().join("; ")
}

/// What a way shows to who may go it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    /// Every word.
    Every,
    /// At least one, if there is one.
    One,
    /// How many rows there are.
    Count,
    /// No word.
    None,
    /// It fails if there is a row.
    Fails,
    /// It is for superusers alone, and shows no word.
    Superuser,
    /// It is for nobody.
    Nobody,
}

fn shows(way: &str, relation: &Relation) -> Shows {
    let has = |parts: &[&str]| parts.iter().any(|part| way.contains(part));
    match () {
        // As in PostgreSQL, a view is copied by a query.
        () if has(&["copy OBJECT"]) && relation.is_view() => Shows::Nobody,
        () if has(&["create view"]) => Shows::Superuser,
        // Neither there is, in any case of its letters.
        () if has(&["only_if_there", "WORD"]) => Shows::Nobody,
        () if has(&["select count("]) => Shows::Count,
        () if has(&["word::int"]) => Shows::Fails,
        () if has(&["max(word)", "values (("]) => Shows::One,
        () if has(&["explain", "exists (", "in (select", "lateral"]) => Shows::None,
        () if has(&["order by (select", "as one", "rank()", "1 / length"]) => Shows::None,
        () => Shows::Every,
    }
}

/// The columns that a way reads.
fn columns_of(way: &str) -> &'static [&'static str] {
    let has = |parts: &[&str]| parts.iter().any(|part| way.contains(part));
    // A list of columns behind an alias reads them all, which PostgreSQL does not (docs/differences.md).
    let all = [
        "select * from OBJECT",
        "\"lake\".OBJECT",
        "join OBJECT",
        "table OBJECT",
        "copy OBJECT",
        " as o(",
        "lakegate.changes",
        "lakegate.diff",
    ];
    match () {
        () if has(&all) => &["id", "word", "kind"],
        () if has(&["i.id"]) => &["id", "word"],
        () => &["word"],
    }
}

/// A way to a relation of the world.
fn way_to(way: &str, relation: &Relation) -> String {
    let Relation { schema, name, .. } = relation;
    if way.contains("search_path") {
        return format!("set search_path = {schema}; select word from {name}");
    }
    way.replace("OBJECT", &format!("{schema}.{name}"))
        .replace("open.plain", "commons.plain")
        .replace("o(id, word)", "o(id, word, kind)")
        .replace("bystander", "team")
}

/// A row of a table.
fn row(table: usize, id: usize) -> Row {
    let kind = if id % 2 == 1 { "a" } else { "b" };
    let number = i64::try_from(id).expect("it is small");
    (number, vec![word(table, id), kind.to_owned()])
}

/// Where the rows of a world's tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    /// In Delta tables of the lake.
    InLake,
    /// In foreign tables of a server.
    Elsewhere,
}

impl Rows {
    /// The ways that there are to them: what is elsewhere has no history.
    fn ways(self) -> impl Iterator<Item = &'static &'static str> {
        let of_history = ["as of", "as_of", "version", "lakegate."];
        let ways = WAYS.iter();
        ways.filter(move |way| {
            self == Self::InLake || !of_history.iter().any(|word| way.contains(word))
        })
    }
}

/// Writes the tables of a world into a file of SQLite, one after the other; the statements that make
/// them relations of the gateway.
fn write_elsewhere(lake: &Path, world: &World) -> Vec<String> {
    let file = Connection::open(lake.join("elsewhere.db")).expect("a file can be made");
    let create =
        "create server elsewhere foreign data wrapper sqlite options (database 'elsewhere.db')";
    let mut made = vec![create.to_owned()];
    for (index, table) in world.tables() {
        let Relation { schema, name, .. } = table;
        file.execute_batch(&format!(
            "create table {name} (id integer, word text, kind text)"
        ))
        .expect("a table can be made");
        for id in 1..=N_ROWS {
            let (number, values) = row(index, id);
            let insert = format!("insert into {name} values (?1, ?2, ?3)");
            file.execute(&insert, (number, &values[0], &values[1]))
                .expect("a row can be written");
        }
        made.push(format!(
            "create foreign table {schema}.{name} () server elsewhere"
        ));
    }
    made
}

/// A gateway with a world in it.
struct Place {
    stored: Rows,
    gateway: Gateway,
    world: World,
    _lake: TempDir,
}

impl Place {
    fn of(seed: u64, stored: Rows) -> Self {
        let world = World::random(seed);
        let lake = TempDir::new().expect("a temporary folder can be made");
        let mut plain = "id\n".to_owned();
        for id in 1..=N_ROWS {
            plain.push_str(&format!("{id}\n"));
        }
        let commons = lake.path().join("commons");
        fs::create_dir_all(&commons).expect("the folder can be made");
        fs::write(commons.join("plain.csv"), plain).expect("the file can be written");
        let mut made = Vec::new();
        if stored == Rows::Elsewhere {
            made = vec![
                "create schema vault".to_owned(),
                "create schema open".to_owned(),
            ];
            made.extend(write_elsewhere(lake.path(), &world));
        }
        for (index, table) in world.tables().filter(|_| stored == Rows::InLake) {
            let rows: Vec<Row> = (1..=N_ROWS).map(|id| row(index, id)).collect();
            let folder = lake.path().join(table.schema).join(&table.name);
            // Empty at first, then twice the same.
            write_table(
                &folder,
                &["word", "kind"],
                &[Vec::new(), rows.clone(), rows],
            );
        }
        let gateway = Gateway::start(lake.path(), &[]);
        Wire::connect(gateway.address())
            .query("create role ada superuser login password 'geheim'")
            .expect("the first role is made");
        let mut ada = log_in(&gateway, "ada", PASSWORD).expect("the password is right");
        ada.query("create snapshot kept").expect("it is made");
        for statement in made {
            ada.query(&statement).expect(&statement);
        }
        Self {
            stored,
            gateway,
            world,
            _lake: lake,
        }
    }

    fn log_in(&self, role: &str) -> Stream<TcpStream> {
        log_in(&self.gateway, role, PASSWORD).expect("the password is right")
    }

    fn run(&self, statements: &[String]) {
        let mut ada = self.log_in("ada");
        for statement in statements {
            let run = ada.query(statement);
            run.unwrap_or_else(|report| panic!("{statement}: {report:?}"));
        }
    }

    /// Goes every way to every relation, as one role.
    fn go_everywhere(&self, role: &str) {
        let mut stream = self.log_in(role);
        for (index, relation) in self.world.relations.iter().enumerate() {
            for way in self.stored.ways() {
                let sql = way_to(way, relation);
                let messages = answers(&mut stream, &sql);
                let reader = match way.contains("set role bystander") {
                    true if !self.world.may_set_role(role, "team") => None,
                    true => Some("team"),
                    false => Some(role),
                };
                let seen = reader.and_then(|it| self.world.read(it, index, columns_of(way)));
                let case = format!("{role}: {sql} ({relation:?}): {}", shown(&messages));
                check(
                    &messages,
                    shows(way, relation),
                    seen.as_ref(),
                    role == "ada",
                    &case,
                );
                let leaves = |words: &[&str]| words.iter().any(|word| sql.contains(word));
                if leaves(&["begin", "set ", "prepare"]) {
                    let reset = "rollback; reset all; reset role; deallocate all";
                    answers(&mut stream, reset);
                }
                if leaves(&["create "]) {
                    answers(&mut stream, "drop view if exists open.mine");
                }
            }
        }
    }

    /// Looks into the catalog, as one role: no word, and no name of what it may know nothing of.
    fn look_around(&self, role: &str) {
        let mut stream = self.log_in(role);
        for look in LOOKS {
            let messages = answers(&mut stream, look);
            assert!(words_in(&messages).is_empty(), "{role}: {look}");
            let lists = look.contains("information_schema.tables");
            for (index, relation) in self.world.relations.iter().enumerate() {
                let is_told = tells(&messages, &relation.name);
                let case = format!("{role}: {look} tells of {relation:?}: {is_told}");
                assert!(!is_told || self.world.may_know(role, index), "{case}");
                let is_listed = lists && self.world.may_read_some(role, index);
                assert!(is_told || !is_listed, "{case}");
            }
        }
        for (index, relation) in self.world.relations.iter().enumerate() {
            // A name that is nearly right finds out nothing.
            let (near, _) = relation.name.split_at(relation.name.len() - 1);
            let sql = format!("select word from {}.{near}", relation.schema);
            let messages = answers(&mut stream, &sql);
            let is_told = tells(&messages, &relation.name);
            assert!(
                !is_told || self.world.may_know(role, index),
                "{role}: {sql}: {}",
                shown(&messages)
            );
        }
        for secrets in ["pg_authid", "pg_shadow"] {
            let failed = codes(&answers(&mut stream, &format!("select * from {secrets}")));
            let expected: &[&str] = match role {
                "ada" | "reader" => &[],
                _ => &["42501"],
            };
            assert_eq!(failed, expected, "{role}: {secrets}");
        }
    }
}

/// Whether the answer is what the model says: `seen` is `None` for who may not read.
fn check(messages: &[Message], shows: Shows, seen: Option<&Seen>, is_superuser: bool, case: &str) {
    let (told, failed) = (words_in(messages), codes(messages));
    let allowed = match shows {
        Shows::Superuser if !is_superuser => None,
        Shows::Nobody => None,
        _ => seen,
    };
    let Some(seen) = allowed else {
        assert!(told.is_empty(), "{case}");
        assert_eq!(rows(messages), 0, "{case}");
        // A schema that may not be used is not searched, and some names are nowhere.
        let is_missing = shows == Shows::Nobody || case.contains("search_path");
        let is_refused = failed.iter().any(|code| {
            code == "42501" || (is_missing && ["42P01", "42703", "42809"].contains(&&**code))
        });
        assert!(is_refused, "{case}");
        return;
    };
    assert!(told.is_subset(&seen.words), "{case}");
    if seen.n_rows < N_ROWS {
        assert!(!tells(messages, &format!("rows={N_ROWS}")), "{case}");
    }
    if shows == Shows::Fails {
        // What a mask says may be found to be no number before there is a row.
        let is_settled = seen.n_rows > 0 || !seen.is_masked;
        assert!(
            !is_settled || failed.is_empty() == (seen.n_rows == 0),
            "{case}"
        );
        return;
    }
    assert!(failed.is_empty(), "{case}");
    match shows {
        Shows::Every => assert_eq!(told, seen.words, "{case}"),
        Shows::One => assert_eq!(told.is_empty(), seen.words.is_empty(), "{case}"),
        Shows::Count => {
            let count = format!("{}", seen.n_rows);
            let row = messages.iter().find(|it| it.tag == b'D');
            let row = row.unwrap_or_else(|| panic!("{case}"));
            assert!(row.body.ends_with(count.as_bytes()), "{count}: {case}");
        }
        _ => assert!(told.is_empty(), "{case}"),
    }
}

#[test]
fn what_may_be_read_comes_out_and_nothing_else() {
    let seed = seed();
    println!("seed {seed}");
    everything_comes_out_that_may(seed, Rows::InLake);
}

#[test]
fn what_may_be_read_of_servers_comes_out_and_nothing_else() {
    let seed = seed();
    println!("seed {seed}");
    everything_comes_out_that_may(seed, Rows::Elsewhere);
}

fn seed() -> u64 {
    given_if_set("LAKEGATE_RIGHTS_SEED")
        .map_or(20_261_122, |text| text.parse().expect("a seed is a number"))
}

fn everything_comes_out_that_may(seed: u64, stored: Rows) {
    let place = Place::of(seed, stored);
    place.run(&place.world.statements());
    let mut revoked = place.log_in("revoked");
    for (index, relation) in place.world.relations.iter().enumerate() {
        let Relation { schema, name, .. } = relation;
        let prepared = format!("prepare q{index} as select word from {schema}.{name}");
        revoked.query(&prepared).expect(&prepared);
    }
    place.run(&place.world.revocations());
    // What was prepared before is refused as what is not.
    for index in 0..place.world.relations.len() {
        let messages = answers(&mut revoked, &format!("execute q{index}"));
        let seen = place.world.read("revoked", index, &["word"]);
        let case = format!("execute q{index}: {}", shown(&messages));
        check(&messages, Shows::Every, seen.as_ref(), false, &case);
    }
    let place = &place;
    std::thread::scope(|scope| {
        for role in ROLES {
            scope.spawn(move || {
                place.look_around(role);
                place.go_everywhere(role);
            });
        }
    });
    let n_read = place.world.n_readable();
    // The world is neither all open nor all closed.
    let n_all = ROLES.len() * place.world.relations.len();
    assert!(
        n_all / 8 < n_read && n_read < n_all / 2,
        "{n_read} of {n_all}"
    );
}
