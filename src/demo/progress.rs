//! Shows how far the making of the lake is: a bar on a terminal, else a line a table.

use std::io::Write;

use super::files::Made;

const BAR_WIDTH: u64 = 30;

/// Where progress is shown, and how.
pub struct Progress<'a> {
    out: &'a mut dyn Write,
    interactive: bool,
}

impl<'a> Progress<'a> {
    /// Shows progress on `out`; `interactive` says that it is a terminal, which gets a bar.
    pub fn new(out: &'a mut dyn Write, interactive: bool) -> Self {
        Self { out, interactive }
    }

    // Progress that cannot be shown, as on a closed pipe, is no reason not to make the lake.

    /// `done` of `total` shares of the work are done.
    pub(super) fn advance(&mut self, done: u64, total: u64) {
        if !self.interactive {
            return;
        }
        let filled = BAR_WIDTH * done / total.max(1);
        let bar: String = (0..BAR_WIDTH)
            .map(|place| if place < filled { '#' } else { '.' })
            .collect();
        let percent = 100 * done / total.max(1);
        let end = if done == total { "\n" } else { "" };
        let shown = write!(self.out, "\rdemo lake [{bar}] {percent:3} %{end}");
        shown.and_then(|()| self.out.flush()).ok();
    }

    /// A dataset is complete.
    pub(super) fn complete(&mut self, dataset: &str, made: Made) {
        if self.interactive {
            return;
        }
        let counted = |count: u64, noun: &str| match count {
            1 => format!("1 {noun}"),
            _ => format!("{count} {noun}s"),
        };
        let (files, rows) = (counted(made.n_files, "file"), counted(made.n_rows, "row"));
        let megabytes = made.n_bytes as f64 / 1e6;
        let shown = writeln!(self.out, "{dataset}: {files}, {rows}, {megabytes:.1} MB");
        shown.and_then(|()| self.out.flush()).ok();
    }

    /// The work ended early: what follows starts on a line of its own.
    pub(super) fn break_off(&mut self) {
        if self.interactive {
            writeln!(self.out).ok();
        }
    }
}
