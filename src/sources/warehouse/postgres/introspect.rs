//! What PostgreSQL's catalog tells of schemas, tables and columns.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::types::{Attribute, column};
use crate::sources::Size;
use crate::sources::warehouse::ForeignTable;
use crate::sources::warehouse::quote::identifier;
use crate::sources::warehouse::relation::RemoteRelation;
use crate::sources::warehouse::told::{
    RemoteKey, RemoteKeyKind, RemoteTable, Told, add_comments, add_keys,
};

/// Bytes of a page (BLCKSZ), in which `relpages` counts.
const PAGE_BYTES: u64 = 8192;

/// Pages of a table that is worth several connections, and of a part of it: 64 and 32 MiB.
const PARTED_PAGES_MIN: i32 = 8_192;
const RANGE_PAGES: i32 = 4_096;

/// The most parts, however large a table is.
const RANGES_MAX: i32 = 64;

/// The schema, once for each of its tables, or once without. Partitions are read through what they
/// are parts of.
const TABLES: &str = "\
    SELECT c.relname::text, d.description \
    FROM pg_catalog.pg_namespace n \
    LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid \
        AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND NOT c.relispartition \
    LEFT JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 \
        AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass \
    WHERE n.nspname = $1 ORDER BY 1";

/// The comments of all columns of a schema.
const COMMENTS: &str = "\
    SELECT c.relname::text, a.attname::text, d.description \
    FROM pg_catalog.pg_namespace n \
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid \
        AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND NOT c.relispartition \
    JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid > 0 \
        AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND NOT a.attisdropped \
    WHERE n.nspname = $1";

/// The keys of all tables of a schema. What excludes by something else than equality is none, nor is told
/// what refers to another schema, or a second time to a partition.
const KEYS: &str = "\
    SELECT c.relname::text, k.conname::text, k.contype::text, k.convalidated, r.relname::text, \
        (SELECT pg_catalog.array_agg(a.attname::text ORDER BY p.place) \
            FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS p (number, place) \
            JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.number), \
        (SELECT pg_catalog.array_agg(a.attname::text ORDER BY p.place) \
            FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS p (number, place) \
            JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = p.number) \
    FROM pg_catalog.pg_namespace n \
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid \
        AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
    JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid \
    LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = k.conindid \
    LEFT JOIN pg_catalog.pg_class r ON r.oid = k.confrelid AND r.relnamespace = n.oid \
    WHERE n.nspname = $1 \
        AND (k.contype IN ('p', 'u') AND NOT i.indisexclusion \
            OR k.contype = 'f' AND NOT r.relispartition) \
    ORDER BY k.oid";

/// The columns of a table, one without a name if it has none. A domain is what it is made of.
const COLUMNS: &str = "\
    WITH RECURSIVE base AS ( \
        SELECT c.relkind, c.reltuples, c.relpages, \
            c.relam = 2 AND NOT c.relhassubclass \
                AND pg_catalog.current_setting('server_version_num')::int4 >= 140000 AS is_parted, \
            a.attnum, a.attname, a.attnotnull, \
            a.attcollation, a.atttypid AS type, a.atttypmod AS modifier \
        FROM pg_catalog.pg_class c \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        LEFT JOIN pg_catalog.pg_attribute a \
            ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
        WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'v', 'm', 'f', 'p') \
        UNION ALL \
        SELECT b.relkind, b.reltuples, b.relpages, b.is_parted, b.attnum, b.attname, b.attnotnull, \
            b.attcollation, t.typbasetype, \
            CASE WHEN b.modifier = -1 THEN t.typtypmod ELSE b.modifier END \
        FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype = 'd' \
    ) \
    SELECT b.attname::text, b.type::int8, b.modifier, b.attnotnull AND b.relkind IN ('r', 'p'), \
        coalesce(l.collisdeterministic, true), b.reltuples::float8, b.relpages, \
        b.relkind::text, t.typtype::text, b.is_parted \
    FROM base b \
    LEFT JOIN pg_catalog.pg_type t ON t.oid = b.type \
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = b.attcollation \
    WHERE t.typtype IS DISTINCT FROM 'd' ORDER BY b.attnum";

/// A text as a parameter.
pub(super) fn text<T: ToSql + Sync>(value: &T) -> (&(dyn ToSql + Sync), Type) {
    (value, Type::TEXT)
}

/// The tables of a schema, asked for in one go with what is told of them; `None` if it is not there.
pub(super) async fn tables(
    client: &Client,
    schema: &str,
) -> Result<Option<Vec<RemoteTable>>, tokio_postgres::Error> {
    let of_schema = [text(&schema)];
    let (rows, comments, keys) = tokio::try_join!(
        client.query_typed(TABLES, &of_schema),
        client.query_typed(COMMENTS, &of_schema),
        client.query_typed(KEYS, &of_schema),
    )?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut tables = Vec::with_capacity(rows.len());
    for row in rows {
        let name: Option<String> = row.try_get(0)?;
        if let Some(name) = name {
            let told = Told {
                comment: row.try_get(1)?,
                ..Told::default()
            };
            tables.push(RemoteTable {
                name,
                told,
                lake: None,
            });
        }
    }
    let comments = comments.iter();
    let comments = comments.map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)));
    let comments: Result<Vec<_>, tokio_postgres::Error> = comments.collect();
    add_comments(&mut tables, comments?.into_iter());
    let keys: Result<Vec<_>, _> = keys.iter().map(key).collect();
    add_keys(&mut tables, keys?.into_iter());
    Ok(Some(tables))
}

/// A key, and the table that has it.
fn key(row: &Row) -> Result<(String, RemoteKey), tokio_postgres::Error> {
    let kind: String = row.try_get(2)?;
    let referenced: Option<String> = row.try_get(4)?;
    let kind = match (kind.as_str(), referenced) {
        (_, Some(referenced)) => {
            let columns: Option<Vec<String>> = row.try_get(6)?;
            RemoteKeyKind::Foreign(referenced, columns.unwrap_or_default())
        }
        ("p", None) => RemoteKeyKind::Primary,
        _ => RemoteKeyKind::Unique,
    };
    let columns: Option<Vec<String>> = row.try_get(5)?;
    let key = RemoteKey {
        name: row.try_get(1)?,
        columns: columns.unwrap_or_default(),
        kind,
        is_enforced: row.try_get(3)?,
    };
    Ok((row.try_get(0)?, key))
}

/// A table's columns; `None` if it is not there.
pub(super) async fn describe(
    client: &Client,
    table: &ForeignTable,
) -> Result<Option<RemoteRelation>, tokio_postgres::Error> {
    let (schema, name) = (&table.remote.schema, &table.remote.table);
    let parameters = [text(schema), text(name)];
    let rows = client.query_typed(COLUMNS, &parameters).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let size = size(first)?;
    let numeric = table.server.numeric(&table.options);
    let mut columns = Vec::with_capacity(rows.len());
    let mut depends = false;
    for row in &rows {
        if let Some(attribute) = attribute(row)? {
            depends |= attribute.depends();
            columns.push(column(&attribute, numeric));
        }
    }
    Ok(Some(RemoteRelation {
        sql: format!("{}.{}", identifier(schema), identifier(name)),
        columns,
        size,
        ranges: ranges(first)?,
        depends,
    }))
}

fn attribute(row: &Row) -> Result<Option<Attribute>, tokio_postgres::Error> {
    let Some(name) = row.try_get(0)? else {
        return Ok(None);
    };
    let type_oid: i64 = row.try_get(1)?;
    Ok(Some(Attribute {
        name,
        type_oid: u32::try_from(type_oid).unwrap_or(0),
        modifier: row.try_get(2)?,
        is_not_null: row.try_get(3)?,
        is_bytewise: row.try_get(4)?,
        is_enum: row.try_get::<_, Option<&str>>(8)? == Some("e"),
    }))
}

/// Parts of a table, as PostgreSQL reads them since version 14 without looking at the others. What was
/// added since its pages were counted is in the last of them.
fn ranges(row: &Row) -> Result<Vec<String>, tokio_postgres::Error> {
    let (pages, is_parted): (i32, Option<bool>) = (row.try_get(6)?, row.try_get(9)?);
    if is_parted != Some(true) || pages < PARTED_PAGES_MIN {
        return Ok(Vec::new());
    }
    let n_ranges = (pages / RANGE_PAGES).clamp(2, RANGES_MAX);
    let step = pages / n_ranges;
    let range = |number: i32| {
        let start = format!("ctid >= '({},0)'::pg_catalog.tid", number * step);
        let end = format!("ctid < '({},0)'::pg_catalog.tid", (number + 1) * step);
        match number {
            0 => format!("({end})"),
            last if last == n_ranges - 1 => format!("({start})"),
            _ => format!("({start} AND {end})"),
        }
    };
    Ok((0..n_ranges).map(range).collect())
}

/// What the last VACUUM or ANALYZE has counted; nothing is known of views.
fn size(row: &Row) -> Result<Size, tokio_postgres::Error> {
    let (rows, pages): (f64, i32) = (row.try_get(5)?, row.try_get(6)?);
    let kind: String = row.try_get(7)?;
    // An exact whole number far below 2^53, or -1 for unknown.
    let known = (kind != "v" && rows >= 0.0).then(|| format!("{rows:.0}"));
    Ok(Size {
        rows: known.and_then(|rows| rows.parse().ok()),
        bytes: u64::try_from(pages).unwrap_or(0) * PAGE_BYTES,
    })
}
