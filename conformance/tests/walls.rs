//! The walls of `deny.toml`, each broken once in a throw-away copy of the manifests, to see that somebody notices.
//!
//! Arrows that would close a circle (protocol using discovery, say) need no wall: cargo itself refuses them.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The workspace with every source file empty: what depends on what, and nothing else.
struct Copy(TempDir);

impl Copy {
    fn new() -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for file in ["Cargo.toml", "Cargo.lock", "deny.toml"] {
            fs::copy(root.join(file), copy.path(file)).unwrap();
        }
        let rooms = fs::read_dir(root.join("crates")).unwrap().map(|room| room.unwrap().file_name());
        let packages = rooms
            .map(|room| Path::new("crates").join(room))
            .chain(["conformance", "examples", "xtask"].map(PathBuf::from));
        for package in packages.filter(|package| root.join(package).join("Cargo.toml").is_file()) {
            for targets in ["src", "src/bin", "benches"] {
                let Ok(files) = fs::read_dir(root.join(&package).join(targets)) else { continue };
                fs::create_dir_all(copy.path(package.join(targets))).unwrap();
                for file in files.map(|file| file.unwrap().file_name()) {
                    if Path::new(&file).extension().is_some_and(|extension| extension == "rs") {
                        fs::write(copy.path(package.join(targets).join(file)), "").unwrap();
                    }
                }
            }
            fs::copy(root.join(&package).join("Cargo.toml"), copy.path(package.join("Cargo.toml"))).unwrap();
        }
        copy
    }

    fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(relative)
    }

    fn append(&self, file: &str, text: &str) {
        let before = fs::read_to_string(self.path(file)).unwrap();
        fs::write(self.path(file), format!("{before}\n{text}\n")).unwrap();
    }

    /// Lets a room depend on something the workspace knows.
    fn depend(self, room: &str, on: &str) -> Self {
        self.append(&format!("crates/{room}/Cargo.toml"), &format!("[dependencies.{on}]\nworkspace = true"));
        self
    }

    /// Lets a room depend on a made-up package of this name, version and licence.
    fn depend_on_stub(self, room: &str, name: &str, version: &str, licence: &str) -> Self {
        fs::create_dir_all(self.path(format!("stub/{name}/src"))).unwrap();
        fs::write(self.path(format!("stub/{name}/src/lib.rs")), "").unwrap();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"{version}\"\nlicense = \"{licence}\"\nedition = \"2024\"\n"
        );
        fs::write(self.path(format!("stub/{name}/Cargo.toml")), manifest).unwrap();
        let dependency = format!("[dependencies.stub]\npackage = \"{name}\"\npath = \"../../stub/{name}\"");
        self.append(&format!("crates/{room}/Cargo.toml"), &dependency);
        self
    }

    /// What cargo-deny says of the copy: whether all is well, and the text.
    ///
    /// Offline, since everything that the lock file names is there by now; but to cargo a repository on this disk is not.
    fn check(&self, offline: bool) -> (bool, String) {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join(".environment/bin/cargo-deny");
        let output = [Path::new("cargo-deny"), &ours].into_iter().find_map(|program| {
            Command::new(program)
                .args(offline.then_some("--offline"))
                .args(["--color", "never", "check", "--allow", "unused-wrapper"])
                .args(["bans", "licenses", "sources"])
                .current_dir(self.0.path())
                .stdin(Stdio::null())
                .output()
                .ok()
        });
        let output = output.unwrap_or_else(|| panic!("cargo-deny is not there: run `cargo xtask environment` first"));
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    fn expect(&self, what: &str, complaint: &str) {
        assert_noticed(self.check(true), what, complaint);
    }
}

fn assert_noticed((passed, said): (bool, String), what: &str, complaint: &str) {
    assert!(!passed, "{what}: nobody noticed\n{said}");
    assert!(said.contains(complaint), "{what}: `{complaint}` was expected\n{said}");
}

#[test]
fn as_it_stands_nothing_is_wrong() {
    let (passed, said) = Copy::new().check(true);
    assert!(passed, "{said}");
}

#[test]
fn cables_and_dangerous_tools_have_one_door_each() {
    for (room, tool) in [
        ("authority", "sqlx"),
        ("guard", "reqwest"),
        ("client", "reqwest"),
        ("authority", "reqwest"),
        ("client", "aws-lc-rs"),
        ("authority", "argon2"),
        ("authority", "x509-parser"),
        ("directory", "rcgen"),
        ("client", "hyper"),
        ("client", "axum"),
        ("discovery", "axum"),
        ("authority", "clap"),
    ] {
        Copy::new().depend(room, tool).expect(&format!("{room} -> {tool}"), &format!("'{tool} = "));
    }
}

#[test]
fn rooms_on_one_floor_and_above_are_unknown() {
    for (room, other) in [
        ("discovery", "directory"),
        ("directory", "discovery"),
        ("client", "guard"),
        ("guard", "client"),
        ("client", "directory"),
        ("guard", "directory"),
        ("sidecar", "directory"),
        ("client", "authority"),
        ("authority", "client"),
        ("sidecar", "authority"),
        ("authority", "sidecar"),
    ] {
        let package = format!("countersign-{other}");
        Copy::new().depend(room, &package).expect(&format!("{room} -> {other}"), &format!("'{package} = "));
    }
}

#[test]
fn what_this_house_never_uses() {
    for name in ["ring", "openssl", "openssl-sys", "native-tls", "jsonwebtoken", "chrono", "lazy_static"] {
        let copy = Copy::new().depend_on_stub("client", name, "99.0.0", "MIT");
        copy.expect(name, &format!("'{name} = 99.0.0'"));
    }
}

#[test]
fn a_second_version_is_noticed() {
    let copy = Copy::new().depend_on_stub("client", "serde_json", "99.0.0", "MIT");
    copy.expect("two versions", "found 2 duplicate entries for crate 'serde_json'");
}

#[test]
fn a_licence_that_is_not_listed_is_noticed() {
    let copy = Copy::new().depend_on_stub("client", "stub-with-licence", "1.0.0", "GPL-3.0-only");
    copy.expect("licence", "failed to satisfy license requirements");
}

/// A source that is not the registry: a repository, here one on this disk.
#[test]
fn a_source_other_than_the_registry_is_noticed() {
    let copy = Copy::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let repository = elsewhere.path();
    fs::create_dir_all(repository.join("src")).unwrap();
    fs::write(repository.join("src/lib.rs"), "").unwrap();
    let manifest = "[package]\nname = \"from-git\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\nedition = \"2024\"\n";
    fs::write(repository.join("Cargo.toml"), manifest).unwrap();
    let who = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
    for arguments in [&["init", "-q"][..], &["add", "."], &["commit", "-q", "-m", "all"]] {
        let status = Command::new("git").args(who).args(arguments).current_dir(repository).status().unwrap();
        assert!(status.success());
    }
    let dependency = format!("[dependencies.from-git]\ngit = \"file://{}\"", repository.display());
    copy.append("crates/client/Cargo.toml", &dependency);
    assert_noticed(copy.check(false), "source", "detected 'git' source not explicitly allowed");
}
