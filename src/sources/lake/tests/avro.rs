//! Pins and scans Avro files, whole, hostile and captured.

use super::*;

/// A container file with these blocks: how many rows each holds, and their bytes.
fn container(schema: &str, codec: &str, blocks: &[(i64, &[u8])]) -> Vec<u8> {
    let mut file = b"Obj\x01".to_vec();
    long(&mut file, 2);
    for (key, value) in [("avro.schema", schema), ("avro.codec", codec)] {
        text(&mut file, key);
        text(&mut file, value);
    }
    long(&mut file, 0);
    file.extend([7; 16]);
    for (n_rows, bytes) in blocks {
        long(&mut file, *n_rows);
        long(&mut file, i64::try_from(bytes.len()).unwrap());
        file.extend(*bytes);
        file.extend([7; 16]);
    }
    file
}

fn long(out: &mut Vec<u8>, value: i64) {
    let mut bits = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while bits >= 0x80 {
        out.push(bits.to_le_bytes()[0] | 0x80);
        bits >>= 7;
    }
    out.push(bits.to_le_bytes()[0]);
}

fn text(out: &mut Vec<u8>, value: &str) {
    long(out, i64::try_from(value.len()).unwrap());
    out.extend(value.as_bytes());
}

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"r","fields":[{fields}]}}"#)
}

fn field(name: &str, schema: &str) -> String {
    format!(r#"{{"name":"{name}","type":{schema}}}"#)
}

#[tokio::test]
async fn columns_are_merged_by_name() {
    let lake = TestLake::new().await;
    let first = record(&[field("a", r#""int""#), field("b", r#"["null","string"]"#)].join(","));
    lake.write(
        "s/t/1.avro",
        container(&first, "null", &[(2, &[2, 2, 2, b'x', 4, 0])]),
    );
    let second = record(&[field("c", r#""boolean""#), field("a", r#""long""#)].join(","));
    lake.write("s/t/2.avro", container(&second, "null", &[(1, &[1, 6])]));
    lake.check("s/t", "SELECT * FROM t ORDER BY a", "1,x, 2,, 3,,true")
        .await;
    lake.check("s/t", "SELECT a FROM t WHERE c", "3").await;
    lake.check("s/t", "SELECT count(*) FROM t", "3").await;
    let third = record(&field("a", r#""string""#));
    lake.write("s/t/3.avro", container(&third, "null", &[]));
    lake.check_refused(
        "s/t",
        "SELECT 1",
        ErrorKind::DatatypeMismatch,
        "column \"a\" of file \"s/t/3.avro\"",
    )
    .await;
}

#[tokio::test]
async fn what_has_no_type_of_its_own_is_json() {
    let lake = TestLake::new().await;
    let schema = record(
        &[
            field("m", r#"{"type":"map","values":["null","long"]}"#),
            field("u", r#"["null","long","string"]"#),
            field("next", r#"["null","r"]"#),
        ]
        .join(","),
    );
    let rows = [2, 2, b'k', 2, 6, 0, 4, 2, b'x', 2, 0, 0, 0];
    lake.write("s/t.avro", container(&schema, "null", &[(1, &rows)]));
    lake.check(
        "s/t.avro",
        "SELECT m, u, next['u'], next['next'] FROM t",
        r#"{"k":3},"x",,"#,
    )
    .await;
    let pinned = lake.pin("s/t.avro").await.unwrap();
    let schema = pinned.provider.schema();
    let json = crate::types::oid::JSON;
    assert_eq!(crate::types::of_field(schema.field(0)).oid, json);
    assert_eq!(crate::types::of_field(schema.field(1)).oid, json);
}

#[tokio::test]
async fn a_damaged_file_is_an_error_that_names_it() {
    let lake = TestLake::new().await;
    let ints = record(&field("a", r#""int""#));
    let whole = container(&ints, "null", &[(2, &[2, 4])]);
    let path = "s/t.avro";
    for length in 0..whole.len() {
        // Where the header ends, an empty file does too.
        if length != whole.len() - 20 {
            lake.write(path, &whole[..length]);
            lake.check_refused(path, "SELECT * FROM t", ErrorKind::DataCorrupted, path)
                .await;
        }
    }
    let nothing = record(&field("a", r#""null""#));
    let nulls = record(&field("a", r#"{"type":"array","items":"null"}"#));
    let itself = record(&field("a", r#""r""#));
    let mut endless = Vec::new();
    long(&mut endless, i64::MAX);
    for (schema, codec, n_rows, bytes) in [
        (&ints, "null", 3, [2, 4].as_slice()),
        (&ints, "null", 1, &[2, 4]),
        (&ints, "null", -1, &[2]),
        (&ints, "deflate", 1, &[2]),
        (&ints, "lz77", 1, &[2]),
        (&nothing, "null", i64::MAX, &[]),
        (&nulls, "null", 1, &endless),
        (&itself, "null", 1, &[0]),
    ] {
        lake.write(path, container(schema, codec, &[(n_rows, bytes)]));
        for sql in ["SELECT * FROM t", "SELECT count(*) FROM t"] {
            lake.check_refused(path, sql, ErrorKind::DataCorrupted, path)
                .await;
        }
    }
}

#[tokio::test]
async fn any_changed_byte_is_an_answer_or_an_error() {
    let lake = TestLake::new().await;
    let schema = record(
        &[
            field("l", r#"{"type":"array","items":["null","string"]}"#),
            field("m", r#"{"type":"map","values":["null","double","r"]}"#),
            field("e", r#"{"type":"enum","name":"e","symbols":["A","B"]}"#),
        ]
        .join(","),
    );
    let rows = [4, 2, 2, b'x', 0, 0, 2, 2, b'k', 0, 0, 2];
    let whole = container(&schema, "null", &[(1, &rows)]);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0xa5;
        lake.write("s/t.avro", &changed);
        if let Err(error) = lake.query("s/t.avro", "SELECT * FROM t").await {
            assert_eq!(error.kind(), ErrorKind::DataCorrupted, "{at}: {error:?}");
            assert!(error.message().contains("s/t.avro"), "{at}: {error:?}");
        }
    }
}

#[tokio::test]
async fn captured_files_are_pruned_by_their_paths() {
    let lake = TestLake::new().await;
    let schema = record(&field("SequenceNumber", r#""long""#));
    let file = |value| container(&schema, "null", &[(1, &[value])]);
    lake.write("s/t/ns/hub/0/2026/10/01/00/00/00.avro", file(2));
    lake.write(
        "s/t/ns/hub/0/2026/10/01/00/05/00.avro",
        container(&schema, "null", &[]),
    );
    // Reading its rows would be an error: it must be pruned.
    let broken = container(&schema, "null", &[(1, &[])]);
    lake.write("s/t/ns/hub/1/2026/10/02/00/00/00.avro", broken);
    lake.check(
        "s/t",
        "SELECT * FROM t WHERE capture_partition = 0",
        "1,ns,hub,0,2026-10-01T00:00:00Z",
    )
    .await;
    lake.check(
        "s/t",
        "SELECT \"SequenceNumber\" FROM t WHERE captured_at < '2026-10-02T00:00:00Z'",
        "1",
    )
    .await;
    lake.check_refused(
        "s/t",
        "SELECT * FROM t",
        ErrorKind::DataCorrupted,
        "02/00/00/00.avro",
    )
    .await;
    lake.write("s/t/other.avro", file(4));
    lake.check_refused(
        "s/t",
        "SELECT 1",
        ErrorKind::DatatypeMismatch,
        "s/t/other.avro",
    )
    .await;
}
