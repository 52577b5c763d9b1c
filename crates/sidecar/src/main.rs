//! The sidecar as a small binary of its own: `countersign-sidecar --config FILE`.

#![expect(clippy::print_stderr, reason = "a binary tells its operator why it stops")]

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use countersign_sidecar::{Config, run};

const USAGE: &str = "usage: countersign-sidecar --config FILE";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--config", path] => path.to_owned(),
        ["--help" | "-h"] => {
            eprintln!("{USAGE}\n\nGuards what comes in and authenticates what goes out, on loopback.");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match serve(Path::new(&path)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("error: failed to {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

fn serve(path: &Path) -> Result<(), Box<dyn Error>> {
    let config = Config::read(path)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(&config, async {
        // Without a signal handler there is no graceful end, only the system's.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }))?;
    Ok(())
}
