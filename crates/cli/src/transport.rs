//! The HTTPS client that commands send with, and what it trusts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_discovery::{HttpsTransport, Transport};
use countersign_protocol::AuthorityHost;

use crate::environment::Environment;
use crate::error::CliError;
use crate::input;

/// Whom to talk to, and whom to believe.
#[derive(Debug, clap::Args)]
pub(crate) struct Trust {
    /// The authority's origin, Microsoft's unless told otherwise [env: AZURE_AUTHORITY_HOST]
    #[arg(long, value_name = "URL")]
    pub(crate) authority: Option<String>,

    /// Trust these roots besides the system's: a PEM file, such as the local authority's ca.pem [env: COUNTERSIGN_CA]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

/// Where Microsoft's own authority lives.
const PUBLIC_CLOUD: &str = "https://login.microsoftonline.com";

impl Trust {
    /// The authority: flag, variable, or Microsoft's.
    pub(crate) fn authority(&self, environment: &Environment) -> Result<AuthorityHost, CliError> {
        let text = self.authority.clone().or_else(|| environment.authority());
        let text = text.as_deref().unwrap_or(PUBLIC_CLOUD);
        AuthorityHost::parse(text).map_err(|cause| CliError::Value {
            what: "the authority",
            value: text.to_owned(),
            cause: cause.into(),
        })
    }

    /// The HTTPS client.
    pub(crate) fn transport(&self, environment: &Environment) -> Result<Arc<dyn Transport>, CliError> {
        let ca = self.ca.clone().or_else(|| environment.ca().map(PathBuf::from));
        Ok(Arc::new(https(ca.as_deref())?))
    }
}

fn https(ca: Option<&Path>) -> Result<HttpsTransport, CliError> {
    let mut builder = HttpsTransport::builder();
    if let Some(path) = ca {
        builder = builder.add_roots_pem(&input::file(path)?).map_err(CliError::TransportSetup)?;
    }
    builder.build().map_err(CliError::TransportSetup)
}
