//! Writes out the windows that a WINDOW clause names: `OVER w` is the window that `w` stands for, its
//! frame with it. DataFusion forgets the frame, or copies it where PostgreSQL does not.
//! <https://www.postgresql.org/docs/16/sql-select.html#SQL-WINDOW>

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, NamedWindowDefinition, NamedWindowExpr, Select, VisitMut, VisitorMut, WindowSpec,
    WindowType,
};

use crate::engine::output_name::fold;
use crate::engine::walk::walk_mut;
use crate::error::{Construct, Error, ErrorKind, Result};

/// Rewrites every select of a query.
///
/// # Errors
/// A window that is not there, or that cannot be copied.
pub(in crate::engine) fn write_out(query: &mut impl VisitMut) -> Result<()> {
    match walk_mut(query, &mut Selects) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Selects;

impl VisitorMut for Selects {
    type Break = Error;

    /// Behind what is inside of a select, whose own windows are written out by then.
    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        let mut windows: Vec<(String, WindowSpec)> = Vec::new();
        for NamedWindowDefinition(name, window) in std::mem::take(&mut select.named_window) {
            let name = fold(&name);
            if windows.iter().any(|(known, _)| *known == name) {
                let message = format!("window \"{name}\" is already defined");
                return ControlFlow::Break(Error::new(
                    ErrorKind::InvalidConstruct(Construct::Window),
                    message,
                ));
            }
            let written = match window {
                NamedWindowExpr::NamedWindow(other) => find(&windows, &other).cloned(),
                NamedWindowExpr::WindowSpec(window) => written_out(&windows, window),
            };
            match written {
                Ok(window) => windows.push((name, window)),
                Err(error) => return ControlFlow::Break(error),
            }
        }
        let mut calls = Calls { windows };
        walk_mut(&mut select.projection, &mut calls)?;
        walk_mut(&mut select.qualify, &mut calls)
    }
}

struct Calls {
    windows: Vec<(String, WindowSpec)>,
}

impl VisitorMut for Calls {
    type Break = Error;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        let Expr::Function(function) = expression else {
            return ControlFlow::Continue(());
        };
        let written = match function.over.take() {
            None => return ControlFlow::Continue(()),
            Some(WindowType::NamedWindow(name)) => find(&self.windows, &name).cloned(),
            Some(WindowType::WindowSpec(window)) => written_out(&self.windows, window),
        };
        match written {
            Ok(window) => {
                function.over = Some(WindowType::WindowSpec(window));
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn find<'a>(windows: &'a [(String, WindowSpec)], name: &Ident) -> Result<&'a WindowSpec> {
    let name = fold(name);
    let found = windows.iter().find(|(known, _)| *known == name);
    found.map(|(_, window)| window).ok_or_else(|| {
        let message = format!("window \"{name}\" does not exist");
        Error::new(ErrorKind::UndefinedObject, message)
    })
}

/// A window with what it copies of another one (`transformWindowDefinitions` in parse_clause.c).
fn written_out(windows: &[(String, WindowSpec)], window: WindowSpec) -> Result<WindowSpec> {
    let Some(name) = &window.window_name else {
        return Ok(window);
    };
    let copied = find(windows, name)?;
    let wrong = |message: String| {
        Err(Error::new(
            ErrorKind::InvalidConstruct(Construct::Window),
            message,
        ))
    };
    let name = fold(name);
    if !window.partition_by.is_empty() {
        return wrong(format!(
            "cannot override PARTITION BY clause of window \"{name}\""
        ));
    }
    if !window.order_by.is_empty() && !copied.order_by.is_empty() {
        return wrong(format!(
            "cannot override ORDER BY clause of window \"{name}\""
        ));
    }
    if copied.window_frame.is_some() {
        return wrong(format!(
            "cannot copy window \"{name}\" because it has a frame clause"
        ));
    }
    Ok(WindowSpec {
        window_name: None,
        partition_by: copied.partition_by.clone(),
        order_by: match window.order_by.is_empty() {
            true => copied.order_by.clone(),
            false => window.order_by,
        },
        window_frame: window.window_frame,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rules::parsed;

    fn check(text: &str, expected: &str) {
        let mut query = parsed(text);
        let written = write_out(&mut query).map(|()| query.to_string());
        let shown = written.unwrap_or_else(|error| error.to_string());
        assert_eq!(shown, expected);
    }

    #[test]
    fn windows_are_written_out_with_their_frames() {
        check(
            "SELECT sum(x) OVER w FROM t WINDOW w AS (ORDER BY x ROWS 2 PRECEDING)",
            "SELECT sum(x) OVER (ORDER BY x ROWS 2 PRECEDING) FROM t",
        );
        check(
            "SELECT sum(x) OVER (w ROWS 2 PRECEDING) FROM t WINDOW w AS (PARTITION BY y ORDER BY x)",
            "SELECT sum(x) OVER (PARTITION BY y ORDER BY x ROWS 2 PRECEDING) FROM t",
        );
        check(
            "SELECT sum(x) OVER (w) FROM t WINDOW w AS (ROWS 2 PRECEDING)",
            "cannot copy window \"w\" because it has a frame clause",
        );
        check(
            "SELECT sum(x) OVER v FROM t WINDOW w AS (ROWS 2 PRECEDING)",
            "window \"v\" does not exist",
        );
    }
}
