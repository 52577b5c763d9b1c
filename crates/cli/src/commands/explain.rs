//! `countersign explain`: what a code means and who must do what, from the one catalogue.

use std::io::Write;

use countersign_protocol::AadSts;
use serde::Serialize;

use crate::error::CliError;
use crate::exit::Exit;
use crate::rejection_text;
use crate::report;
use crate::terminal::{HEADING, NAME, printable, shortened, styled, wrapped};

/// Explain an error: what a code means and who must do what
///
/// Takes Entra's codes (AADSTS700016, or the number alone), a whole error message or error body that holds some, and the
/// reasons that 'verify' and the guard give (role_missing).
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  countersign explain AADSTS700016")]
pub(crate) struct Args {
    /// The code, or a text that holds codes
    #[arg(required = true, num_args = 1.., value_name = "CODE")]
    codes: Vec<String>,

    /// Print one JSON document a code
    #[arg(long)]
    json: bool,
}

/// What is known of one code.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Answer {
    code: String,
    known: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    meanings: Vec<Meaning>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Meaning {
    /// The OAuth error word, for codes of the authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
    meaning: &'static str,
    who: &'static str,
}

pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let answers: Vec<Answer> = args.codes.iter().flat_map(|text| codes_in(text)).map(|code| answer(&code)).collect();
    let mut out = anstream::stdout().lock();
    for (index, answer) in answers.iter().enumerate() {
        if args.json {
            serde_json::to_writer(&mut out, answer).map_err(|error| CliError::Output(error.into()))?;
            writeln!(out).map_err(CliError::Output)?;
        } else {
            if index > 0 {
                writeln!(out).map_err(CliError::Output)?;
            }
            write_text(&mut out, answer).map_err(CliError::Output)?;
        }
    }
    if answers.iter().all(|answer| answer.known) {
        return Ok(Exit::Done);
    }
    if !args.json {
        report::hint("Microsoft explains every code at https://login.microsoftonline.com/error?code=<number>");
    }
    Ok(Exit::Refused)
}

/// The codes in a text: every `AADSTS` number, else a bare number, else the text itself.
fn codes_in(text: &str) -> Vec<String> {
    let upper = text.to_ascii_uppercase();
    let mut codes: Vec<String> = Vec::new();
    for piece in upper.split("AADSTS").skip(1) {
        let digits: String = piece.chars().take_while(char::is_ascii_digit).collect();
        if !digits.is_empty() && !codes.contains(&format!("AADSTS{digits}")) {
            codes.push(format!("AADSTS{digits}"));
        }
    }
    if codes.is_empty() {
        let text = text.trim();
        let number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        codes.push(if number { format!("AADSTS{text}") } else { text.to_owned() });
    }
    codes
}

fn answer(code: &str) -> Answer {
    let mut meanings = Vec::new();
    if let Some(number) = code.strip_prefix("AADSTS").and_then(|digits| digits.parse().ok()) {
        meanings.extend(AadSts::variants(number).map(|entry| Meaning {
            error: Some(entry.error),
            status: Some(entry.status),
            retryable: Some(entry.retryable),
            meaning: entry.text,
            who: entry.who,
        }));
    } else if let Some(entry) = rejection_text::lookup(&code.to_ascii_lowercase()) {
        meanings.push(Meaning { error: None, status: None, retryable: None, meaning: entry.meaning, who: entry.who });
    }
    Answer { code: shortened(code, 80), known: !meanings.is_empty(), meanings }
}

fn write_text(out: &mut impl Write, answer: &Answer) -> std::io::Result<()> {
    let code = printable(&answer.code);
    if !answer.known {
        return writeln!(out, "{}  is not in this program's catalogue, and it will not guess.", styled(HEADING, code));
    }
    for meaning in &answer.meanings {
        match (meaning.error, meaning.status) {
            (Some(error), Some(status)) => writeln!(out, "{}  {error}, HTTP {status}", styled(HEADING, &code))?,
            _ => writeln!(out, "{}  a guard's refusal", styled(HEADING, &code))?,
        }
        paragraph(out, "meaning", meaning.meaning)?;
        paragraph(out, "to do", meaning.who)?;
        match meaning.retryable {
            Some(true) => paragraph(out, "retry", "yes: the same request may succeed later.")?,
            Some(false) => paragraph(out, "retry", "no: the same request fails until somebody changes something.")?,
            None => {}
        }
    }
    Ok(())
}

fn paragraph(out: &mut impl Write, name: &str, text: &str) -> std::io::Result<()> {
    for (index, line) in wrapped(text, 88).iter().enumerate() {
        let label = if index == 0 { name } else { "" };
        writeln!(out, "  {NAME}{label:<7}{NAME:#}  {line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_wherever_they_stand() {
        assert_eq!(codes_in("AADSTS700016"), ["AADSTS700016"]);
        assert_eq!(codes_in("aadsts700016"), ["AADSTS700016"]);
        assert_eq!(codes_in(" 700016 "), ["AADSTS700016"]);
        let body = r#"{"error_description":"AADSTS50034: x. AADSTS50126: y. AADSTS50034"}"#;
        assert_eq!(codes_in(body), ["AADSTS50034", "AADSTS50126"]);
        assert_eq!(codes_in("role_missing"), ["role_missing"]);
    }

    #[test]
    fn an_unknown_code_is_not_guessed_at() {
        for code in ["AADSTS1", "AADSTS99999999999999999999", "nonsense", ""] {
            let answer = answer(code);
            assert!(!answer.known && answer.meanings.is_empty(), "{code}");
        }
    }

    #[test]
    fn both_catalogues_answer() {
        assert_eq!(answer("AADSTS700016").meanings[0].error, Some("unauthorized_client"));
        assert!(answer("role_missing").meanings[0].who.contains("administrator"));
        assert_eq!(answer("AADSTS90002").meanings.len(), 2);
    }
}
