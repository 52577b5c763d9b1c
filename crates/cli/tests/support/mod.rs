//! Running the real binary, with an environment of our own and nothing else.
#![allow(dead_code, reason = "each test file uses its own part")]
#![expect(clippy::unwrap_used, reason = "tests")]

pub(crate) mod town;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The lines of stdout, each parsed as JSON.
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The binary with arguments; of the environment it sees nothing but what a test adds.
pub(crate) fn countersign(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end without input.
pub(crate) fn run(arguments: &[&str]) -> Run {
    Run::of(countersign(arguments).output().unwrap())
}

/// Runs a prepared command to the end.
pub(crate) fn run_command(command: &mut Command) -> Run {
    Run::of(command.output().unwrap())
}

/// Runs to the end with this on standard input.
pub(crate) fn run_with_input(arguments: &[&str], input: &[u8]) -> Run {
    run_command_with_input(&mut countersign(arguments), input)
}

/// Runs a prepared command to the end with this on standard input.
pub(crate) fn run_command_with_input(command: &mut Command, input: &[u8]) -> Run {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // A program that stops reading early is not an error here.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output()
    });
    Run::of(output.unwrap())
}

/// A running process that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts a command and reads its stderr until a line contains `word`.
    pub(crate) fn until(command: &mut Command, word: &str) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let found = lines.by_ref().map(Result::unwrap).find(|line| line.contains(word));
        assert!(found.is_some(), "the process ended without saying {word:?}");
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child)
    }

    /// Asks it to stop, as a service manager does, and answers its exit status.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes a file that only the user can read.
pub(crate) fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}
