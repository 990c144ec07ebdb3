//! `lakegate check`: opens every table of the lake, and says which cannot be read.

use std::io::Write;

use super::parts::Parts;
use crate::error::{Error, ErrorKind, Result};

/// Writes one line a table that cannot be read, and a last one with the counts.
/// Whether all could be read.
pub(super) async fn check(parts: &Parts, out: &mut dyn Write) -> Result<bool> {
    let snapshot = parts.catalog.refresh().await?;
    let inventory = parts.catalog.inventory(&snapshot).await;
    let mut n_tables = 0;
    let mut n_broken = 0;
    for relation in snapshot
        .schemas
        .values()
        .flat_map(|schema| schema.relations.values())
    {
        n_tables += 1;
        if let Some(Err(error)) = inventory.get(&relation.oid) {
            n_broken += 1;
            write_line(
                out,
                &format!("{}.{}: {error}", relation.schema, relation.name),
            )?;
        }
    }
    for omission in &snapshot.omissions {
        write_line(
            out,
            &format!("left out: {}: {}", omission.path, omission.reason),
        )?;
    }
    write_line(
        out,
        &format!("{n_tables} tables, {n_broken} cannot be read"),
    )?;
    Ok(n_broken == 0)
}

fn write_line(out: &mut dyn Write, line: &str) -> Result<()> {
    writeln!(out, "{line}").map_err(|error| {
        Error::new(ErrorKind::IoError, "could not write the output").with_cause(error)
    })
}
