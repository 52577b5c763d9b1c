//! Named, timed steps and the closing summary.

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What became of a step.
pub(crate) enum Outcome {
    /// It ran and found nothing wrong.
    Passed,
    /// It could not run, for a reason that is not the project's fault; the text says which.
    Skipped(String),
    /// It ran and something is wrong, or a tool that it needs is not there.
    Failed(String),
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Outcome::Failed, |()| Outcome::Passed)
    }
}

struct Line {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

/// The steps done so far.
pub(crate) struct Report {
    started: Instant,
    lines: Vec<Line>,
    passed_tests: u64,
    failed_tests: u64,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), lines: Vec::new(), passed_tests: 0, failed_tests: 0 }
    }

    /// Runs one step, timed, with its name above its output. A later step runs whatever became of this one.
    pub(crate) fn step(&mut self, name: &'static str, about: &str, run: impl FnOnce(&mut Self) -> Outcome) {
        println!("\n==> {name}: {about}");
        let start = Instant::now();
        let outcome = run(self);
        let took = start.elapsed();
        match &outcome {
            Outcome::Passed => println!("<== {name}: ok, {:.1} s", took.as_secs_f64()),
            Outcome::Skipped(why) => println!("<== {name}: skipped, {why}"),
            Outcome::Failed(why) => println!("<== {name}: FAILED, {why}"),
        }
        self.lines.push(Line { name, outcome, took });
    }

    /// Adds what one `test result:` line of cargo says to the totals.
    pub(crate) fn count(&mut self, line: &str) {
        let Some(rest) = line.trim_start().strip_prefix("test result: ") else { return };
        let number = |label: &str| -> u64 {
            let part = rest.split(['.', ';']).map(str::trim).find_map(|part| part.strip_suffix(label));
            part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        self.passed_tests += number("passed");
        self.failed_tests += number("failed");
    }

    /// Prints the summary; the exit code is a failure as soon as one step is.
    pub(crate) fn close(self) -> ExitCode {
        println!("\n==> summary");
        let mut failures = 0;
        for Line { name, outcome, took } in &self.lines {
            let seconds = took.as_secs_f64();
            match outcome {
                Outcome::Passed => println!("    {name:<12} ok       {seconds:>7.1} s"),
                Outcome::Skipped(why) => println!("    {name:<12} skipped  {seconds:>7.1} s  {why}"),
                Outcome::Failed(why) => {
                    failures += 1;
                    println!("    {name:<12} FAILED   {seconds:>7.1} s  {why}");
                }
            }
        }
        let total = self.started.elapsed().as_secs_f64();
        match failures {
            0 => println!("    all steps that ran passed, {total:.1} s"),
            1 => println!("    1 step failed, {total:.1} s"),
            n => println!("    {n} steps failed, {total:.1} s"),
        }
        if self.passed_tests + self.failed_tests > 0 {
            println!("{} passed, {} failed", self.passed_tests, self.failed_tests);
        }
        if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_cargo_reports() {
        let mut report = Report::new();
        report.count("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s");
        report.count("test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s");
        report.count("running 7 tests");
        assert_eq!((report.passed_tests, report.failed_tests), (14, 5));
    }

    #[test]
    fn one_failed_step_fails_the_whole_and_the_next_step_still_runs() {
        let mut report = Report::new();
        report.step("first", "fails", |_| Outcome::Failed("on purpose".to_owned()));
        let mut ran = false;
        report.step("second", "runs all the same", |_| {
            ran = true;
            Outcome::Skipped("nothing to do".to_owned())
        });
        assert!(ran);
        assert_eq!(format!("{:?}", report.close()), format!("{:?}", ExitCode::FAILURE));
    }
}
