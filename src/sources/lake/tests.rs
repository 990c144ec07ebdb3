//! Pins and scans tables of a lake in a temporary folder.

mod appended;
mod avro;
mod json;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;

use super::*;
use crate::error::{Error, ErrorKind};
use crate::sources::Version;

struct TestLake {
    folder: tempfile::TempDir,
    context: SessionContext,
    source: LakeSource,
}

impl TestLake {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().to_str().unwrap().to_owned();
        let lake = crate::storage::open(&url, &Default::default())
            .await
            .unwrap();
        let context = SessionContext::new();
        let source = LakeSource::new(lake, context.state());
        Self {
            folder,
            context,
            source,
        }
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn write_parquet(&self, path: &str, batch: &RecordBatch) {
        let mut bytes = Vec::new();
        let mut writer =
            datafusion::parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None)
                .unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        self.write(path, bytes);
    }

    async fn pin(&self, path: &str) -> Result<PinnedTable> {
        let layout = match self.folder.path().join(path) {
            path if path.join("_delta_log").is_dir() => Layout::Delta,
            path if Path::is_dir(&path) => Layout::Folder,
            _ => Layout::File,
        };
        let path = path.to_owned();
        self.source.pin(&LakeTable { path, layout }, None).await
    }

    /// Runs a query over the table `t`, pinned from the path.
    async fn query(&self, path: &str, sql: &str) -> Result<String> {
        let pinned = self.pin(path).await?;
        self.context.deregister_table("t").unwrap();
        self.context.register_table("t", pinned.provider).unwrap();
        let frame = self.context.sql(sql).await.map_err(ours)?;
        let batches = frame.collect().await.map_err(ours)?;
        let table = pretty_format_batches(&batches).unwrap().to_string();
        let rows = table
            .lines()
            .skip(3)
            .filter(|line| !line.starts_with('+'))
            .map(|line| {
                let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
                cells.join(",")
            });
        Ok(rows.collect::<Vec<_>>().join(" "))
    }

    async fn check(&self, path: &str, sql: &str, expected: &str) {
        assert_eq!(self.query(path, sql).await.unwrap(), expected, "{sql}");
    }

    async fn check_refused(&self, path: &str, sql: &str, kind: ErrorKind, named: &str) {
        let error = self.query(path, sql).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.to_string().contains(named), "{error:?}");
    }
}

/// Pins a table until it is known at once that nothing has changed.
async fn settle(lake: &TestLake, table: &LakeTable) -> PinnedTable {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let pinned = lake.source.pin(table, None).await.unwrap();
        if let Some(known) = lake.source.pin_at_once(table, None) {
            assert_eq!(known.version, pinned.version);
            return known;
        }
        assert!(std::time::Instant::now() < deadline, "it never settles");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_change_of_a_settled_table_is_noticed() {
    let lake = TestLake::new().await;
    let table = |path: &str, layout| LakeTable {
        path: path.to_owned(),
        layout,
    };
    let (folder, file) = (table("f", Layout::Folder), table("one.csv", Layout::File));
    lake.write("f/part=x/a.csv", "id\n1\n");
    lake.write("one.csv", "id\n1\n");
    // What has just changed may change again within the disk's clock.
    lake.source.pin(&folder, None).await.unwrap();
    assert!(lake.source.pin_at_once(&folder, None).is_none());
    let path = |name: &str| lake.folder.path().join(name);
    let dated = |name: &str| {
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        let file = std::fs::File::options()
            .append(true)
            .open(path(name))
            .unwrap();
        file.set_modified(old).unwrap();
    };
    dated("one.csv");
    let before = (settle(&lake, &folder).await, settle(&lake, &file).await);
    // In place, of the same size, and dated back to what it was.
    lake.write("one.csv", "id\n2\n");
    dated("one.csv");
    lake.write("f/part=y/b.csv", "id\n3\n");
    assert!(lake.source.pin_at_once(&folder, None).is_none());
    assert!(lake.source.pin_at_once(&file, None).is_none());
    let after = settle(&lake, &folder).await;
    assert_ne!(after.version, before.0.version);
    lake.write("f/part=x/a.csv", "id\n7\n");
    assert!(lake.source.pin_at_once(&folder, None).is_none());
    settle(&lake, &folder).await;
    std::fs::rename(path("f/part=x/a.csv"), path("f/part=x/c.csv")).unwrap();
    assert!(lake.source.pin_at_once(&folder, None).is_none());
    std::fs::remove_dir_all(path("f")).unwrap();
    assert!(lake.source.pin_at_once(&folder, None).is_none());
}

/// Our own error within DataFusion's, as the engine finds it.
fn ours(error: datafusion::error::DataFusionError) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(next) = cause {
        if let Some(ours) = next.downcast_ref::<Error>() {
            return ours.clone();
        }
        cause = next.source();
    }
    Error::internal(error)
}

fn batch(columns: Vec<(&str, arrow::array::ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

fn ints(values: &[i64]) -> arrow::array::ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

#[tokio::test]
async fn csv_columns_are_matched_by_name() {
    let lake = TestLake::new().await;
    lake.write("s/t/1.csv", "id,name\n1,a\n2,\"b,\"\"c\"\"\nd\"\n");
    lake.write("s/t/2.csv", "\u{feff}name;id;more\r\ne;3;1.5\r\n;4;\r\n");
    lake.check(
        "s/t",
        "SELECT id, replace(name, chr(10), '/') AS name, more FROM t ORDER BY id",
        "1,a, 2,b,\"c\"/d, 3,e,1.5 4,,",
    )
    .await;
    lake.check("s/t", "SELECT count(*) FROM t", "4").await;
    lake.check("s/t", "SELECT max(more) FROM t WHERE id > 1", "1.5")
        .await;
}

#[tokio::test]
async fn csv_rows_that_do_not_fit_are_errors() {
    let lake = TestLake::new().await;
    lake.write("few.csv", "a,b\n1,2\n3\n");
    lake.check_refused(
        "few.csv",
        "SELECT * FROM t",
        ErrorKind::InvalidRowData,
        "few.csv",
    )
    .await;
    lake.write("twice.csv", "a,a\n1,2\n");
    lake.check_refused(
        "twice.csv",
        "SELECT * FROM t",
        ErrorKind::InvalidRowData,
        "twice.csv",
    )
    .await;
}

#[tokio::test]
async fn json_fields_first_seen_late_are_kept() {
    let lake = TestLake::new().await;
    let mut text = "{\"id\":1,\"x\":null}\n".repeat(3_000);
    text.push_str("{\"id\":2,\"late\":\"yes\",\"x\":1.5,\"n\":{\"a\":[1,2]}}\n");
    lake.write("s/t.jsonl", &text);
    lake.check(
        "s/t.jsonl",
        "SELECT count(*), count(late), sum(x), sum(n['a'][2]) FROM t",
        "3001,1,1.5,2",
    )
    .await;
    lake.write("s/half.jsonl", "{\"id\":1}\n{\"id\":");
    lake.check_refused(
        "s/half.jsonl",
        "SELECT 1",
        ErrorKind::DataCorrupted,
        "line 2",
    )
    .await;
}

#[tokio::test]
async fn hive_levels_are_typed_and_prune() {
    let lake = TestLake::new().await;
    let rows = |value| batch(vec![("v", ints(&[value]))]);
    lake.write_parquet("s/t/day=2026-11-01/k=a%20b/1.parquet", &rows(1));
    lake.write_parquet(
        "s/t/day=2026-11-02/k=__HIVE_DEFAULT_PARTITION__/1.parquet",
        &rows(2),
    );
    lake.write("s/t/_temporary/day=x/1.parquet", "not parquet");
    lake.check(
        "s/t",
        "SELECT * FROM t ORDER BY v",
        "1,2026-11-01,a b 2,2026-11-02,",
    )
    .await;
    lake.check("s/t", "SELECT v FROM t WHERE day = '2026-11-02'", "2")
        .await;
    lake.check("s/t", "SELECT v FROM t WHERE k IS NULL", "2")
        .await;
    lake.check("s/t", "SELECT count(*) FROM t WHERE k LIKE 'a%'", "1")
        .await;
}

#[tokio::test]
async fn parquet_schemas_are_merged_or_refused() {
    let lake = TestLake::new().await;
    let small: arrow::array::ArrayRef = Arc::new(arrow::array::Int16Array::from(vec![1]));
    let text: arrow::array::ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    lake.write_parquet("s/t/1.parquet", &batch(vec![("a", small), ("b", text)]));
    lake.write_parquet(
        "s/t/2.parquet",
        &batch(vec![("c", ints(&[5])), ("a", ints(&[2]))]),
    );
    lake.check("s/t", "SELECT * FROM t ORDER BY a", "1,x, 2,,5")
        .await;
    lake.check("s/t", "SELECT a FROM t WHERE c = 5", "2").await;
    lake.write_parquet("s/t/3.parquet", &batch(vec![("b", ints(&[5]))]));
    lake.check_refused(
        "s/t",
        "SELECT 1",
        ErrorKind::DatatypeMismatch,
        "s/t/3.parquet",
    )
    .await;
}

#[tokio::test]
async fn not_a_number_is_never_a_constant() {
    let lake = TestLake::new().await;
    let floats = |values: &[f64]| {
        let column: arrow::array::ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        batch(vec![("x", column)])
    };
    lake.write_parquet("s/t/1.parquet", &floats(&[1.0, f64::NAN]));
    lake.check("s/t", "SELECT x FROM t WHERE x > 0 ORDER BY x", "1.0 NaN")
        .await;
    lake.check("s/t", "SELECT count(*) FROM t WHERE x > 5", "1")
        .await;
}

#[tokio::test]
async fn a_version_is_the_files_it_was_made_of() {
    let lake = TestLake::new().await;
    lake.write_parquet("s/t/1.parquet", &batch(vec![("a", ints(&[1]))]));
    let first = lake.pin("s/t").await.unwrap().version;
    assert_eq!(lake.pin("s/t").await.unwrap().version, first);
    assert!(matches!(first, Version::Files(_)));
    lake.write_parquet("s/t/2.parquet", &batch(vec![("a", ints(&[2]))]));
    assert_ne!(lake.pin("s/t").await.unwrap().version, first);
    lake.check("s/t", "SELECT sum(a) FROM t", "3").await;
    lake.write("s/t/3.csv", "a\n1\n");
    lake.check_refused("s/t", "SELECT 1", ErrorKind::DatatypeMismatch, "3.csv")
        .await;
}

#[tokio::test]
async fn a_file_replaced_after_the_pin_is_noticed() {
    let lake = TestLake::new().await;
    lake.write("s/t.csv", "a\n1\n");
    let pinned = lake.pin("s/t.csv").await.unwrap();
    lake.write("s/t.csv", "a\n12\n");
    lake.context.register_table("t", pinned.provider).unwrap();
    let frame = lake.context.sql("SELECT * FROM t").await.unwrap();
    let error = ours(frame.collect().await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::IoError);
    assert!(error.message().contains("s/t.csv"), "{error}");
}

#[tokio::test]
async fn a_truncated_footer_names_its_file() {
    let lake = TestLake::new().await;
    let rows: Vec<i64> = (0..1_000).collect();
    lake.write_parquet("s/whole.parquet", &batch(vec![("a", ints(&rows))]));
    let whole = std::fs::read(lake.folder.path().join("s/whole.parquet")).unwrap();
    for step in 0..64 {
        let name = format!("s/cut{step}.parquet");
        lake.write(&name, &whole[..whole.len() * step / 64]);
        lake.check_refused(&name, "SELECT * FROM t", ErrorKind::DataCorrupted, &name)
            .await;
    }
}

#[tokio::test]
async fn a_damaged_page_names_its_file() {
    let lake = TestLake::new().await;
    let rows: Vec<i64> = (0..1_000).map(|row| row * 7919 % 1000).collect();
    lake.write_parquet("s/t.parquet", &batch(vec![("a", ints(&rows))]));
    let path = lake.folder.path().join("s/t.parquet");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4..60].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    lake.check_refused(
        "s/t.parquet",
        "SELECT sum(a) FROM t",
        ErrorKind::DataCorrupted,
        "s/t.parquet",
    )
    .await;
}

/// Writes a Delta table by hand: one Parquet file, and a log with these statistics for it.
fn write_delta(lake: &TestLake, path: &str, rows: &RecordBatch, fields: &str, stats: &str) {
    lake.write_parquet(&format!("{path}/part-0.parquet"), rows);
    let size = std::fs::metadata(lake.folder.path().join(path).join("part-0.parquet"))
        .unwrap()
        .len();
    commit(
        lake,
        path,
        fields,
        &format!("part-0.parquet\",\"size\":{size},\"stats\":\"{stats}"),
    );
}

fn commit(lake: &TestLake, path: &str, fields: &str, add: &str) {
    let schema = format!("{{\"type\":\"struct\",\"fields\":[{fields}]}}").replace('"', "\\\"");
    let log = format!(
        "{{\"protocol\":{{\"minReaderVersion\":1,\"minWriterVersion\":2}}}}\n\
         {{\"metaData\":{{\"id\":\"0\",\"format\":{{\"provider\":\"parquet\",\"options\":{{}}}},\
         \"schemaString\":\"{schema}\",\"partitionColumns\":[],\"configuration\":{{}}}}}}\n\
         {{\"add\":{{\"path\":\"{add}\",\"partitionValues\":{{}},\"modificationTime\":0,\"dataChange\":true}}}}\n"
    );
    lake.write(&format!("{path}/_delta_log/{:020}.json", 0), log);
}

const K: &str = r#"{"name":"k","type":"long","nullable":true,"metadata":{}}"#;
const X: &str = r#"{"name":"x","type":"double","nullable":true,"metadata":{}}"#;

#[tokio::test]
async fn a_wrong_log_never_gives_wrong_values() {
    let lake = TestLake::new().await;
    // The file holds 7 once; the log says two rows, and that all are 9.
    let stats = r#"{\"numRecords\":2,\"minValues\":{\"k\":9},\"maxValues\":{\"k\":9},\"nullCount\":{\"k\":0}}"#;
    write_delta(&lake, "s/t", &batch(vec![("k", ints(&[7]))]), K, stats);
    lake.check("s/t", "SELECT k FROM t", "7").await;
    lake.check("s/t", "SELECT k FROM t WHERE k > 5", "7").await;
    lake.check("s/t", "SELECT count(*), min(k), max(k) FROM t", "1,7,7")
        .await;
}

#[tokio::test]
async fn not_a_number_survives_the_statistics_of_a_log() {
    let lake = TestLake::new().await;
    let floats: arrow::array::ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::NAN]));
    let stats = r#"{\"numRecords\":2,\"minValues\":{\"x\":1.0},\"maxValues\":{\"x\":1.0},\"nullCount\":{\"x\":0}}"#;
    write_delta(&lake, "s/t", &batch(vec![("x", floats)]), X, stats);
    lake.check("s/t", "SELECT x FROM t WHERE x > 0 ORDER BY x", "1.0 NaN")
        .await;
    lake.check("s/t", "SELECT count(*) FROM t WHERE x > 5", "1")
        .await;
    lake.check("s/t", "SELECT x FROM t ORDER BY x DESC LIMIT 1", "NaN")
        .await;
}

#[tokio::test]
async fn a_table_made_anew_at_the_same_path_is_noticed() {
    let lake = TestLake::new().await;
    write_delta(&lake, "s/t", &batch(vec![("k", ints(&[1]))]), K, "{}");
    lake.check("s/t", "SELECT k FROM t", "1").await;
    std::fs::remove_dir_all(lake.folder.path().join("s/t")).unwrap();
    let two = batch(vec![("k", ints(&[2, 3]))]);
    write_delta(&lake, "s/t", &two, K, r#"{\"numRecords\":2}"#);
    lake.check("s/t", "SELECT sum(k) FROM t", "5").await;
    std::fs::remove_dir_all(lake.folder.path().join("s/t")).unwrap();
    let error = lake
        .source
        .pin(
            &LakeTable {
                path: "s/t".to_owned(),
                layout: Layout::Delta,
            },
            None,
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UndefinedFile, "{error:?}");
}

#[tokio::test]
async fn a_log_that_names_files_elsewhere_is_refused() {
    let lake = TestLake::new().await;
    lake.write_parquet("s/other.parquet", &batch(vec![("k", ints(&[1]))]));
    for (at, path) in [
        "../other.parquet",
        "%2e%2e/other.parquet",
        "file:///etc/passwd",
        "/etc/passwd",
        "s3://b/x",
    ]
    .iter()
    .enumerate()
    {
        let table = format!("s/t{at}");
        commit(
            &lake,
            &table,
            K,
            &format!("{path}\",\"size\":1,\"stats\":\"{{}}"),
        );
        let error = lake.pin(&table).await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::InsufficientPrivilege,
            "{path}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_broken_log_names_its_table() {
    let lake = TestLake::new().await;
    lake.write("s/t/_delta_log/00000000000000000000.json", "{\"add\":");
    lake.check_refused("s/t", "SELECT 1", ErrorKind::DataCorrupted, "\"s/t\"")
        .await;
}
