//! `countersign inspect`: decodes a token and says loudly that nothing was verified.

use std::io::Write;

use countersign_token::{Clock, SystemClock};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::claim_text;
use crate::decode::{Decoded, decode, find_token};
use crate::error::CliError;
use crate::exit::Exit;
use crate::input;
use crate::terminal::{BAD, CARE, HEADING, NAME, QUIET, printable, styled};

/// Decode a token and explain its claims. Verifies NOTHING: anybody can write such a token
///
/// Takes a token, a line 'Authorization: Bearer …' or a token endpoint's answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  countersign token --scope api://orders/.default | countersign inspect")]
pub(crate) struct Args {
    /// The token; without it, or with '-', it is read from standard input, which no process list shows
    token: Option<String>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

const NOT_VERIFIED: &str = "NOT VERIFIED: anybody could have written this. 'countersign verify' tells what is genuine.";

/// What `--json` prints. `verified` is there to be false.
#[derive(Serialize)]
struct Document<'a> {
    verified: bool,
    warning: &'static str,
    header: &'a Map<String, Value>,
    claims: &'a Map<String, Value>,
    objections: &'a [String],
}

pub(crate) fn run(args: Args) -> Result<Exit, CliError> {
    let pasted = input::argument_or_stdin(args.token)?;
    let decoded =
        find_token(&pasted).and_then(|token| decode(&token)).map_err(|error| CliError::NoToken(error.into()))?;
    if args.json {
        let document = Document {
            verified: false,
            warning: NOT_VERIFIED,
            header: &decoded.header,
            claims: &decoded.claims,
            objections: &decoded.objections,
        };
        let mut out = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &document).map_err(|error| CliError::Output(error.into()))?;
        out.write_all(b"\n").map_err(CliError::Output)?;
    } else {
        let now = SystemClock.now().as_unix_seconds();
        write_text(&mut anstream::stdout().lock(), &decoded, now).map_err(CliError::Output)?;
    }
    Ok(Exit::Done)
}

fn write_text(out: &mut impl Write, decoded: &Decoded, now: i64) -> std::io::Result<()> {
    writeln!(out, "{}\n", styled(BAD, NOT_VERIFIED))?;
    writeln!(out, "{}", styled(HEADING, "Header"))?;
    write_members(out, &decoded.header, |name, _| claim_text::header_member(name).to_owned())?;
    writeln!(out, "\n{}", styled(HEADING, "Claims"))?;
    write_members(out, &decoded.claims, |name, value| claim_text::claim(name, value, now))?;
    let mut warnings = decoded.objections.clone();
    if let Some(expires) = decoded.claims.get("exp").and_then(Value::as_i64).filter(|expires| *expires <= now) {
        warnings.push(format!("it expired {}", crate::instant::relative(expires, now)));
    }
    if !warnings.is_empty() {
        writeln!(out)?;
    }
    for warning in warnings {
        writeln!(out, "{} {}", styled(CARE, "note:"), printable(&warning))?;
    }
    Ok(())
}

/// One member a line, with its explanation on the next: values can be long.
pub(crate) fn write_members(
    out: &mut impl Write,
    members: &Map<String, Value>,
    explain: impl Fn(&str, &Value) -> String,
) -> std::io::Result<()> {
    let width = members.keys().map(|name| name.chars().count()).max().unwrap_or(0).min(24);
    let mut members: Vec<(&String, &Value)> = members.iter().collect();
    members.sort_by_key(|(name, _)| claim_text::rank(name));
    for (name, value) in members {
        // JSON escapes C0 itself; the rest of what a terminal obeys is escaped here.
        let value_text = printable(&value.to_string());
        writeln!(out, "  {NAME}{:<width$}{NAME:#}  {value_text}", printable(name))?;
        let explanation = explain(name, value);
        if !explanation.is_empty() {
            writeln!(out, "  {:<width$}  {}", "", styled(QUIET, explanation))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text_of(claims: Value) -> String {
        let Value::Object(claims) = claims else { panic!("an object") };
        let decoded = Decoded { header: Map::new(), claims, objections: Vec::new() };
        let mut out = Vec::new();
        write_text(&mut out, &decoded, 1_000).unwrap();
        String::from_utf8(anstream::adapter::strip_bytes(&out).into_vec()).unwrap()
    }

    #[test]
    fn the_first_line_says_that_nothing_was_verified() {
        assert!(text_of(json!({})).starts_with("NOT VERIFIED: "));
    }

    #[test]
    fn times_are_told_and_expiry_is_noticed() {
        let text = text_of(json!({"exp": 940}));
        assert!(text.contains("valid until 1970-01-01 00:15:40 UTC (1 min ago)"), "{text}");
        assert!(text.contains("note: it expired 1 min ago"), "{text}");
        assert!(!text_of(json!({"exp": 1_001})).contains("note:"));
    }

    #[test]
    fn a_claim_cannot_command_the_terminal() {
        let text = text_of(json!({"na\u{1b}[2Jme": "a\u{9b}31mb\u{202e}"}));
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text:?}");
    }
}
