//! Who may read what: nothing of a forbidden object comes out, whichever way it is reached.

use std::fs;
use std::net::TcpStream;

use tempfile::TempDir;

use crate::delta::write_table;
use crate::gateway::Gateway;
use crate::login::{Stream, log_in};
use crate::wire::{Message, Wire, message};

/// What stands in forbidden rows and columns: it may be in no message.
pub(crate) const SECRET: &str = "canary";

pub(crate) const PASSWORD: &str = "geheim";

/// The statements that make the roles and what is granted to them.
const GRANTS: &[&str] = &[
    "create role eve login password 'geheim'",
    "create role part login password 'geheim'",
    "create role bi login password 'geheim'",
    "create role bystander",
    "grant bystander to eve",
    "create view vault.above as select * from vault.inner_view",
    "create view vault.inner_view as select * from vault.secrets",
    "create view open.named with (security_invoker = true) as select * from vault.secrets",
    "grant usage on schema open to public",
    "grant select on open.plain to public",
    "grant usage on schema vault to part, bi",
    "grant select on open.named to eve, part, bi",
    "grant select (id) on vault.secrets to part",
    "grant select on all tables in schema vault to bi",
];

/// Every relation that holds the secret.
const OBJECTS: &[&str] = &[
    "vault.secrets",
    "vault.inner_view",
    "vault.above",
    "open.named",
];

/// Ways to its rows, its columns, or their number. `OBJECT` is the relation.
pub(crate) const WAYS: &[&str] = &[
    "select * from OBJECT",
    "table OBJECT",
    "select word from OBJECT as o",
    "select o.word from OBJECT as o(id, word)",
    "with c as (select * from OBJECT) select * from c",
    "with recursive c as (select word from OBJECT union all select word from c where false) select * from c",
    "select * from open.plain as p join OBJECT as o on o.id = p.id",
    "select (select max(word) from OBJECT)",
    "select id from open.plain where exists (select 1 from OBJECT where word like 'c%')",
    "select id from open.plain where 'canary' in (select word from OBJECT)",
    "select id from open.plain, lateral (select word from OBJECT as i where i.id = plain.id) as l",
    "select p.id from open.plain as p order by (select word from OBJECT limit 1)",
    "values ((select word from OBJECT limit 1))",
    "select 'x' as word union all select word from OBJECT",
    "select count(*) from OBJECT where word > 'a'",
    "select count(word) from OBJECT",
    "select 1 as one from OBJECT group by word",
    "select rank() over (order by word) from OBJECT",
    "select word::int from OBJECT",
    "select 1 / length(word) - 6 from OBJECT",
    "explain select word from OBJECT",
    "explain analyze select word from OBJECT",
    "copy (select word from OBJECT) to stdout",
    "copy OBJECT to stdout",
    "begin; declare c cursor for select word from OBJECT; fetch all from c; commit",
    "prepare q as select word from OBJECT; execute q; deallocate q",
    "set search_path = vault, open; select word from secrets; select word from named",
    "begin isolation level repeatable read; select word from OBJECT; commit",
    "select \"word\" from OBJECT where \"WORD\" = 'x' or word <> ''",
    "select word from only_if_there, OBJECT",
    "set role bystander; select word from OBJECT",
    "reset role; select word from OBJECT",
    "create view open.mine as select * from OBJECT",
    "select * from \"lake\".OBJECT",
    "select word from OBJECT for system_time as of now()",
    "select word from OBJECT timestamp as of 'now'",
    "select word from OBJECT version as of 1",
    "select word from OBJECT at (version => 1)",
    "select o.word from OBJECT as i, OBJECT for version as of 1 as o where o.id = i.id",
    "set lakegate.as_of = 'kept'; select word from OBJECT",
    "begin; set local lakegate.as_of = 'kept'; select word from OBJECT; commit",
    "select word from OBJECT version as of 'kept'",
    "prepare q (int8) as select word from OBJECT version as of $1; execute q (1); deallocate q",
    "select word from lakegate.changes('OBJECT', 0, 1)",
    "select old, new from lakegate.diff('OBJECT', 0, 'now', 'id')",
    "select old, new from lakegate.diff('OBJECT', 'kept', 0)",
];

/// Ways that there will be: refused to everybody, until they are built and join the ways above.
const WAYS_TO_COME: &[&str] = &[
    "select * from 'vault/secrets/part-0.parquet'",
    "select * from read_delta('vault/secrets')",
    "select * from read_parquet('vault/secrets/part-0.parquet')",
    "select * from openrowset(bulk 'vault/secrets/part-0.parquet', format = 'PARQUET') as r",
    "select pg_read_file('vault/secrets/part-0.parquet')",
    "copy OBJECT to '/tmp/never_written'",
    "create materialized view open.copied as select * from OBJECT",
];

/// What tells of a relation without its rows; none may hold a row's value.
pub(crate) const LOOKS: &[&str] = &[
    "select * from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema')",
    "select * from information_schema.columns where table_schema not in ('pg_catalog', 'information_schema')",
    "select * from information_schema.views where table_schema not in ('pg_catalog', 'information_schema')",
    "select * from information_schema.table_privileges",
    "select * from information_schema.schemata",
    "select * from pg_stats",
    "select * from pg_stat_user_tables",
    "select * from lakegate.tables",
    "select word from scret",
    "select word from vault.secret",
];

pub(crate) struct Place {
    pub(crate) gateway: Gateway,
    lake: TempDir,
}

pub(crate) fn place() -> (Place, Stream<TcpStream>) {
    let lake = TempDir::new().expect("a temporary folder can be made");
    let open = lake.path().join("open");
    fs::create_dir_all(&open).expect("the folder can be made");
    fs::write(open.join("plain.csv"), "id\n1\n").expect("the file can be written");
    // What was there before is as secret as what is there now.
    let row = |id: i64| (id, vec![SECRET.to_owned()]);
    let versions = [Vec::new(), vec![row(1), row(3)], vec![row(1), row(2)]];
    write_table(&lake.path().join("vault/secrets"), &["word"], &versions);
    let gateway = Gateway::start(lake.path(), &[]);
    Wire::connect(gateway.address())
        .query("create role ada superuser login password 'geheim'")
        .expect("the first role is made");
    let mut ada = log_in(&gateway, "ada", PASSWORD).expect("the password is right");
    ada.query("create snapshot kept").expect("it is made");
    // The view above comes before the one it reads.
    for statement in GRANTS.iter().filter(|it| !it.contains("vault.above")) {
        ada.query(statement).expect(statement);
    }
    for statement in GRANTS.iter().filter(|it| it.contains("vault.above")) {
        ada.query(statement).expect(statement);
    }
    ada.query("grant select on vault.above to bi")
        .expect("granted");
    (Place { gateway, lake }, ada)
}

pub(crate) fn answers(stream: &mut Stream<TcpStream>, sql: &str) -> Vec<Message> {
    stream.send(&message(b'Q', format!("{sql}\0").as_bytes()));
    stream.read_all()
}

/// The codes of the errors among messages.
pub(crate) fn codes(messages: &[Message]) -> Vec<String> {
    let errors = messages.iter().filter(|message| message.tag == b'E');
    errors
        .map(|error| error.report().code().to_owned())
        .collect()
}

pub(crate) fn tells(messages: &[Message], word: &str) -> bool {
    messages.iter().any(|message| {
        let mut parts = message.body.windows(word.len());
        parts.any(|part| part == word.as_bytes())
    })
}

pub(crate) fn rows(messages: &[Message]) -> usize {
    let rows = messages
        .iter()
        .filter(|message| matches!(message.tag, b'D' | b'd'));
    rows.count()
}

#[test]
fn no_way_leads_to_what_is_forbidden() {
    let (place, _ada) = place();
    for user in ["eve", "part"] {
        let mut stream = log_in(&place.gateway, user, PASSWORD).expect("the password is right");
        for object in OBJECTS {
            for way in WAYS {
                let sql = way.replace("OBJECT", object);
                let messages = answers(&mut stream, &sql);
                assert!(!tells(&messages, SECRET), "{user}: {sql}: {messages:?}");
                assert_eq!(rows(&messages), 0, "{user}: {sql}: {messages:?}");
                let failed = codes(&messages);
                let is_refused = failed.iter().any(|code| {
                    ["42501", "42P01", "42703", "42809", "0A000"].contains(&code.as_str())
                });
                assert!(is_refused, "{user}: {sql}: {messages:?}");
                answers(
                    &mut stream,
                    "rollback; reset all; reset role; deallocate all",
                );
            }
        }
        for look in LOOKS {
            let messages = answers(&mut stream, look);
            assert!(!tells(&messages, SECRET), "{user}: {look}: {messages:?}");
            if user == "eve" {
                for hidden in ["secrets", "inner_view", "above"] {
                    assert!(!tells(&messages, hidden), "{user}: {look}: {messages:?}");
                }
            }
        }
    }
    // The other way round: who may read gets all of it, so that the ways above lead there.
    let mut bi = log_in(&place.gateway, "bi", PASSWORD).expect("the password is right");
    let mut n_told = 0;
    for object in OBJECTS {
        for way in WAYS {
            let messages = answers(&mut bi, &way.replace("OBJECT", object));
            n_told += usize::from(rows(&messages) > 0);
            answers(&mut bi, "rollback; reset all; reset role; deallocate all");
        }
    }
    assert!(n_told > OBJECTS.len() * WAYS.len() / 2, "{n_told}");
}

#[test]
fn ways_to_come_lead_nowhere() {
    let (place, _ada) = place();
    for user in ["eve", "part"] {
        let mut stream = log_in(&place.gateway, user, PASSWORD).expect("the password is right");
        for object in OBJECTS {
            for way in WAYS_TO_COME {
                let sql = way.replace("OBJECT", object);
                let messages = answers(&mut stream, &sql);
                assert!(!tells(&messages, SECRET), "{user}: {sql}: {messages:?}");
                assert!(!codes(&messages).is_empty(), "{user}: {sql}: {messages:?}");
                answers(&mut stream, "rollback; reset all");
            }
        }
    }
}

#[test]
fn a_revoke_holds_on_another_gateway() {
    let (place, _) = place();
    let other = Gateway::start_with_state(place.lake.path(), place.gateway.state_folder(), &[]);
    let mut ada = log_in(&other, "ada", PASSWORD).expect("the password is right");
    let mut bi = log_in(&place.gateway, "bi", PASSWORD).expect("the password is right");
    let read = "select word from vault.secrets";
    bi.query(&format!("prepare q as {read}"))
        .expect("it is prepared");
    assert_eq!(bi.query("execute q").expect("it is granted").len(), 2);
    ada.query("revoke select on vault.secrets from bi")
        .expect("it is revoked");
    let is_refused = || {
        let mut bi = log_in(&place.gateway, "bi", PASSWORD).expect("the password is right");
        bi.query(read).is_err_and(|report| report.code() == "42501")
    };
    place.gateway.wait_until(is_refused);
    let refused = bi.query("execute q").expect_err("it is revoked");
    assert_eq!(refused.code(), "42501");
}

#[test]
fn a_revoke_holds_from_the_next_statement_on() {
    let (place, mut ada) = place();
    let mut bi = log_in(&place.gateway, "bi", PASSWORD).expect("the password is right");
    let mut other = log_in(&place.gateway, "bi", PASSWORD).expect("the password is right");
    let read = "select word from vault.secrets";
    bi.query(&format!("prepare q as {read}"))
        .expect("it is prepared");
    assert_eq!(bi.query("execute q").expect("it is granted").len(), 2);
    other
        .query("begin isolation level repeatable read")
        .expect("it begins");
    assert_eq!(other.query(read).expect("it is granted").len(), 2);
    other
        .query(&format!("declare c cursor for {read}"))
        .expect("it is granted");
    ada.query("revoke select on vault.secrets from bi")
        .expect("it is revoked");
    // As in PostgreSQL, a cursor that is open goes on.
    assert_eq!(other.query("fetch 1 from c").expect("it goes on").len(), 1);
    for (stream, sql) in [(&mut bi, "execute q"), (&mut other, read)] {
        let refused = stream.query(sql).expect_err("it is revoked");
        assert_eq!(refused.code(), "42501");
        assert_eq!(refused.message(), "permission denied for table secrets");
    }
    // A view is read with its owner's rights: those of ada.
    assert_eq!(
        bi.query("select word from vault.above")
            .expect("granted")
            .len(),
        2
    );
    let invoker = bi
        .query("select word from open.named")
        .expect_err("its own");
    assert_eq!(invoker.message(), "permission denied for table secrets");
    ada.query("revoke usage on schema vault from bi")
        .expect("revoked");
    let refused = bi
        .query("select word from vault.above")
        .expect_err("revoked");
    assert_eq!(refused.message(), "permission denied for schema vault");
}

#[test]
fn who_came_in_on_trust_reads_nothing_once_there_are_roles() {
    let lake = TempDir::new().expect("a temporary folder can be made");
    fs::write(lake.path().join("a.csv"), "id\n1\n").expect("the file can be written");
    let gateway = Gateway::start(lake.path(), &[]);
    let mut trusted = Wire::connect(gateway.address());
    assert_eq!(trusted.value("select id from a"), "1");
    trusted
        .query(
            "begin; create role ada superuser login password 'geheim'; \
             create role postgres superuser; grant select on a to postgres; commit",
        )
        .expect("all of it in one transaction");
    // It says that it is postgres, and nobody knows.
    let refused = trusted
        .query("select id from a")
        .expect_err("nobody knows who it is");
    assert_eq!(refused.code(), "42501");
    let role = trusted
        .query("set role ada")
        .expect_err("nobody knows who it is");
    assert_eq!(role.code(), "42501");
    assert_eq!(trusted.value("select 1"), "1");
}

#[test]
fn a_transaction_does_not_use_what_was_revoked_meanwhile() {
    let (place, mut ada) = place();
    for statement in [
        "create role keys",
        "grant keys to bi with admin option",
        "grant create on schema open to bi",
    ] {
        ada.query(statement).expect(statement);
    }
    let mut bi = log_in(&place.gateway, "bi", PASSWORD).expect("the password is right");
    bi.query("begin; create view open.own as select 1 as one")
        .expect("it may");
    ada.query("revoke keys from bi").expect("it is revoked");
    let late = bi
        .query("grant keys to eve")
        .expect_err("it has begun before");
    assert_eq!(late.code(), "40001");
    bi.query("rollback").expect("it ends");
    let refused = bi.query("grant keys to eve").expect_err("it is revoked");
    assert_eq!(
        refused.message(),
        "permission denied to grant role \"keys\""
    );
}

#[test]
fn without_connect_nobody_comes_in() {
    let (place, mut ada) = place();
    ada.query("revoke connect on database lake from public; grant connect on database lake to bi")
        .expect("it is revoked");
    let refused = log_in(&place.gateway, "eve", PASSWORD).err();
    let refused = refused.expect("it may not connect");
    assert_eq!((refused.code(), refused.field('S')), ("42501", "FATAL"));
    log_in(&place.gateway, "bi", PASSWORD).expect("it may");
    log_in(&place.gateway, "ada", PASSWORD).expect("it owns everything");
}

#[test]
fn grants_of_files_count_and_broken_ones_open_nothing() {
    let (place, mut ada) = place();
    let state = place.gateway.state_folder().join("views/_roles");
    let text = fs::read_to_string(state.join("eve.sql")).expect("the file is there");
    let granted = format!(
        "{text}\ngrant usage on schema vault to eve;\n\
         grant select on all tables in schema vault to eve;\n"
    );
    let mut eve = log_in(&place.gateway, "eve", PASSWORD).expect("the password is right");
    let read = "select word from vault.secrets";
    assert_eq!(
        eve.query(read).expect_err("it is not granted").code(),
        "42501"
    );
    // A word that is none: nothing of it counts, what is granted beside it neither.
    let broken = format!("{granted}grant select on open.plain to nobody_there;\n");
    fs::write(state.join("eve.sql"), broken).expect("the file can be written");
    let told = "role \"nobody_there\" does not exist";
    place
        .gateway
        .wait_until(|| place.gateway.log().contains(told));
    assert_eq!(eve.query(read).expect_err("nothing opens").code(), "42501");
    let change = ada.query("create role another").expect_err("it is broken");
    assert_eq!(change.code(), "42P17");
    fs::write(state.join("eve.sql"), granted).expect("the file can be written");
    let reads = || {
        let mut eve = log_in(&place.gateway, "eve", PASSWORD).expect("the password is right");
        eve.query(read).is_ok()
    };
    place.gateway.wait_until(reads);
    // What holds for all tables cannot be revoked on one without anybody noticing.
    let one = ada.query("revoke select on vault.secrets from eve");
    assert_eq!(one.expect_err("it would still read it").code(), "0LP01");
}
