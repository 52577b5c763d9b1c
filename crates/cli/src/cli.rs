//! The commands and what they are called. Each one's flags stand beside its code.

use clap::{Parser, Subcommand};

use crate::commands::{authority, call, explain, inspect, sidecar, token, verify};
use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::{self, Exit};
use crate::{demo, logging};

/// Service-to-service authentication for Microsoft Entra ID: see it work, try it out, find out why it does not.
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    max_term_width = 100,
    after_help = exit::HELP
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Authority(authority::Args),
    Sidecar(sidecar::Args),
    Token(token::Args),
    Call(call::Args),
    Inspect(inspect::Args),
    Verify(verify::Args),
    Explain(explain::Args),
}

impl Cli {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<Exit, CliError> {
        let environment = Environment::of_process();
        let log = if matches!(self.command, Command::Authority(_) | Command::Sidecar(_)) { "warn" } else { "off" };
        logging::start(&environment, log);
        match self.command {
            Command::Demo(args) => demo::run(&args),
            Command::Authority(args) => authority::run(args),
            Command::Sidecar(args) => sidecar::run(&args),
            Command::Token(args) => token::run(&args, &environment),
            Command::Call(args) => call::run(&args, &environment),
            Command::Inspect(args) => inspect::run(args),
            Command::Verify(args) => verify::run(args, &environment),
            Command::Explain(args) => explain::run(&args),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }
}
