//! Writes Delta tables with history, for tests of which no row is worth a Python.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use serde_json::json;

/// A row: its number, and its texts.
pub(crate) type Row = (i64, Vec<String>);

/// Writes a table with a column `id` and columns of text. Each version has the rows that are given for
/// it, and none of those before.
pub(crate) fn write_table(folder: &Path, texts: &[&str], versions: &[Vec<Row>]) {
    for (version, rows) in versions.iter().enumerate() {
        write_version(folder, texts, version, rows);
    }
}

/// Writes a version of a table that has those before. When it was committed is when its commit, whose
/// path is returned, was written.
pub(crate) fn write_version(
    folder: &Path,
    texts: &[&str],
    version: usize,
    rows: &[Row],
) -> PathBuf {
    let log = folder.join("_delta_log");
    fs::create_dir_all(&log).expect("the folder can be made");
    let name = format!("part-{version}.parquet");
    let size = write_file(&folder.join(&name), texts, rows);
    let mut actions = Vec::new();
    match version.checked_sub(1) {
        None => actions.extend(beginning(texts)),
        Some(before) => actions.push(json!({"remove": {
            "path": format!("part-{before}.parquet"), "dataChange": true,
            "deletionTimestamp": 0, "extendedFileMetadata": false,
        }})),
    }
    actions.push(json!({"add": {
        "path": name, "partitionValues": {}, "size": size, "modificationTime": 0,
        "dataChange": true, "stats": json!({"numRecords": rows.len()}).to_string(),
    }}));
    let lines: Vec<String> = actions.iter().map(ToString::to_string).collect();
    let commit = log.join(format!("{version:020}.json"));
    fs::write(&commit, lines.join("\n")).expect("the commit can be written");
    commit
}

/// Writes a version of a table that has the rows of the one before too.
pub(crate) fn append_version(folder: &Path, texts: &[&str], version: usize, rows: &[Row]) {
    let commit = write_version(folder, texts, version, rows);
    let text = fs::read_to_string(&commit).expect("it was written");
    let lines = text.lines().filter(|line| !line.contains("\"remove\""));
    fs::write(&commit, lines.collect::<Vec<_>>().join("\n")).expect("it can be written");
}

/// The protocol and the columns.
fn beginning(texts: &[&str]) -> [serde_json::Value; 2] {
    let field = |name: &str, type_name: &str| json!({"name": name, "type": type_name, "nullable": true, "metadata": {}});
    let mut fields = vec![field("id", "long")];
    fields.extend(texts.iter().map(|name| field(name, "string")));
    let schema = json!({"type": "struct", "fields": fields});
    [
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        json!({"metaData": {
            "id": "6b3f1a5e-0000-4000-8000-000000000000",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema.to_string(), "partitionColumns": [], "configuration": {},
        }}),
    ]
}

/// How many bytes it has.
fn write_file(path: &Path, texts: &[&str], rows: &[Row]) -> u64 {
    let ids: Int64Array = rows.iter().map(|(id, _)| Some(*id)).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![("id", Arc::new(ids))];
    for (index, name) in texts.iter().enumerate() {
        let values: StringArray = rows.iter().map(|row| Some(row.1[index].as_str())).collect();
        columns.push((name, Arc::new(values)));
    }
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, values)| (name, values, true)),
    );
    let batch = batch.expect("the columns are of one length");
    let file = File::create(path).expect("the file can be made");
    let writer = ArrowWriter::try_new(file, batch.schema(), None);
    let mut writer = writer.expect("the columns can be written");
    writer.write(&batch).expect("the rows are written");
    writer.close().expect("the file is whole");
    fs::metadata(path).expect("it is there").len()
}
