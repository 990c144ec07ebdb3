//! Copies in every spelling, and what is wrong with them.

use super::*;
use crate::catalog::sql;

fn parsed(text: &str) -> Result<Parsed> {
    let lines = Lines::of(text);
    let tokens = sql::tokens(text, &lines)?;
    parse(&lines, &tokens)
}

/// The query's tokens and the layout, or what is wrong with either.
fn check(text: &str, expected: &str) {
    let got = match parsed(text) {
        Ok(Parsed { query, layout, .. }) => {
            let words: Vec<String> = query
                .iter()
                .filter(|token| sql::is_word_or_sign(token))
                .map(|token| token.token.to_string())
                .collect();
            match layout {
                Ok(layout) => format!("{} -> {layout:?}", words.join(" ")),
                Err(error) => error.message().to_owned(),
            }
        }
        Err(error) => format!("at once: {}", error.message()),
    };
    assert_eq!(got, expected, "{text}");
}

#[test]
fn every_spelling_of_what_is_copied() {
    const BINARY: &str = "Binary";
    let binary = |query: &str| format!("{query} -> {BINARY}");
    check("copy binary t to stdout", &binary("SELECT * FROM t"));
    check(
        "copy s.t (a, \"B\") to stdout with binary",
        &binary("SELECT a , \"B\" FROM s . t"),
    );
    check(
        "COPY (select (1), (select 2)) TO STDOUT (FORMAT binary)",
        &binary("select ( 1 ) , ( select 2 )"),
    );
    check(
        "copy binary to stdout binary",
        &binary("SELECT * FROM binary"),
    );
}

#[test]
fn old_and_new_options_come_to_the_same() {
    let expected = "SELECT * FROM t -> Csv { delimiter: 59, null: \"x\", header: true, \
                    quote: 39, escape: 92, force_quote: Columns([\"a\", \"b\"]) }";
    check(
        "copy t to stdout with delimiter as ';' null 'x' csv header quote '''' escape as E'\\\\' force quote a, b",
        expected,
    );
    check(
        "copy t to stdout (format csv, delimiter ';', null 'x', header on, quote '''', escape E'\\\\', force_quote (a, b))",
        expected,
    );
    check(
        "copy t to stdout using delimiters '|'",
        "SELECT * FROM t -> Text { delimiter: 124, null: \"\\\\N\", header: false }",
    );
}

#[test]
fn what_cannot_be_copied_is_refused() {
    check("copy t", "at once: syntax error at end of input");
    check(
        "copy (select 1 to stdout",
        "at once: syntax error at end of input",
    );
    check(
        "copy t to stdout (format csv) x",
        "at once: syntax error at or near \"x\"",
    );
    check(
        "copy t to '/tmp/x'",
        "at once: permission denied to COPY to a file",
    );
    check(
        "copy t from stdin",
        "at once: cannot execute COPY FROM in a read-only transaction",
    );
    check(
        "copy t to stdout (formt csv)",
        "option \"formt\" not recognized",
    );
    check(
        "copy t to stdout csv csv",
        "conflicting or redundant options",
    );
    check(
        "copy t to stdout (encoding 'LATIN1')",
        "COPY in encoding \"LATIN1\" is not supported",
    );
}
