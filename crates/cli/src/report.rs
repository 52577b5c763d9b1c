//! How a failure is told: what happened, why, and what to do. On stderr, in three kinds of line.

use std::error::Error;
use std::io::Write;

use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::{BAD, CARE, printable, styled};

/// Prints an error with its causes and its hint, and says which status to leave with.
pub(crate) fn failure(error: &CliError) -> Exit {
    if error.is_broken_pipe() {
        return Exit::Done;
    }
    let mut out = anstream::stderr().lock();
    let _ = write_failure(&mut out, error, error.hint().as_deref());
    if let Some(id) = error.correlation_id() {
        let _ = write_lines(&mut out, "correlation id", id);
    }
    error.exit()
}

fn write_failure(out: &mut impl Write, error: &(dyn Error + 'static), hint: Option<&str>) -> std::io::Result<()> {
    write_lines(out, &styled(BAD, "error:"), &error.to_string())?;
    let mut cause = error.source();
    let mut above = error.to_string();
    while let Some(error) = cause {
        let text = error.to_string();
        // A transparent level says what the one below says.
        if text != above {
            write_lines(out, "  because:", &text)?;
        }
        cause = error.source();
        above = text;
    }
    match hint {
        Some(hint) => write_lines(out, &styled(CARE, "hint:"), hint),
        None => Ok(()),
    }
}

/// A list of faults has a line for each; every line is made fit for a terminal by itself.
fn write_lines(out: &mut impl Write, label: &str, text: &str) -> std::io::Result<()> {
    let mut lines = text.lines().map(printable);
    writeln!(out, "{label} {}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| writeln!(out, "    {}", line.trim_start()))
}

/// Prints what will fail next, and the command that repairs it.
pub(crate) fn warning(text: &str) {
    let mut out = anstream::stderr().lock();
    let _ = writeln!(out, "{} {}", styled(CARE, "warning:"), printable(text));
}

/// Prints a line that is already styled.
pub(crate) fn heading(text: &str) {
    let mut out = anstream::stderr().lock();
    let _ = writeln!(out, "{text}");
}

/// Prints a note that is neither result nor warning.
pub(crate) fn note(text: &str) {
    let mut out = anstream::stderr().lock();
    let _ = writeln!(out, "{}", printable(text));
}

/// Prints what somebody may do next.
pub(crate) fn hint(text: &str) {
    let mut out = anstream::stderr().lock();
    let _ = writeln!(out, "{} {}", styled(CARE, "hint:"), printable(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_stands_on_its_own_line() {
        let cause = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file\u{1b}[2J\nhere");
        let error = CliError::Read { path: "policy.json".into(), cause };
        let mut out = Vec::new();
        write_failure(&mut out, &error, Some("look")).unwrap();
        let text = anstream::adapter::strip_bytes(&out).into_vec();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "error: policy.json cannot be read\n  because: no such file\\u{1b}[2J\n    here\nhint: look\n"
        );
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let pipe = CliError::Output(std::io::ErrorKind::BrokenPipe.into());
        assert_eq!(failure(&pipe), Exit::Done);
        assert_eq!(CliError::Output(std::io::ErrorKind::StorageFull.into()).exit(), Exit::Machine);
    }
}
