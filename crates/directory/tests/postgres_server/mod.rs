//! A PostgreSQL of the tests' own: made in a temporary folder, reached by a Unix socket, gone with the test's process.
//!
//! The server is kept by a shell that reads orders from a pipe. When the pipe closes, because the test is over or was
//! killed, the shell ends the server and removes the folder. initdb refuses root, so under root it runs as `postgres`, or
//! as `nobody` where there is no such user. Statements of a test's own go through psql, so that tests above the storage
//! need no driver.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use secrecy::SecretString;

/// The owner's password: nothing that a URL takes as it is.
pub(crate) const PASSWORD: &str = "p@ss/w?rd#s3cret";
const PASSWORD_IN_URL: &str = "p%40ss%2Fw%3Frd%23s3cret";

/// `$1` the folder of the binaries, `$2` ours, `$3` more settings.
const KEEPER: &str = r#"
PATH="$1:$PATH"; cd "$2" || exit 1
say() { echo "$*"; }
start() {
    pg_ctl -D data -w -t 60 -l log -o "-c listen_addresses='' -c unix_socket_directories='$2' -c fsync=off -c max_connections=200 $3" start >pg_ctl.log 2>&1 \
        && say started || { cat pg_ctl.log log >&2; say failed; }
}
initdb -D data -U countersign -A scram-sha-256 --pwfile=password -E UTF8 --locale=C --no-sync >initdb.log 2>&1 || { cat initdb.log >&2; say failed; exit 1; }
start "$@"
while read -r order; do
    case "$order" in
        stop) pg_ctl -D data -w -m immediate stop >pg_ctl.log 2>&1; say stopped ;;
        start) start "$@" ;;
    esac
done
pg_ctl -D data -w -m immediate stop >/dev/null 2>&1
cd / && rm -rf "$2"
"#;

/// A running server.
pub(crate) struct Server {
    folder: PathBuf,
    port: u16,
    keeper: Mutex<(Child, BufReader<std::process::ChildStdout>)>,
}

impl Server {
    /// Makes and starts one; a second or two.
    pub(crate) fn start() -> Self {
        Self::with(&[], 5432, "")
    }

    /// As [`Server::start`], with files beside its data, another port and more settings, for example `-c ssl=on`. The port
    /// is part of the socket's name and matters only with `-c listen_addresses=…`.
    pub(crate) fn with(files: &[(&str, &str)], port: u16, settings: &str) -> Self {
        let binaries = binaries();
        let folder = tempfile::Builder::new().prefix("countersign-pg").tempdir().unwrap().keep();
        let mut keeper = Command::new("sh");
        let owner = owner();
        let give = |path: &Path| {
            if let Some((user, group)) = owner {
                chown(path, Some(user), Some(group)).unwrap();
            }
        };
        give(&folder);
        for (name, content) in [("password", PASSWORD)].iter().chain(files) {
            let path = folder.join(name);
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            give(&path);
        }
        if let Some((user, group)) = owner {
            keeper.uid(user).gid(group);
        }
        let mut child = keeper
            .args(["-c", KEEPER, "keeper"])
            .args([&binaries, &folder])
            .arg(format!("-c port={port} {settings}"))
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let server = Self { folder, port, keeper: Mutex::new((child, answers)) };
        server.hear("started");
        server
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn hear(&self, expected: &str) {
        let mut line = String::new();
        self.keeper.lock().unwrap().1.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), expected, "the PostgreSQL server of this test, see above");
    }

    fn order(&self, order: &str) {
        let mut keeper = self.keeper.lock().unwrap();
        writeln!(keeper.0.stdin.as_mut().unwrap(), "{order}").unwrap();
    }

    /// Ends the server as a crash would.
    pub(crate) fn crash(&self) {
        self.order("stop");
        self.hear("stopped");
    }

    /// Starts it again.
    pub(crate) fn start_again(&self) {
        self.order("start");
        self.hear("started");
    }

    /// The address of a database of this server, by TCP.
    pub(crate) fn url_by_tcp(&self, database: &str, parameters: &str) -> SecretString {
        format!("postgres://countersign:{PASSWORD_IN_URL}@localhost:{port}/{database}?{parameters}", port = self.port)
            .into()
    }

    /// The address of a database of this server.
    pub(crate) fn url(&self, database: &str) -> SecretString {
        let host = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://countersign:{PASSWORD_IN_URL}@localhost:{port}/{database}?host={host}", port = self.port)
            .into()
    }

    /// Runs statements in a database, as its owner; answers what they answer, a row per line.
    pub(crate) fn run(&self, database: &str, statements: &str) -> String {
        let mut psql = Command::new(binaries().join("psql"));
        psql.args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "countersign",
            "-d",
            database,
            "-c",
            statements,
        ]);
        psql.arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string()).env("PGPASSWORD", PASSWORD);
        let output = psql.stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{statements}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A new, empty database: its name.
    pub(crate) fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.run("postgres", &format!("CREATE DATABASE {name}"));
        name
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok((keeper, _)) = self.keeper.get_mut() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

/// The server that tests share, each with a database of its own.
pub(crate) fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(Server::start)
}

/// Where Debian, other systems and the search path have initdb and its kin; the newest version first.
fn binaries() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "a test finds its tools on the search path")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> = versions.map(|entry| entry.path()).collect();
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    let folders = versions.into_iter().map(|version| version.join("bin")).chain(std::env::split_paths(&path));
    let found = folders.into_iter().find(|folder| ["initdb", "pg_ctl"].iter().all(|tool| folder.join(tool).is_file()));
    found.unwrap_or_else(|| {
        panic!(
            "PostgreSQL is not installed and this test needs it: run `cargo xtask environment`, or \
             `apt-get install --no-install-recommends postgresql` (`./test` does it by itself)"
        )
    })
}

/// Whom the server must belong to instead of us: initdb refuses root.
fn owner() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    let of = |user: &str| Some((id(&["-u", user])?, id(&["-g", user])?));
    if id(&["-u"]) == Some(0) { of("postgres").or_else(|| of("nobody")) } else { None }
}
