//! `cargo xtask test`: the steps, in order, each run whatever became of the ones before.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::environment;
use crate::examples;
use crate::process::{cargo, probe, root, run as run_command, run_seen};
use crate::report::{Outcome, Report};

type Step = (&'static str, &'static str, fn(&mut Report) -> Outcome);

const STEPS: [Step; 8] = [
    ("environment", "install what the tests need and is missing", |_| environment::install()),
    ("format", "cargo fmt", |_| run_command(cargo(&["fmt", "--all", "--check"])).into()),
    ("walls", "licences, sources, one version of each, who may use what (deny.toml)", |_| walls()),
    ("advisories", "known vulnerabilities, where the list of them can be reached", |_| advisories()),
    ("clippy", "every lint is an error", |_| clippy().into()),
    ("tests", "unit, golden, storage, documentation, real clients", |report| tests(report).into()),
    ("examples", "every story of examples/run", |_| examples::run().into()),
    ("fuzz", "the fuzz targets, over their seeds and for some seconds each", |_| fuzz().into()),
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

const FUZZ_MANIFEST: &str = "fuzz/Cargo.toml";

/// What every run of a target is told: the same beginning each time, and an input that takes longer than this is a find.
const FUZZ_ARGUMENTS: [&str; 5] = ["-seed=1", "-max_len=4096", "-timeout=10", "-print_final_stats=1", "-verbosity=0"];

/// Where libFuzzer ends, whichever comes first: with eight targets, after three quarters of a minute.
const FUZZ_BOUNDS: [&str; 2] = ["-runs=500000", "-max_total_time=5"];

/// Builds the targets with the counters that guide libFuzzer (`fuzz/coverage.toml`; without them it would mutate nothing at
/// all) and runs each: over its seeds, then for some seconds over what libFuzzer makes of them. That finds what lies close
/// to the seeds; a search takes hours and a corpus that is kept, and `fuzz/Cargo.toml` has the command. There is no
/// sanitizer, which wants a nightly compiler: it looks for faults of unsafe code, and here only dependencies have that.
///
/// The seed of the mutations is fixed, but the keys are new in every process and the end is a matter of time, so that two
/// runs are alike and not the same. An input that fails does so every time: a target signs it anew.
fn fuzz() -> Result<(), String> {
    let targets = fuzz_targets()?;
    run_command(fuzz_cargo("build", &[]))?;
    let finds: Vec<_> = targets.iter().filter_map(|target| fuzz_target(target).err()).collect();
    if finds.is_empty() { Ok(()) } else { Err(finds.join("; ")) }
}

fn fuzz_cargo(chore: &str, arguments: &[&str]) -> Command {
    let mut cargo = cargo(&[chore, "--config", "fuzz/coverage.toml", "--locked", "--manifest-path", FUZZ_MANIFEST]);
    cargo.args(["--features", "josekit"]).args(arguments);
    cargo
}

/// The names of the targets: every file in their folder is one, listed in the manifest or not.
fn fuzz_targets() -> Result<Vec<String>, String> {
    let names = file_names("fuzz/fuzz_targets")?;
    let targets: Vec<_> = names.iter().filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned())).collect();
    if targets.is_empty() { Err("there are no fuzz targets".to_owned()) } else { Ok(targets) }
}

fn file_names(folder: &str) -> Result<Vec<String>, String> {
    let failed = |error| format!("cannot read {folder}: {error}");
    let entries = fs::read_dir(root().join(folder)).map_err(failed)?;
    let name = |entry: std::io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    let mut names = entries.map(name).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    names.sort();
    Ok(names)
}

fn fuzz_target(target: &str) -> Result<(), String> {
    let folder = format!("fuzz/seeds/{target}");
    let seeds: Vec<_> = file_names(&folder)?.iter().map(|name| format!("{folder}/{name}")).collect();
    if seeds.is_empty() {
        return Err(format!("{folder} is empty"));
    }
    let replay: Vec<_> = seeds.iter().map(String::as_str).collect();
    fuzz_run(target, &replay)?;
    // Named one by one: into a folder libFuzzer would write what it finds interesting.
    let inputs = format!("-seed_inputs={}", seeds.join(","));
    let artifacts = format!("-artifact_prefix=fuzz/artifacts/{target}/");
    fs::create_dir_all(root().join("fuzz/artifacts").join(target)).map_err(|error| error.to_string())?;
    let search = [&FUZZ_BOUNDS[..], &[inputs.as_str(), artifacts.as_str()]].concat();
    let said = fuzz_run(target, &search)?;
    let runs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")).unwrap_or("?");
    println!("    {target}: {} seeds, {} runs", seeds.len(), runs.trim());
    Ok(())
}

/// What the target said; if it failed, that is shown, and the input at fault is named.
fn fuzz_run(target: &str, arguments: &[&str]) -> Result<String, String> {
    let (passed, said) =
        probe(fuzz_cargo("run", &[&["--quiet", "--bin", target, "--"], &FUZZ_ARGUMENTS[..], arguments].concat()));
    if passed {
        return Ok(said);
    }
    print!("{said}");
    Err(match input_at_fault(&said) {
        Some(input) => format!("{target} fails on {input}"),
        None => format!("{target} did not run"),
    })
}

/// The file that libFuzzer wrote, or the one that it was last told to run.
fn input_at_fault(said: &str) -> Option<&str> {
    let after = |mark| said.lines().filter_map(|line| Some(line.split_once(mark)?.1.trim())).next_back();
    after("Test unit written to ").or_else(|| after("Running: ")).filter(|path| Path::new(path).file_name().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_at_fault_is_named() {
        let replay = "Running: fuzz/seeds/json/a\nExecuted fuzz/seeds/json/a in 0 ms\nRunning: fuzz/seeds/json/b\nboom";
        assert_eq!(input_at_fault(replay), Some("fuzz/seeds/json/b"));
        let search =
            "#2 INITED\nartifact_prefix='fuzz/artifacts/json/'; Test unit written to fuzz/artifacts/json/crash-ab\n";
        assert_eq!(input_at_fault(search), Some("fuzz/artifacts/json/crash-ab"));
        assert_eq!(input_at_fault("error: no bin target named `x`"), None);
    }

    #[test]
    fn every_target_has_seeds_and_every_folder_of_seeds_a_target() {
        let targets = fuzz_targets().unwrap();
        assert!(targets.len() >= 8 && targets.contains(&"differential".to_owned()));
        assert_eq!(file_names("fuzz/seeds").unwrap(), targets);
        for target in &targets {
            assert!(!file_names(&format!("fuzz/seeds/{target}")).unwrap().is_empty(), "{target}");
        }
    }
}
