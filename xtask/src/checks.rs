//! `cargo xtask test`: the steps, in order, each run whatever became of the ones before.

use std::process::ExitCode;

use crate::environment;
use crate::process::{cargo, probe, root, run as run_command, run_seen};
use crate::report::{Outcome, Report};

type Step = (&'static str, &'static str, fn(&mut Report) -> Outcome);

const STEPS: [Step; 7] = [
    ("environment", "install what the tests need and is missing", |_| environment::install()),
    ("format", "cargo fmt", |_| run_command(cargo(&["fmt", "--all", "--check"])).into()),
    ("walls", "licences, sources, one version of each, who may use what (deny.toml)", |_| walls()),
    ("advisories", "known vulnerabilities, where the list of them can be reached", |_| advisories()),
    ("clippy", "every lint is an error", |_| clippy().into()),
    ("tests", "unit, golden, storage, documentation, real clients", |report| tests(report).into()),
    ("fuzz", "the fuzz targets build", |_| fuzz()),
];

pub(crate) fn run(names: &[&str]) -> ExitCode {
    if names == ["--list"] {
        for (name, about, _) in STEPS {
            println!("{name:<12} {about}");
        }
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = names.iter().find(|name| !STEPS.iter().any(|(step, ..)| step == *name)) {
        eprintln!("error: there is no step `{unknown}`");
        eprintln!("hint: `cargo xtask test --list` names them");
        return ExitCode::from(2);
    }
    let mut report = Report::new();
    for (name, about, step) in STEPS {
        if names.is_empty() || names.contains(&name) {
            report.step(name, about, step);
        }
    }
    report.close()
}

fn clippy() -> Result<(), String> {
    run_command(cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// One call for everything: a second one with other packages would build the dependencies with other features again.
/// The development profile optimises dependencies (see the root manifest), so RSA and TLS run at their full speed.
fn tests(report: &mut Report) -> Result<(), String> {
    run_seen(cargo(&["test", "--locked", "--workspace", "--no-fail-fast"]), |line| report.count(line))
}

fn walls() -> Outcome {
    let Some(mut deny) = environment::deny_command() else {
        return Outcome::Failed("cargo-deny is not installed: run `cargo xtask environment`".to_owned());
    };
    deny.args(["--locked", "check", "--allow", "unused-wrapper", "bans", "licenses", "sources"]);
    run_command(deny).into()
}

fn advisories() -> Outcome {
    let Some(mut deny) = environment::deny_command() else {
        return Outcome::Failed("cargo-deny is not installed: run `cargo xtask environment`".to_owned());
    };
    deny.args(["--locked", "check", "advisories"]);
    let (passed, said) = probe(deny);
    if passed {
        Outcome::Passed
    } else if said.contains("failed to fetch advisory database") {
        Outcome::Skipped("the advisory database cannot be reached from here".to_owned())
    } else {
        print!("{said}");
        Outcome::Failed("an advisory concerns a dependency, see above".to_owned())
    }
}

/// Fuzzing wants a nightly compiler's sanitizers; that the targets compile and link does not.
fn fuzz() -> Outcome {
    let manifest = "fuzz/Cargo.toml";
    if !root().join(manifest).is_file() {
        return Outcome::Skipped("there are no fuzz targets yet".to_owned());
    }
    run_command(cargo(&["build", "--locked", "--manifest-path", manifest])).into()
}
