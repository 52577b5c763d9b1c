//! `countersign verify`: the guard's whole check, on tokens from an argument or standard input.
//!
//! The check itself is [`countersign_token::verify`], or the guard's verifier around it; nothing is decided here. With
//! files for keys and policy nothing is sent and no runtime is started.

mod judge;
mod lines;
mod rules;
mod stream;
mod verdict;

use std::io::Write;
use std::path::PathBuf;

use self::judge::Judge;
use self::rules::Rules;
use self::verdict::Verdict;
use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::{BAD, GOOD, NAME, printable, styled, wrapped};
use crate::transport::Trust;
use crate::{input, rejection_text};

/// Verify tokens as a guard does, and say which rule refused and why
///
/// Keys come from a file (--jwks) or from an authority (--authority, --tenant); the rules come from a policy file
/// (--policy) or from --tenant, --audience and the flags after it, which are the policy's members one by one.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The token; without it, or with '-', it is read from standard input, which no process list shows
    #[arg(conflicts_with = "jsonl")]
    token: Option<String>,

    /// The authority's keys, a JWK set; needs --policy
    #[arg(long, value_name = "FILE", conflicts_with_all = ["authority", "ca"], requires = "policy")]
    jwks: Option<PathBuf>,

    /// The policy, JSON
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    #[command(flatten)]
    trust: Trust,

    /// The tenant whose tokens are taken: its GUID [env: AZURE_TENANT_ID]
    #[arg(long, value_name = "GUID", conflicts_with = "jwks")]
    tenant: Option<String>,

    #[command(flatten)]
    rules: Rules,

    /// Ask for the permission that the policy has under this name, as a route does that names it
    #[arg(long, value_name = "NAME", requires = "policy")]
    permission: Option<String>,

    /// Verify as if it were this time, in seconds since 1970
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    now: Option<i64>,

    /// Read one token a line from standard input, a bare one or a JSON object with a member 'token'; write one JSON line
    /// each, in order; never stop at a bad line
    #[arg(long)]
    jsonl: bool,

    /// Print one JSON line
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = r#"Exit status: 0 if the token is valid, 1 if it is refused, 3 if the keys cannot be had.
With --jsonl 0 once every line is answered, whatever the answers; 3 if keys were lacking.

A policy:
  {"tenants": ["6babcaad-604b-40ac-a9d7-9fd97c0b779f"],
   "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0",
               "https://sts.windows.net/{tenantid}/"],
   "audiences": ["a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"],
   "app_roles": ["Resource.Read"], "scopes": [], "clients": null,
   "permissions": {"write": {"all_app_roles": ["Resource.Read", "Resource.Write"]}}}

Example:
  countersign verify --jwks keys.json --policy policy.json --jsonl < tokens.txt"#;

pub(crate) fn run(args: Args, environment: &Environment) -> Result<Exit, CliError> {
    let judge = Judge::new(&args, environment)?;
    if args.jsonl {
        let mut out = std::io::stdout().lock();
        return stream::run(&judge, std::io::stdin().lock(), &mut out);
    }
    let pasted = input::argument_or_stdin(args.token)?;
    let answer = match std::str::from_utf8(&pasted) {
        Ok(token) => judge.decide(token.trim(), |verdict| print(args.json, verdict))?,
        Err(_) => {
            let verdict = Verdict::line_not_utf8();
            print(args.json, &verdict).map(|()| verdict.exit())?
        }
    };
    Ok(answer)
}

fn print(json: bool, verdict: &Verdict<'_>) -> Result<(), CliError> {
    let mut out = anstream::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, verdict).map_err(|error| CliError::Output(error.into()))?;
        return writeln!(out).map_err(CliError::Output);
    }
    write_text(&mut out, verdict).map_err(CliError::Output)
}

fn write_text(out: &mut impl Write, verdict: &Verdict<'_>) -> std::io::Result<()> {
    let Some(caller) = &verdict.caller else {
        writeln!(out, "{} {}", styled(BAD, "refused:"), verdict.reason)?;
        if let Some(detail) = &verdict.detail {
            field(out, "rule", detail)?;
        }
        if let Some(entry) = rejection_text::lookup(verdict.reason) {
            field(out, "meaning", entry.meaning)?;
            field(out, "to do", entry.who)?;
        }
        return match verdict.status {
            Some(status) => field(out, "a guard", &format!("answers {status}")),
            None => Ok(()),
        };
    };
    writeln!(out, "{} every rule of the policy is met", styled(GOOD, "valid:"))?;
    field(out, "caller", &caller.client.to_string())?;
    field(out, "tenant", &caller.tenant.to_string())?;
    if let Some(object) = caller.object_id {
        field(out, "object", &object.to_string())?;
    }
    if !caller.roles.is_empty() {
        field(out, "roles", &caller.roles.join(", "))?;
    }
    if !caller.scopes.is_empty() {
        field(out, "scopes", &caller.scopes.join(", "))?;
    }
    field(out, "until", &crate::instant::utc(caller.expires_at))?;
    field(out, "key", caller.key_id)
}

fn field(out: &mut impl Write, name: &str, text: &str) -> std::io::Result<()> {
    for (index, line) in wrapped(&printable(text), 88).iter().enumerate() {
        let label = if index == 0 { name } else { "" };
        writeln!(out, "  {NAME}{label:<7}{NAME:#}  {line}")?;
    }
    Ok(())
}
