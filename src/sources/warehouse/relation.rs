//! What a source tells of its tables and columns.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::server::{Options, Server, Wrapper};
use super::told::Told;
use crate::sources::{LakeTable, Size};
use crate::types::{self, MODIFIER_KEY, PgType, TYPE_KEY};

/// A table at its source, by schema and name. SQLite's schema is `main`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteName {
    /// The schema.
    pub schema: String,
    /// The table.
    pub table: String,
}

/// A table of a server, as a relation of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForeignTable {
    /// Where it is.
    pub server: Arc<Server>,
    /// What it is called there.
    pub remote: RemoteName,
    /// How it is read.
    pub options: Options,
    /// What the source says of it; nothing of a table that was not imported.
    pub told: Arc<Told>,
    /// Where it lies, if its server is a lake, and it was found there.
    pub lake: Option<LakeTable>,
}

impl ForeignTable {
    /// Its options, and in them what it is called at its source, as an import by postgres_fdw would have written
    /// them.
    pub fn whole_options(&self) -> Options {
        let mut options = self.options.clone();
        let mut say = |name: &str, value: &str| {
            options
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        };
        if self.server.wrapper != Wrapper::Sqlite {
            say("schema_name", &self.remote.schema);
        }
        say("table_name", &self.remote.table);
        options
    }
}

/// How values of a column are written in conditions that the source is asked to judge. What is
/// not here is judged by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparable {
    /// Not at all, but for whether they are null.
    Never,
    /// Booleans.
    Boolean,
    /// Integers and numerics.
    Number,
    /// Texts, which the source may be asked to find equal as they are, if `is_bytewise`; else,
    /// and for their order, it must be told to compare bytes.
    Text {
        /// Whether texts of equal bytes are equal by the column's own collation, which has an
        /// index of it used. To PostgreSQL no others are.
        is_bytewise: bool,
    },
    /// Dates.
    Date,
    /// Timestamps without a time zone.
    Timestamp,
    /// Instants.
    Instant,
}

/// What becomes of a value that its type does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// It is an error.
    Fails,
    /// It is NULL, as an option asks for.
    IsNull,
}

/// A column as it is read.
#[derive(Clone, Debug)]
pub(super) struct RemoteColumn {
    /// The expression that is selected.
    pub(super) sql: String,
    /// What its values become.
    pub(super) field: Field,
    /// How the source compares them.
    pub(super) comparable: Comparable,
    /// What becomes of dates that are none.
    pub(super) misfit: Misfit,
}

/// A table as it is read.
#[derive(Clone, Debug)]
pub(super) struct RemoteRelation {
    /// Its name in remote SQL.
    pub(super) sql: String,
    /// In their order.
    pub(super) columns: Vec<RemoteColumn>,
    /// How much it holds, as its source estimates.
    pub(super) size: Size,
    /// Conditions, exactly one of which is true of each row: parts of a large table, which may be read
    /// side by side. None of a table that is read at once.
    pub(super) ranges: Vec<String>,
    /// Whether more than what is stored decides about its values, as its source writes them.
    pub(super) depends: bool,
}

impl RemoteRelation {
    /// The columns, as a statement sees them.
    pub(super) fn schema(&self) -> SchemaRef {
        let fields = self.columns.iter().map(|column| column.field.clone());
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Which column has this name.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        let mut columns = self.columns.iter();
        columns.position(|column| column.field.name() == name)
    }

    /// The column of this name.
    pub(super) fn column(&self, name: &str) -> Option<&RemoteColumn> {
        let mut columns = self.columns.iter();
        columns.find(|column| column.field.name() == name)
    }
}

/// A field of a PostgreSQL type, named where its Arrow type does not say it.
pub(super) fn field(name: &str, plain: &Field, of: PgType) -> Field {
    let field = plain.clone().with_name(name);
    let known = types::of_field(&field);
    let mut metadata = field.metadata().clone();
    if known.oid != of.oid {
        metadata.insert(TYPE_KEY.to_owned(), of.oid.to_string());
    }
    if known.modifier != of.modifier && of.modifier != -1 {
        metadata.insert(MODIFIER_KEY.to_owned(), of.modifier.to_string());
    }
    field.with_metadata(metadata)
}
