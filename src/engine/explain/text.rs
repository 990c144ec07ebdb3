//! A plan as lines of text, the version of every relation it reads below.

use datafusion::physical_plan::display::DisplayableExecutionPlan;

use super::{Explained, milliseconds, not_used, stored, versions};

/// The lines of a plan, in PostgreSQL's one column.
pub(super) fn lines(explained: &Explained<'_>) -> Vec<String> {
    let display = match explained.options.analyze && explained.options.timing {
        true => DisplayableExecutionPlan::with_metrics(explained.physical),
        false => DisplayableExecutionPlan::new(explained.physical),
    };
    let text = display.indent(explained.options.verbose).to_string();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (name, version) in versions(explained.pinned) {
        lines.push(format!("Version: {name} {version}"));
    }
    for (name, version, n_changed) in stored(explained) {
        let changed = changed(n_changed);
        lines.push(format!(
            "Materialized View: {name} (at version {version}{changed})"
        ));
    }
    for (name, reason) in not_used(explained) {
        let code = reason.code();
        lines.push(format!("Materialized View Not Used: {name} ({code})"));
    }
    if let Some(cache) = &explained.cache {
        lines.push(format!("Cache: {cache}"));
    }
    if let Some(read) = explained.read {
        let (disk, network) = (read.disk_bytes, read.network_bytes);
        lines.push(format!("Bytes Read: disk={disk} network={network}"));
        if read.server_rows > 0 {
            lines.push(format!("Rows from Servers: {}", read.server_rows));
        }
    }
    if explained.options.summary {
        let planning = milliseconds(explained.planning);
        lines.push(format!("Planning Time: {planning} ms"));
        if let Some(execution) = explained.execution {
            let execution = milliseconds(execution);
            lines.push(format!("Execution Time: {execution} ms"));
        }
    }
    lines
}

/// How many files are read beside stored rows: of rows that came since, and of rows that went.
fn changed((n_added, n_removed): (usize, usize)) -> String {
    let told = |sign: char, n_files: usize| match n_files {
        0 => String::new(),
        1 => format!(", {sign}1 file"),
        more => format!(", {sign}{more} files"),
    };
    told('+', n_added) + &told('-', n_removed)
}
