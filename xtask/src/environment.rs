//! What the tests need: PostgreSQL; Chromium; for the real clients a Python with its packages, a Node with its, Microsoft's
//! Rust client, and those for Go and Java where Go and Java are; cargo-deny.
//!
//! Everything goes into `conformance/.environment` and is pinned by a checked-in file; only what the system's own package
//! manager must provide is installed outside, by apt-get on Debian and its kin. Each part is skipped when it is there
//! already, so a second run costs nothing. `conformance/src/clients.rs` starts the clients from here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::process::{cargo, command, probe, root, run as run_command};
use crate::report::{Outcome, Report};

/// The release whose checks the configuration was written for.
const CARGO_DENY: &str = "0.20.2";

pub(crate) fn folder() -> PathBuf {
    root().join("conformance/.environment")
}

/// `cargo xtask environment`.
pub(crate) fn run() -> ExitCode {
    let mut report = Report::new();
    report.step("environment", "what the tests need", |_| install());
    report.close()
}

/// Installs what is missing.
pub(crate) fn install() -> Outcome {
    let parts: [fn() -> Result<(), String>; 10] =
        [system_packages, postgresql, redis, chromium, python, node, rust_client, go_clients, java_client, deny];
    parts.into_iter().try_for_each(|part| part()).into()
}

fn system_packages() -> Result<(), String> {
    let mut missing = Vec::new();
    if !probe(with(command("git"), &["--version"])).0 {
        // A test lets a manifest name a repository, to see that the walls notice.
        missing.push("git");
    }
    if !probe(with(command("kill"), &["-l"])).0 {
        // The command line's tests stop what they started, as a person would.
        missing.push("procps");
    }
    let usable_python = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))";
    if !probe(with(command("python3"), &["-c", usable_python])).0 {
        missing.extend(["python3", "python3-venv"]);
    }
    if !probe(with(command("pkg-config"), &["--exists", "openssl"])).0 {
        // Microsoft's Rust client signs certificate assertions with OpenSSL; josekit, beside the fuzz targets, does all.
        missing.extend(["pkg-config", "libssl-dev"]);
    }
    if !probe(with(command("c++"), &["--version"])).0 {
        // libFuzzer is C++.
        missing.push("g++");
    }
    if missing.is_empty() {
        return Ok(());
    }
    println!("    system packages: installing {}, about a minute", missing.join(" "));
    apt_get(&["update", "-q"])?;
    let mut arguments = vec!["install", "-q", "-y", "--no-install-recommends"];
    arguments.extend(&missing);
    apt_get(&arguments)
}

/// The tests start servers of their own; all they need is the programs. Debian's package would set up and start a server
/// for the whole machine, unless its configuration says otherwise while it is installed.
fn postgresql() -> Result<(), String> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let there = |folder: &Path| folder.join("bin/initdb").is_file();
    if debian.map(|version| version.path()).any(|version| there(&version))
        || probe(with(command("initdb"), &["--version"])).0
    {
        return Ok(());
    }
    println!("    system packages: installing postgresql, about a minute");
    const CONFIGURATION: &str = "/etc/postgresql-common/createcluster.conf";
    const MARK: &str = "# while Countersign's test command installs PostgreSQL";
    apt_get(&["update", "-q"])?;
    let install = ["install", "-q", "-y", "--no-install-recommends"];
    apt_get(&[&install[..], &["postgresql-common"]].concat())?;
    let say = format!("echo \"create_main_cluster = false {MARK}\" >> {CONFIGURATION}");
    run_command(as_root("sh", &["-c", &say]))?;
    let installed = apt_get(&[&install[..], &["postgresql"]].concat());
    run_command(as_root("sed", &["-i", &format!("/{MARK}/d"), CONFIGURATION]))?;
    installed
}

/// The tests start a server of their own on a free port. Where a machine has systemd, Debian's package starts one besides,
/// on loopback.
fn redis() -> Result<(), String> {
    if probe(with(command("redis-server"), &["--version"])).0 {
        return Ok(());
    }
    println!("    system packages: installing redis-server, some seconds");
    apt_get(&["update", "-q"])?;
    apt_get(&["install", "-q", "-y", "--no-install-recommends", "redis-server"])
}

/// People's pages are looked at in it. Debian's package brings no service along.
fn chromium() -> Result<(), String> {
    if ["chromium", "chromium-browser", "google-chrome"].iter().any(|name| probe(with(command(name), &["--version"])).0)
    {
        return Ok(());
    }
    println!("    system packages: installing chromium, about a minute");
    apt_get(&["update", "-q"])?;
    apt_get(&["install", "-q", "-y", "--no-install-recommends", "chromium"])
}

fn apt_get(arguments: &[&str]) -> Result<(), String> {
    // sudo drops the environment, so the wish not to be asked anything goes through env.
    let install = as_root("env", &[&["DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat());
    run_command(install).map_err(|error| format!("{error}; install the packages named above by hand and try again"))
}

fn as_root(program: &str, arguments: &[&str]) -> Command {
    let root = probe(with(command("id"), &["-u"])).1.trim() == "0";
    let (first, before): (&str, &[&str]) = if root { (program, &[]) } else { ("sudo", &["-n", program]) };
    with(with(command(first), before), arguments)
}

/// Runs `part`, which makes `made`, unless that is there and the stamp says that it was made for the same pins.
fn once(
    name: &str,
    made: &Path,
    pins: &str,
    about: &str,
    part: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let stamp = folder().join(format!("{name}.installed"));
    if made.exists() && fs::read_to_string(&stamp).is_ok_and(|done| done == pins) {
        println!("    {name}: there already");
        return Ok(());
    }
    println!("    {name}: {about}");
    fs::create_dir_all(folder()).map_err(|error| error.to_string())?;
    let _ = fs::remove_file(&stamp);
    part()?;
    fs::write(&stamp, pins).map_err(|error| error.to_string())
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("cannot read {path}: {error}"))
}

fn python() -> Result<(), String> {
    let requirements = "conformance/clients/python/requirements.txt";
    let (_, version) = probe(with(command("python3"), &["--version"]));
    let venv = folder().join("python");
    // An environment knows the path it was made at; in a checkout that moved it is made anew.
    let pins = format!("{}\n{version}{}", venv.display(), read(requirements)?);
    once("python", &venv, &pins, "installing the packages, about two minutes", || {
        if venv.exists() {
            fs::remove_dir_all(&venv).map_err(|error| error.to_string())?;
        }
        run_command(with(command("python3"), &["-m", "venv", &text(&venv)]))?;
        let pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "-r"];
        run_command(with(with(command(&text(&venv.join("bin/python"))), &pip), &[requirements]))
    })
}

fn node() -> Result<(), String> {
    let scripts = root().join("conformance/clients/node");
    let pins = read("conformance/clients/node/package-lock.json")?;
    once("node", &scripts.join("node_modules"), &pins, "installing the packages, a few seconds", || {
        let tools = folder().join("python/bin");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut npm = with(command(&text(&tools.join("npm"))), &["ci", "--no-audit", "--no-fund"]);
        npm.current_dir(&scripts).env("PATH", format!("{}:{path}", tools.display()));
        run_command(npm)
    })
}

/// Built outside the workspace's target directory: it shares neither features nor locked versions with the house.
fn rust_client() -> Result<(), String> {
    println!("    rust: building Microsoft's client, about a minute the first time");
    let target = text(&folder().join("rust"));
    let manifest = "conformance/clients/rust/Cargo.toml";
    run_command(cargo(&["build", "--locked", "--manifest-path", manifest, "--target-dir", &target]))
}

/// Go's own caches make a second build cost a second. A machine without Go does without its clients; their tests say so.
fn go_clients() -> Result<(), String> {
    let made = folder().join("go-clients");
    // One since 1.21 fetches the toolchain that go.mod wants.
    if version("go", "version", "go1.").is_none_or(|minor| minor < 21) {
        println!("    go: skipped, Go is not installed, or older than 1.21");
        return Ok(());
    }
    println!("    go: building Microsoft's clients, about a minute the first time");
    let mut build = with(command("go"), &["build", "-mod=readonly", "-trimpath", "-o", &text(&made), "."]);
    build.current_dir(root().join("conformance/clients/go"));
    run_command(build)
}

/// The launcher compiles the program itself, so what is installed are the libraries. As for Go, a machine without a Java
/// of 17 or later and Maven does without.
fn java_client() -> Result<(), String> {
    let maven = probe(with(command("mvn"), &["-version"])).0;
    if !maven || version("javac", "-version", "javac ").is_none_or(|major| major < 17) {
        println!("    java: skipped, Java 17 (with its compiler) or Maven is not installed");
        return Ok(());
    }
    let libraries = folder().join("java");
    let pins = read("conformance/clients/java/pom.xml")?;
    once("java", &libraries, &pins, "installing the packages, a few seconds", || {
        let mut maven = command("mvn");
        maven.current_dir(root().join("conformance/clients/java"));
        maven.arg(format!("-Dmaven.repo.local={}", folder().join("maven").display()));
        maven.arg(format!("-DoutputDirectory={}", libraries.display()));
        run_command(with(maven, &["-q", "-B", "-ntp", "dependency:copy-dependencies", "-DincludeScope=runtime"]))
    })
}

/// The number that follows `before` in what a program says of its version; none if there is no such program.
fn version(program: &str, argument: &str, before: &str) -> Option<u32> {
    let (found, said) = probe(with(command(program), &[argument]));
    let rest = said.split(before).nth(1).filter(|_| found)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn deny() -> Result<(), String> {
    if deny_command().is_some() {
        println!("    cargo-deny: there already");
        return Ok(());
    }
    println!("    cargo-deny: installing {CARGO_DENY}, some five minutes");
    let folder = text(&folder());
    run_command(cargo(&["install", "--locked", "--root", &folder, "--version", CARGO_DENY, "cargo-deny"]))
}

/// The cargo-deny to use: one on the path of the same minor release, else the one that [`install`] put aside.
pub(crate) fn deny_command() -> Option<Command> {
    let ours = text(&folder().join("bin/cargo-deny"));
    let wanted = CARGO_DENY.rsplit_once('.').map_or(CARGO_DENY, |(minor, _)| minor);
    ["cargo-deny", &ours].into_iter().find_map(|program| {
        let (found, version) = probe(with(command(program), &["--version"]));
        (found && version.contains(&format!(" {wanted}."))).then(|| command(program))
    })
}

fn with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
