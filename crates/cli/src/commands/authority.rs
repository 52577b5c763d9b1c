//! `countersign authority`: runs the authority until somebody stops it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use countersign_authority::{Authority, ManagedIdentityEndpoint, StandInHost, Storage, write_ready_file};
use countersign_directory::DirectoryFile;
use countersign_protocol::{AuthorityHost, CloudProfile};
use countersign_token::OffsetClock;
use secrecy::{ExposeSecret, SecretString};

use crate::environment::Environment;
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
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    data: Option<PathBuf>,

    /// Keep the directory and the sealed signing keys in this PostgreSQL, postgres://USER@HOST/NAME, which several
    /// authorities may share; each has a --data folder, with a copy of one root.key [env: COUNTERSIGN_DATABASE_URL]
    #[arg(long, value_name = "URL", value_parser = secret, conflicts_with = "ephemeral")]
    database: Option<SecretString>,

    /// The file that holds that URL, so that its password is on no command line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["database", "ephemeral"])]
    database_file: Option<PathBuf>,

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

    /// The cloud whose names are played: v1.0 issuers, Graph's host
    #[arg(long, value_name = "NAME", default_value = "global", value_parser = cloud)]
    cloud: CloudProfile,

    /// Answer under this name of Microsoft's too, login.microsoftonline.com for one, and open a proxy that leads there:
    /// programs in their default configuration then work with HTTPS_PROXY and the CA set; repeatable, loopback only
    #[arg(long, value_name = "HOST")]
    stand_in: Vec<StandInHost>,

    /// The address of that proxy; port 0 for any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", requires = "stand_in")]
    stand_in_proxy: SocketAddr,

    /// Let issuers of federated credentials on this host be on this machine or in its network; all others must have
    /// public addresses; repeatable
    #[arg(long, value_name = "HOST")]
    allow_issuer: Vec<String>,

    /// Trust the CA in this PEM file, beside the system's, when issuers of federated credentials are asked; repeatable
    #[arg(long, value_name = "FILE")]
    issuer_ca: Vec<PathBuf>,

    /// Lend this service principal, by client id or name, to programs on this machine as their managed identity: IMDS and
    /// App Service endpoints, on a free port unless @ADDRESS:PORT follows; repeatable, loopback only
    #[arg(long, value_name = "CLIENT_ID")]
    managed_identity: Vec<ManagedIdentityEndpoint>,

    /// Switch on the test controls: clock, faults, forged tokens, snapshots; for the administrator only
    #[arg(long)]
    lab: bool,
}

pub(crate) fn run(args: Args) -> Result<Exit, CliError> {
    let mut builder = Authority::builder().listen(args.listen);
    for path in &args.directory {
        builder = builder.directory(directory_file(path)?);
    }
    builder = builder.storage(storage(&args, &Environment::of_process())?).lab(args.lab.then(OffsetClock::default));
    builder = builder.cloud(args.cloud).stand_in_proxy(args.stand_in_proxy);
    if let Some(origin) = args.origin {
        builder = builder.origin(origin);
    }
    for host in args.stand_in {
        builder = builder.stand_in(host);
    }
    for host in args.allow_issuer {
        builder = builder.allow_issuer_host(host);
    }
    for path in &args.issuer_ca {
        builder = builder.issuer_roots_pem(input::text_file(path)?);
    }
    for endpoint in args.managed_identity {
        builder = builder.managed_identity(endpoint);
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

fn cloud(name: &str) -> Result<CloudProfile, String> {
    let names = || CloudProfile::ALL.map(|cloud| cloud.name).join(", ");
    CloudProfile::by_name(name).ok_or_else(|| format!("the clouds are {}", names()))
}

/// Taken as it is, and never shown again.
fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

fn storage(args: &Args, environment: &Environment) -> Result<Storage, CliError> {
    if args.ephemeral {
        return Ok(Storage::Ephemeral);
    }
    let url = match (&args.database, &args.database_file) {
        (Some(url), _) => {
            if has_password(url) {
                report::warning(
                    "the database's password is on the command line, where everybody who lists processes sees it; put \
                     the URL into a file for --database-file, or into COUNTERSIGN_DATABASE_URL",
                );
            }
            Some(url.clone())
        }
        (None, Some(path)) => Some(input::secret_file(path)?),
        (None, None) => environment.database_url(),
    };
    match (url, &args.data) {
        (Some(url), Some(data)) => Ok(Storage::Postgres { url, data: data.clone() }),
        (Some(_), None) => Err(CliError::Missing {
            what: "--data, beside a database,",
            hint: "--data DIR keeps the root key that the database's keys are sealed under, and the local CA; every \
                   authority on the database needs a copy of one root.key in a folder of its own",
        }),
        (None, Some(data)) => Ok(Storage::Data(data.clone())),
        (None, None) => Ok(Storage::Ephemeral),
    }
}

/// Whether there is one between `//` and the last `@`, or among the parameters. Rather once too often than not.
fn has_password(url: &SecretString) -> bool {
    let url = url.expose_secret();
    let user = url.split_once("//").map_or(url, |(_, rest)| rest).rsplit_once('@').map(|(user, _)| user);
    user.is_some_and(|user| user.contains(':')) || url.contains("password=")
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
    if let Some(proxy) = authority.proxy_address() {
        lines.push(format!("  proxy      export HTTPS_PROXY=http://{proxy}"));
    }
    for identity in authority.managed_identities() {
        let (imds, client) = (identity.imds(), identity.client_id());
        lines.push(format!("  identity   export AZURE_POD_IDENTITY_AUTHORITY_HOST={imds} ({client})"));
    }
    if lab {
        lines.push("  lab        on: the administrator may move the clock, inject faults and forge tokens".to_owned());
    }
    report::heading(&styled(HEADING, "ready; Ctrl-C ends it"));
    for line in lines {
        report::note(&line);
    }
}
