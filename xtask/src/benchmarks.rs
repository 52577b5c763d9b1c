//! `cargo xtask bench`: every benchmark that keeps a figure, in one build and one go.

use std::fs;
use std::process::ExitCode;

use crate::process::{cargo, root, run as run_command};
use crate::report::Report;

pub(crate) fn run(names: &[&str]) -> ExitCode {
    let found = targets();
    if let Some(unknown) = names.iter().find(|name| !found.iter().any(|bench| bench == *name)) {
        eprintln!("error: there is no benchmark `{unknown}`");
        eprintln!("hint: there are {}", found.join(", "));
        return ExitCode::from(2);
    }
    let chosen: Vec<&String> =
        found.iter().filter(|bench| names.is_empty() || names.contains(&bench.as_str())).collect();
    let mut report = Report::new();
    report.step("figures", "ratios are taken within this run; read them, not the absolute times", |_| {
        let mut bench = cargo(&["bench", "--locked", "--workspace"]);
        for name in chosen {
            bench.args(["--bench", name]);
        }
        run_command(bench).into()
    });
    report.close()
}

/// The benchmark targets of all rooms, which are the files in their `benches` folders.
fn targets() -> Vec<String> {
    let rooms = fs::read_dir(root().join("crates")).into_iter().flatten().flatten();
    let files = rooms.flat_map(|room| fs::read_dir(room.path().join("benches")).into_iter().flatten().flatten());
    let mut names: Vec<String> = files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names.dedup();
    names
}
