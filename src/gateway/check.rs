//! `lakegate check`: plans every view and opens every table, and says which are broken.

use std::io::Write;

use super::parts::Parts;
use crate::catalog::system::view_problems;
use crate::engine;
use crate::error::{Error, ErrorKind, Result};

/// Writes what is broken, as `file:line:column: message` where it is in the views folder, and a
/// last line with the counts. Whether all is sound.
pub(super) async fn check(parts: &Parts, is_strict: bool, out: &mut dyn Write) -> Result<bool> {
    let (snapshot, inventory) = parts.engine.inventory().await?;
    let problems = view_problems(&snapshot, Some(&inventory));
    for problem in &problems {
        let place = match (&problem.path, problem.place) {
            (Some(path), Some((line, column))) => format!("{path}:{line}:{column}: "),
            _ => String::new(),
        };
        let name = match problem.name {
            Some((schema, name)) => format!("{schema}.{name}: "),
            None => String::new(),
        };
        write_line(out, &format!("{place}{name}{}", problem.error))?;
        if let Some(hint) = problem.error.hint() {
            write_line(out, &format!("  hint: {hint}"))?;
        }
    }
    let mut n_stars = 0;
    for (name, view) in snapshot.views.iter().filter(|_| is_strict) {
        for position in engine::stars_of(&view.query) {
            n_stars += 1;
            let place = view.locate(position);
            let name = format!("{}.{}", name.0, name.1);
            write_line(
                out,
                &format!("{place}: {name}: select * changes with what it reads"),
            )?;
            write_line(out, "  hint: Name the columns.")?;
        }
    }
    for omission in &snapshot.omissions {
        let line = format!("left out: {}: {}", omission.path, omission.reason);
        write_line(out, &line)?;
    }
    let relations = snapshot.schemas.values();
    let n_relations: usize = relations.map(|schema| schema.relations.len()).sum();
    let n_views = snapshot.views.views.len();
    let (n_tables, n_broken) = (n_relations - n_views, problems.len() + n_stars);
    let counts = match n_views {
        0 => format!("{n_tables} tables, {n_broken} cannot be read"),
        _ => format!("{n_tables} tables, {n_views} views, {n_broken} problems"),
    };
    write_line(out, &counts)?;
    Ok(n_broken == 0)
}

fn write_line(out: &mut dyn Write, line: &str) -> Result<()> {
    writeln!(out, "{line}").map_err(|error| {
        Error::new(ErrorKind::IoError, "could not write the output").with_cause(error)
    })
}
