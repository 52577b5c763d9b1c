//! The tokio runtime, for the commands that need one.

use std::future::Future;

use crate::error::CliError;

/// Runs a command that makes a few requests, on this thread.
pub(crate) fn small<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?.block_on(work)
}

/// Runs a command that serves, on all cores.
pub(crate) fn large<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Runtime)?.block_on(work)
}

/// Resolves when somebody asks this process to stop: Ctrl-C, or SIGTERM where there is one.
pub(crate) async fn stop_requested() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
