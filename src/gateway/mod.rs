//! Builds catalog, engine and doors once; starts, drains and stops them.

mod check;
mod parts;
mod query;
mod views;

use std::io::Write;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{Config, Format, LakeConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::wire::Door;
use parts::{Parts, Runtimes};

/// Serves until SIGTERM or SIGINT, then lets running statements end. Writes one line to `ready`
/// once connections are accepted.
///
/// # Errors
/// The lake cannot be opened, or the address not listened on.
pub fn serve(config: &Config, ready: &mut dyn Write) -> Result<()> {
    let runtimes = Runtimes::build()?;
    let served = runtimes.network.block_on(async {
        let queries = runtimes.queries.handle().clone();
        let parts = Parts::build(&config.lake, queries).await?;
        let listener = TcpListener::bind(config.listen).await.map_err(|error| {
            let message = format!("could not listen on {}: {error}", config.listen);
            Error::new(ErrorKind::IoError, message).with_cause(error)
        })?;
        let address = listener.local_addr().map_err(Error::internal)?;
        let stop = CancellationToken::new();
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
        let shown = &parts.catalog.lake().lake().shown;
        writeln!(ready, "lakegate ready on {address} (lake {shown}, trust)")
            .and_then(|()| ready.flush())
            .map_err(Error::internal)?;
        let watching = AbortOnDropHandle::new(tokio::spawn(views::watch(
            Arc::clone(&parts.engine),
            Arc::clone(&parts.catalog),
        )));
        let door = Door::new(listener, parts.engine, Arc::new(config.clone()));
        let serving = door.run(stop.clone());
        let stopping = async {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
                _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
            }
            stop.cancel();
        };
        tokio::join!(serving, stopping);
        drop(watching);
        Ok(())
    });
    runtimes.shut_down();
    served
}

/// Answers the statements of `sql` without a server, and writes their rows to `out`.
///
/// # Errors
/// The lake cannot be opened, or whatever is wrong with a statement.
pub fn query(
    config: &LakeConfig,
    sql: &str,
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    on_runtimes(async |queries| {
        let parts = Parts::build(config, queries).await?;
        query::query(&parts, config, sql, format, out).await
    })
}

/// Plans every view and opens every table, and writes to `out` which are broken; with `is_strict`
/// also which views hold `select *`. Whether all is sound.
///
/// # Errors
/// The lake cannot be opened or listed.
pub fn check(config: &LakeConfig, is_strict: bool, out: &mut dyn Write) -> Result<bool> {
    on_runtimes(async |queries| {
        let parts = Parts::build(config, queries).await?;
        check::check(&parts, is_strict, out).await
    })
}

fn on_runtimes<T>(run: impl AsyncFnOnce(tokio::runtime::Handle) -> Result<T>) -> Result<T> {
    let runtimes = Runtimes::build()?;
    let queries = runtimes.queries.handle().clone();
    let result = runtimes.network.block_on(run(queries));
    runtimes.shut_down();
    result
}
