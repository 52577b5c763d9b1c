//! The configuration file: JSON, every member known, secrets in files of their own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use countersign_protocol::{
    AuthorityHost, AuthorityHostError, ScopeError, ScopeSet, TenantSegment, TenantSegmentError,
};
use countersign_token::{ClientId, Policy};
use serde::Deserialize;

/// What the sidecar does. Paths are relative to the file's own folder.
///
/// ```
/// use countersign_sidecar::Config;
///
/// let config: Config = serde_json::from_str(r#"{
///     "listen": "127.0.0.1:5178",
///     "authority": "https://login.microsoftonline.com",
///     "tenant": "6babcaad-604b-40ac-a9d7-9fd97c0b779f",
///     "policy": {
///         "tenants": ["6babcaad-604b-40ac-a9d7-9fd97c0b779f"],
///         "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0"],
///         "audiences": ["a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"],
///         "app_roles": ["Orders.Read"]
///     },
///     "client": {"client_id": "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55", "client_secret_file": "client.secret"},
///     "downstream_apis": {"orders": {"scope": "api://orders/.default"}}
/// }"#)?;
/// assert_eq!(config.downstream_apis.len(), 1);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen; loopback only.
    pub listen: SocketAddr,
    /// The authority's origin.
    pub authority: String,
    /// The tenant: GUID or domain; where nothing is acquired, `organizations` or another alias too.
    pub tenant: String,
    /// PEM file with the only CAs to trust; without it, the public ones.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Which callers `/validate` lets in; without it, the route does not exist.
    #[serde(default)]
    pub policy: Option<Policy>,
    /// As whom tokens are acquired; needed when `downstream_apis` lists any.
    #[serde(default)]
    pub client: Option<ClientConfig>,
    /// The APIs that the service may call, by the names it uses.
    #[serde(default)]
    pub downstream_apis: BTreeMap<String, DownstreamApi>,
}

/// The service's own registration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// Its client id.
    pub client_id: ClientId,
    /// A file that holds the client secret and nothing else.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// A PEM file with certificate and private key, in place of a secret.
    #[serde(default)]
    pub certificate_file: Option<PathBuf>,
}

/// An API that the service may call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DownstreamApi {
    /// `{App ID URI}/.default`
    pub scope: String,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Not JSON of this shape.
    #[error("understand {path}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and what.
        #[source]
        source: serde_json::Error,
    },
    /// Tokens are handed to whoever can reach the port.
    #[error("listen on {0}: only loopback is allowed, since whoever reaches the port is handed tokens")]
    NotLoopback(SocketAddr),
    /// `authority` is no https origin.
    #[error("'authority'")]
    Authority(#[from] AuthorityHostError),
    /// `tenant` is neither a GUID, nor a domain, nor an alias.
    #[error("'tenant'")]
    Tenant(#[from] TenantSegmentError),
    /// A scope of a downstream API is none.
    #[error("the scope of downstream API {name:?}")]
    Scope {
        /// The API.
        name: String,
        /// What is wrong.
        #[source]
        source: ScopeError,
    },
    /// `downstream_apis` without `client`.
    #[error("'downstream_apis' needs 'client': as whom are tokens acquired?")]
    NoClient,
    /// Not exactly one of `client_secret_file` and `certificate_file`.
    #[error("'client' needs exactly one of 'client_secret_file' and 'certificate_file'")]
    Credential,
    /// `tenant` is an alias, and there are `downstream_apis`: an application has tokens of its own in a tenant only.
    #[error("'downstream_apis' needs a GUID or a domain as 'tenant': an alias names no tenant to acquire tokens in")]
    TenantAlias,
    /// Neither `policy` nor `downstream_apis`.
    #[error("there is nothing to do: neither 'policy' nor 'downstream_apis' is there")]
    Nothing,
}

impl Config {
    /// Reads a configuration file and checks what can be checked without the network.
    ///
    /// # Errors
    /// [`ConfigError`] names the file or the member.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path)?;
        let mut config: Self =
            serde_json::from_str(&text).map_err(|source| ConfigError::Json { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let anchored = |file: &mut Option<PathBuf>| {
            if let Some(file) = file {
                *file = folder.join(&*file);
            }
        };
        anchored(&mut config.ca_file);
        if let Some(client) = &mut config.client {
            anchored(&mut client.client_secret_file);
            anchored(&mut client.certificate_file);
        }
        config.check()?;
        Ok(config)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if !self.listen.ip().is_loopback() {
            return Err(ConfigError::NotLoopback(self.listen));
        }
        self.authority()?;
        if self.tenant()?.alias().is_some() && !self.downstream_apis.is_empty() {
            return Err(ConfigError::TenantAlias);
        }
        if self.policy.is_none() && self.downstream_apis.is_empty() {
            return Err(ConfigError::Nothing);
        }
        for (name, api) in &self.downstream_apis {
            api.scopes().map_err(|source| ConfigError::Scope { name: name.clone(), source })?;
        }
        match &self.client {
            None if !self.downstream_apis.is_empty() => Err(ConfigError::NoClient),
            Some(client) if client.client_secret_file.is_some() == client.certificate_file.is_some() => {
                Err(ConfigError::Credential)
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn authority(&self) -> Result<AuthorityHost, AuthorityHostError> {
        AuthorityHost::parse(&self.authority)
    }

    pub(crate) fn tenant(&self) -> Result<TenantSegment, TenantSegmentError> {
        TenantSegment::parse(&self.tenant)
    }
}

impl DownstreamApi {
    pub(crate) fn scopes(&self) -> Result<ScopeSet, ScopeError> {
        let scopes = ScopeSet::parse(&self.scope)?;
        scopes.client_credentials_resource()?;
        Ok(scopes)
    }
}

pub(crate) fn read_text(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(change: impl FnOnce(&mut serde_json::Value)) -> Result<(), ConfigError> {
        let mut value = json!({
            "listen": "127.0.0.1:0", "authority": "https://localhost:8443", "tenant": "contoso.com",
            "client": {"client_id": "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55", "client_secret_file": "s"},
            "downstream_apis": {"orders": {"scope": "api://orders/.default"}}
        });
        change(&mut value);
        serde_json::from_value::<Config>(value).unwrap().check()
    }

    #[test]
    fn each_fault_is_named() {
        assert!(checked(|_| ()).is_ok());
        assert!(matches!(checked(|c| c["listen"] = json!("0.0.0.0:1")), Err(ConfigError::NotLoopback(_))));
        assert!(matches!(checked(|c| c["authority"] = json!("http://localhost")), Err(ConfigError::Authority(_))));
        assert!(matches!(checked(|c| c["tenant"] = json!("a/b")), Err(ConfigError::Tenant(_))));
        assert!(matches!(checked(|c| c["tenant"] = json!("organizations")), Err(ConfigError::TenantAlias)));
        assert!(matches!(checked(|c| c["client"] = json!(null)), Err(ConfigError::NoClient)));
        assert!(matches!(checked(|c| c["downstream_apis"] = json!({})), Err(ConfigError::Nothing)));
        let no_default = json!({"orders": {"scope": "api://orders/Orders.Read"}});
        assert!(matches!(checked(|c| c["downstream_apis"] = no_default), Err(ConfigError::Scope { .. })));
        assert!(matches!(checked(|c| c["client"]["certificate_file"] = json!("c")), Err(ConfigError::Credential)));
        let unknown = serde_json::from_value::<Config>(json!({"listen": "127.0.0.1:0", "bypass": true}));
        assert!(unknown.unwrap_err().to_string().contains("bypass"));
    }
}
