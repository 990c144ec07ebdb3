//! Definitions in every spelling, and what is refused of them.

use super::*;
use crate::error::ErrorKind;

fn parsed(text: &str) -> Option<Result<Definition>> {
    let lines = Lines::of(text);
    let tokens = tokens(text, &lines).expect("the text has tokens");
    definition(text, &lines, &tokens, Some("lake"))
}

fn name(schema: Option<&str>, name: &str) -> Name {
    Name {
        schema: schema.map(str::to_owned),
        name: name.to_owned(),
    }
}

#[test]
fn definitions_are_read_as_written() {
    fn check(text: &str, expected: &Definition) {
        let found = parsed(text).expect("it defines something");
        assert_eq!(found.expect("it is complete"), *expected, "{text}");
    }
    check(
        "Create Or Replace View gold.\"Top 10\" (a, \"B\") as\n  select 1, -- ä\n 2",
        &Definition::CreateView(CreateView {
            name: name(Some("gold"), "Top 10"),
            columns: vec!["a".into(), "B".into()],
            query: SelectText {
                text: "select 1, -- ä\n 2".into(),
                position: 52,
            },
            or_replace: true,
            security_invoker: false,
            materialized: None,
        }),
    );
    check(
        "drop view if exists A, b.C cascade",
        &Definition::DropView {
            kind: AlteredKind::View,
            names: vec![name(None, "a"), name(Some("b"), "c")],
            if_exists: true,
            cascade: true,
        },
    );
    check(
        "alter view a.b rename to c",
        &Definition::RenameView {
            kind: AlteredKind::View,
            name: name(Some("a"), "b"),
            if_exists: false,
            to: "c".into(),
        },
    );
    check(
        "alter view if exists b set schema c",
        &Definition::MoveView {
            kind: AlteredKind::View,
            name: name(None, "b"),
            if_exists: true,
            to: "c".into(),
        },
    );
    check(
        "create schema if not exists s",
        &Definition::CreateSchema {
            name: "s".into(),
            if_not_exists: true,
        },
    );
    check(
        "comment on column a.b.c is $$it's$$",
        &Definition::Comment {
            on: Commented::Column(name(Some("a"), "b"), "c".into()),
            text: Some("it's".into()),
        },
    );
    check(
        "comment on schema s is ''",
        &Definition::Comment {
            on: Commented::Schema("s".into()),
            text: None,
        },
    );
}

#[test]
fn what_is_not_honoured_is_refused_by_name() {
    fn check(text: &str, kind: ErrorKind, message: &str) {
        let error = parsed(text).expect("it defines something").unwrap_err();
        assert_eq!((error.kind(), error.message()), (kind, message), "{text}");
    }
    let unsupported = ErrorKind::FeatureNotSupported;
    check(
        "create view a with (security_barrier) as select 1",
        unsupported,
        "the view option \"security_barrier\" is not supported",
    );
    check(
        "create view a as select 1 with check option",
        unsupported,
        "WITH CHECK OPTION is not supported",
    );
    check(
        "grant execute on function f() to b",
        ErrorKind::SyntaxError,
        "unrecognized privilege type \"execute\"",
    );
    check(
        "grant usage on language s to b",
        unsupported,
        "privileges ON LANGUAGE is not supported",
    );
    check(
        "alter default privileges grant all on sequences to b",
        unsupported,
        "default privileges on SEQUENCES is not supported",
    );
    check(
        "comment on function f() is 'x'",
        unsupported,
        "COMMENT ON FUNCTION is not supported",
    );
    check(
        "create view a as",
        ErrorKind::SyntaxError,
        "syntax error at end of input",
    );
    check(
        "drop view a b",
        ErrorKind::SyntaxError,
        "syntax error at or near \"b\"",
    );
}

#[test]
fn other_statements_are_none() {
    for text in [
        "create table a (b int)",
        "select 1",
        "drop table a",
        "refresh materialized view a",
    ] {
        assert!(parsed(text).is_none(), "{text}");
    }
}

#[test]
fn materialized_views_are_read_as_written() {
    let lines = |text: &str| parsed(text).expect("it defines something");
    let created = |text: &str| match lines(text) {
        Ok(Definition::CreateView(view)) => view,
        other => panic!("{text}: {other:?}"),
    };
    let view = created(
        "create materialized view if not exists a.b (n) with (refresh = 'every 5 minutes', \
         max_staleness = '1 hour') as select 1 with no data",
    );
    let said = view.materialized.expect("it is materialized");
    assert!(said.if_not_exists && !said.with_data);
    assert_eq!(view.query.text, "select 1");
    assert_eq!(
        said.options.text().as_deref(),
        Some("(refresh = 'every 5 minutes', max_staleness = '1 hour')")
    );
    let plain = created("create materialized view b as table a with data");
    let said = plain.materialized.expect("it is materialized");
    assert!(said.with_data && said.options == MaterializedOptions::default());
    assert_eq!(plain.query.text, "table a");
    for (text, message) in [
        (
            "create materialized view a with (refresh = 'sometimes') as select 1",
            "invalid value for parameter \"refresh\": \"sometimes\"",
        ),
        (
            "create materialized view a with (refresh = 'every 0s') as select 1",
            "invalid value for parameter \"refresh\": \"every 0s\"",
        ),
        (
            "create materialized view a with (security_invoker = true) as select 1",
            "unrecognized parameter \"security_invoker\"",
        ),
        (
            "create materialized view a as with data",
            "syntax error at end of input",
        ),
    ] {
        let error = lines(text).expect_err(text);
        assert_eq!(error.message(), message, "{text}");
    }
}
