//! Telling the story: for people in text, for programs in JSON lines.

use std::io::{self, Write};
use std::time::Duration;

use anstream::AutoStream;
use countersign_token::{Clock, SystemClock};
use serde_json::{Map, Value, json};

use super::step::{Detail, Outcome, Scene, Step};
use super::steps::STEPS;
use super::wire::{Exchange, Field};
use crate::claim_text;
use crate::terminal::{BAD, GOOD, HEADING, NAME, QUIET, printable, shortened, styled, wrapped};

/// The widest that text runs.
const WIDTH: usize = 96;

/// The longest value shown on its line.
const LONGEST_VALUE: usize = 600;

/// Writes the story.
pub(crate) struct Narrator {
    out: AutoStream<io::Stdout>,
    json: bool,
    sent: &'static str,
    received: &'static str,
    plain: bool,
}

impl Narrator {
    pub(crate) fn new(json: bool, plain: bool) -> Self {
        let out = if plain || json { AutoStream::never(io::stdout()) } else { anstream::stdout() };
        let (sent, received) = if plain { ("->", "<-") } else { ("→", "←") };
        Self { out, json, sent, received, plain }
    }

    /// One step, as soon as it was played.
    pub(crate) fn step(&mut self, number: usize, step: &Step, scene: &Scene, outcome: &Outcome) -> io::Result<()> {
        if self.json {
            return self.line(&step_document(number, step, scene, outcome));
        }
        writeln!(self.out, "{}", styled(HEADING, format!("{number:>2}  {}", step.title)))?;
        for line in wrapped(step.story, WIDTH - 4) {
            writeln!(self.out, "    {line}")?;
        }
        for exchange in &scene.exchanges {
            self.exchange(exchange)?;
        }
        for detail in &scene.details {
            self.detail(detail)?;
        }
        let got = self.shown(&outcome.got);
        writeln!(self.out)?;
        if outcome.is_ok() {
            writeln!(self.out, "    {} {got}\n", styled(GOOD, "ok"))
        } else {
            writeln!(self.out, "    {} {got}; expected: {}\n", styled(BAD, "FAILED"), outcome.expected)
        }
    }

    fn exchange(&mut self, exchange: &Exchange) -> io::Result<()> {
        let request = format!("{} {}", exchange.method, exchange.url);
        writeln!(self.out, "\n    {} {}", styled(NAME, self.sent), self.shown(&request))?;
        self.fields(&exchange.sent)?;
        let style = if exchange.status.is_success() { GOOD } else { BAD };
        let reason = exchange.status.canonical_reason().unwrap_or_default();
        let status = format!("{} {reason}", exchange.status.as_u16());
        writeln!(self.out, "    {} {}", styled(NAME, self.received), styled(style, status))?;
        self.fields(&exchange.received)
    }

    fn detail(&mut self, detail: &Detail) -> io::Result<()> {
        writeln!(self.out)?;
        match detail {
            Detail::Fields(heading, fields) => {
                writeln!(self.out, "    {}", styled(HEADING, heading))?;
                self.fields(fields)
            }
            Detail::Claims(claims) => {
                writeln!(self.out, "    {}", styled(HEADING, "The token says"))?;
                self.claims(claims)
            }
            Detail::Note(text) => {
                for line in wrapped(&self.shown(text), WIDTH - 4) {
                    writeln!(self.out, "    {}", styled(QUIET, line))?;
                }
                Ok(())
            }
        }
    }

    /// Names in a column; long values run on below themselves.
    fn fields(&mut self, fields: &[Field]) -> io::Result<()> {
        let width = fields.iter().map(|field| field.name.chars().count()).max().unwrap_or(0);
        for field in fields {
            let value = self.shown(&shortened(&field.value, LONGEST_VALUE));
            let name = self.shown(&field.name);
            // What has no blanks is not broken: addresses want to be copied.
            for (index, line) in wrapped(&value, WIDTH.saturating_sub(8 + width)).iter().enumerate() {
                let name = if index == 0 { name.as_str() } else { "" };
                writeln!(self.out, "      {NAME}{name:<width$}{NAME:#}  {line}")?;
            }
        }
        Ok(())
    }

    fn claims(&mut self, claims: &Map<String, Value>) -> io::Result<()> {
        let now = SystemClock.now().as_unix_seconds();
        let mut names: Vec<&String> = claims.keys().collect();
        names.sort_by_key(|name| claim_text::rank(name));
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for name in names {
            let value = self.shown(&shortened(&claims[name].to_string(), WIDTH - 8 - width));
            let name_shown = self.shown(name);
            writeln!(self.out, "      {NAME}{name_shown:<width$}{NAME:#}  {value}")?;
            let explanation = claim_text::claim(name, &claims[name], now);
            if !explanation.is_empty() {
                writeln!(self.out, "      {:width$}  {}", "", styled(QUIET, self.shown(&explanation)))?;
            }
        }
        Ok(())
    }

    /// The table, and the verdict on the whole.
    pub(crate) fn summary(&mut self, outcomes: &[Outcome], ok: bool, elapsed: Duration) -> io::Result<()> {
        let failed: Vec<&str> =
            outcomes.iter().filter(|outcome| !outcome.is_ok()).map(|outcome| outcome.name).collect();
        if self.json {
            let document =
                json!({"ok": ok, "steps": outcomes.len(), "failed": failed, "seconds": elapsed.as_secs_f64()});
            return self.line(&document);
        }
        let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0).max(8);
        let titles = width(&mut outcomes.iter().map(|outcome| outcome.title.chars().count()));
        let expected = width(&mut outcomes.iter().map(|outcome| outcome.expected.chars().count()));
        let got = width(&mut outcomes.iter().map(|outcome| outcome.got.chars().count().min(WIDTH)));
        let heading = format!("{:>2}  {:<titles$}  {:<expected$}  {:<got$}", "#", "step", "expected", "got");
        writeln!(self.out, "{}", styled(HEADING, heading.trim_end()))?;
        for (index, outcome) in outcomes.iter().enumerate() {
            let verdict = if outcome.is_ok() { styled(GOOD, "ok") } else { styled(BAD, "FAILED") };
            let shown = self.shown(&shortened(&outcome.got, WIDTH - 1));
            writeln!(
                self.out,
                "{:>2}  {:<titles$}  {:<expected$}  {shown:<got$}  {verdict}",
                index + 1,
                outcome.title,
                outcome.expected,
            )?;
        }
        let seconds = elapsed.as_secs_f64();
        let verdict = if ok {
            styled(GOOD, format!("All {} steps came out as they should", outcomes.len()))
        } else {
            styled(BAD, format!("{} of {} steps went wrong", STEPS.len() - outcomes.len() + failed.len(), STEPS.len()))
        };
        writeln!(self.out, "\n{verdict} ({seconds:.1} s).")
    }

    /// What is left running, and how to use it.
    pub(crate) fn kept(&mut self, document: &Value, lines: &[String]) -> io::Result<()> {
        if self.json {
            return self.line(document);
        }
        writeln!(self.out)?;
        for line in lines {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }

    fn line(&mut self, document: &Value) -> io::Result<()> {
        writeln!(self.out, "{document}")?;
        self.out.flush()
    }

    /// Fit for this output: nothing a terminal obeys, and ASCII alone where that was asked for.
    fn shown(&self, text: &str) -> String {
        let text = printable(text);
        if !self.plain {
            return text;
        }
        let ascii = |character: char| match character {
            '…' => "...".to_owned(),
            other if other.is_ascii() => other.to_string(),
            other => other.escape_unicode().to_string(),
        };
        text.chars().map(ascii).collect()
    }
}

fn step_document(number: usize, step: &Step, scene: &Scene, outcome: &Outcome) -> Value {
    let claims = scene.details.iter().find_map(|detail| match detail {
        Detail::Claims(claims) => Some(claims),
        _ => None,
    });
    let details: Map<String, Value> = scene
        .details
        .iter()
        .filter_map(|detail| match detail {
            Detail::Fields(heading, fields) => Some(((*heading).to_owned(), json!(fields))),
            _ => None,
        })
        .collect();
    json!({
        "step": number, "name": step.name, "title": step.title, "expected": step.expected, "got": outcome.got,
        "ok": outcome.is_ok(), "exchanges": scene.exchanges, "claims": claims, "details": details,
    })
}
