//! Chores of this workspace: what is more than three lines of shell and must be the same on every machine.
//!
//! `cargo xtask test` is the test command of the README and of CI; there is no other. It refuses to skip in silence: a
//! step that cannot run says why in the summary, and a missing tool is installed or is a failure. Read on in [`checks`]
//! for what is checked, in [`environment`] for what is installed and where.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to whoever started it")]
#![expect(clippy::disallowed_methods, reason = "a binary's door: the environment stops here")]

mod benchmarks;
mod checks;
mod environment;
mod examples;
mod pages;
mod process;
mod report;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND

  test [STEP…]         everything that CI checks; with names, only those steps (`cargo xtask test --list`)
  environment          install what the tests need (PostgreSQL, Chromium, Python, Node, …), nothing else
  pages --out DIR      every page of the authority as HTML and as pictures, in two sizes, light and dark
  bench [NAME…]        every benchmark with a figure to keep, in one go; with names, only those

Example: cargo xtask test format clippy
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match arguments.first().map(String::as_str) {
        Some("test") => checks::run(&rest),
        Some("environment") => environment::run(),
        Some("pages") => pages::run(&rest),
        Some("bench") => benchmarks::run(&rest),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
