//! What operators see: the log, and the audit.

mod audit;

pub use audit::{Audit, Event, Happened};

use tracing_subscriber::EnvFilter;

/// Sends the log to standard error, panics among it; `filter` is in `RUST_LOG`'s syntax, as `info` or `lakegate=debug`.
pub fn log_to_stderr(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // The parser tells of each word that it reads, passwords among them.
    let silence = "sqlparser=off".parse().expect("it is a directive");
    let filter = filter.add_directive(silence);
    // A second call (tests start several gateways in one process) keeps the first subscriber.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    log_panics();
}

/// Has the log tell of every panic, also of those that are caught: each is a fault of ours.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!("thread {thread} {panic}\n{backtrace}");
    }));
}
