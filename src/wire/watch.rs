//! Waits for a statement and meanwhile for everything that ends it early.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cancel::Running;
use super::client::Client;
use super::failure::{End, Failure, Step, Stop};
use crate::error::{Error, ErrorKind, Result};

/// What may end a statement before its last row is sent.
#[derive(Debug)]
pub(super) struct Watch {
    /// A request to cancel; the engine looks at it as well.
    pub(super) cancel: CancellationToken,
    /// When the statement's time is over.
    pub(super) deadline: Option<Instant>,
    /// The gateway stops and waits no longer.
    pub(super) killed: CancellationToken,
    /// Another session ends this one.
    pub(super) ended: CancellationToken,
    /// Lets requests find the statement.
    pub(super) _running: Running,
}

impl Watch {
    /// Waits for `work`, which touches neither the client nor the session.
    ///
    /// # Errors
    /// The work's own failure, or what ended it.
    pub(super) async fn over<T>(
        &self,
        client: &mut Client,
        work: impl Future<Output = Result<T>>,
    ) -> Step<T> {
        // A panic in planning is this statement's failure, not the connection's.
        let work = AssertUnwindSafe(work).catch_unwind();
        tokio::select! {
            biased;
            stop = self.stopped() => Err(stop),
            done = work => match done {
                Ok(done) => done.map_err(|error| self.explain(error)),
                Err(panic) => Err(panicked(panic.as_ref()).into()),
            },
            end = client.gone() => Err(end.into()),
        }
    }

    /// Sends what is in the out-buffer.
    ///
    /// # Errors
    /// The client is gone or does not read, or what ended the statement.
    pub(super) async fn flush(&self, client: &mut Client) -> Step {
        tokio::select! {
            biased;
            stop = self.stopped() => Err(stop),
            done = client.flush() => done.map_err(Stop::End),
        }
    }

    async fn stopped(&self) -> Stop {
        let timeout = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.killed.cancelled() => self.shut_down(),
            () = self.ended.cancelled() => self.shut_down(),
            () = self.cancel.cancelled() => canceled("user request").into(),
            () = timeout => {
                self.cancel.cancel();
                canceled("statement timeout").into()
            }
        }
    }

    fn shut_down(&self) -> Stop {
        self.cancel.cancel();
        End::shutdown().into()
    }

    /// The engine knows that it was cancelled, this door knows why.
    fn explain(&self, error: Error) -> Stop {
        if error.kind() == ErrorKind::QueryCanceled && self.cancel.is_cancelled() {
            return canceled("user request").into();
        }
        error.into()
    }
}

fn canceled(reason: &str) -> Failure {
    Error::new(
        ErrorKind::QueryCanceled,
        format!("canceling statement due to {reason}"),
    )
    .into()
}

/// A fault of ours, caught.
pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Failure {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown panic");
    Error::internal(Panic(message.to_owned())).into()
}

#[derive(Debug, thiserror::Error)]
#[error("panic: {0}")]
struct Panic(String);
