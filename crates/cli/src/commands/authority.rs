//! `countersign authority`: runs the authority until somebody stops it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use countersign_authority::{Authority, Storage, write_ready_file};
use countersign_directory::DirectoryFile;
use countersign_protocol::AuthorityHost;
use countersign_token::OffsetClock;

use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::{HEADING, styled};
use crate::{input, report, runtime};

/// Run an authority that answers as Entra does, on this machine
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  countersign authority --data ./authority --directory contoso.yaml --ready-file ready.json")]
pub(crate) struct Args {
    /// The address to listen on; port 0 for any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,

    /// Keep everything in this folder: database, keys, local CA, administrator's credential
    #[arg(long, value_name = "DIR", conflicts_with_all = ["ephemeral", "database"])]
    data: Option<PathBuf>,

    /// A shared database, postgres://… (not built in yet)
    #[arg(long, value_name = "URL")]
    database: Option<String>,

    /// Keep nothing on the disk; what you get unless told otherwise
    #[arg(long)]
    ephemeral: bool,

    /// Load this directory file, JSON or YAML, before starting; repeatable
    #[arg(long, value_name = "FILE")]
    directory: Vec<PathBuf>,

    /// Write a JSON file with all addresses once connections are accepted
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,

    /// The origin that clients use, if it is not https://localhost and the port
    #[arg(long, value_name = "URL")]
    origin: Option<AuthorityHost>,

    /// Switch on the test controls: clock, key rollover, forged tokens; for the administrator only
    #[arg(long)]
    lab: bool,
}

pub(crate) fn run(args: Args) -> Result<Exit, CliError> {
    if args.database.is_some() {
        return Err(CliError::Contradiction {
            what: "--database: only the embedded SQLite is built in for now",
            hint: "leave --database out and give --data DIR, or --ephemeral",
        });
    }
    let mut builder = Authority::builder().listen(args.listen);
    for path in &args.directory {
        builder = builder.directory(directory_file(path)?);
    }
    let storage = match &args.data {
        Some(path) => Storage::Data(path.clone()),
        None => Storage::Ephemeral,
    };
    builder = builder.storage(storage).lab(args.lab.then(OffsetClock::default));
    if let Some(origin) = args.origin {
        builder = builder.origin(origin);
    }
    if !args.listen.ip().is_loopback() {
        report::warning(&format!("{} can be reached from other machines", args.listen));
    }
    if args.data.is_none() && !args.ephemeral {
        report::note("nothing will be kept; --data DIR keeps it");
    }
    if let Some(path) = &args.ready_file {
        // What an earlier run left there would tell a script that this one is ready.
        remove(path)?;
    }
    runtime::large(async {
        let authority = builder.start().await.map_err(CliError::Start)?;
        if let Some(path) = &args.ready_file {
            write_ready_file(path, &authority).map_err(CliError::Start)?;
        }
        announce(&authority, args.lab);
        runtime::stop_requested().await.map_err(CliError::Runtime)?;
        if let Some(path) = &args.ready_file {
            remove(path)?;
        }
        report::note("stopping; requests under way are finished first");
        authority.shutdown().await;
        Ok(Exit::Done)
    })
}

fn directory_file(path: &Path) -> Result<DirectoryFile, CliError> {
    let parsed =
        DirectoryFile::parse(&path.display().to_string(), &input::text_file(path)?).map_err(CliError::Directory)?;
    for warning in &parsed.warnings {
        report::warning(&warning.to_string());
    }
    Ok(parsed.file)
}

fn remove(path: &Path) -> Result<(), CliError> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(CliError::Write { path: path.to_owned(), cause })
        }
        _ => Ok(()),
    }
}

fn announce(authority: &Authority, lab: bool) {
    let origin = authority.host().origin();
    let mut lines = vec![format!("  authority  {origin}"), format!("  portal     {origin}/portal")];
    if let Some(path) = authority.ca_path() {
        lines.push(format!("  CA         {}", path.display()));
    }
    if let Some(path) = &authority.administrator().path {
        lines.push(format!("  admin      {} (its secret opens everything)", path.display()));
    }
    if lab {
        lines.push("  lab        on: the administrator may move the clock and forge tokens".to_owned());
    }
    report::heading(&styled(HEADING, "ready; Ctrl-C ends it"));
    for line in lines {
        report::note(&line);
    }
}
