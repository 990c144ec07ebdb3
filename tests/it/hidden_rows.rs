//! Who may read a relation but not all of its rows, or not a column as it is: nothing of what is
//! hidden comes out, by no way, no error and no count.

use std::net::TcpStream;

use crate::login::{Stream, log_in};
use crate::rights::{PASSWORD, Place, SECRET, WAYS, answers, codes, place, rows, tells};

/// Relations with the secret in them, read with the rights of whoever reads.
const OBJECTS: &[&str] = &["vault.secrets", "open.named", "open.guarded"];

/// Beside what others are granted: `few` sees no row with the secret, `veiled` no word as it is.
const GRANTS: &[&str] = &[
    "create role few login password 'geheim'",
    "create role veiled login password 'geheim'",
    "grant bystander to few, veiled",
    "grant usage on schema vault, open to few, veiled, bystander",
    "create view open.guarded as select * from vault.secrets",
    "grant select on vault.secrets, open.named, open.guarded to few, veiled, bystander",
    "alter table vault.secrets enable row level security",
    "alter view open.guarded enable row level security",
    "create policy others on vault.secrets using (not pg_has_role(session_user, 'bystander', 'member'))",
    "create policy others on open.guarded using (not pg_has_role(session_user, 'bystander', 'member'))",
    "create policy veiled on vault.secrets using (session_user = 'veiled')",
    "create policy veiled on open.guarded using (session_user = 'veiled')",
    "security label for lakegate on column vault.secrets.word is 'MASKED WITH (null)'",
    "security label for lakegate on column open.guarded.word is 'MASKED WITH (null)'",
];

/// Questions that fail, or take another way, only for a row with the secret.
const LEAKS: &[&str] = &[
    "select id from OBJECT where 1 / (length(word) - 6) is null",
    "select 1 / (length(word) - 6) from OBJECT",
    "select id from OBJECT order by 1 / (length(word) - 6)",
    "select sum(1 / (length(word) - 6)) from OBJECT",
    "select count(*) from OBJECT group by 1 / (length(word) - 6)",
    "select id from OBJECT where word::int > 0",
    "select id from OBJECT order by word::int",
    "select max(word::date) from OBJECT",
    "select id from OBJECT where word::bool",
    "select id from OBJECT where (length(word) * 1000000000)::int > 0",
    "select id from OBJECT where case when word = 'canary' then 1 / (length(word) - 6) = 1 else false end",
    "select id from open.plain where exists (select 1 from OBJECT as o where 1 / (length(o.word) - 6) = plain.id)",
    "select p.id from open.plain as p join OBJECT as o on o.word::int = p.id",
    "select (select max(1 / (length(word) - 6)) from OBJECT)",
    "select row_number() over (order by word::int) from OBJECT",
    "select id from OBJECT where word::int > 0 union all select id from open.plain where false",
    "with c as (select word::int as n from OBJECT) select n from c where n > 0",
    "select id from OBJECT where word ~ '^can' and 1 / (length(word) - 6) > 0",
    "select id from OBJECT where word like 'can%' and word::int = 1",
    "prepare q as select 1 / (length(word) - 6) from OBJECT; execute q; deallocate q",
    "begin; declare c cursor for select word::int from OBJECT; fetch all from c; commit",
    "copy (select word::int from OBJECT) to stdout",
];

/// Questions about how many rows there are, and what they answer to who sees none of them.
const COUNTS: &[(&str, &str)] = &[
    ("select count(*) from OBJECT", "0"),
    ("select count(word) from OBJECT", "0"),
    ("select count(*) from OBJECT where word = 'canary'", "0"),
    ("select count(*) from OBJECT where word like 'can%'", "0"),
    ("select coalesce(max(id), 0) from OBJECT", "0"),
    (
        "select count(*) from (select id from OBJECT limit 10) as o",
        "0",
    ),
    (
        "select count(*) from OBJECT as a cross join OBJECT as b",
        "0",
    ),
    (
        "select count(*) from (select distinct word from OBJECT) as o",
        "0",
    ),
];

fn guarded() -> (Place, Stream<TcpStream>) {
    let (place, mut ada) = place();
    for statement in GRANTS {
        ada.query(statement).expect(statement);
    }
    (place, ada)
}

const AFTERWARDS: &str = "rollback; reset all; reset role; deallocate all";

#[test]
fn no_way_leads_to_hidden_rows_or_columns() {
    let (place, _ada) = guarded();
    for user in ["few", "veiled"] {
        let mut stream = log_in(&place.gateway, user, PASSWORD).expect("the password is right");
        for object in OBJECTS {
            for way in WAYS {
                let sql = way.replace("OBJECT", object);
                // What the question itself says may come back.
                let asked = sql.replace("'canary' in", "'c' || 'anary' in");
                let messages = answers(&mut stream, &asked);
                assert!(!tells(&messages, SECRET), "{user}: {sql}: {messages:?}");
                if user == "few" {
                    for count in ["output_rows=2", "rows=2", "matched"] {
                        assert!(!tells(&messages, count), "{sql}: {messages:?}");
                    }
                }
                answers(&mut stream, AFTERWARDS);
            }
        }
    }
}

#[test]
fn no_error_depends_on_hidden_rows_or_columns() {
    let (place, mut ada) = guarded();
    let mut n_failed = 0;
    for object in OBJECTS {
        for leak in LEAKS {
            let sql = leak.replace("OBJECT", object);
            for user in ["few", "veiled"] {
                let mut stream =
                    log_in(&place.gateway, user, PASSWORD).expect("the password is right");
                let messages = answers(&mut stream, &sql);
                assert!(codes(&messages).is_empty(), "{user}: {sql}: {messages:?}");
                assert!(!tells(&messages, SECRET), "{user}: {sql}: {messages:?}");
            }
            // The other way round: who sees the rows is failed by them.
            n_failed += usize::from(!codes(&answers(&mut ada, &sql)).is_empty());
            answers(&mut ada, AFTERWARDS);
        }
    }
    assert!(n_failed > OBJECTS.len() * LEAKS.len() * 2 / 3, "{n_failed}");
}

#[test]
fn no_count_tells_of_hidden_rows() {
    let (place, mut ada) = guarded();
    let mut few = log_in(&place.gateway, "few", PASSWORD).expect("the password is right");
    for object in OBJECTS {
        for (count, expected) in COUNTS {
            let sql = count.replace("OBJECT", object);
            assert_eq!(few.query(&sql).expect(&sql), [*expected], "{sql}");
            assert_ne!(ada.query(&sql).expect(&sql), [*expected], "{sql}");
        }
    }
}

#[test]
fn a_policy_holds_from_the_next_statement_on() {
    let (place, mut ada) = guarded();
    let mut few = log_in(&place.gateway, "few", PASSWORD).expect("the password is right");
    let mut other = log_in(&place.gateway, "few", PASSWORD).expect("the password is right");
    ada.query("create policy all_rows on vault.secrets to few using (true)")
        .expect("it is made");
    few.query("prepare q as select id from vault.secrets")
        .expect("it is prepared");
    other
        .query("begin isolation level repeatable read; declare c cursor for select id from vault.secrets")
        .expect("it is declared");
    assert_eq!(few.query("execute q").expect("it may").len(), 2);
    ada.query("drop policy all_rows on vault.secrets")
        .expect("it is dropped");
    assert_eq!(few.query("execute q").expect("it may").len(), 0);
    // As in PostgreSQL, a cursor that is open goes on.
    assert_eq!(
        other.query("fetch all from c").expect("it goes on").len(),
        2
    );
    let again = answers(&mut other, "select id from vault.secrets");
    assert_eq!(rows(&again), 0, "{again:?}");
}
