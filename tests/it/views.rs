//! The views folder: edited by hand, by statements, and by several gateways at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::{IndexedMutRandom, IndexedRandom};
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use crate::gateway::{Gateway, program, test_lake};
use crate::wire::Wire;

/// Another gateway, or a restart, sees a change within 2 seconds; tests allow for busy machines.
const SEEN_MAX: Duration = Duration::from_secs(20);

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder can be made");
    // As editors do: never half a file.
    let beside = path.with_extension("part");
    fs::write(&beside, text).expect("a file can be written");
    fs::rename(&beside, &path).expect("a file can be replaced");
}

/// A gateway over the test lake with this views folder and state.
fn gateway(views: &Path, state: &Path) -> Gateway {
    let path = |path: &Path| path.display().to_string();
    let arguments = ["--views", &path(views)];
    Gateway::start_with_state(&test_lake(), state, &arguments)
}

/// Runs a statement without rows.
fn done(wire: &mut Wire, sql: &str) {
    wire.query(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// Asks until the answer is the expected one.
fn wait_for(wire: &mut Wire, query: &str, expected: &str) {
    let deadline = Instant::now() + SEEN_MAX;
    loop {
        let answer = match wire.query(query) {
            Ok(answers) => {
                let row = answers[0].rows.first();
                row.and_then(|row| row[0].clone()).unwrap_or_default()
            }
            Err(report) => report.code().to_owned(),
        };
        if answer == expected {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{query}: {answer}, not {expected}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_edit_that_does_not_plan_keeps_the_definition_before_it() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (views, state) = (folder.path().join("views"), folder.path().join("state"));
    write(
        &views,
        "mart/a.sql",
        "-- The first.\ncreate view mart.a as select 1 as n;\n",
    );
    let errors = "select coalesce(max(path || ':' || line || ':' || \"column\"), 'none') from lakegate.view_errors";
    let broken = |at: &Path| {
        write(
            at,
            "mart/a.sql",
            "create view mart.a as\n  select nope from regions;\n",
        );
    };
    {
        let gateway = gateway(&views, &state);
        let mut wire = gateway.connect();
        assert_eq!(wire.value("select n from mart.a"), "1");
        assert_eq!(
            wire.value("select obj_description('mart.a'::regclass)"),
            "The first."
        );
        // The definition is good once it was planned, which is noted beside.
        let good = state.join("good_views.json");
        let deadline = Instant::now() + SEEN_MAX;
        while !good.exists() {
            assert!(
                Instant::now() < deadline,
                "nothing was noted in {}",
                good.display()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        broken(&views);
        wait_for(&mut wire, errors, "mart/a.sql:2:10");
        assert_eq!(wire.value("select n from mart.a"), "1");
        write(
            &views,
            "mart/b.sql",
            "create view mart.b as select n + 1 as n from mart.a;",
        );
        wait_for(&mut wire, "select n from mart.b", "2");
        // Text that is no SQL at all keeps it too.
        write(&views, "mart/a.sql", "create view mart.a as select 'no end");
        wait_for(&mut wire, errors, "mart/a.sql:1:30");
        assert_eq!(wire.value("select n from mart.a"), "1");
        broken(&views);
        wait_for(&mut wire, errors, "mart/a.sql:2:10");
    }
    a_restart_agrees(&views, &state, errors);
}

/// A restart finds the last good definition, and so does the command that checks.
fn a_restart_agrees(views: &Path, state: &Path, errors: &str) {
    let gateway = gateway(views, state);
    let mut wire = gateway.connect();
    assert_eq!(wire.value("select n from mart.a"), "1");
    let checked = program()
        .args(["check", "--lake"])
        .arg(test_lake())
        .arg("--views")
        .arg(views)
        .arg("--state")
        .arg(state)
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        said.contains("mart/a.sql:2:10: mart.a: column \"nope\" does not exist"),
        "{said}"
    );
    assert_eq!(checked.status.code(), Some(1), "{said}");
    write(views, "mart/a.sql", "create view mart.a as select 5 as n;");
    wait_for(&mut wire, "select n from mart.b", "6");
    wait_for(&mut wire, errors, "none");
    fs::remove_file(views.join("mart/a.sql")).expect("the file is there");
    wait_for(&mut wire, "select n from mart.b", "42P01");
    let error = wire
        .query("select n from mart.b")
        .expect_err("it reads nothing");
    assert!(
        error.field('D').contains("mart/b.sql:1:46"),
        "{:?}",
        error.0
    );
}

#[test]
fn check_names_file_line_and_column_and_stars_if_told() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let views = folder.path().join("views");
    write(
        &views,
        "mart/star.sql",
        "create view mart.star as\nselect r.* from regions r;",
    );
    let check = |arguments: &[&str]| {
        let output = program()
            .args(["check", "--lake"])
            .arg(test_lake())
            .arg("--views")
            .arg(&views)
            .arg("--state")
            .arg(folder.path().join("state"))
            .args(arguments)
            .output()
            .expect("the program runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (code, said) = check(&[]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = check(&["--strict"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("mart/star.sql:2:8: mart.star: select *"),
        "{said}"
    );
    write(
        &views,
        "circle.sql",
        "create view a as select 1 as x from b; create view b as select 1 as x from a;",
    );
    write(&views, "other.sql", "drop view a;");
    let (code, said) = check(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("infinite recursion detected in view"),
        "{said}"
    );
    assert!(
        said.contains("other.sql:1:1: DROP VIEW in the views folder is not supported"),
        "{said}"
    );
}

#[test]
fn of_two_that_change_one_file_the_later_loses() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (views, state) = (folder.path().join("views"), folder.path().join("state"));
    let (one, other) = (gateway(&views, &state), gateway(&views, &state));
    let (mut one, mut other) = (one.connect(), other.connect());
    done(&mut one, "create view public.a as select 1 as n");
    wait_for(&mut other, "select n from a", "1");
    done(&mut one, "begin");
    done(&mut one, "create or replace view a as select 2 as n");
    done(&mut one, "create view b as select n from a");
    assert_eq!(one.value("select n from b"), "2");
    // Nobody else sees it.
    assert_eq!(other.value("select n from a"), "1");
    done(&mut other, "create or replace view a as select 3 as n");
    let error = one.query("commit").expect_err("somebody else was faster");
    assert_eq!(error.code(), "40001", "{:?}", error.0);
    assert_eq!(one.value("select n from a"), "3");
    assert_eq!(
        one.query("select n from b").expect_err("none of it").code(),
        "42P01"
    );
    // A change by hand is another's as well.
    done(&mut one, "begin");
    done(&mut one, "drop view a");
    write(
        &views,
        "public/a.sql",
        "create view public.a as select 4 as n;",
    );
    assert_eq!(
        one.query("commit").expect_err("it was edited").code(),
        "40001"
    );
    assert_eq!(one.value("select n from a"), "4");
}

/// What each of the views answers, by name, and whatever is wrong.
fn catalog_of(wire: &mut Wire) -> BTreeMap<String, String> {
    let answers = wire
        .query("select schemaname || '.' || viewname, definition from pg_views where schemaname in ('p', 'q')")
        .expect("the catalog answers");
    let rows = answers[0].rows.iter();
    rows.map(|row| {
        let value = |index: usize| row[index].clone().unwrap_or_default();
        (value(0), value(1))
    })
    .collect()
}

/// A statement about one of a few views; `None` if a file was changed by hand instead.
fn random_statement(random: &mut StdRng, views: &Path, round: u32) -> Option<String> {
    let name = |random: &mut StdRng| {
        let schema = ["p", "q"].choose(random).expect("there are two");
        format!("{schema}.v{}", random.random_range(0..6))
    };
    let (a, b) = (name(random), name(random));
    let statement = match random.random_range(0..9) {
        0..=2 => format!("create or replace view {a} as select {round} as n"),
        3 => format!("create view {a} as select n + 1 as n from {b}"),
        4 => format!("drop view {a} cascade"),
        5 => format!("alter view {a} rename to w{}", random.random_range(0..3)),
        6 => format!(
            "alter view {a} set schema {}",
            b.split('.').next().expect("a schema")
        ),
        7 => format!("comment on view {a} is 'round {round}'"),
        _ => {
            // By hand: a file of its own, written, or one that is there, removed.
            let path = format!("{}.sql", a.replace('.', "/"));
            if random.random_bool(0.7) {
                write(
                    views,
                    &path,
                    &format!("create view {a} as select {round} as n;\n"),
                );
            } else {
                fs::remove_file(views.join(&path)).ok();
            }
            return None;
        }
    };
    Some(statement)
}

/// Two gateways over one folder, and somebody who edits it by hand: whatever each was told is done
/// is done, and in the end everybody sees what the files say.
#[test]
fn two_gateways_and_an_editor_end_with_one_catalog() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (views, state) = (folder.path().join("views"), folder.path().join("state"));
    let gateways = [gateway(&views, &state), gateway(&views, &state)];
    let mut wires = [gateways[0].connect(), gateways[1].connect()];
    done(&mut wires[0], "create schema p");
    done(&mut wires[0], "create schema q");
    for wire in &mut wires {
        wait_for(
            wire,
            "select count(*) from pg_namespace where nspname in ('p', 'q')",
            "2",
        );
    }
    let (mut n_done, mut n_refused) = (0, 0);
    for round in 0..200 {
        let Some(statement) = random_statement(&mut random, &views, round) else {
            continue;
        };
        let wire = wires.choose_mut(&mut random).expect("there are two");
        match wire.query(&statement) {
            Ok(_) => n_done += 1,
            Err(report) => {
                n_refused += 1;
                let expected = ["42P01", "42P07", "2BP01", "40001", "42P17", "42703"];
                assert!(
                    expected.contains(&report.code()),
                    "{statement}: {:?}",
                    report.0
                );
            }
        }
    }
    println!("{n_done} done, {n_refused} refused");
    assert!(
        n_done > 30 && n_refused > 10,
        "{n_done} done, {n_refused} refused"
    );
    let fresh = gateway(&views, &folder.path().join("another_state"));
    let expected = catalog_of(&mut fresh.connect());
    let deadline = Instant::now() + SEEN_MAX;
    for wire in &mut wires {
        while catalog_of(wire) != expected {
            assert!(
                Instant::now() < deadline,
                "{:?}\n{expected:?}",
                catalog_of(wire)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let left: Vec<String> = files_below(&views);
    assert!(
        left.iter()
            .all(|path| path.ends_with(".sql") || path.ends_with("_lock")),
        "{left:?}"
    );
}

/// The views that a random graph's views read.
fn random_graph(random: &mut StdRng) -> Vec<Vec<usize>> {
    let n_views = random.random_range(1..8_usize);
    (0..n_views)
        .map(|_| {
            let n_read = random.random_range(0..3_usize);
            let read = (0..n_read).map(|_| random.random_range(0..n_views));
            read.collect()
        })
        .collect()
}

/// What a view answers: one more than the sum of what it reads; `None` if it reaches a circle.
fn value_of(graph: &[Vec<usize>], view: usize, open: &mut Vec<usize>) -> Option<u64> {
    if open.contains(&view) {
        return None;
    }
    open.push(view);
    let read = graph[view].iter();
    let sum = read
        .map(|read| value_of(graph, *read, open))
        .sum::<Option<u64>>();
    open.pop();
    sum.map(|sum| sum + 1)
}

/// Views that read each other at random, in files of any order: each answers what it must, or is
/// told to read itself.
#[test]
fn views_of_views_answer_or_are_circles() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (views, state) = (folder.path().join("views"), folder.path().join("state"));
    let graphs: Vec<_> = (0..25).map(|_| random_graph(&mut random)).collect();
    for (number, graph) in graphs.iter().enumerate() {
        for (view, reads) in graph.iter().enumerate() {
            let terms: String = (0..reads.len()).map(|at| format!(" + r{at}.n")).collect();
            let names = reads.iter().enumerate();
            let from: Vec<String> = names.map(|(at, read)| format!("v{read} r{at}")).collect();
            let from = match from.as_slice() {
                [] => String::new(),
                from => format!(" from {}", from.join(", ")),
            };
            let text = format!("create view v{view} as select 1{terms} as n{from};\n");
            // Any name: the order of files is not that of the views.
            let file = format!("g{number}/{:08x}.sql", random.random::<u32>());
            write(&views, &file, &text);
        }
    }
    let gateway = gateway(&views, &state);
    let mut wire = gateway.connect();
    let (mut n_values, mut n_circles) = (0, 0);
    for (number, graph) in graphs.iter().enumerate() {
        for view in 0..graph.len() {
            let query = format!("select n from g{number}.v{view}");
            match value_of(graph, view, &mut Vec::new()) {
                Some(value) => {
                    n_values += 1;
                    assert_eq!(wire.value(&query), value.to_string(), "{graph:?} {view}");
                }
                None => {
                    n_circles += 1;
                    let error = wire.query(&query).expect_err("a circle has no value");
                    assert_eq!(error.code(), "42P17", "{graph:?} {view} {:?}", error.0);
                }
            }
        }
    }
    assert!(
        n_values > 10 && n_circles > 3,
        "{n_values} values, {n_circles} circles"
    );
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        match entry.path().is_dir() {
            true => found.extend(files_below(&entry.path())),
            false => found.push(entry.path().display().to_string()),
        }
    }
    found
}
