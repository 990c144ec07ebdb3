//! What files mean, what statements make of them, and the order of views that read each other.

use std::collections::{BTreeSet, HashMap};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::*;
use crate::auth::Actor;
use crate::catalog::discover::Discovery;
use crate::catalog::snapshot::make;
use crate::catalog::sql::{self, Lines};
use crate::error::ErrorKind;

/// Every word after FROM or a comma, as if queries were that simple.
fn references_of(query: &str) -> Result<Vec<Reference>> {
    let Some((_, from)) = query.split_once("from ") else {
        return Ok(Vec::new());
    };
    let names = from
        .split(',')
        .map(|name| match name.trim().split_once('.') {
            Some((schema, name)) => (Some(schema.to_owned()), name.to_owned()),
            None => (None, name.trim().to_owned()),
        });
    Ok(names.collect())
}

/// The same for the names behind FROM.
fn renamed(query: &str, to: &dyn Fn(&Reference) -> Option<FullName>) -> Option<String> {
    let reads = references_of(query).ok()?;
    let (list, _) = query.split_once("from ")?;
    let names = reads.into_iter().map(|reference| match to(&reference) {
        Some((schema, name)) => format!("{schema}.{name} as {}", reference.1),
        None => reference.1,
    });
    let names: Vec<String> = names.collect();
    Some(format!("{list}from {}", names.join(", ")))
}

fn files(texts: &[(&str, &str)]) -> Files {
    let mut files = Files::default();
    for (path, text) in texts {
        files = files.with(path, Some(text));
    }
    files
}

fn views_of(texts: &[(&str, &str)]) -> Views {
    read(files(texts), None, references_of)
}

fn full(schema: &str, name: &str) -> FullName {
    (schema.to_owned(), name.to_owned())
}

/// The files after a statement, as `path: text` lines.
fn after(texts: &[(&str, &str)], statement: &str) -> Result<String> {
    let lines = Lines::of(statement);
    let tokens = sql::tokens(statement, &lines)?;
    let definition =
        sql::definition(statement, &lines, &tokens, None).expect("it defines something")?;
    let views = Arc::new(views_of(texts));
    let snapshot = make(&Discovery::default(), &views, &HashMap::new(), 1);
    let surroundings = Surroundings {
        snapshot: &snapshot,
        search_path: &["gold".to_owned()],
        database: "lake",
        actor: &Actor::open("ada"),
        renamed,
    };
    let draft = Draft::new(views);
    let (draft, _) = draft.define(&definition, surroundings, references_of)?;
    let files = draft.views.files.iter();
    let shown = files.map(|(path, file)| {
        let text = file.text.as_ref().expect("it is text");
        format!("{path}: {text}")
    });
    Ok(shown.collect::<Vec<_>>().join("\n---\n"))
}

#[test]
fn names_without_a_schema_are_those_of_the_folder() {
    let views = views_of(&[
        (
            "gold/a.sql",
            "-- What a is.\n-- Two lines.\ncreate view a as select 1;\n",
        ),
        ("root.sql", "create view b as select 1 from gold.a"),
        (
            "x.sql",
            "create view silver.c as select 1; comment on view silver.c is 'C'",
        ),
    ]);
    let names: Vec<_> = views.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(
        names,
        [full("gold", "a"), full("public", "b"), full("silver", "c")]
    );
    let described = |schema, name| views.view(&full(schema, name)).unwrap().description.clone();
    assert_eq!(
        described("gold", "a").as_deref(),
        Some("What a is.\nTwo lines.")
    );
    assert_eq!(described("public", "b"), None);
    assert_eq!(described("silver", "c").as_deref(), Some("C"));
    assert!(views.problems.is_empty(), "{:?}", views.problems);
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_harms_no_other_file() {
    let views = views_of(&[
        ("a.sql", "create view a as select 1;\n\n  drop view a;"),
        ("b.sql", "create view b as select 1;"),
        ("c.sql", "create view b as select 2;"),
        ("d.sql", "create view d as 'no end"),
        ("e.sql", "create server s foreign data wrapper w;"),
    ]);
    let told: Vec<String> = views
        .problems
        .iter()
        .map(|problem| format!("{} {}", problem.location, problem.error.message()))
        .collect();
    assert_eq!(
        told,
        [
            "a.sql:3:3 DROP VIEW in the views folder is not supported",
            "d.sql:1:18 unterminated string literal",
            "e.sql:1:1 foreign-data wrapper \"w\" does not exist",
            "b.sql:1:18 view \"public.b\" is ambiguous: \"b.sql\" and \"c.sql\" define it",
            "c.sql:1:18 view \"public.b\" is ambiguous: \"b.sql\" and \"c.sql\" define it",
        ]
    );
    assert!(views.view(&full("public", "a")).is_some());
    assert!(views.views[&full("public", "b")].is_err());
}

#[test]
fn a_file_that_cannot_be_read_keeps_its_views() {
    let before = views_of(&[("a.sql", "create view a as select 1")]);
    let broken = files(&[("a.sql", "create view a as 'select 1")]);
    let views = read(broken, Some(&before), references_of);
    assert_eq!(views.view(&full("public", "a")).unwrap().query, "select 1");
    let gone = read(Files::default(), Some(&before), references_of);
    assert!(gone.views.is_empty());
}

#[test]
fn statements_change_their_own_text_and_nothing_else() {
    fn check(texts: &[(&str, &str)], statement: &str, expected: &str) {
        assert_eq!(after(texts, statement).unwrap(), expected, "{statement}");
    }
    let two = [(
        "gold/two.sql",
        "-- About a.\ncreate view a as select 1;\n\n-- About b.\ncreate view b as select 2 from a;\n",
    )];
    check(
        &two,
        "create or replace view gold.a as select 3",
        "gold/two.sql: -- About a.\ncreate view gold.a as\nselect 3;\n\n-- About b.\ncreate view b as select 2 from a;\n",
    );
    check(
        &two,
        "drop view b",
        "gold/two.sql: -- About a.\ncreate view a as select 1;\n\n",
    );
    let with_c = format!(
        "gold/c.sql: create view gold.c as\nselect 1;\n\n---\ngold/two.sql: {}",
        two[0].1
    );
    check(&two, "create view gold.c as select 1 -- x", &with_c);
    check(&two, "drop view a cascade", "");
    let one = [(
        "gold/a.sql",
        "create view a as select 1;\ncomment on view a is 'x';\ncomment on column a.b is 'y';\n",
    )];
    check(
        &one,
        "alter view a rename to \"C\"",
        "gold/a.sql: create view gold.\"C\" as\nselect 1;\ncomment on view gold.\"C\" is 'x';\ncomment on column gold.\"C\".b is 'y';\n",
    );
    let read = [
        ("gold/a.sql", "create view a as select 1;\n"),
        (
            "gold/b.sql",
            "-- It.\ncreate view b\n  as select x from a, c;\n",
        ),
    ];
    check(
        &read,
        "alter view a rename to d",
        "gold/a.sql: create view gold.d as\nselect 1;\n\n---\ngold/b.sql: -- It.\ncreate view b\n  as select x from gold.d as a, c;\n",
    );
    check(
        &one,
        "comment on view a is 'it''s'",
        "gold/a.sql: create view a as select 1;\ncomment on view gold.a is 'it''s';\ncomment on column a.b is 'y';\n",
    );
    check(
        &one,
        "comment on view a is null",
        "gold/a.sql: create view a as select 1;\ncomment on column a.b is 'y';\n",
    );
    check(&one, "drop view gold.a", "");
    check(
        &one,
        "create schema \"odd/name\"",
        "gold/a.sql: create view a as select 1;\ncomment on view a is 'x';\ncomment on column a.b is 'y';\n\n---\nodd%2Fname.sql: create schema \"odd/name\";\n",
    );
}

#[test]
fn statements_about_what_is_not_there_fail_as_in_postgres() {
    fn check(statement: &str, kind: ErrorKind) {
        let texts = [
            ("gold/a.sql", "create view a as select 1"),
            ("gold/b.sql", "create view b as select 1 from a"),
        ];
        let error = after(&texts, statement).unwrap_err();
        assert_eq!(error.kind(), kind, "{statement}: {error}");
    }
    check("drop view nope", ErrorKind::UndefinedTable);
    check("drop view a", ErrorKind::DependentObjectsStillExist);
    check("create view a as select 2", ErrorKind::DuplicateTable);
    check(
        "create view nope.a as select 2",
        ErrorKind::InvalidSchemaName,
    );
    check("alter view a rename to b", ErrorKind::DuplicateTable);
    check("alter view a set schema nope", ErrorKind::InvalidSchemaName);
    check("create schema gold", ErrorKind::DuplicateSchema);
    check("create schema pg_x", ErrorKind::InvalidSchemaName);
    check("drop schema gold", ErrorKind::DependentObjectsStillExist);
    check("comment on view nope is 'x'", ErrorKind::UndefinedTable);
    check("comment on table a is 'x'", ErrorKind::WrongObjectType);
    check(
        "create view pg_catalog.x as select 1",
        ErrorKind::InsufficientPrivilege,
    );
}

/// Random graphs of views in random files: an order exists for exactly the views that reach no
/// circle, and in it each comes after what it reads.
#[test]
fn views_are_ordered_by_what_they_read() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..300 {
        let n_views = random.random_range(1..12_usize);
        let n_edges = random.random_range(0..=n_views * 2);
        let edges: BTreeSet<(usize, usize)> = (0..n_edges)
            .map(|_| {
                (
                    random.random_range(0..n_views),
                    random.random_range(0..n_views),
                )
            })
            .collect();
        let mut places: Vec<usize> = (0..n_views).collect();
        places.shuffle(&mut random);
        let mut texts = vec![String::new(); n_views];
        for (view, place) in places.into_iter().enumerate() {
            let read: Vec<String> = edges
                .iter()
                .filter(|(reader, _)| *reader == view)
                .map(|(_, read)| format!("v{read}"))
                .collect();
            let from = match read.as_slice() {
                [] => String::new(),
                read => format!(" from {}", read.join(", ")),
            };
            // Several views may share a file.
            let file = place / random.random_range(1..3_usize);
            texts[file].push_str(&format!("create view public.v{view} as select 1{from};\n"));
        }
        let mut files = Files::default();
        for (number, text) in texts
            .iter()
            .enumerate()
            .filter(|(_, text)| !text.is_empty())
        {
            files = files.with(&format!("f{number}.sql"), Some(text));
        }
        let views = read(files, None, references_of);
        assert_eq!(views.views.len(), n_views);
        check_order(&views, n_views, &edges);
    }
}

fn check_order(views: &Views, n_views: usize, edges: &BTreeSet<(usize, usize)>) {
    // By repeated squaring of who reaches whom: another algorithm than the one under test.
    let mut reaches = vec![vec![false; n_views]; n_views];
    edges
        .iter()
        .for_each(|(from, to)| reaches[*from][*to] = true);
    for middle in 0..n_views {
        for from in 0..n_views {
            for to in 0..n_views {
                reaches[from][to] |= reaches[from][middle] && reaches[middle][to];
            }
        }
    }
    let in_circle = |view: usize| reaches[view][view];
    let is_unplaced = |view: usize| {
        in_circle(view) || (0..n_views).any(|other| reaches[view][other] && in_circle(other))
    };
    let (ordered, unplaced) = in_order(views);
    let number = |name: &FullName| name.1[1..].parse::<usize>().expect("a number");
    let unplaced: BTreeSet<usize> = unplaced.iter().map(number).collect();
    let expected: BTreeSet<usize> = (0..n_views).filter(|view| is_unplaced(*view)).collect();
    assert_eq!(unplaced, expected, "{edges:?}");
    let ordered: Vec<usize> = ordered.iter().map(number).collect();
    assert_eq!(ordered.len() + unplaced.len(), n_views);
    for (place, view) in ordered.iter().enumerate() {
        let before = &ordered[..place];
        let mut read = edges.iter().filter(|(reader, _)| reader == view);
        assert!(
            read.all(|(_, read)| before.contains(read)),
            "{edges:?} {ordered:?}"
        );
    }
}

/// Verifiers are made with a salt of their own: what follows `password` is not compared.
fn check_roles(texts: &[(&str, &str)], statement: &str, expected: std::result::Result<&str, &str>) {
    let got = after(texts, statement).map_err(|error| error.message().to_owned());
    let masked = got.map(|files| {
        let verifier = regex::Regex::new(r"'SCRAM-SHA-256\$[^']*'").expect("valid");
        verifier.replace_all(&files, "V").into_owned()
    });
    assert_eq!(
        masked,
        expected.map(str::to_owned).map_err(str::to_owned),
        "{statement}"
    );
}

const VERIFIER: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

#[test]
fn roles_are_written_with_verifiers() {
    check_roles(
        &[],
        "create user \"a b\" superuser password 'geheim' connection limit 3",
        Ok(
            "_roles/a%20b.sql: create role \"a b\" superuser login\n  password V\n  connection limit 3;\n",
        ),
    );
    let given = format!("create role x superuser login encrypted password '{VERIFIER}'");
    let written = after(&[], &given).expect("a verifier is taken");
    assert!(written.contains(VERIFIER), "{written}");
    let first = "the first role must be a superuser that can log in with a password";
    check_roles(&[], "create role x login password 'geheim'", Err(first));
    check_roles(&[], "create role x superuser password 'geheim'", Err(first));
    check_roles(&[], "create role x superuser login", Err(first));
    check_roles(&[], "create role x superuser login password ''", Err(first));
}

#[test]
fn roles_are_changed_where_they_stand() {
    let ada = format!("-- the first\ncreate role ada superuser login password '{VERIFIER}';\n");
    let texts = [("_roles/all.sql", ada.as_str())];
    let check = |statement: &str, expected: std::result::Result<&str, &str>| {
        check_roles(&texts, statement, expected);
    };
    check(
        "create role bob valid until '2030-01-01'",
        Ok(
            "_roles/all.sql: -- the first\ncreate role ada superuser login password V;\n\n---\n\
            _roles/bob.sql: create role bob nologin\n  valid until '2030-01-01 00:00:00+00';\n",
        ),
    );
    check(
        "alter role ada connection limit 5",
        Ok(
            "_roles/all.sql: -- the first\ncreate role ada superuser login\n  password V\n  connection limit 5;\n",
        ),
    );
    let lonely = "at least one role must be a superuser that can log in with a password";
    check("alter user ada nosuperuser", Err(lonely));
    check("alter role ada password null", Err(lonely));
    check("drop role ada", Err("current user cannot be dropped"));
    check("drop role bob", Err("role \"bob\" does not exist"));
    check("alter role bob login", Err("role \"bob\" does not exist"));
    check("create role ada", Err("role \"ada\" already exists"));
    check("create role pg_x", Err("role name \"pg_x\" is reserved"));
    check(
        "create role bob createdb noinherit in role ada",
        Ok(
            "_roles/all.sql: -- the first\ncreate role ada superuser login password V;\n\n---\n\
            _roles/bob.sql: create role bob createdb noinherit nologin;\n\n\
            grant ada to bob with inherit false;\n",
        ),
    );
    check(
        "create role bob sysid 3",
        Err("the role option SYSID is not supported"),
    );
    check(
        "grant ada to ada",
        Err("role \"ada\" is a member of role \"ada\""),
    );
    check(
        "create role bob login nologin",
        Err("conflicting or redundant options"),
    );
    check(
        "create role bob login 'geheim'",
        Err("syntax error at or near \"'...'\""),
    );
    check(
        "create role bob nosense",
        Err("unrecognized role option \"nosense\""),
    );
    check(
        "create role bob connection limit -2",
        Err("invalid connection limit: -2"),
    );
    check(
        "create role bob valid until 'soon'",
        Err("invalid input syntax for type timestamp with time zone: \"soon\""),
    );
}

#[test]
fn broken_files_of_roles_leave_what_was() {
    let ada = format!("create role ada superuser login password '{VERIFIER}';");
    let before = views_of(&[("_roles/ada.sql", &ada)]);
    assert!(before.role_problem().is_none());
    for (path, text) in [
        (
            "_roles/ada.sql",
            "create role ada superuser login password 'geheim';",
        ),
        ("_roles/ada.sql", "create role ada nonsense;"),
        ("_roles/ada.sql", "create role ada 'x"),
        ("_roles/ada.sql", "grant a to b;"),
        ("_roles/ada.sql", "revoke a from b;"),
        ("_roles/ada.sql", "alter role ada reset all;"),
        ("_roles/ada.sql", "create view a as select 1;"),
    ] {
        let views = read(files(&[(path, text)]), Some(&before), references_of);
        assert!(views.role_problem().is_some(), "{text}");
        assert_eq!(views.authority, before.authority, "{text}");
    }
    let misplaced = views_of(&[("gold/ada.sql", &ada)]);
    assert!(misplaced.role_problem().is_some() && misplaced.authority.roles.is_empty());
    let twice = views_of(&[("_roles/a.sql", &ada), ("_roles/b.sql", &ada)]);
    assert!(twice.role_problem().is_some());
    let gone = read(files(&[]), Some(&before), references_of);
    assert!(gone.authority.roles.is_empty() && gone.authority.is_enforced);
}
