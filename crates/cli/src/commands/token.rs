//! `countersign token`: acquires a token and prints it, and nothing else, on stdout.

use std::io::{IsTerminal, Write};

use serde_json::json;

use super::acquisition::{Acquired, Acquisition};
use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{report, runtime};

/// Acquire a token, for an application or for a user, and print it
///
/// Without more it is the application's own token (client credentials); --on-behalf-of, --device-code, --username and
/// --managed-identity ask otherwise. Secrets, passwords and tokens come from files, from standard input or from the
/// environment, never from the command line, which everybody on the machine can read. Of several credentials in the
/// environment a secret goes before a certificate, and a certificate before a federated token; a flag goes before them
/// all. --device-code and --username use a credential only if a flag names one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --device-code the exit status is 1 if the user declines or the code ends unused.

Examples:
  export AZURE_TENANT_ID=contoso.com AZURE_CLIENT_ID=a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11
  countersign token --scope api://orders/.default --secret-file secret.txt
  curl https://localhost:8444/orders \\
    -H \"$(countersign token --header --resource api://orders --certificate client.pem)\"
  countersign token --device-code --scope User.Read --json
  countersign token --on-behalf-of user.jwt --scope api://orders/Orders.Read \\
    --certificate client.pfx --certificate-password-file pfx-password.txt
  countersign token --managed-identity --resource https://vault.azure.net")]
pub(crate) struct Args {
    #[command(flatten)]
    acquisition: Acquisition,

    /// Print a whole header: Authorization: Bearer …
    #[arg(long, conflicts_with = "json")]
    header: bool,

    /// Print one JSON document: the token, its times, its scopes (the granted ones if the authority says so, else those
    /// asked for), who signed in, and the correlation id under which the authority logs the request
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, environment: &Environment) -> Result<Exit, CliError> {
    let prepared = args.acquisition.prepare(environment, false)?;
    let acquired = runtime::small(prepared.acquire())?;
    let mut out = std::io::stdout().lock();
    write_token(&mut out, args, &acquired).map_err(CliError::Output)?;
    if std::io::stdout().is_terminal() {
        report::hint("whoever reads this can use it until it expires; 'countersign inspect' shows what it says");
    }
    Ok(Exit::Done)
}

fn write_token(out: &mut impl Write, args: &Args, acquired: &Acquired) -> std::io::Result<()> {
    let token = &acquired.token;
    if args.header {
        return writeln!(out, "Authorization: Bearer {}", token.secret());
    }
    if !args.json {
        return writeln!(out, "{}", token.secret());
    }
    let mut document = json!({
        "token_type": "Bearer",
        "access_token": token.secret(),
        "expires_on": token.expires_on().as_unix_seconds(),
        "refresh_on": token.refresh_on().as_unix_seconds(),
        "scopes": acquired.scopes,
    });
    if let Some(id) = &acquired.correlation_id {
        document["correlation_id"] = json!(id);
    }
    if let Some(account) = &acquired.account {
        document["account"] = json!({
            "home_account_id": account.home_account_id(),
            "tenant_id": account.tenant_id(),
            "username": account.username(),
        });
    }
    writeln!(out, "{document:#}")
}
