//! The usage texts, letter for letter: they are the documentation, and changes to them should be seen in review.
//!
//! To renew one: `countersign verify --help > crates/cli/tests/golden/verify.txt`.

mod support;

use support::{countersign, run, run_command};

fn check(command: &str, golden: &str) {
    let mut arguments: Vec<&str> = vec![command, "--help"];
    arguments.retain(|argument| !argument.is_empty());
    let run = run(&arguments);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{command}");
    assert_eq!(run.stdout, golden, "the usage text of {command:?} changed");
    let longest = run.stdout.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(100), "{command}: {longest:?}");
}

#[test]
fn the_usage_texts_are_as_reviewed() {
    check("", include_str!("golden/countersign.txt"));
    check("demo", include_str!("golden/demo.txt"));
    check("authority", include_str!("golden/authority.txt"));
    check("sidecar", include_str!("golden/sidecar.txt"));
    check("token", include_str!("golden/token.txt"));
    check("call", include_str!("golden/call.txt"));
    check("inspect", include_str!("golden/inspect.txt"));
    check("verify", include_str!("golden/verify.txt"));
    check("explain", include_str!("golden/explain.txt"));
}

#[test]
fn every_usage_text_ends_in_an_example() {
    for command in [
        None,
        Some("demo"),
        Some("authority"),
        Some("sidecar"),
        Some("token"),
        Some("call"),
        Some("inspect"),
        Some("verify"),
        Some("explain"),
    ] {
        let mut arguments: Vec<&str> = command.into_iter().collect();
        arguments.push("--help");
        let text = run(&arguments).stdout;
        let last = text.trim_end().rsplit("\n\n").next().unwrap_or_default().to_owned();
        assert!(last.starts_with("Example") && last.contains("\n  countersign"), "{command:?}: {last}");
    }
}

#[test]
fn the_environment_does_not_show_in_a_usage_text() {
    let mut command = countersign(&["token", "--help"]);
    let run = run_command(command.env("AZURE_CLIENT_SECRET", "hunter2hunter2"));
    assert!(!run.stdout.contains("hunter2"));
}

#[test]
fn misuse_is_status_2_and_goes_to_stderr() {
    for arguments in
        [&[][..], &["nonsense"], &["demo", "--nonsense"], &["token"], &["explain"], &["demo", "--json", "--plain"]]
    {
        let run = run(arguments);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(run.stderr.contains("Usage: countersign"), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn the_version_is_a_result() {
    let run = run(&["--version"]);
    assert_eq!((run.status, run.stdout), (0, format!("countersign {}\n", env!("CARGO_PKG_VERSION"))));
}
