//! Runs tests/wire: what is sent, and message by message what must come back.
//!
//! A file is a list of blocks, each ended by an empty line:
//!
//! ```text
//! send
//! Query {"query": "select 1"}
//!
//! until
//! ReadyForQuery
//! ----
//! RowDescription ...
//! ```
//!
//! `until` names the messages to wait for, in their order, one a line; `until fields=SC` compares
//! only these fields of errors and notices, `until ignore=ParameterStatus,NoticeResponse` leaves out messages
//! of those names. Files of `same_as_postgres/` must give the same on the PostgreSQL of the tests, and
//! are filled from it; those of `ours/` hold for Lakegate alone.
//! `LAKEGATE_TRANSCRIPTS_FILL` writes what came back into the files.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::gateway::{Gateway, given_if_set, postgres};
use crate::wire::{Body, Message, Wire, message, startup};

/// Fields of errors and notices that are compared: not the file and line of a server's source.
const FIELDS: &str = "SCMDHP";

/// In how many segments a block's messages arrive.
#[derive(Clone, Copy, Debug)]
enum Segments {
    /// All at once.
    One,
    /// Byte by byte.
    Bytes,
}

/// Runs one file against a server: the text with what came back as its expectations.
fn replay(text: &str, address: SocketAddr, segments: Segments) -> String {
    let mut wire: Option<Wire> = None;
    let mut out = Vec::new();
    for block in text.trim_end().split("\n\n") {
        let kind = block.lines().find(|line| !line.starts_with('#'));
        match kind.map(|line| line.split(' ').next().unwrap_or("")) {
            Some("send") => {
                send(block, address, &mut wire, segments);
                out.push(block.to_owned());
            }
            Some("until") => {
                let wire = wire.as_mut().expect("a file sends before it waits");
                out.push(until(block, wire));
            }
            None => out.push(block.to_owned()),
            Some(other) => panic!("a block starts with send or until, not {other}"),
        }
    }
    out.join("\n\n") + "\n"
}

/// Sends every line of a block. The first block of a file may open the connection
/// by its own start-up packet; otherwise a session of user `postgres` is there already.
fn send(block: &str, address: SocketAddr, wire: &mut Option<Wire>, segments: Segments) {
    let lines = block.lines().filter(|line| !line.starts_with('#')).skip(1);
    let lines: Vec<&str> = lines.collect();
    let by_hand = ["Startup", "SSLRequest", "GSSENCRequest", "Bytes"];
    let wire = wire.get_or_insert_with(|| {
        if lines
            .first()
            .is_some_and(|line| by_hand.iter().any(|it| line.starts_with(it)))
        {
            Wire::open(address).expect("the server accepts")
        } else {
            Wire::connect(address)
        }
    });
    let bytes: Vec<u8> = lines.iter().flat_map(|line| encoded(line)).collect();
    let n_bytes = match segments {
        Segments::One => bytes.len(),
        Segments::Bytes => 1,
    };
    for segment in bytes.chunks(n_bytes) {
        wire.send(segment).expect("the server reads");
    }
}

/// The bytes of a line like `Parse {"query": "select $1", "parameter_types": [23]}`.
fn encoded(line: &str) -> Vec<u8> {
    let (name, fields) = line.split_once(' ').unwrap_or((line, "{}"));
    let fields: Value =
        serde_json::from_str(fields).unwrap_or_else(|error| panic!("{line}: {error}"));
    let text = |key: &str| format!("{}\0", fields[key].as_str().unwrap_or_default());
    let body = |parts: &[&[u8]]| parts.concat();
    match name {
        "Query" => message(b'Q', text("query").as_bytes()),
        "Parse" => {
            let types = int32s(&fields["parameter_types"]);
            let (name, query) = (text("name"), text("query"));
            message(b'P', &body(&[name.as_bytes(), query.as_bytes(), &types]))
        }
        "Bind" => {
            let (portal, statement) = (text("portal"), text("statement"));
            let parts = [
                portal.as_bytes(),
                statement.as_bytes(),
                &int16s(&fields["parameter_formats"]),
                &values(&fields["values"]),
                &int16s(&fields["result_formats"]),
            ];
            message(b'B', &parts.concat())
        }
        "Describe" => message(b'D', target(&fields).as_bytes()),
        "Close" => message(b'C', target(&fields).as_bytes()),
        "Execute" => {
            let rows = fields["max_rows"].as_i64().unwrap_or_default();
            let rows = i32::try_from(rows).expect("fits").to_be_bytes();
            message(b'E', &body(&[text("portal").as_bytes(), &rows]))
        }
        "Sync" => message(b'S', &[]),
        "Flush" => message(b'H', &[]),
        "Terminate" => message(b'X', &[]),
        "CopyDone" => message(b'c', &[]),
        "SSLRequest" => vec![0, 0, 0, 8, 4, 210, 22, 47],
        "GSSENCRequest" => vec![0, 0, 0, 8, 4, 210, 22, 48],
        "Startup" => {
            let parameters = fields.as_object().expect("an object of parameters");
            let pairs = parameters
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str().expect("text")));
            startup(&pairs.collect::<Vec<_>>())
        }
        "Bytes" => from_hex(fields["hex"].as_str().expect("Bytes has hex")),
        other => panic!("{other} is no message of a client"),
    }
}

/// What Describe and Close name: `{"statement": "a"}` or `{"portal": ""}`.
fn target(fields: &Value) -> String {
    match (&fields["statement"], &fields["portal"]) {
        (Value::String(name), _) => format!("S{name}\0"),
        (_, Value::String(name)) => format!("P{name}\0"),
        _ => panic!("{fields} names neither statement nor portal"),
    }
}

fn count(of: usize) -> Vec<u8> {
    u16::try_from(of).expect("few").to_be_bytes().to_vec()
}

fn numbers(list: &Value) -> Vec<i64> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|it| it.as_i64().expect("a number"))
        .collect()
}

fn int16s(list: &Value) -> Vec<u8> {
    let numbers = numbers(list);
    let each = numbers
        .iter()
        .flat_map(|it| i16::try_from(*it).expect("small").to_be_bytes());
    count(numbers.len()).into_iter().chain(each).collect()
}

fn int32s(list: &Value) -> Vec<u8> {
    let numbers = numbers(list);
    let each = numbers
        .iter()
        .flat_map(|it| u32::try_from(*it).expect("an OID").to_be_bytes());
    count(numbers.len()).into_iter().chain(each).collect()
}

/// Values of a Bind: text, `null`, or `{"hex": "00ff"}`.
fn values(list: &Value) -> Vec<u8> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut out = count(list.len());
    for value in list {
        let bytes = match value {
            Value::Null => {
                out.extend((-1_i32).to_be_bytes());
                continue;
            }
            Value::String(text) => text.as_bytes().to_vec(),
            other => from_hex(other["hex"].as_str().expect("text, null or hex")),
        };
        out.extend(i32::try_from(bytes.len()).expect("short").to_be_bytes());
        out.extend(bytes);
    }
    out
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// Reads until each awaited message has come, and writes the block anew with what came.
fn until(block: &str, wire: &mut Wire) -> String {
    let head: Vec<&str> = block.lines().take_while(|line| *line != "----").collect();
    let (mut fields, mut ignored) = (FIELDS, "");
    let mut awaited = Vec::new();
    for line in head.iter().filter(|line| !line.starts_with('#')) {
        let Some(options) = line.strip_prefix("until") else {
            awaited.push(*line);
            continue;
        };
        for option in options.split_whitespace() {
            match option.split_once('=') {
                Some(("fields", letters)) => fields = letters,
                Some(("ignore", name)) => ignored = name,
                _ => panic!("{option} is no option of until"),
            }
        }
    }
    let mut came = Vec::new();
    for name in awaited {
        loop {
            let (shown_name, line) = next(wire, name, fields);
            if !ignored.split(',').any(|it| it == shown_name) {
                came.push(line);
            }
            if shown_name == name {
                break;
            }
            let over = shown_name == "Closed";
            assert!(!over, "closed before {name}:\n{}", came.join("\n"));
        }
    }
    format!("{}\n----\n{}", head.join("\n"), came.join("\n"))
}

/// The next message: its name, and its line.
fn next(wire: &mut Wire, awaited: &str, fields: &str) -> (String, String) {
    if awaited == "EncryptionAnswer" {
        let byte = char::from(wire.read_byte().expect("the server answers"));
        return (awaited.to_owned(), format!("{awaited} {byte}"));
    }
    match wire.read() {
        Ok(message) => shown(&message, fields),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
            ) =>
        {
            ("Closed".to_owned(), "Closed".to_owned())
        }
        Err(error) => panic!("waiting for {awaited}: {error}"),
    }
}

/// A message of the server as its name and a line of the file.
fn shown(message: &Message, fields: &str) -> (String, String) {
    let mut body = Body(&message.body);
    let (name, content) = match message.tag {
        b'1' => ("ParseComplete", None),
        b'2' => ("BindComplete", None),
        b'3' => ("CloseComplete", None),
        b'C' => ("CommandComplete", Some(json!(body.text()))),
        b'D' => ("DataRow", Some(row(message))),
        b'H' => ("CopyOutResponse", Some(copy_formats(&mut body))),
        b'd' => ("CopyData", Some(text_or_hex(message.body.clone()))),
        b'c' => ("CopyDone", None),
        b'E' => ("ErrorResponse", Some(report(message, fields))),
        b'N' => ("NoticeResponse", Some(report(message, fields))),
        b'I' => ("EmptyQueryResponse", None),
        b'K' => ("BackendKeyData", None),
        b'R' => ("Authentication", Some(json!(body.int32()))),
        b'S' => ("ParameterStatus", Some(json!([body.text(), body.text()]))),
        b'T' => ("RowDescription", Some(columns(message))),
        b'Z' => (
            "ReadyForQuery",
            Some(json!(char::from(body.bytes(1)[0]).to_string())),
        ),
        b'n' => ("NoData", None),
        b's' => ("PortalSuspended", None),
        b't' => ("ParameterDescription", Some(parameters(&mut body))),
        b'v' => ("NegotiateProtocolVersion", None),
        other => panic!("unexpected message {}", char::from(other)),
    };
    let line = content.map_or(name.to_owned(), |content| format!("{name} {content}"));
    (name.to_owned(), line)
}

fn row(message: &Message) -> Value {
    let show = |value: Option<Vec<u8>>| match value {
        None => Value::Null,
        Some(bytes) => text_or_hex(bytes),
    };
    message.values().into_iter().map(show).collect()
}

/// Bytes as a text where they are one that can be read.
fn text_or_hex(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains(|it: char| it.is_control() && it != '\n') => json!(text),
        Ok(text) => json!({ "hex": hex(text.as_bytes()) }),
        Err(error) => json!({ "hex": hex(error.as_bytes()) }),
    }
}

/// The format of the whole, and that of each column.
fn copy_formats(body: &mut Body<'_>) -> Value {
    let whole = body.bytes(1)[0];
    let n_columns = body.int16();
    let columns: Vec<_> = (0..n_columns).map(|_| body.int16()).collect();
    json!([whole, columns])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Name, type, length, modifier and format: what a driver decides by.
fn columns(message: &Message) -> Value {
    let show = |(name, type_oid, length, modifier, format)| {
        json!([name, type_oid, length, modifier, format])
    };
    message.columns().into_iter().map(show).collect()
}

fn parameters(body: &mut Body<'_>) -> Value {
    let n_parameters = body.int16();
    (0..n_parameters).map(|_| body.int32()).collect()
}

fn report(message: &Message, fields: &str) -> Value {
    let report = message.report();
    let kept = report
        .0
        .into_iter()
        .filter(|(letter, _)| fields.contains(*letter))
        .map(|(letter, value)| (letter.to_string(), json!(value)));
    Value::Object(kept.collect())
}

/// The transcripts of a folder with their texts.
fn transcripts(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/wire")
        .join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|it| it == "pt"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no transcripts");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a transcript is text");
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// The lines that differ, the expected one first.
fn differences(expected: &str, came: &str) -> Vec<String> {
    let n_lines = expected.lines().count().max(came.lines().count());
    (0..n_lines)
        .map(|at| (expected.lines().nth(at), came.lines().nth(at)))
        .filter(|(expected, came)| expected != came)
        .take(4)
        .map(|(expected, came)| {
            format!("  - {}\n  + {}", expected.unwrap_or(""), came.unwrap_or(""))
        })
        .collect()
}

/// Replays a folder against a server, and compares; `fill` writes the files instead.
fn run(folder: &str, address: SocketAddr, segments: Segments, fill: bool) {
    let mut failures = Vec::new();
    for (path, text) in transcripts(folder) {
        let name = path.display().to_string();
        let outcome = std::panic::catch_unwind(|| replay(&text, address, segments));
        match outcome {
            Ok(came) if fill => fs::write(&path, came).expect("the file can be written"),
            Ok(came) if came == text => {}
            Ok(came) => {
                failures.push(format!("{name}\n{}", differences(&text, &came).join("\n")));
            }
            Err(_) => failures.push(format!("{name}: did not run to its end, see above")),
        }
    }
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n"));
}

fn filling() -> bool {
    given_if_set("LAKEGATE_TRANSCRIPTS_FILL").is_some()
}

#[test]
fn postgres_answers_as_the_shared_transcripts_say() {
    run("same_as_postgres", postgres(), Segments::One, filling());
}

#[test]
fn lakegate_answers_as_postgres() {
    let gateway = Gateway::of_test_lake();
    run("same_as_postgres", gateway.address(), Segments::One, false);
}

#[test]
fn lakegate_answers_as_postgres_byte_by_byte() {
    let gateway = Gateway::of_test_lake();
    run(
        "same_as_postgres",
        gateway.address(),
        Segments::Bytes,
        false,
    );
    run("ours", gateway.address(), Segments::Bytes, false);
}

#[test]
fn lakegate_answers_as_its_own_transcripts_say() {
    let gateway = Gateway::of_test_lake();
    run("ours", gateway.address(), Segments::One, filling());
}

/// What Power BI's driver is told of a day in the past is what it is told of today.
#[test]
fn npgsql_begins_at_a_moment() {
    let gateway = Gateway::of_test_lake();
    let all = transcripts("same_as_postgres");
    let recorded = all.iter().find(|(path, _)| path.ends_with("npgsql.pt"));
    let (_, text) = recorded.expect("it was recorded");
    for database in ["lake@2026-11-01", "lake@2026-11-01 06:00:00+02"] {
        let text = text.replace(
            "\"database\": \"postgres\"",
            &format!("\"database\": \"{database}\""),
        );
        assert!(text.contains(database), "the start names a database");
        let came = replay(&text, gateway.address(), Segments::One);
        let differences = differences(&text, &came);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

#[test]
fn a_difference_is_found() {
    let (expected, came) = ("a\nb\n", "a\nc\n");
    assert_eq!(differences(expected, came), ["  - b\n  + c"]);
    assert!(differences(expected, expected).is_empty());
}
