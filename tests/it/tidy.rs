//! Holds the rules of the house: each is a small function from text to complaints, run over every
//! file it concerns, and shown below to be able to complain.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

/// The rooms from the top down. A room may name only rooms after it.
const ROOMS: [&str; 12] = [
    "gateway",
    "demo",
    "maintain",
    "wire",
    "engine",
    "functions",
    "materialize",
    "catalog",
    "sources",
    "storage",
    "auth",
    "types",
];

/// Every room may name these; `error` names nothing, so that no ring arises.
const GROUND: [&str; 3] = ["config", "error", "observe"];

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// A rule over one source file: its path below `src/`, its text; the complaints.
type Rule = fn(&str, &str) -> Vec<String>;

const SOURCE_RULES: [Rule; 11] = [
    rooms_are_named_downwards,
    files_are_short,
    functions_are_short,
    codes_stand_in_one_file,
    nothing_is_unfinished,
    pgwire_stays_in_the_wire,
    the_wire_knows_no_plans,
    only_storage_makes_stores,
    only_config_reads_the_environment,
    duty_is_said_first,
    names_say_something,
];

const TEST_RULES: [Rule; 4] = [
    nothing_is_unfinished,
    nothing_is_skipped,
    duty_is_said_first,
    names_say_something,
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder` that end in `extension`, without what git ignores.
fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
            folder,
        ])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(listed.status.success(), "git ls-files failed: {listed:?}");
    let listed = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let paths: BTreeSet<&str> = listed
        .lines()
        .filter(|path| path.ends_with(extension) && root().join(path).exists())
        .collect();
    assert!(!paths.is_empty(), "no {extension} files below {folder}");
    let read = |path: &&str| {
        let text = fs::read_to_string(root().join(path)).expect("the file is text");
        ((*path).to_owned(), text)
    };
    paths.iter().map(read).collect()
}

/// The room of a path below `src/`: its folder, or its own name.
fn room_of(path: &str) -> &str {
    let first = path.split('/').next().unwrap_or(path);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Lines with their number from 1, without those that are comments as a whole.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The text before its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

/// A complaint for each code line that matches.
fn lines_with(path: &str, text: &str, pattern: &str, complaint: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).expect("the pattern is a regular expression");
    code_lines(text)
        .filter_map(|(number, line)| {
            let found = pattern.find(line)?.as_str();
            Some(format!("src/{path}:{number}: `{found}`: {complaint}"))
        })
        .collect()
}

fn rooms_are_named_downwards(path: &str, text: &str) -> Vec<String> {
    let room = room_of(path);
    if room == "main" || room == "lib" {
        return Vec::new();
    }
    let allowed: Vec<&str> = match ROOMS.iter().position(|name| *name == room) {
        Some(place) => ROOMS[place..].iter().chain(&GROUND).copied().collect(),
        None if room == "error" => vec!["error"],
        None if GROUND.contains(&room) => vec![room, "error"],
        None => return vec![format!("src/{path}: `{room}` is no room of the map")],
    };
    let known: Vec<&str> = ROOMS.iter().chain(&GROUND).copied().collect();
    named_rooms(text)
        .into_iter()
        .filter(|(_, name)| known.contains(&name.as_str()) && !allowed.contains(&name.as_str()))
        .map(|(number, name)| {
            format!("src/{path}:{number}: `{room}` names `{name}`, which lies above it")
        })
        .collect()
}

/// Every `crate::name` (also `super::super::name` and each name of `crate::{a, b}`) with its line.
fn named_rooms(text: &str) -> Vec<(usize, String)> {
    let plain = Regex::new(r"(?:crate|super::super)::(\w+)").expect("valid");
    let group = Regex::new(r"(?:crate|super::super)::\{([^;]*)\}").expect("valid");
    let inner = Regex::new(r"(?:^|,)\s*(\w+)").expect("valid");
    let mut named = Vec::new();
    for (number, line) in code_lines(text) {
        named.extend(
            plain
                .captures_iter(line)
                .map(|names| (number, names[1].to_owned())),
        );
    }
    for names in group.captures_iter(text) {
        let start = names.get(0).map_or(0, |whole| whole.start());
        let number = text[..start].lines().count() + 1;
        named.extend(
            inner
                .captures_iter(&names[1])
                .map(|name| (number, name[1].to_owned())),
        );
    }
    named
}

fn files_are_short(path: &str, text: &str) -> Vec<String> {
    let excuse = Regex::new(r"(?i)\b(generated|tabular)\b").expect("valid");
    let n_lines = text.lines().count();
    let excused = text.lines().take(5).any(|line| excuse.is_match(line));
    if n_lines <= FILE_LINES_MAX || excused {
        return Vec::new();
    }
    vec![format!(
        "src/{path}: {n_lines} lines; a file has one duty and at most {FILE_LINES_MAX} lines, \
         unless one of its first 5 says why it is generated or tabular"
    )]
}

fn functions_are_short(path: &str, text: &str) -> Vec<String> {
    let start = Regex::new(
        r#"^(\s*)(?:pub(?:\([^)]*\))? )?(?:default |const |async |unsafe |extern "C" )*fn (\w+)"#,
    )
    .expect("valid");
    let lines: Vec<&str> = text.lines().collect();
    let mut complaints = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(names) = start.captures(line) else {
            continue;
        };
        let n_lines = function_lines(&lines[index..], &names[1]);
        if n_lines > FUNCTION_LINES_MAX {
            complaints.push(format!(
                "src/{path}:{}: fn {} has {n_lines} lines, more than {FUNCTION_LINES_MAX}",
                index + 1,
                &names[2]
            ));
        }
    }
    complaints
}

/// Lines from a function's first to the brace that closes it at the same indentation, where
/// rustfmt puts it. A declaration without a body ends at its semicolon.
fn function_lines(lines: &[&str], indentation: &str) -> usize {
    let close = format!("{indentation}}}");
    let mut in_body = false;
    for (index, line) in lines.iter().enumerate() {
        let ends_here = line.ends_with(';') && !in_body;
        if ends_here || *line == close || (!in_body && line.ends_with('}')) {
            return index + 1;
        }
        in_body |= line.ends_with('{');
    }
    lines.len()
}

fn codes_stand_in_one_file(path: &str, text: &str) -> Vec<String> {
    if path == "wire/sqlstate.rs" {
        return Vec::new();
    }
    // The classes of PostgreSQL's appendix A, then three characters.
    let code = concat!(
        r#""(?:0[0-9ABFLPZ]|2[0-8BDF]|3[489BDF]|4[024]|5[34578]|72|F0|HV|P0|XX)"#,
        r#"[0-9A-Z]{3}""#
    );
    lines_with(
        path,
        text,
        code,
        "SQLSTATE codes stand in wire/sqlstate.rs alone; name an ErrorKind",
    )
}

fn nothing_is_unfinished(path: &str, text: &str) -> Vec<String> {
    // Put together, so that this file does not complain of itself.
    let macros = format!(r"\b(?:{}|{}|{})!", "todo", "unimplemented", "dbg");
    let mut complaints = lines_with(path, text, &macros, "finish it, or leave it out");
    complaints.extend(lines_with(
        path,
        text,
        r"#!?\[allow\b",
        "silence a lint with #[expect(lint, reason = \"...\")]",
    ));
    let notes = Regex::new(&format!(r"\b(?:{}DO|FIX{})\b", "TO", "ME")).expect("valid");
    complaints.extend(
        text.lines()
            .enumerate()
            .filter(|(_, line)| notes.is_match(line))
            .map(|(index, _)| format!("src/{path}:{}: a note to oneself", index + 1)),
    );
    complaints
}

fn nothing_is_skipped(path: &str, text: &str) -> Vec<String> {
    let skipping = format!(r"#\[{}\b|^\s*{}if\b|^\s*{}if\b", "ignore", "skip", "only");
    lines_with(path, text, &skipping, "no test is skipped")
}

fn pgwire_stays_in_the_wire(path: &str, text: &str) -> Vec<String> {
    match room_of(path) {
        "wire" | "gateway" | "main" => Vec::new(),
        _ => lines_with(
            path,
            text,
            r"\bpgwire\b",
            "only the wire knows the protocol's messages",
        ),
    }
}

fn the_wire_knows_no_plans(path: &str, text: &str) -> Vec<String> {
    if room_of(path) != "wire" {
        return Vec::new();
    }
    let names = concat!(
        r"\bdatafusion::(?:catalog|datasource|execution|logical_expr|optimizer|physical_expr",
        r"|physical_optimizer|physical_plan|prelude|sql)\b",
        r"|\bdeltalake\w*\b|\bobject_store\b",
        r"|\b(?:LogicalPlan|ExecutionPlan|TableProvider|SessionContext|SessionState|ObjectStore)\b"
    );
    lines_with(
        path,
        text,
        names,
        "the wire never names a plan, a table or a store",
    )
}

fn only_storage_makes_stores(path: &str, text: &str) -> Vec<String> {
    if room_of(path) == "storage" {
        return Vec::new();
    }
    let makers = concat!(
        r"\b(?:AmazonS3Builder|MicrosoftAzureBuilder|GoogleCloudStorageBuilder|HttpBuilder",
        r"|LocalFileSystem|InMemory)\b"
    );
    lines_with(
        path,
        without_tests(text),
        makers,
        "only storage makes an object store",
    )
}

fn only_config_reads_the_environment(path: &str, text: &str) -> Vec<String> {
    if room_of(path) == "config" {
        return Vec::new();
    }
    lines_with(
        path,
        text,
        r"\bstd::env::(?:vars?|var_os|args)|\benv::(?:vars?|var_os)\b",
        "only config reads the environment",
    )
}

fn duty_is_said_first(path: &str, text: &str) -> Vec<String> {
    match text.lines().next() {
        Some(line) if line.starts_with("//! ") => Vec::new(),
        _ => vec![format!("src/{path}: its first line is no `//! ` duty")],
    }
}

fn names_say_something(path: &str, _: &str) -> Vec<String> {
    let empty_words = ["utils", "util", "helpers", "helper", "common", "manager"];
    path.split('/')
        .map(|part| part.strip_suffix(".rs").unwrap_or(part))
        .filter(|part| empty_words.contains(part))
        .map(|part| format!("src/{path}: `{part}` says nothing; name the domain's verb or noun"))
        .collect()
}

/// Relative links of a Markdown file whose target is not there.
fn links_lead_somewhere(folder: &Path, text: &str) -> Vec<String> {
    let link = Regex::new(r"\]\(([^)\s]+)\)").expect("valid");
    link.captures_iter(text)
        .map(|target| target[1].to_owned())
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .filter(|target| {
            let file = target.split('#').next().unwrap_or("");
            !file.is_empty() && !folder.join(file).exists()
        })
        .map(|target| format!("{}: dead link to {target}", folder.display()))
        .collect()
}

/// Dependencies of a Cargo.toml that the page about them does not explain.
fn dependencies_are_explained(manifest: &str, page: &str) -> Vec<String> {
    let name = Regex::new(r"^([A-Za-z0-9_-]+)\s*=").expect("valid");
    let mut in_section = false;
    let mut complaints = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_section = line.ends_with("dependencies]");
        } else if in_section && let Some(names) = name.captures(line) {
            let explained = page.lines().any(|line| {
                line.contains(&format!("`{}`", &names[1]))
                    && line.split('|').any(|cell| cell.trim().contains(' '))
            });
            if !explained {
                complaints.push(format!(
                    "docs/dependencies.md has no line on `{}`",
                    &names[1]
                ));
            }
        }
    }
    complaints
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_sources_keep_the_rules() {
    let mut complaints = Vec::new();
    for (path, text) in files("src", ".rs") {
        let below = path.strip_prefix("src/").unwrap_or(&path);
        for rule in SOURCE_RULES {
            complaints.extend(rule(below, &text));
        }
    }
    assert_none(&complaints);
}

#[test]
fn the_tests_keep_the_rules() {
    let mut complaints = Vec::new();
    for (path, text) in files("tests", ".rs") {
        for rule in TEST_RULES {
            complaints.extend(rule(&path, &text));
        }
    }
    for (path, text) in files("tests/slt", ".slt") {
        complaints.extend(nothing_is_skipped(&path, &text));
    }
    assert_none(&complaints);
}

#[test]
fn the_pages_keep_the_rules() {
    let mut complaints = Vec::new();
    for (path, text) in files(".", ".md") {
        let path = PathBuf::from(root()).join(path);
        let folder = path.parent().expect("a file lies in a folder");
        complaints.extend(links_lead_somewhere(folder, &text));
    }
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("the file is there");
    complaints.extend(dependencies_are_explained(
        &read("Cargo.toml"),
        &read("docs/dependencies.md"),
    ));
    assert_none(&complaints);
}

#[test]
fn the_code_is_formatted() {
    let formatted = Command::new(env!("CARGO"))
        .args(["fmt", "--check"])
        .current_dir(root())
        .output()
        .expect("cargo fmt runs");
    let differences = String::from_utf8_lossy(&formatted.stdout);
    assert!(formatted.status.success(), "run cargo fmt:\n{differences}");
}

/// The rule accepts the first text and complains once of the second.
fn check(rule: Rule, path: &str, good: &str, bad: &str) {
    assert_none(&rule(path, good));
    assert_eq!(rule(path, bad).len(), 1, "{bad}");
}

#[test]
fn a_room_that_looks_up_is_caught() {
    let rule = rooms_are_named_downwards;
    check(
        rule,
        "catalog/mod.rs",
        "use crate::sources::LakeTable;",
        "use crate::engine::Engine;",
    );
    check(
        rule,
        "storage/s3.rs",
        "use crate::{error::Result, types};",
        "use crate::{error::Result,\n  wire};",
    );
    check(
        rule,
        "types/mod.rs",
        "// As crate::wire says.",
        "use super::super::wire;",
    );
    check(
        rule,
        "error.rs",
        "use std::fmt;",
        "use crate::config::Config;",
    );
    assert_eq!(rule("attic/mod.rs", "").len(), 1);
    assert_none(&rule("main.rs", "use crate::gateway;"));
}

#[test]
fn a_long_file_or_function_is_caught() {
    let long = "x\n".repeat(FILE_LINES_MAX + 1);
    check(
        files_are_short,
        "a.rs",
        &format!("//! Tabular: one line a type.\n{long}"),
        &long,
    );
    let function = |n_lines: usize| format!("    pub fn f() {{\n{}    }}\n", "x\n".repeat(n_lines));
    check(functions_are_short, "a.rs", &function(68), &function(69));
    let declared = format!("fn f(\n  a: u8,\n);\n{}", "x\n".repeat(80));
    assert_none(&functions_are_short("a.rs", &declared));
    let one_line = format!("fn f() {{}}\n{}", "x\n".repeat(80));
    assert_none(&functions_are_short("a.rs", &one_line));
}

#[test]
fn a_stray_code_is_caught() {
    let code = format!("\"{}\"", "42P01");
    check(
        codes_stand_in_one_file,
        "engine/plan.rs",
        "\"WORLD\" \"UTF-8\"",
        &code,
    );
    assert_none(&codes_stand_in_one_file("wire/sqlstate.rs", &code));
}

#[test]
fn unfinished_code_is_caught() {
    let unfinished = [
        format!("{}!()", "todo"),
        format!("{}!()", "unimplemented"),
        format!("{}!(x)", "dbg"),
        format!("#[{}(dead_code)]", "allow"),
        format!("// {}DO: later", "TO"),
    ];
    for bad in &unfinished {
        check(nothing_is_unfinished, "a.rs", "#[expect(dead_code)]", bad);
    }
    check(
        nothing_is_skipped,
        "a.slt",
        "query I",
        &format!("{}if postgres", "skip"),
    );
    check(
        nothing_is_skipped,
        "a.rs",
        "#[test]",
        &format!("#[{}]", "ignore"),
    );
}

#[test]
fn a_name_in_the_wrong_room_is_caught() {
    check(
        pgwire_stays_in_the_wire,
        "engine/mod.rs",
        "// pgwire has it.",
        "use pgwire::api::Type;",
    );
    assert_none(&pgwire_stays_in_the_wire(
        "wire/mod.rs",
        "use pgwire::api::Type;",
    ));
    check(
        the_wire_knows_no_plans,
        "wire/portal.rs",
        "use datafusion::common::ScalarValue;",
        "use datafusion::logical_expr::LogicalPlan;",
    );
    check(
        only_storage_makes_stores,
        "sources/a.rs",
        "fn f() {}\n#[cfg(test)]\nuse object_store::memory::InMemory;",
        "use object_store::aws::AmazonS3Builder;",
    );
    check(
        only_config_reads_the_environment,
        "storage/a.rs",
        "let environment = 1;",
        "std::env::var(\"A\")",
    );
}

#[test]
fn an_empty_name_or_duty_is_caught() {
    check(duty_is_said_first, "a.rs", "//! Pins.\n", "use a;\n");
    assert_eq!(names_say_something("wire/utils.rs", "").len(), 1);
    assert_eq!(names_say_something("helpers/a.rs", "").len(), 1);
    assert_none(&names_say_something("wire/cancel.rs", ""));
}

#[test]
fn a_dead_link_or_silent_dependency_is_caught() {
    let folder = root();
    assert_none(&links_lead_somewhere(
        folder,
        "[a](Cargo.toml#x) [b](https://x.example)",
    ));
    assert_eq!(links_lead_somewhere(folder, "[a](docs/gone.md)").len(), 1);
    let manifest = "[package]\nname = 1\n[dependencies]\nbytes = \"1\"\n";
    let page = "| `bytes` | Buffers that are shared, not copied. |";
    assert_none(&dependencies_are_explained(manifest, page));
    assert_eq!(dependencies_are_explained(manifest, "").len(), 1);
}
