//! `lakegate query`: one query without a server.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;

use super::parts::Parts;
use crate::config::{Format, LakeConfig};
use crate::engine::{Answer, Shown, StatementContext, StatementKind};
use crate::error::{Error, ErrorKind, Result};
use crate::wire::text;

/// Runs every statement of `sql` and writes its rows.
pub(super) async fn query(
    parts: &Parts,
    config: &LakeConfig,
    sql: &str,
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    let context = StatementContext::of_process(&config.database);
    for statement in parts.engine.parse(sql, &config.database)?.iter() {
        match &statement.kind {
            StatementKind::Definition(definition) => {
                let defined = parts.engine.define(definition, &context).await?;
                parts.engine.commit(&defined.draft).await?;
                if let Some(name) = &defined.to_refresh {
                    parts.engine.refresh_view(name).await?;
                }
                continue;
            }
            StatementKind::Refresh(refresh) => {
                parts.engine.refresh(refresh, &context).await?;
                continue;
            }
            StatementKind::Query(_) | StatementKind::Explain { .. } => {}
            StatementKind::Refused(error) => return Err(error.clone()),
            _ => {
                let message = "a statement about the session, without a server";
                return Err(Error::unsupported(message));
            }
        }
        let answer = parts
            .engine
            .answer(statement, Vec::new(), None, Shown::Text, &context)
            .await?;
        write_answer(answer, format, out).await?;
    }
    out.flush().map_err(written)
}

async fn write_answer(
    mut answer: Answer,
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    let names: Vec<String> = answer
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    let mut rows = Vec::new();
    let mut parquet = match format {
        Format::Parquet => Some(
            ArrowWriter::try_new(Vec::new(), Arc::clone(&answer.schema), None)
                .map_err(Error::internal)?,
        ),
        _ => None,
    };
    if format == Format::Csv {
        writeln!(
            out,
            "{}",
            csv_line(names.iter().map(|name| Some(name.as_str())))
        )
        .map_err(written)?;
    }
    while let Some(batch) = answer.next().await {
        let batch = batch?;
        match (format, &mut parquet) {
            (Format::Parquet, Some(writer)) => writer.write(&batch).map_err(Error::internal)?,
            (Format::Table, _) => rows.extend(text_rows(&batch, &answer)?),
            _ => write_lines(&text_rows(&batch, &answer)?, &names, &answer, format, out)?,
        }
    }
    match parquet {
        Some(writer) => out
            .write_all(&writer.into_inner().map_err(Error::internal)?)
            .map_err(written),
        None if format == Format::Table => write_table(&names, &rows, out),
        None => Ok(()),
    }
}

type TextRow = Vec<Option<String>>;

fn text_rows(batch: &RecordBatch, answer: &Answer) -> Result<Vec<TextRow>> {
    text::rows(batch, &answer.columns)
}

fn write_lines(
    rows: &[TextRow],
    names: &[String],
    answer: &Answer,
    format: Format,
    out: &mut dyn Write,
) -> Result<()> {
    for row in rows {
        let line = match format {
            Format::Csv => csv_line(row.iter().map(Option::as_deref)),
            _ => json_line(row, names, answer),
        };
        writeln!(out, "{line}").map_err(written)?;
    }
    Ok(())
}

/// A line of RFC 4180; NULL is empty, the empty string is quoted, as COPY's CSV has it.
fn csv_line<'a>(values: impl Iterator<Item = Option<&'a str>>) -> String {
    let quoted = |value: &str| match value {
        plain if !plain.is_empty() && !plain.contains(['"', ',', '\n', '\r']) => plain.to_owned(),
        other => format!("\"{}\"", other.replace('"', "\"\"")),
    };
    let fields: Vec<String> = values
        .map(|value| value.map(quoted).unwrap_or_default())
        .collect();
    fields.join(",")
}

/// An object with the values as PostgreSQL's `to_json` gives them: numbers, booleans and json bare,
/// everything else as a string.
fn json_line(row: &TextRow, names: &[String], answer: &Answer) -> String {
    let fields: Vec<String> = names
        .iter()
        .zip(row)
        .zip(&answer.columns)
        .map(|((name, value), column)| {
            let value = match value {
                None => "null".to_owned(),
                Some(value) => text::json_value(value, column.pg_type.oid),
            };
            format!("{}:{value}", text::json_string(name))
        })
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn write_table(names: &[String], rows: &[TextRow], out: &mut dyn Write) -> Result<()> {
    let cell = |row: &TextRow, column: usize| row[column].clone().unwrap_or_default();
    let widths: Vec<usize> = names
        .iter()
        .enumerate()
        .map(|(column, name)| {
            let values = rows.iter().map(|row| cell(row, column).chars().count());
            values
                .chain([name.chars().count()])
                .max()
                .unwrap_or_default()
        })
        .collect();
    write_row(names, &widths, out)?;
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    writeln!(out, "{}", rule.join("+")).map_err(written)?;
    for row in rows {
        let cells: Vec<String> = (0..names.len()).map(|column| cell(row, column)).collect();
        write_row(&cells, &widths, out)?;
    }
    let n_rows = rows.len();
    let noun = if n_rows == 1 { "row" } else { "rows" };
    writeln!(out, "({n_rows} {noun})").map_err(written)
}

fn write_row(cells: &[String], widths: &[usize], out: &mut dyn Write) -> Result<()> {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!(" {cell:<width$} "))
        .collect();
    writeln!(out, "{}", padded.join("|").trim_end()).map_err(written)
}

fn written(error: std::io::Error) -> Error {
    Error::new(ErrorKind::IoError, "could not write the output").with_cause(error)
}
