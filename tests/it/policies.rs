//! Row policies and column masks: beside PostgreSQL, in files, and with the lake changing below them.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::gateway::{Gateway, given, postgres, program, test_lake};
use crate::login::{Stream, log_in};
use crate::wire::Wire;

const PASSWORD: &str = "geheim";

/// A lake of files, and the state of a gateway over it.
struct Place {
    lake: TempDir,
    state: TempDir,
}

impl Place {
    fn with(files: &[(&str, String)]) -> Self {
        let place = Self {
            lake: TempDir::new().expect("a temporary folder can be made"),
            state: TempDir::new().expect("a temporary folder can be made"),
        };
        for (path, text) in files {
            write(&place.lake.path().join(path), text);
        }
        place
    }

    fn start(&self) -> Gateway {
        Gateway::start_with_state(self.lake.path(), self.state.path(), &[])
    }

    fn policies_file(&self) -> std::path::PathBuf {
        self.state.path().join("views/_roles/_policies/s/t.sql")
    }
}

fn write(file: &Path, text: &str) {
    let folder = file.parent().expect("it lies in a folder");
    fs::create_dir_all(folder).expect("the folder can be made");
    fs::write(file, text).expect("the file can be written");
}

/// The first role, and statements that it runs.
fn as_ada(gateway: &Gateway, statements: &[&str]) -> Stream<TcpStream> {
    Wire::connect(gateway.address())
        .query("create role ada superuser login password 'geheim'")
        .expect("the first role is made");
    let mut ada = log_in(gateway, "ada", PASSWORD).expect("the password is right");
    for statement in statements {
        ada.query(statement).expect(statement);
    }
    ada
}

fn of_bi(gateway: &Gateway) -> Stream<TcpStream> {
    log_in(gateway, "bi", PASSWORD).expect("the password is right")
}

const BI: &[&str] = &[
    "create role bi login password 'geheim'",
    "create role readers",
    "grant readers to bi",
    "grant usage on schema s to readers",
    "grant select on s.t to readers",
];

/// Rows of which two in three are for `bi`, and a word of each that is for nobody.
fn small() -> Place {
    let rows = "id,who,word\n1,bi,one\n2,bi,two\n3,eve,three\n".to_owned();
    Place::with(&[("s/t.csv", rows)])
}

fn check(stream: &mut Stream<TcpStream>, sql: &str, expected: Result<&[&str], &str>) {
    match (stream.query(sql), expected) {
        (Ok(rows), Ok(expected)) => assert_eq!(rows, expected, "{sql}"),
        (Err(report), Err(code)) => assert_eq!(report.code(), code, "{sql}: {report:?}"),
        (answer, expected) => panic!("{sql}: {answer:?}, not {expected:?}"),
    }
}

/// Five hundred random policies, and questions of every role, on PostgreSQL and here.
#[test]
fn random_policies_hold_as_in_postgres() {
    let words = ["apple", "banana", "12", "7", "beta", "2021-01-01", ""];
    let (owners, regions) = (
        ["rp_a", "rp_b", "rp_c", "rp_d", "nobody", ""],
        ["north", "south", "west", ""],
    );
    let amounts = [0, 7, 12, 20, 21, 33, 40];
    let mut orders = "id,owner,region,amount,word\n".to_owned();
    let mut people = "id,owner,level\n".to_owned();
    for id in 1..=40_usize {
        let (owner, region) = (owners[id * 7 % 6], regions[id * 5 / 3 % 4]);
        let (amount, word) = (amounts[id * 3 % 7] + id % 2, words[id * 11 % 7]);
        orders.push_str(&format!("{id},{owner},{region},{amount},{word}\n"));
        if id <= 12 {
            people.push_str(&format!("{id},{},{}\n", owners[id % 5], id % 5));
        }
    }
    let acl = "who,region\nrp_a,north\nrp_a,west\nrp_b,south\nrp_c,north\nnobody,west\n".to_owned();
    let place = Place::with(&[
        ("pt/orders.csv", orders),
        ("pt/people.csv", people),
        ("pt/acl.csv", acl),
    ]);
    let running = place.start();
    as_ada(&running, &[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/policies.py");
    let output = Command::new(given("LAKEGATE_TEST_PYTHON"))
        .arg(script)
        .args(["--gateway", &running.address().port().to_string()])
        .args(["--postgres", &postgres().to_string()])
        // The same policies each time; by hand it is run with others.
        .args(["--seed", "20261122", "--policies", "500"])
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{failed}");
}

#[test]
fn policies_outlive_a_restart_and_broken_files_open_nothing() {
    let place = small();
    let mut running = place.start();
    let mut ada = as_ada(&running, BI);
    let mut bi = of_bi(&running);
    let read = "select id from s.t order by id";
    ada.query("begin; alter table s.t enable row level security; rollback")
        .expect("it is taken back");
    check(&mut bi, read, Ok(&["1", "2", "3"]));
    ada.query(
        "begin; alter table s.t enable row level security; \
         create policy own on s.t for select to readers using (who = current_user -- its own\n); commit",
    )
    .expect("both are made");
    check(&mut bi, read, Ok(&["1", "2"]));
    drop(ada);
    running.terminate();
    running.wait(std::time::Duration::from_secs(20));
    let running = place.start();
    let mut bi = of_bi(&running);
    check(&mut bi, read, Ok(&["1", "2"]));
    let kept = fs::read_to_string(place.policies_file()).expect("the file is there");
    // By hand: another condition counts; one that cannot be read leaves the one before.
    let other = kept.replace("who = current_user", "id = 3");
    fs::write(place.policies_file(), &other).expect("the file can be written");
    running.wait_until(|| of_bi(&running).query(read).is_ok_and(|rows| rows == ["3"]));
    let broken = other.replace("id = 3", "id = = 3");
    fs::write(place.policies_file(), &broken).expect("the file can be written");
    running.wait_until(|| running.log().contains("_policies/s/t.sql"));
    check(&mut of_bi(&running), read, Ok(&["3"]));
    drop(running);
    let output = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--lake"])
        .arg(place.lake.path())
        .arg("--state")
        .arg(place.state.path())
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("_policies/s/t.sql:"),
        "{said}"
    );
}

#[test]
fn a_column_that_vanished_opens_nothing() {
    let place = small();
    let running = place.start();
    let mut ada = as_ada(&running, BI);
    ada.query(
        "alter table s.t enable row level security; \
         create policy own on s.t using (who = current_user)",
    )
    .expect("it is made");
    let mut bi = of_bi(&running);
    check(&mut bi, "select count(*) from s.t", Ok(&["2"]));
    let file = place.lake.path().join("s/t.csv");
    write(&file, "id,whose,word\n1,bi,one\n3,eve,three\n");
    check(&mut bi, "select id from s.t", Err("42703"));
    ada.query("drop policy own on s.t; create policy all_rows on s.t using (true)")
        .expect("it is made");
    check(&mut bi, "select word from s.t where id = 3", Ok(&["three"]));
    ada.query("security label for lakegate on column s.t.word is 'MASKED WITH (''***'')'")
        .expect("it is masked");
    check(&mut bi, "select word from s.t where id = 3", Ok(&["***"]));
    // Under another name it would be in the open.
    write(&file, "id,whose,text\n1,bi,one\n3,eve,three\n");
    check(&mut bi, "select id from s.t", Err("42703"));
    check(
        &mut ada,
        "select text from s.t where id = 3",
        Ok(&["three"]),
    );
}

#[test]
fn masks_hide_from_everything_but_policies() {
    let place = small();
    let running = place.start();
    let mut ada = as_ada(&running, BI);
    let mut bi = of_bi(&running);
    for statement in [
        "security label for lakegate on column s.t.word is 'MASKED WITH (left(word, 1))'",
        "security label on column s.t.id is 'MASKED WITH (id / 2 * 2) EXCEPT FOR nobody_yet'",
    ] {
        let done = ada.query(statement);
        assert_eq!(
            done.is_err(),
            statement.contains("nobody_yet"),
            "{statement}"
        );
    }
    check(
        &mut bi,
        "select word from s.t order by word",
        Ok(&["o", "t", "t"]),
    );
    check(&mut bi, "select id from s.t where word = 'one'", Ok(&[]));
    check(
        &mut bi,
        "select count(*) from s.t where word like '%e%'",
        Ok(&["0"]),
    );
    check(
        &mut bi,
        "select max(word) || min(word) from s.t",
        Ok(&["to"]),
    );
    check(
        &mut bi,
        "select count(*) from s.t group by word order by 1",
        Ok(&["1", "2"]),
    );
    check(
        &mut bi,
        "select pg_typeof(word) from s.t limit 1",
        Ok(&["text"]),
    );
    // A policy sees what is masked.
    ada.query(
        "alter table s.t enable row level security; create policy p on s.t using (word = 'two')",
    )
    .expect("it is made");
    check(&mut bi, "select word from s.t where id = 2", Ok(&["t"]));
    check(&mut bi, "select count(*) from s.t", Ok(&["1"]));
    check(&mut ada, "select word from s.t where id = 2", Ok(&["two"]));
    ada.query(
        "security label for lakegate on column s.t.word is 'MASKED WITH (null) EXCEPT FOR readers'",
    )
    .expect("it is masked");
    check(&mut bi, "select word from s.t", Ok(&["two"]));
    check(&mut ada, "drop role readers", Err("2BP01"));
    check(
        &mut ada,
        "select label from pg_seclabels",
        Ok(&["MASKED WITH (null) EXCEPT FOR readers"]),
    );
    refuse_labels(&mut ada);
}

fn refuse_labels(ada: &mut Stream<TcpStream>) {
    for (label, code) in [
        ("MASKED WITH (now())", "42804"),
        ("MASKED WITH (max(word))", "42803"),
        ("MASKED WITH (nothing_there)", "42703"),
        ("MASKED", "22023"),
    ] {
        let sql = format!("security label on column s.t.id is '{label}'");
        check(ada, &sql, Err(code));
    }
    check(
        ada,
        "security label on column s.t.gone is 'MASKED WITH (1)'",
        Err("42703"),
    );
}

#[test]
fn owners_and_who_bypasses_are_as_in_postgres() {
    let place = small();
    let running = place.start();
    let mut ada = as_ada(&running, BI);
    for statement in [
        "grant create on schema s to bi",
        "create role eve login password 'geheim'",
        "grant usage on schema s to eve",
    ] {
        ada.query(statement).expect(statement);
    }
    let mut bi = of_bi(&running);
    for statement in [
        "create view s.v as select * from s.t",
        "alter view s.v enable row level security",
        "create policy own on s.v using (id = 1 and current_user = 'eve')",
        "grant select on s.v to eve",
    ] {
        bi.query(statement).expect(statement);
    }
    let mut eve = log_in(&running, "eve", PASSWORD).expect("the password is right");
    check(&mut eve, "select id from s.v", Ok(&["1"]));
    check(&mut bi, "select count(*) from s.v", Ok(&["3"]));
    check(
        &mut eve,
        "create policy mine on s.v using (true)",
        Err("42501"),
    );
    check(
        &mut eve,
        "create policy mine on s.t using (true)",
        Err("42501"),
    );
    check(&mut eve, "select row_security_active('s.v')", Ok(&["t"]));
    check(
        &mut eve,
        "set row_security = off; select id from s.v",
        Err("42501"),
    );
    check(&mut eve, "reset row_security", Ok(&[]));
    bi.query("alter view s.v force row level security")
        .expect("it owns it");
    check(&mut bi, "select count(*) from s.v", Ok(&["0"]));
    ada.query("alter role eve bypassrls")
        .expect("it is altered");
    check(&mut eve, "select count(*) from s.v", Ok(&["3"]));
    bi.query("alter view s.v rename to w").expect("it owns it");
    check(&mut bi, "select count(*) from s.w", Ok(&["0"]));
    bi.query("drop view s.w").expect("it owns it");
    check(&mut ada, "select count(*) from pg_policy", Ok(&["0"]));
    // What cannot be is refused in PostgreSQL's words.
    for (statement, code) in [
        ("create policy p on s.t using (id)", "42804"),
        ("create policy p on s.t using (nothing_there)", "42703"),
        (
            "create policy p on s.t using (id in (select id from s.nothing))",
            "42P01",
        ),
        ("create policy p on s.t using (max(id) = 1)", "42803"),
        ("create policy p on s.t with check (true)", "0A000"),
        ("create policy p on s.nothing using (true)", "42P01"),
        (
            "create policy p on s.t to nobody_there using (true)",
            "42704",
        ),
        ("drop policy p on s.t", "42704"),
        ("alter policy p on s.t rename to q", "42704"),
        ("alter view s.t enable row level security", "42809"),
    ] {
        check(&mut ada, statement, Err(code));
    }
    check(&mut ada, "drop policy if exists p on s.t", Ok(&[]));
}

/// Copies the Delta table that is partitioned by region, and takes the files of one region away.
fn without_the_west(place: &Place) {
    let (from, to) = (
        test_lake().join("silver/orders"),
        place.lake.path().join("silver/orders"),
    );
    for folder in ["_delta_log", "region=north", "region=south", "region=west"] {
        fs::create_dir_all(to.join(folder)).expect("the folder can be made");
        for entry in fs::read_dir(from.join(folder)).expect("it can be listed") {
            let entry = entry.expect("it can be listed");
            if folder != "region=west" {
                fs::copy(entry.path(), to.join(folder).join(entry.file_name()))
                    .expect("it is copied");
            }
        }
    }
}

#[test]
fn conditions_that_tell_nothing_still_leave_out_files() {
    let place = small();
    without_the_west(&place);
    let running = place.start();
    let mut ada = as_ada(&running, BI);
    for statement in [
        "grant usage on schema silver to bi",
        "grant select on silver.orders to bi",
        "alter table silver.orders enable row level security",
        "create policy some on silver.orders using (length(region) > 0)",
    ] {
        ada.query(statement).expect(statement);
    }
    let mut bi = of_bi(&running);
    let north = "select count(*) > 0 from silver.orders where region = 'north'";
    check(&mut bi, north, Ok(&["t"]));
    let others = "select count(*) from silver.orders where region <> 'west'";
    let all = ada.query(others).expect("the west is not read");
    check(&mut bi, others, Ok(&[all[0].as_str()]));
    // A condition that might tell something is asked behind the policy, of all files.
    let missing = bi.query("select count(*) from silver.orders where substr(region, 1, 1) = 'n'");
    assert!(missing.is_err(), "{missing:?}");
    let plan = bi
        .query(&format!("explain {north}"))
        .expect("it is planned");
    let plan = plan.join("\n");
    assert!(
        plan.contains("ProtectedExec: silver.orders, filters=["),
        "{plan}"
    );
    assert!(
        plan.contains("north") && !plan.contains("region=") && !plan.contains("west"),
        "{plan}"
    );
}
