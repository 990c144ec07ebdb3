//! What operators see: the log.

use tracing_subscriber::EnvFilter;

/// Sends the log to standard error; `filter` is in `RUST_LOG`'s syntax, as `info` or `lakegate=debug`.
pub fn log_to_stderr(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // A second call (tests start several gateways in one process) keeps the first subscriber.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
