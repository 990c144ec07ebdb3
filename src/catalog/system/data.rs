//! PostgreSQL's own catalog, embedded: which relations it has, and the rows that never change.

use std::collections::HashMap;
use std::sync::OnceLock;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Int16Type, Int32Type, SchemaRef, UInt32Type};

use super::lakegate;
use super::table::{self, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::types::PgType;

/// The files of `data/`, written by `scripts/pg_catalog.py`.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("data/", $name, ".tsv")))),*]
    };
}

/// Rows of static relations, in the text format of COPY.
const ROWS: &[(&str, &str)] = files![
    "keywords",
    "pg_aggregate",
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_cast",
    "pg_collation",
    "pg_conversion",
    "pg_description",
    "pg_enum",
    "pg_language",
    "pg_namespace",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_proc",
    "pg_range",
    "pg_tablespace",
    "pg_ts_config",
    "pg_ts_config_map",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_type",
    "sql_features",
    "sql_implementation_info",
    "sql_parts",
    "sql_sizing",
];

/// A relation a line: schema, name, OID, kind, columns.
const RELATIONS: &str = include_str!("data/relations.tsv");

/// A function a line: OID, arguments, identity arguments where they differ, result.
const SIGNATURES: &str = include_str!("data/signatures.tsv");

/// `collencoding` of collations for every encoding, and for UTF-8.
const ANY_ENCODING: i32 = -1;
const UTF8: i32 = 6;

/// The OID of schema `pg_catalog`.
pub const PG_CATALOG_OID: u32 = 11;
/// The OID of schema `information_schema` in the data files.
pub const INFORMATION_SCHEMA_OID: u32 = 12404;

/// A system relation: what `pg_class` and `pg_attribute` say of it.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The schema's name.
    pub schema: &'static str,
    /// The relation's name.
    pub name: &'static str,
    /// PostgreSQL's OID, or a fixed one for relations of `lakegate`.
    pub oid: u32,
    /// `r` or `v`, as in `pg_class.relkind`.
    pub kind: &'static str,
    /// In their order.
    pub columns: Vec<DefinedColumn>,
}

/// A column of a system relation.
#[derive(Clone, Copy, Debug)]
pub struct DefinedColumn {
    /// The column's name.
    pub name: &'static str,
    /// The OID of its type; of a domain, that of the type it is made of.
    pub type_oid: u32,
    /// Whether it is declared NOT NULL.
    pub not_null: bool,
    /// The modifier of its type; -1 for none.
    pub modifier: i32,
    /// The OID of the domain that it is declared with.
    pub domain: Option<u32>,
    /// The OID of its order of texts, where that is not its type's.
    pub collation: Option<u32>,
}

impl DefinedColumn {
    /// The type it is declared with, as `pg_attribute` has it: perhaps a domain.
    pub fn declared_type(&self) -> PgType {
        self.domain.map_or_else(|| self.pg_type(), PgType::of)
    }

    /// The type of its values, as RowDescription has it.
    pub fn pg_type(&self) -> PgType {
        PgType {
            modifier: self.modifier,
            ..PgType::of(self.type_oid)
        }
    }
}

/// A row of `pg_type`, as far as others need it.
#[derive(Clone, Debug)]
pub struct TypeRow {
    /// `typname`.
    pub name: String,
    /// `typnamespace`.
    pub namespace: u32,
    /// `typlen`.
    pub length: i16,
    /// `typbyval`.
    pub by_value: bool,
    /// `typalign`.
    pub align: String,
    /// `typstorage`.
    pub storage: String,
    /// `typcollation`.
    pub collation: u32,
    /// `typelem` of true arrays, whose subscript handler is that of arrays; else 0.
    pub element: u32,
}

impl TypeRow {
    /// The type of its elements, if it is an array: `oidvector` and its kind are types of their own
    /// (`format_type_extended` in format_type.c).
    pub fn array_element(&self) -> Option<u32> {
        (self.element != 0 && self.storage != "p").then_some(self.element)
    }
}

/// A function's signature as `\df` shows it.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// `pg_get_function_arguments`.
    pub arguments: &'static str,
    /// `pg_get_function_identity_arguments`.
    pub identity_arguments: &'static str,
    /// `pg_get_function_result`; procedures have none.
    pub result: Option<&'static str>,
}

/// An operator of `pg_operator`.
#[derive(Debug)]
pub struct OperatorRow {
    /// Its symbol.
    pub name: String,
    /// The OIDs of the types of its operands; 0 is none.
    pub operands: [u32; 2],
}

/// The embedded catalog. Every part is parsed at its first use and kept: it never changes.
#[derive(Debug)]
pub struct Builtin {
    definitions: Vec<Definition>,
    tables: HashMap<&'static str, OnceLock<Option<RecordBatch>>>,
    types: OnceLock<HashMap<u32, TypeRow>>,
    functions: OnceLock<HashMap<u32, String>>,
    operators: OnceLock<HashMap<u32, OperatorRow>>,
    signatures: OnceLock<HashMap<u32, Signature>>,
    descriptions: OnceLock<HashMap<(u32, u32), String>>,
}

impl Default for Builtin {
    fn default() -> Self {
        let embedded = RELATIONS.lines().filter_map(definition);
        Self {
            definitions: embedded.chain(lakegate::definitions()).collect(),
            tables: ROWS
                .iter()
                .map(|(name, _)| (*name, OnceLock::new()))
                .collect(),
            types: OnceLock::new(),
            functions: OnceLock::new(),
            operators: OnceLock::new(),
            signatures: OnceLock::new(),
            descriptions: OnceLock::new(),
        }
    }
}

impl Builtin {
    /// Every system relation.
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// The system relation of this name.
    pub fn definition(&self, schema: &str, name: &str) -> Option<&Definition> {
        self.definitions
            .iter()
            .find(|definition| definition.schema == schema && definition.name == name)
    }

    /// The columns of a system relation of `pg_catalog`.
    pub fn columns(&self, schema: &str, name: &str) -> Option<SchemaRef> {
        self.definition(schema, name).map(table::schema_of)
    }

    /// The static rows of a relation of a schema of the system; none for a relation without any.
    ///
    /// # Errors
    /// A data file does not fit `relations.tsv`: a fault of ours.
    pub fn rows(&self, schema: &str, name: &str) -> Result<Option<RecordBatch>> {
        let (Some(cell), Some(text)) = (self.tables.get(name), text_of(name)) else {
            return Ok(None);
        };
        let batch = cell.get_or_init(|| {
            let schema = self.columns(schema, name)?;
            Table::of_copy_text(schema, text).ok()
        });
        match batch {
            Some(batch) => Ok(Some(batch.clone())),
            None => Err(Error::new(
                ErrorKind::InternalError,
                format!("the embedded rows of \"{name}\" are damaged"),
            )),
        }
    }

    /// The type of this OID.
    pub fn type_row(&self, oid: u32) -> Option<&TypeRow> {
        self.types().get(&oid)
    }

    /// Every type by its OID.
    pub fn types(&self) -> &HashMap<u32, TypeRow> {
        self.types
            .get_or_init(|| self.read("pg_type", type_rows).unwrap_or_default())
    }

    /// The names of functions by their OIDs.
    pub fn functions(&self) -> &HashMap<u32, String> {
        self.functions
            .get_or_init(|| self.read("pg_proc", names_by_oid).unwrap_or_default())
    }

    /// The operators by their OIDs.
    pub fn operators(&self) -> &HashMap<u32, OperatorRow> {
        self.operators
            .get_or_init(|| self.read("pg_operator", operator_rows).unwrap_or_default())
    }

    /// The names of the orders of texts in UTF-8.
    pub fn collations(&self) -> Vec<String> {
        let names = |rows: &Rows<'_>| {
            let (names, encodings) = (rows.text("collname")?, rows.int4("collencoding")?);
            let is_ours = |index: &usize| [ANY_ENCODING, UTF8].contains(&encodings.value(*index));
            let ours = (0..names.len()).filter(is_ours);
            Some(ours.map(|index| names.value(index).to_owned()).collect())
        };
        self.read("pg_collation", names).unwrap_or_default()
    }

    /// The signature of a function.
    pub fn signature(&self, oid: u32) -> Option<Signature> {
        let signatures = self
            .signatures
            .get_or_init(|| SIGNATURES.lines().filter_map(signature).collect());
        signatures.get(&oid).copied()
    }

    /// The description of an object of the catalog of this OID.
    pub fn description(&self, object: u32, catalog: u32) -> Option<&str> {
        let descriptions = self
            .descriptions
            .get_or_init(|| self.read("pg_description", describe).unwrap_or_default());
        descriptions.get(&(object, catalog)).map(String::as_str)
    }

    fn read<T>(&self, name: &str, read: impl FnOnce(&Rows<'_>) -> Option<T>) -> Option<T> {
        read(&Rows(&self.rows("pg_catalog", name).ok()??))
    }
}

/// Typed access to a batch by column name.
struct Rows<'a>(&'a RecordBatch);

impl Rows<'_> {
    fn text(&self, name: &str) -> Option<&StringArray> {
        self.0.column_by_name(name)?.as_string_opt::<i32>()
    }

    fn int4(&self, name: &str) -> Option<&arrow::array::Int32Array> {
        self.0.column_by_name(name)?.as_primitive_opt::<Int32Type>()
    }

    fn oid(&self, name: &str) -> Option<&arrow::array::UInt32Array> {
        self.0
            .column_by_name(name)?
            .as_primitive_opt::<UInt32Type>()
    }
}

fn text_of(name: &str) -> Option<&'static str> {
    ROWS.iter()
        .find(|(of, _)| *of == name)
        .map(|(_, text)| *text)
}

/// Whether `pg_type` has a type of this name.
pub fn is_type(name: &str) -> bool {
    let lines = text_of("pg_type").unwrap_or_default().lines();
    let mut names = lines.filter_map(|line| line.split('\t').nth(1));
    names.any(|of| of == name)
}

/// Whether `pg_catalog` has this relation, and no file has rows of it.
pub(super) fn is_without_rows(name: &str) -> bool {
    let known = RELATIONS.lines().any(|line| {
        let mut cells = line.split('\t');
        cells.next() == Some("pg_catalog") && cells.next() == Some(name)
    });
    known && text_of(name).is_none()
}

fn definition(line: &'static str) -> Option<Definition> {
    let mut cells = line.split('\t');
    Some(Definition {
        schema: cells.next()?,
        name: cells.next()?,
        oid: cells.next()?.parse().ok()?,
        kind: cells.next()?,
        columns: cells.next()?.split(',').filter_map(column).collect(),
    })
}

fn column(text: &'static str) -> Option<DefinedColumn> {
    let mut words = text.split(' ');
    let name = words.next()?;
    let pg_type = words.next()?;
    let (type_oid, modifier) = pg_type.split_once(':').unwrap_or((pg_type, "-1"));
    Some(DefinedColumn {
        name,
        type_oid: type_oid.parse().ok()?,
        not_null: words.next()? == "t",
        modifier: modifier.parse().ok()?,
        // `-` is none.
        domain: words.next().and_then(|oid| oid.parse().ok()),
        collation: words.next().and_then(|oid| oid.parse().ok()),
    })
}

fn signature(line: &'static str) -> Option<(u32, Signature)> {
    let mut cells = line.split('\t').map(|cell| (cell != "\\N").then_some(cell));
    let oid = cells.next()??.parse().ok()?;
    let arguments = cells.next()??;
    let identity_arguments = cells.next()?.unwrap_or(arguments);
    let result = cells.next()?;
    let signature = Signature {
        arguments,
        identity_arguments,
        result,
    };
    Some((oid, signature))
}

fn type_rows(rows: &Rows<'_>) -> Option<HashMap<u32, TypeRow>> {
    /// `array_subscript_handler`: what makes a type with an element type a true array.
    const ARRAY_SUBSCRIPT_HANDLER: u32 = 6179;
    let oids = rows.oid("oid")?;
    let lengths = rows.0.column_by_name("typlen")?;
    let lengths = lengths.as_primitive_opt::<Int16Type>()?;
    let by_value = rows.0.column_by_name("typbyval")?.as_boolean_opt()?;
    let (names, aligns, storages) = (
        rows.text("typname")?,
        rows.text("typalign")?,
        rows.text("typstorage")?,
    );
    let (elements, handlers) = (rows.oid("typelem")?, rows.oid("typsubscript")?);
    let (namespaces, collations) = (rows.oid("typnamespace")?, rows.oid("typcollation")?);
    let row = |index: usize| TypeRow {
        name: names.value(index).to_owned(),
        namespace: namespaces.value(index),
        length: lengths.value(index),
        by_value: by_value.value(index),
        align: aligns.value(index).to_owned(),
        storage: storages.value(index).to_owned(),
        collation: collations.value(index),
        element: match handlers.value(index) {
            ARRAY_SUBSCRIPT_HANDLER => elements.value(index),
            _ => 0,
        },
    };
    Some((0..oids.len()).map(|i| (oids.value(i), row(i))).collect())
}

fn names_by_oid(rows: &Rows<'_>) -> Option<HashMap<u32, String>> {
    let (oids, names) = (rows.oid("oid")?, rows.text("proname")?);
    let name = |index: usize| (oids.value(index), names.value(index).to_owned());
    Some((0..oids.len()).map(name).collect())
}

fn operator_rows(rows: &Rows<'_>) -> Option<HashMap<u32, OperatorRow>> {
    let (oids, names) = (rows.oid("oid")?, rows.text("oprname")?);
    let (left, right) = (rows.oid("oprleft")?, rows.oid("oprright")?);
    let operator = |index: usize| {
        let row = OperatorRow {
            name: names.value(index).to_owned(),
            operands: [left.value(index), right.value(index)],
        };
        (oids.value(index), row)
    };
    Some((0..oids.len()).map(operator).collect())
}

fn describe(rows: &Rows<'_>) -> Option<HashMap<(u32, u32), String>> {
    let (objects, catalogs) = (rows.oid("objoid")?, rows.oid("classoid")?);
    let texts = rows.text("description")?;
    let entry = |index: usize| {
        let key = (objects.value(index), catalogs.value(index));
        (key, texts.value(index).to_owned())
    };
    Some((0..texts.len()).map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_file_fits_its_columns() {
        let builtin = Builtin::default();
        for (name, text) in ROWS {
            let schema = match *name {
                "keywords" => lakegate::LAKEGATE,
                name if name.starts_with("sql_") => "information_schema",
                _ => "pg_catalog",
            };
            let rows = builtin.rows(schema, name).unwrap().unwrap();
            assert_eq!(rows.num_rows(), text.lines().count(), "{name}");
        }
    }

    #[test]
    fn the_catalog_is_that_of_postgres() {
        let builtin = Builtin::default();
        let class = builtin.definition("pg_catalog", "pg_class").unwrap();
        assert_eq!((class.oid, class.columns.len()), (1259, 33));
        assert_eq!(builtin.type_row(1007).unwrap().element, 23);
        assert_eq!(builtin.type_row(19).unwrap().element, 0);
        assert_eq!(builtin.functions()[&1242], "boolin");
        assert_eq!(builtin.signature(1242).unwrap().arguments, "cstring");
        assert_eq!(
            builtin.description(16, 1247),
            Some("boolean, 'true'/'false'")
        );
    }
}
