//! `--jsonl`: one line in, one line out, in order, at the speed of all cores.

use std::borrow::Cow;
use std::io::{Read, Write};

use serde::Deserialize;

use super::judge::Judge;
use super::lines::{Batches, Line};
use super::verdict::Verdict;
use crate::error::CliError;
use crate::exit::Exit;

/// Fewer lines than this are not worth a thread.
const LINES_PER_THREAD: usize = 8;

/// Answers every line of `input`.
pub(crate) fn run(judge: &Judge, input: impl Read, out: &mut impl Write) -> Result<Exit, CliError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(16);
    let mut batches = Batches::new(input);
    let mut lines = Vec::new();
    let mut answers = vec![Answers::default(); threads];
    let (mut number, mut exit) = (1, Exit::Done);
    while batches.next(&mut lines).map_err(CliError::Input)? {
        let share = lines.len().div_ceil(threads).max(LINES_PER_THREAD);
        let bytes = batches.bytes();
        std::thread::scope(|scope| {
            let mut work = lines.chunks(share).zip(&mut answers).enumerate();
            // The first share is this thread's own: a single line starts none.
            let own = work.next();
            for (index, (lines, answers)) in work {
                let first = number + (index * share) as u64;
                scope.spawn(move || answers.of(judge, bytes, lines, first));
            }
            if let Some((_, (lines, answers))) = own {
                answers.of(judge, bytes, lines, number);
            }
        });
        for answers in answers.iter_mut().take(lines.len().div_ceil(share)) {
            out.write_all(&answers.text).map_err(CliError::Output)?;
            if answers.without_keys {
                exit = Exit::Unreachable;
            }
        }
        out.flush().map_err(CliError::Output)?;
        number += lines.len() as u64;
    }
    Ok(exit)
}

/// One thread's answers to its share of a batch.
#[derive(Debug, Clone, Default)]
struct Answers {
    text: Vec<u8>,
    without_keys: bool,
}

impl Answers {
    fn of(&mut self, judge: &Judge, bytes: &[u8], lines: &[Line], first: u64) {
        self.text.clear();
        for (line, number) in lines.iter().zip(first..) {
            let text = match line {
                Line::TooLong => Err(Verdict::line_too_long as NoToken),
                Line::Text(range) => {
                    std::str::from_utf8(&bytes[range.clone()]).map_err(|_| Verdict::line_not_utf8 as _)
                }
            };
            match text.and_then(token_of) {
                Ok(token) => {
                    let Ok(exit) = judge.decide(token.as_ref(), |verdict| self.tell(verdict, number));
                    self.without_keys |= exit == Exit::Unreachable;
                }
                Err(verdict) => {
                    let Ok(()) = self.tell(&verdict(), number);
                }
            }
        }
    }

    fn tell(&mut self, verdict: &Verdict<'_>, line: u64) -> Result<(), std::convert::Infallible> {
        let start = self.text.len();
        // Texts, numbers and booleans into memory cannot fail; if they ever do, the line is still answered.
        if serde_json::to_writer(&mut self.text, &Numbered { verdict, line }).is_err() {
            self.text.truncate(start);
            self.text.extend_from_slice(br#"{"valid":false,"reason":"internal"}"#);
        }
        self.text.push(b'\n');
        Ok(())
    }
}

/// A verdict with its line's number.
#[derive(serde::Serialize)]
struct Numbered<'a> {
    #[serde(flatten)]
    verdict: &'a Verdict<'a>,
    line: u64,
}

/// What a JSON line holds; other members are somebody's notes.
#[derive(Deserialize)]
struct TokenLine<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
}

/// Makes the verdict on a line that holds no token.
type NoToken = fn() -> Verdict<'static>;

fn token_of(line: &str) -> Result<Cow<'_, str>, NoToken> {
    match line.trim_start_matches([' ', '\t']) {
        "" => Err(Verdict::line_empty),
        // No token begins with a brace.
        object if object.starts_with('{') => serde_json::from_str::<TokenLine<'_>>(object)
            .map(|object| object.token)
            .map_err(|_| Verdict::line_malformed as NoToken),
        _ => Ok(line.into()),
    }
}
