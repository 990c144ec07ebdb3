//! Pins and scans files of JSON: lines, documents and arrays.

use super::*;

#[tokio::test]
async fn a_document_is_a_row_and_an_array_has_many() {
    let lake = TestLake::new().await;
    lake.write(
        "s/t/1.json",
        "{\n  \"id\": 1,\n  \"n\": {\"a\": [1, 2]}\n}\n",
    );
    lake.write(
        "s/t/2.json",
        " [{\"id\": 2, \"s\": \"],[\"},\n {\"id\": 3}]",
    );
    lake.write("s/t/3.json", "{\"id\":4}\n{\"id\":5,\"s\":\"x\"}\n");
    lake.write("s/t/4.json", "{\"id\":6}");
    lake.write("s/t/5.json", "[]");
    lake.write("s/t/6.json", "\n");
    lake.check(
        "s/t",
        "SELECT id, n['a'][2] AS a, s FROM t ORDER BY id",
        "1,2, 2,,],[ 3,, 4,, 5,,x 6,,",
    )
    .await;
}

#[tokio::test]
async fn a_broken_document_names_file_and_line() {
    let lake = TestLake::new().await;
    for (text, line) in [
        ("{\"id\":\n1\n", "line 3"),
        ("{\n\"id\":1}\n{\"id\":2}", "line 3"),
        ("[{\"id\":1},\n2]", "line 2"),
        ("[[1]]", "line 1"),
        ("{\"id\":1}\n[1]\n", "line 2"),
        ("{\"id\":", "line 1"),
        ("17", "line 1"),
    ] {
        lake.write("s/t.json", text);
        lake.check_refused(
            "s/t.json",
            "SELECT * FROM t",
            ErrorKind::DataCorrupted,
            line,
        )
        .await;
    }
    lake.write("s/t.jsonl", "{\n\"id\":1}");
    lake.check_refused("s/t.jsonl", "SELECT 1", ErrorKind::DataCorrupted, "line 1")
        .await;
}

#[tokio::test]
async fn a_document_is_bounded() {
    let lake = TestLake::new().await;
    let mut text = "{\n\"id\":\"".to_owned();
    text.push_str(&"x".repeat(64 << 20));
    text.push_str("\"}");
    lake.write("s/t.json", text);
    lake.check_refused("s/t.json", "SELECT 1", ErrorKind::DataCorrupted, "64 MiB")
        .await;
}
