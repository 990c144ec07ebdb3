//! Writes a Delta table as Spark would: data files, and a commit for every change.
//!
//! Changes are copy-on-write: a file with changed rows is written anew and the old one removed from
//! the table, but not from the folder, so that every version stays readable.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{concat_batches, filter_record_batch, not};
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::super::files::{Lake, Layout, Made, Object, array, quoted};
use super::super::world::{Moment, World};
use super::commit::{self, Commit};
use super::stats;
use crate::error::{Error, Result};

/// Rows that become one file; in a partitioned table with the partition's value.
pub(super) struct Part {
    pub(super) partition: Option<String>,
    pub(super) rows: RecordBatch,
}

impl From<RecordBatch> for Part {
    fn from(rows: RecordBatch) -> Self {
        Self {
            partition: None,
            rows,
        }
    }
}

/// Which rows are changed.
pub(super) struct Where<'a> {
    /// The condition as SQL, for the log.
    pub(super) text: &'a str,
    /// Whether a partition may hold such rows; asked of partitioned tables.
    pub(super) in_partition: &'a dyn Fn(&str) -> bool,
    /// Which rows of a file they are.
    pub(super) matches: &'a dyn Fn(&RecordBatch) -> BooleanArray,
}

#[derive(Clone)]
struct LiveFile {
    /// Below the table's folder.
    path: String,
    partition: Option<String>,
    n_bytes: u64,
    n_rows: u64,
}

/// A table at its newest version.
pub(super) struct DeltaTable<'a> {
    lake: &'a Lake,
    world: &'a World,
    name: &'static str,
    fields: Vec<Field>,
    partition_column: Option<&'static str>,
    created_at: Moment,
    n_versions: u64,
    live: Vec<LiveFile>,
    made: Made,
}

impl<'a> DeltaTable<'a> {
    /// A table without a version; the first `append` creates it.
    pub(super) fn new(
        world: &'a World,
        lake: &'a Lake,
        name: &'static str,
        fields: Vec<Field>,
        partition_column: Option<&'static str>,
    ) -> Self {
        Self {
            lake,
            world,
            name,
            fields,
            partition_column,
            created_at: Moment(0),
            n_versions: 0,
            live: Vec::new(),
            made: Made::default(),
        }
    }

    /// The columns that data files have: all but the partition's.
    pub(super) fn schema(&self) -> SchemaRef {
        let fields = self.fields.iter();
        let stored = fields.filter(|field| Some(field.name().as_str()) != self.partition_column);
        Arc::new(Schema::new(stored.cloned().collect::<Vec<_>>()))
    }

    /// Whether the table has this column by now.
    pub(super) fn has_column(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name() == name)
    }

    /// Rows of these columns, in the order of the schema.
    pub(super) fn rows(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        RecordBatch::try_new(self.schema(), columns).map_err(Error::internal)
    }

    /// Adds rows; the first time it creates the table.
    pub(super) fn append(
        &mut self,
        at: Moment,
        parts: impl IntoIterator<Item = impl Into<Part>>,
    ) -> Result<()> {
        let mut change = Commit::new(at, "WRITE");
        let is_new = self.n_versions == 0;
        if is_new {
            self.created_at = at;
            change.actions.push(commit::protocol());
            change.actions.push(self.metadata());
        }
        let partitions = array(self.partition_column.map(quoted));
        let mode = if is_new { "ErrorIfExists" } else { "Append" };
        change.parameters = Object::new()
            .text("mode", mode)
            .text("partitionBy", &partitions)
            .end();
        change.is_blind_append = true;
        for part in parts {
            let part = part.into();
            change.n_rows += part.rows.num_rows();
            self.add_file(&mut change, &part.rows, part.partition)?;
        }
        self.commit(&change)
    }

    /// Sets one column of the rows where `condition` holds.
    pub(super) fn update(
        &mut self,
        at: Moment,
        condition: &Where<'_>,
        column: &str,
        value: &dyn Fn(&RecordBatch) -> ArrayRef,
    ) -> Result<()> {
        let schema = self.schema();
        let place = schema.index_of(column).map_err(Error::internal)?;
        self.rewrite(at, "UPDATE", condition, &|rows, matching| {
            let mut columns = rows.columns().to_vec();
            columns[place] =
                zip(matching, &value(rows), &columns[place]).map_err(Error::internal)?;
            RecordBatch::try_new(Arc::clone(&schema), columns).map_err(Error::internal)
        })
    }

    /// Deletes the rows where `condition` holds.
    pub(super) fn delete(&mut self, at: Moment, condition: &Where<'_>) -> Result<()> {
        self.rewrite(at, "DELETE", condition, &|rows, matching| {
            let kept = not(matching).map_err(Error::internal)?;
            filter_record_batch(rows, &kept).map_err(Error::internal)
        })
    }

    /// Adds a column; no file has it yet, so that it is NULL in every row.
    pub(super) fn add_column(&mut self, at: Moment, column: Field) -> Result<()> {
        let mut change = Commit::new(at, "ADD COLUMNS");
        let added = Object::new()
            .raw("column", commit::field_json(&column))
            .end();
        change.parameters = Object::new().text("columns", &array([added])).end();
        self.fields.push(column);
        change.actions.push(self.metadata());
        self.commit(&change)
    }

    /// Merges the small files of each partition into one; no row changes.
    pub(super) fn optimize(&mut self, at: Moment) -> Result<()> {
        let mut change = Commit::new(at, "OPTIMIZE");
        change.parameters = Object::new()
            .text("predicate", "[]")
            .text("zOrderBy", "[]")
            .text("auto", "false")
            .end();
        change.data_change = false;
        let files = std::mem::take(&mut self.live);
        for group in files.chunk_by(|file, next| file.partition == next.partition) {
            let batches = group.iter().map(|file| self.read(file));
            match group {
                [file] => self.live.push(file.clone()),
                [first, ..] => {
                    let batches = batches.collect::<Result<Vec<_>>>()?;
                    let merged =
                        concat_batches(&self.schema(), &batches).map_err(Error::internal)?;
                    for file in group {
                        self.remove_file(&mut change, file);
                    }
                    self.add_file(&mut change, &merged, first.partition.clone())?;
                }
                [] => {}
            }
        }
        self.commit(&change)
    }

    /// The files and bytes of all versions, and the rows of the newest.
    pub(super) fn made(&self) -> Made {
        Made {
            n_rows: self.live.iter().map(|file| file.n_rows).sum(),
            ..self.made
        }
    }

    fn rewrite(
        &mut self,
        at: Moment,
        operation: &'static str,
        condition: &Where<'_>,
        rewritten: &dyn Fn(&RecordBatch, &BooleanArray) -> Result<RecordBatch>,
    ) -> Result<()> {
        let mut change = Commit::new(at, operation);
        let predicate = array([quoted(&format!("({})", condition.text))]);
        change.parameters = Object::new().text("predicate", &predicate).end();
        for file in std::mem::take(&mut self.live) {
            let partition = file.partition.as_deref();
            if !partition.is_none_or(condition.in_partition) {
                self.live.push(file);
                continue;
            }
            let rows = self.read(&file)?;
            let matching = (condition.matches)(&rows);
            if matching.true_count() == 0 {
                self.live.push(file);
                continue;
            }
            change.n_rows += matching.true_count();
            self.remove_file(&mut change, &file);
            let rows = rewritten(&rows, &matching)?;
            if rows.num_rows() > 0 {
                self.add_file(&mut change, &rows, file.partition)?;
            }
        }
        self.commit(&change)
    }

    fn folder(&self) -> String {
        format!("silver/{}", self.name)
    }

    /// A file's rows with today's columns: those it lacks are NULL.
    fn read(&self, file: &LiveFile) -> Result<RecordBatch> {
        let stored = self
            .lake
            .read_parquet(&format!("{}/{}", self.folder(), file.path))?;
        let schema = self.schema();
        let columns = schema.fields().iter().map(|field| {
            let column = stored.column_by_name(field.name()).cloned();
            column.unwrap_or_else(|| new_null_array(field.data_type(), stored.num_rows()))
        });
        RecordBatch::try_new(Arc::clone(&schema), columns.collect()).map_err(Error::internal)
    }

    fn add_file(
        &mut self,
        change: &mut Commit,
        rows: &RecordBatch,
        partition: Option<String>,
    ) -> Result<()> {
        let number = change.n_files_added;
        let place = (self.n_versions * 100_000) as i64 + number as i64;
        let mut random = self.world.random(&self.folder(), place);
        let name = format!("part-{number:05}-{}-c000.snappy.parquet", random.uuid());
        let path = match (self.partition_column, &partition) {
            (Some(column), Some(value)) => format!("{column}={value}/{name}"),
            _ => name,
        };
        let below_lake = format!("{}/{path}", self.folder());
        let made = self
            .lake
            .save_parquet(&below_lake, change.at, rows, Layout::Spark)?;
        let values = self.partition_values(partition.as_deref());
        let action = Object::new()
            .text("path", &path)
            .raw("partitionValues", values)
            .raw("size", made.n_bytes)
            .raw("modificationTime", change.at.millis())
            .raw("dataChange", change.data_change)
            .text("stats", &stats::of(rows))
            .end();
        change.actions.push(Object::new().raw("add", action).end());
        change.n_files_added += 1;
        change.n_bytes += made.n_bytes;
        self.made += made;
        self.live.push(LiveFile {
            path,
            partition,
            n_bytes: made.n_bytes,
            n_rows: made.n_rows,
        });
        Ok(())
    }

    fn remove_file(&self, change: &mut Commit, file: &LiveFile) {
        let values = self.partition_values(file.partition.as_deref());
        let action = Object::new()
            .text("path", &file.path)
            .raw("deletionTimestamp", change.at.millis())
            .raw("dataChange", change.data_change)
            .raw("extendedFileMetadata", true)
            .raw("partitionValues", values)
            .raw("size", file.n_bytes)
            .end();
        change
            .actions
            .push(Object::new().raw("remove", action).end());
        change.n_files_removed += 1;
    }

    fn partition_values(&self, partition: Option<&str>) -> String {
        match (self.partition_column, partition) {
            (Some(column), Some(value)) => Object::new().text(column, value).end(),
            _ => Object::new().end(),
        }
    }

    fn metadata(&self) -> String {
        let id = self.world.random(&self.folder(), -1).uuid();
        commit::metadata(&id, &self.fields, self.partition_column, self.created_at)
    }

    fn commit(&mut self, change: &Commit) -> Result<()> {
        let path = format!("{}/_delta_log/{:020}.json", self.folder(), self.n_versions);
        let at = change.at;
        let lines = change.lines(self.n_versions);
        self.made += self
            .lake
            .save(&path, at, 0, |file| file.write_all(lines.as_bytes()))?;
        self.n_versions += 1;
        Ok(())
    }
}
