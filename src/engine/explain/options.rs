//! The options of EXPLAIN, read and checked as `ExplainQuery` in explain.c does.
//! <https://www.postgresql.org/docs/16/sql-explain.html>

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::catalog::sql::{Cursor, Lines};
use crate::engine::copy::{CopyOption, Given, parse_options};
use crate::error::{Error, ErrorKind, Result};

/// What EXPLAIN shows, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the statement"
)]
pub struct ExplainOptions {
    /// Whether the query is run as well.
    pub analyze: bool,
    /// Whether the columns of every operator are shown.
    pub verbose: bool,
    /// Whether the estimated numbers of rows are shown.
    pub costs: bool,
    /// Whether counts of buffers are shown. None are used: they are 0.
    pub buffers: bool,
    /// Whether counts of the write-ahead log are shown. None is written: they are 0.
    pub wal: bool,
    /// Whether the time spent in every operator is shown.
    pub timing: bool,
    /// Whether the times of planning and execution are shown.
    pub summary: bool,
    /// Whether it is said why materialized views are not read.
    pub why: bool,
    /// How it is written.
    pub format: ExplainFormat,
}

/// How EXPLAIN writes a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainFormat {
    /// Lines of text.
    Text,
    /// One JSON document.
    Json,
}

/// The options as they were given; `None` where one depends on ANALYZE.
#[derive(Debug)]
struct Said {
    options: ExplainOptions,
    is_generic: bool,
    timing: Option<bool>,
    summary: Option<bool>,
}

/// Reads what stands between EXPLAIN and the statement that is explained.
///
/// # Errors
/// In PostgreSQL's words; `FeatureNotSupported` for the formats xml and yaml, and for GENERIC_PLAN.
pub(in crate::engine) fn parse(cursor: &mut Cursor<'_>, lines: &Lines) -> Result<ExplainOptions> {
    let mut said = Said {
        options: ExplainOptions {
            analyze: false,
            verbose: false,
            costs: true,
            buffers: false,
            wal: false,
            timing: false,
            summary: false,
            why: false,
            format: ExplainFormat::Text,
        },
        is_generic: false,
        timing: None,
        summary: None,
    };
    if !has_list(cursor) {
        // The grammar before version 9.0, in this order alone.
        said.options.analyze = cursor.skip_any(&["ANALYZE", "ANALYSE"]);
        said.options.verbose = cursor.skip_any(&["VERBOSE"]);
        return said.checked();
    }
    let mut given = Given::new(lines);
    parse_options(cursor, &mut given)?;
    for option in &given.options {
        said.take(option)?;
    }
    said.checked()
}

/// Whether a list of options comes next, and not a query in parentheses.
fn has_list(cursor: &mut Cursor<'_>) -> bool {
    let place = cursor.place();
    let is_parenthesis = cursor.skip_sign(&Token::LParen);
    let is_query = matches!(
        cursor.peek().as_deref(),
        None | Some("SELECT" | "VALUES" | "WITH" | "TABLE")
    );
    cursor.go_back(place);
    is_parenthesis && !is_query
}

impl Said {
    fn take(&mut self, option: &CopyOption) -> Result<()> {
        let options = &mut self.options;
        match option.name.as_str() {
            "analyze" => options.analyze = option.boolean()?,
            "verbose" => options.verbose = option.boolean()?,
            "costs" => options.costs = option.boolean()?,
            "buffers" => options.buffers = option.boolean()?,
            "wal" => options.wal = option.boolean()?,
            // No setting of a planner is other than by default: none of them is one here.
            "settings" => {
                option.boolean()?;
            }
            "generic_plan" => self.is_generic = option.boolean()?,
            "timing" => self.timing = Some(option.boolean()?),
            "summary" => self.summary = Some(option.boolean()?),
            "why" => options.why = option.boolean()?,
            "format" => options.format = format(option)?,
            other => {
                let message = format!("unrecognized EXPLAIN option \"{other}\"");
                return Err(option.error(ErrorKind::SyntaxError, message));
            }
        }
        Ok(())
    }

    fn checked(self) -> Result<ExplainOptions> {
        let mut options = self.options;
        let invalid = |message: &str| Err(Error::new(ErrorKind::InvalidParameterValue, message));
        options.timing = self.timing.unwrap_or(options.analyze);
        options.summary = self.summary.unwrap_or(options.analyze);
        if options.wal && !options.analyze {
            return invalid("EXPLAIN option WAL requires ANALYZE");
        }
        if options.timing && !options.analyze {
            return invalid("EXPLAIN option TIMING requires ANALYZE");
        }
        if self.is_generic && options.analyze {
            return invalid("EXPLAIN options ANALYZE and GENERIC_PLAN cannot be used together");
        }
        if self.is_generic {
            return Err(Error::unsupported("EXPLAIN option GENERIC_PLAN"));
        }
        Ok(options)
    }
}

fn format(option: &CopyOption) -> Result<ExplainFormat> {
    let format = option.text()?;
    match format.as_str() {
        "text" => Ok(ExplainFormat::Text),
        "json" => Ok(ExplainFormat::Json),
        "xml" | "yaml" => Err(Error::unsupported(format!("EXPLAIN in format {format}"))),
        _ => {
            let message = format!("unrecognized value for EXPLAIN option \"format\": \"{format}\"");
            Err(option.error(ErrorKind::InvalidParameterValue, message))
        }
    }
}
