//! Runs the tasks that make the lake on a few threads, the first listed first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::files::Made;
use super::progress::Progress;
use crate::error::Result;

/// One piece of a dataset, made on its own: it shares nothing with other tasks.
pub(super) struct Task<'a> {
    /// The folder or file below the lake, as progress names it.
    pub(super) dataset: &'static str,
    /// Its part of the whole work, compared with other tasks.
    pub(super) share: u64,
    run: Box<dyn FnOnce() -> Result<Made> + Send + 'a>,
}

impl<'a> Task<'a> {
    pub(super) fn new(
        dataset: &'static str,
        share: u64,
        run: impl FnOnce() -> Result<Made> + Send + 'a,
    ) -> Self {
        let run = Box::new(run);
        Self {
            dataset,
            share,
            run,
        }
    }
}

struct Report {
    dataset: &'static str,
    share: u64,
    made: Result<Made>,
}

/// Runs every task; the first failure ends the work and is returned.
pub(super) fn run(
    tasks: Vec<Task<'_>>,
    n_threads: usize,
    progress: &mut Progress<'_>,
) -> Result<()> {
    let mut tally = Tally::of(&tasks);
    let queue = Mutex::new(VecDeque::from(tasks));
    thread::scope(|scope| {
        let (reports, received) = mpsc::channel();
        for _ in 0..n_threads.max(1) {
            let reports = reports.clone();
            let queue = &queue;
            scope.spawn(move || work(queue, &reports));
        }
        drop(reports);
        let followed = tally.follow(&received, progress);
        if followed.is_err() {
            lock(&queue).clear();
            progress.break_off();
        }
        followed
    })
}

fn work(queue: &Mutex<VecDeque<Task<'_>>>, reports: &Sender<Report>) {
    loop {
        // Bound first, so that the queue is not locked while the task runs.
        let next = lock(queue).pop_front();
        let Some(task) = next else {
            return;
        };
        let report = Report {
            dataset: task.dataset,
            share: task.share,
            made: (task.run)(),
        };
        if reports.send(report).is_err() {
            return;
        }
    }
}

fn lock<'l, 'a>(
    queue: &'l Mutex<VecDeque<Task<'a>>>,
) -> std::sync::MutexGuard<'l, VecDeque<Task<'a>>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is still to come of every dataset.
struct Tally {
    datasets: BTreeMap<&'static str, (usize, Made)>,
    share_total: u64,
}

impl Tally {
    fn of(tasks: &[Task<'_>]) -> Self {
        let mut datasets: BTreeMap<&'static str, (usize, Made)> = BTreeMap::new();
        for task in tasks {
            datasets.entry(task.dataset).or_default().0 += 1;
        }
        let share_total = tasks.iter().map(|task| task.share).sum();
        Self {
            datasets,
            share_total,
        }
    }

    fn follow(&mut self, received: &Receiver<Report>, progress: &mut Progress<'_>) -> Result<()> {
        let mut share_done = 0;
        progress.advance(share_done, self.share_total);
        for report in received {
            let (n_missing, made) = self.datasets.entry(report.dataset).or_default();
            *n_missing = n_missing.saturating_sub(1);
            *made += report.made?;
            if *n_missing == 0 {
                progress.complete(report.dataset, *made);
            }
            share_done += report.share;
            progress.advance(share_done, self.share_total);
        }
        Ok(())
    }
}
