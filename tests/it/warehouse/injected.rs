//! What names, constants and parameters say stays where it was put, and what is no text is an error.

use super::mariadb::Maria;
use super::{Database, Place, done, lines, refused};
use crate::gateway::postgres;
use crate::wire::{Wire, message};

/// A name with all that ends names, lines and statements.
const NAME: &str = "\"b\"\"'`\\ \n;) -- $1 %s\"";

fn statements() -> String {
    format!(
        "create table {NAME} ({NAME} varchar(60), n int);
         insert into {NAME} values ('it''s', -1), ('\\', -2), ('%', 3), ('_', 3), ('a%b', 4), ('a\nb', 5), ('\\%', 6), ('--', 7), ('$1', 8), ('é', 9);
         create table canary (a int); insert into canary values (1)"
    )
}

/// The value of a query with parameters in text.
fn bound(wire: &mut Wire, sql: &str, parameters: &[&str]) -> String {
    let parse = [b"\0", sql.as_bytes(), b"\0", &0_i16.to_be_bytes()].concat();
    let mut bind = vec![0, 0, 0, 0];
    bind.extend(
        i16::try_from(parameters.len())
            .expect("they are few")
            .to_be_bytes(),
    );
    for parameter in parameters {
        bind.extend(
            i32::try_from(parameter.len())
                .expect("it is short")
                .to_be_bytes(),
        );
        bind.extend_from_slice(parameter.as_bytes());
    }
    bind.extend(0_i16.to_be_bytes());
    let execute = [0, 0, 0, 0, 0];
    let describe = b"P\0";
    for (tag, body) in [
        (b'P', parse.as_slice()),
        (b'B', &bind),
        (b'D', describe),
        (b'E', &execute),
        (b'S', &[]),
    ] {
        wire.send(&message(tag, body)).expect("the gateway reads");
    }
    let answers = wire
        .answers()
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let rows = answers.into_iter().flat_map(|answer| answer.rows);
    let values = rows.flatten().map(|value| value.unwrap_or_default());
    values.collect::<Vec<_>>().join("|")
}

#[test]
fn names_constants_and_parameters_stay_what_they_are() {
    let database = Database::new("injected", &statements());
    let maria = Maria::new("injected", &statements());
    let from = format!("from mart.{NAME}");
    for place in [Place::with_marts(&database), maria.place()] {
        let mut wire = place.gateway.connect();
        done(&mut wire, "set lakegate.result_cache = off");
        for pushdown in ["on", "off"] {
            done(
                &mut wire,
                &format!("set lakegate.remote_pushdown = {pushdown}"),
            );
            let counts = [
                ("'it''s'", "1"),
                ("'\\'", "1"),
                ("'%'", "1"),
                ("'a\nb'", "1"),
                ("'--'", "1"),
                ("'$1'", "1"),
                ("'x'' or ''1''=''1'", "0"),
                ("'\\'' or 1=1 -- '", "0"),
            ];
            for (constant, expected) in counts {
                let query = format!("select count(*) {from} where {NAME} = {constant}");
                assert_eq!(wire.value(&query), expected, "{pushdown}: {query}");
            }
            let patterns = [
                ("'%'", "10"),
                ("'_'", "4"),
                ("'a_b'", "2"),
                ("'\\%'", "1"),
                ("'\\_'", "1"),
                ("'a\\%b'", "1"),
                ("'a%'", "2"),
                ("'\\\\'", "1"),
            ];
            for (pattern, expected) in patterns {
                let query = format!("select count(*) {from} where {NAME} like {pattern}");
                assert_eq!(wire.value(&query), expected, "{pushdown}: {query}");
            }
            // A minus before a parameter that is negative is no comment.
            let negated = format!("select count(*) {from} where n = -$1 or n = 3-$1");
            assert_eq!(bound(&mut wire, &negated, &["-3"]), "3", "{pushdown}");
            let query = format!("select n {from} where {NAME} = $1 and n < $2");
            assert_eq!(bound(&mut wire, &query, &["it's", "0"]), "-1", "{pushdown}");
            for nothing in ["' or '1'='1", "'; drop table canary; --", "\\' or 1=1 -- "] {
                assert_eq!(
                    bound(&mut wire, &query, &[nothing, "100"]),
                    "",
                    "{pushdown}"
                );
            }
            let plan = lines(
                &mut wire,
                &format!("explain (verbose) select n {from} where {NAME} = '--'"),
            );
            let n_sent = plan
                .iter()
                .filter(|line| line.contains("Remote SQL:"))
                .count();
            assert_eq!(n_sent, 1, "{plan:?}");
        }
        assert_eq!(wire.value("select sum(a) from mart.canary"), "1");
    }
}

#[test]
fn bytes_that_are_no_text_are_an_error() {
    let mut root = Wire::connect(postgres());
    let name = "warehouse_injected_ascii";
    done(
        &mut root,
        &format!("drop database if exists {name} with (force)"),
    );
    done(
        &mut root,
        &format!(
            "create database {name} template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'"
        ),
    );
    let ascii = Database {
        address: postgres(),
        name: name.to_owned(),
    };
    let statements = "create table t (id int, word text);
        insert into t values (1, 'a'), (2, convert_from('\\xe9', 'SQL_ASCII')), (3, convert_from('\\xc3', 'SQL_ASCII')), (4, convert_from('\\xa9', 'SQL_ASCII'))";
    done(&mut ascii.connect(), statements);
    let place = Place::with_marts(&ascii);
    let mut wire = place.gateway.connect();
    done(&mut wire, "set lakegate.result_cache = off");
    let first = "select word from mart.t where id = 1";
    assert_eq!(lines(&mut wire, first), ["a"]);
    for pushdown in ["on", "off"] {
        done(
            &mut wire,
            &format!("set lakegate.remote_pushdown = {pushdown}"),
        );
        for query in [
            "select word from mart.t",
            "select max(word) from mart.t",
            "select word from mart.t where id > 2",
        ] {
            let report = refused(&mut wire, query);
            assert!(!report.code().starts_with("XX"), "{query}: {report:?}");
        }
        assert_eq!(wire.value("select count(*) from mart.t"), "4");
    }
    // Who judges here reads what is judged.
    refused(&mut wire, first);
}
