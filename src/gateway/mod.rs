//! Builds catalog, engine and doors once; starts, drains and stops them.

mod check;
mod keys;
mod parts;
mod query;
mod security;
mod views;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, DemoArguments, Format, LakeConfig};
use crate::demo::{self, DemoLake, Progress};
use crate::error::{Error, ErrorKind, Result};
use crate::maintain;
use crate::wire::Door;
use parts::{Parts, Runtimes};
use security::Security;

/// Serves until SIGTERM or SIGINT, then lets running statements end. Writes one line to `ready`
/// once connections are accepted.
///
/// # Errors
/// The lake cannot be opened, or the address not listened on.
pub fn serve(config: &Config, ready: &mut dyn Write) -> Result<()> {
    serve_with(config, ready, |_| String::new())
}

/// Makes the demo lake and its views in the folder of `arguments`, unless they are there.
///
/// # Errors
/// The folder holds something else, or cannot be written.
pub fn make_demo(
    arguments: &DemoArguments,
    is_terminal: bool,
    to_user: &mut dyn Write,
) -> Result<()> {
    let lake = DemoLake {
        folder: PathBuf::from(&arguments.dir),
        scale: arguments.scale,
    };
    lake.make(&mut Progress::new(to_user, is_terminal))?;
    demo::write_views(&lake.folder)
}

/// Serves the demo lake as [`serve`] does, and tells what to try.
///
/// # Errors
/// As [`serve`].
pub fn serve_demo(config: &Config, ready: &mut dyn Write) -> Result<()> {
    let database = config.lake.database.clone();
    serve_with(config, ready, move |address| {
        demo::greeting(address, &database)
    })
}

/// Serves, and writes what `greeting` says of the address behind the ready line.
fn serve_with(
    config: &Config,
    ready: &mut dyn Write,
    greeting: impl Fn(SocketAddr) -> String,
) -> Result<()> {
    let runtimes = Runtimes::build()?;
    let served = runtimes.network.block_on(async {
        let queries = runtimes.queries.handle().clone();
        let parts = Parts::build(&config.lake, queries).await?;
        let listener = TcpListener::bind(config.listen).await.map_err(|error| {
            let message = format!("could not listen on {}: {error}", config.listen);
            Error::new(ErrorKind::IoError, message).with_cause(error)
        })?;
        let address = listener.local_addr().map_err(Error::internal)?;
        let security = Security::read(config, &parts.catalog).await?;
        let audit = Arc::new(security::audit(config)?);
        let stop = CancellationToken::new();
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
        let hangup = signal(SignalKind::hangup()).map_err(Error::internal)?;
        let shown = &parts.catalog.lake().lake().shown;
        let guarded = security.shown();
        writeln!(
            ready,
            "lakegate ready on {address} (lake {shown}, {guarded})"
        )
        .and_then(|()| ready.write_all(greeting(address).as_bytes()))
        .and_then(|()| ready.flush())
        .map_err(Error::internal)?;
        let (history, state) = (parts.history, parts.state);
        let watching = views::watch(
            Arc::clone(&parts.engine),
            Arc::clone(&parts.catalog),
            (Arc::clone(&history), state.clone()),
            config.is_warmed,
        );
        let maintaining = maintain::run(Arc::clone(&parts.engine), config.lake.poll);
        let guard = Arc::clone(&security.guard);
        let config = Arc::new(config.clone());
        let door = Door::new(listener, parts.engine, config, guard, Arc::clone(&audit));
        let serving = door.run(stop.clone());
        let stopping = async {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
                _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
            }
            stop.cancel();
        };
        tokio::select! {
            ((), ()) = async { tokio::join!(serving, stopping) } => {}
            () = watching => {}
            () = maintaining => {}
            () = security.watch() => {}
            () = security::reopen_audit(&audit, hangup) => {}
        }
        if let Err(error) = history.keep(&state, true).await {
            tracing::warn!(%error, "what was asked is not kept");
        }
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

/// Refreshes materialized views, those of `names` or all, and writes to `out` what became of each. Whether
/// all of them are as they should be.
///
/// # Errors
/// The lake cannot be opened or listed; a name is that of no materialized view.
pub fn refresh(config: &LakeConfig, names: &[String], out: &mut dyn Write) -> Result<bool> {
    on_runtimes(async |queries| {
        let parts = Parts::build(config, queries).await?;
        maintain::refresh(&parts.engine, names, out).await
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
