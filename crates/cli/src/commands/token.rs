//! `countersign token`: acquires a token and prints it, and nothing else, on stdout.

use std::io::{IsTerminal, Write};

use countersign_client::AccessToken;
use serde_json::json;

use super::acquisition::Acquisition;
use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{report, runtime};

/// Acquire a token with client credentials and print it
///
/// The secret comes from a file or from AZURE_CLIENT_SECRET, never from the command line, which everybody on the machine
/// can read. Of several credentials in the environment a secret goes before a certificate, and a certificate before a
/// federated token; a flag goes before them all.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  export AZURE_TENANT_ID=contoso.com AZURE_CLIENT_ID=a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11
  countersign token --scope api://orders/.default --secret-file secret.txt
  curl https://localhost:8444/orders \\
    -H \"$(countersign token --header --resource api://orders --certificate client.pem)\"")]
pub(crate) struct Args {
    #[command(flatten)]
    acquisition: Acquisition,

    /// Print a whole header: Authorization: Bearer …
    #[arg(long, conflicts_with = "json")]
    header: bool,

    /// Print one JSON document with the token and its times
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, environment: &Environment) -> Result<Exit, CliError> {
    let prepared = args.acquisition.prepare(environment)?;
    let token = runtime::small(prepared.acquire())?;
    let mut out = std::io::stdout().lock();
    write_token(&mut out, args, &token).map_err(CliError::Output)?;
    if std::io::stdout().is_terminal() {
        report::hint("whoever reads this can use it until it expires; 'countersign inspect' shows what it says");
    }
    Ok(Exit::Done)
}

fn write_token(out: &mut impl Write, args: &Args, token: &AccessToken) -> std::io::Result<()> {
    if args.header {
        return writeln!(out, "Authorization: Bearer {}", token.secret());
    }
    if !args.json {
        return writeln!(out, "{}", token.secret());
    }
    let document = json!({
        "token_type": "Bearer",
        "access_token": token.secret(),
        "expires_on": token.expires_on().as_unix_seconds(),
        "refresh_on": token.refresh_on().as_unix_seconds(),
    });
    writeln!(out, "{document:#}")
}
