//! `countersign sidecar`: guards what comes in and authenticates what goes out, beside a service in any language.

use std::path::PathBuf;

use countersign_sidecar::Config;

use crate::error::CliError;
use crate::exit::Exit;
use crate::{report, runtime};

/// Run the sidecar: /validate for a proxy, /authorization-header/{api} for the service
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  countersign sidecar --config sidecar.json
  curl -H 'x-countersign-request: 1' http://localhost:5178/authorization-header/orders")]
pub(crate) struct Args {
    /// The configuration, JSON; secrets stay in files of their own
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let config = Config::read(&args.config).map_err(|error| CliError::Sidecar(Box::new(error.into())))?;
    runtime::large(async {
        report::note(&format!("the sidecar listens on http://{}; Ctrl-C ends it", config.listen));
        let stop = async {
            // Without a signal handler only the system ends this process.
            if runtime::stop_requested().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        countersign_sidecar::run(&config, stop).await.map_err(|error| CliError::Sidecar(Box::new(error)))?;
        Ok(Exit::Done)
    })
}
