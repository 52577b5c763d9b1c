//! Logs go to stderr, and only when somebody asked for them.

use tracing_subscriber::EnvFilter;

use crate::environment::Environment;

/// Starts logging as `COUNTERSIGN_LOG` says, or else at `default` (`off` for commands that talk for themselves).
pub(crate) fn start(environment: &Environment, default: &str) {
    let directives = environment.log().unwrap_or_else(|| default.to_owned());
    let filter = EnvFilter::try_new(&directives).unwrap_or_else(|_| EnvFilter::new(default));
    // A second start (in a test) changes nothing.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(true).try_init();
}
