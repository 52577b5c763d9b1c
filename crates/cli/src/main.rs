//! The command line: argv, environment and terminal stop here.
//!
//! One thin binary over the libraries. Each command is a small file in [`commands`]; the demo is a folder of its own. Results
//! go to stdout, everything else to stderr; what a failure means is in [`exit`], how it is told in [`report`]. Commands
//! that need no network start no runtime.

mod claim_text;
mod cli;
mod commands;
mod decode;
mod demo;
mod environment;
mod error;
mod exit;
mod input;
mod instant;
mod logging;
mod rejection_text;
mod report;
mod runtime;
mod terminal;
mod transport;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results; clap knows which stream is meant.
            let exit = if error.use_stderr() { exit::Exit::Usage } else { exit::Exit::Done };
            let _ = error.print();
            return exit.into();
        }
    };
    match cli.run() {
        Ok(exit) => exit.into(),
        Err(error) => report::failure(&error).into(),
    }
}
