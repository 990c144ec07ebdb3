//! A plan as a JSON document of PostgreSQL's shape: `[{"Plan": {"Node Type": ..., "Plans": [...]}}]`.
//! <https://www.postgresql.org/docs/16/using-explain.html>

use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

use super::{ExplainOptions, Explained, milliseconds, not_used, stored, versions};

/// Counters of buffers, none of which are used.
const BUFFERS: &[&str] = &[
    "Shared Hit Blocks",
    "Shared Read Blocks",
    "Shared Dirtied Blocks",
    "Shared Written Blocks",
    "Local Hit Blocks",
    "Local Read Blocks",
    "Local Dirtied Blocks",
    "Local Written Blocks",
    "Temp Read Blocks",
    "Temp Written Blocks",
];

/// Counters of the write-ahead log, which is not written.
const WAL: &[&str] = &["WAL Records", "WAL FPI", "WAL Bytes"];

/// A value of a document, in the order in which it is written.
enum Json {
    /// A number or a word, as it is.
    Bare(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
    /// An object whose keys are names.
    Named(Vec<(String, Json)>),
}

/// The document.
pub(super) fn document(explained: &Explained<'_>) -> String {
    let mut members = vec![("Plan", node(explained.physical, explained.options))];
    let versions = versions(explained.pinned);
    if !versions.is_empty() {
        let versions = versions.into_iter();
        let versions = versions.map(|(name, version)| (name, Json::Text(version)));
        members.push(("Relation Versions", Json::Named(versions.collect())));
    }
    let stored = stored(explained);
    if !stored.is_empty() {
        let stored = stored.into_iter();
        let stored = stored.map(|(name, version, _)| (name, Json::Bare(version.to_string())));
        members.push(("Materialized Views", Json::Named(stored.collect())));
    }
    let not_used = not_used(explained);
    if !not_used.is_empty() {
        let not_used = not_used.into_iter();
        let not_used = not_used.map(|(name, reason)| (name, Json::Text(reason.code().to_owned())));
        members.push((
            "Materialized Views Not Used",
            Json::Named(not_used.collect()),
        ));
    }
    if let Some(cache) = &explained.cache {
        members.push(("Cache", Json::Text(cache.clone())));
    }
    if let Some(read) = explained.read {
        let figures = [
            ("Bytes Read from Disk", read.disk_bytes),
            ("Bytes Read from Network", read.network_bytes),
            ("Rows from Servers", read.server_rows),
        ];
        let figures = figures.map(|(name, figure)| (name, Json::Bare(figure.to_string())));
        members.extend(figures);
    }
    if explained.options.summary {
        let planning = Json::Bare(milliseconds(explained.planning));
        members.push(("Planning Time", planning));
    }
    if let Some(execution) = explained.execution {
        members.push(("Triggers", Json::List(Vec::new())));
        if explained.options.summary {
            members.push(("Execution Time", Json::Bare(milliseconds(execution))));
        }
    }
    let mut out = String::new();
    Json::List(vec![Json::Object(members)]).write(&mut out, 0);
    out
}

/// An operator with those below it.
fn node(plan: &dyn ExecutionPlan, options: ExplainOptions) -> Json {
    let mut members = vec![("Node Type", Json::Text(node_type(plan.name())))];
    let line = DisplayableExecutionPlan::new(plan).one_line().to_string();
    members.push(("Operator", Json::Text(line.trim().to_owned())));
    if options.costs
        && let Ok(statistics) = StatisticsContext::new().compute(plan, &StatisticsArgs::new())
        && let Some(n_rows) = statistics.num_rows.get_value()
    {
        members.push(("Plan Rows", Json::Bare(n_rows.to_string())));
    }
    if options.analyze {
        actual(plan, options, &mut members);
    }
    if options.verbose {
        let schema = plan.schema();
        let names = schema.fields().iter();
        let names = names.map(|field| Json::Text(field.name().clone()));
        members.push(("Output", Json::List(names.collect())));
    }
    let zeros = |names: &'static [&'static str]| {
        names.iter().map(|name| (*name, Json::Bare("0".to_owned())))
    };
    if options.buffers {
        members.extend(zeros(BUFFERS));
    }
    if options.wal {
        members.extend(zeros(WAL));
    }
    let below: Vec<Json> = plan
        .children()
        .into_iter()
        .map(|child| node(child.as_ref(), options))
        .collect();
    if !below.is_empty() {
        members.push(("Plans", Json::List(below)));
    }
    Json::Object(members)
}

/// What an operator did. Its time is that of those below it as well, as PostgreSQL counts it.
fn actual(
    plan: &dyn ExecutionPlan,
    options: ExplainOptions,
    members: &mut Vec<(&'static str, Json)>,
) {
    if options.timing {
        members.push(("Actual Startup Time", Json::Bare("0.000".to_owned())));
        let total = milliseconds(computed(plan));
        members.push(("Actual Total Time", Json::Bare(total)));
    }
    let metrics = plan.metrics();
    if let Some(n_rows) = metrics.and_then(|metrics| metrics.output_rows()) {
        members.push(("Actual Rows", Json::Bare(n_rows.to_string())));
    }
    members.push(("Actual Loops", Json::Bare("1".to_owned())));
}

/// The time that an operator and those below it computed, on all cores together.
fn computed(plan: &dyn ExecutionPlan) -> Duration {
    let metrics = plan.metrics();
    let own = metrics.and_then(|metrics| metrics.elapsed_compute());
    let own = Duration::from_nanos(own.and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(0));
    let below = plan.children().into_iter();
    own + below
        .map(|child| computed(child.as_ref()))
        .sum::<Duration>()
}

/// The words of an operator's name: `HashJoinExec` is `Hash Join`.
fn node_type(name: &str) -> String {
    let name = name.strip_suffix("Exec").unwrap_or(name);
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter);
    }
    words
}

impl Json {
    /// Appends the value, its lines indented as PostgreSQL indents them.
    fn write(&self, out: &mut String, depth: usize) {
        match self {
            Self::Bare(word) => out.push_str(word),
            Self::Text(text) => out.push_str(&quoted(text)),
            Self::List(values) => {
                let values = values.iter().map(|value| (None, value));
                enclosed(out, depth, ['[', ']'], values);
            }
            Self::Object(members) => {
                let members = members.iter().map(|(name, value)| (Some(*name), value));
                enclosed(out, depth, ['{', '}'], members);
            }
            Self::Named(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| (Some(name.as_str()), value));
                enclosed(out, depth, ['{', '}'], members);
            }
        }
    }
}

fn enclosed<'a>(
    out: &mut String,
    depth: usize,
    [open, close]: [char; 2],
    members: impl Iterator<Item = (Option<&'a str>, &'a Json)>,
) {
    out.push(open);
    for (index, (name, value)) in members.enumerate() {
        if index > 0 {
            out.push(',');
        }
        new_line(out, depth + 1);
        if let Some(name) = name {
            out.push_str(&quoted(name));
            out.push_str(": ");
        }
        value.write(out, depth + 1);
    }
    new_line(out, depth);
    out.push(close);
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_json() {
        let document = Json::List(vec![Json::Object(vec![
            ("a", Json::Text("x\"y".to_owned())),
            (
                "b",
                Json::Named(vec![("c.d".to_owned(), Json::Bare("1.5".to_owned()))]),
            ),
            ("e", Json::List(Vec::new())),
        ])]);
        let mut out = String::new();
        document.write(&mut out, 0);
        let read: serde_json::Value = serde_json::from_str(&out).expect("it is JSON");
        assert_eq!(read[0]["a"], "x\"y");
        assert_eq!(read[0]["b"]["c.d"], 1.5);
        assert!(out.starts_with("[\n  {\n    \"a\": "));
        assert_eq!(node_type("HashJoinExec"), "Hash Join");
    }
}
