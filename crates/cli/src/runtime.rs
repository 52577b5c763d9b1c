//! The tokio runtime, for the commands that need one, and what stops them.

use std::future::Future;
use std::sync::LazyLock;

use tokio::sync::watch;

use crate::error::CliError;

/// Whether SIGTERM has come. It may come as soon as others can know that this process runs, which is before anybody here
/// waits for it; until then it is remembered.
static TERMINATED: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::channel(false).0);

/// Runs a command that makes a few requests, on this thread.
pub(crate) fn small<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?.block_on(work)
}

/// Runs a command that serves, on all cores.
pub(crate) fn large<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Runtime)?.block_on(async {
        remember_terminate().map_err(CliError::Runtime)?;
        work.await
    })
}

#[cfg(unix)]
fn remember_terminate() -> std::io::Result<()> {
    // From this call on the signal is ours; the task only carries it on.
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        if terminate.recv().await.is_some() {
            TERMINATED.send_replace(true);
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn remember_terminate() -> std::io::Result<()> {
    Ok(())
}

/// Resolves when somebody asks this process to stop: Ctrl-C, or SIGTERM where there is one.
pub(crate) async fn stop_requested() -> std::io::Result<()> {
    let mut terminated = TERMINATED.subscribe();
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminated.wait_for(|terminated| *terminated) => Ok(()),
    }
}
