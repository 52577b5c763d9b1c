//! The `AZURE_*` variables that Azure's own libraries read, turned into a client.
//!
//! Nothing is read from the environment here: a binary hands in how to look a variable up. The order is that of
//! `EnvironmentCredential`, `WorkloadIdentityCredential` and `ManagedIdentityCredential`: a secret, a certificate, a
//! user's name and password (deprecated, with a warning), a federated token file, else the managed identity. A half-made
//! configuration is an error and not a reason to try the next: who has written a client id means that application. Only
//! `AZURE_TENANT_ID` is asked, and what `AZURE_ADDITIONALLY_ALLOWED_TENANTS` adds.

use std::path::PathBuf;

use countersign_protocol::{AuthorityHost, AuthorityHostError, TenantSegment, TenantSegmentError};
use countersign_token::{ClientId, IdError};
use secrecy::SecretString;

use crate::builder::ConfidentialClientBuilder;
use crate::client::ConfidentialClient;
use crate::credential::CertificateOptions;
use crate::managed_identity_client::{ManagedIdentityBuilder, ManagedIdentityClient, UserAssigned};
use crate::region::Region;

/// The environment's variables do not make a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// A credential is there, and this variable is not.
    #[error("a credential is configured, but {0} is not set")]
    Missing(&'static str),
    /// `AZURE_TENANT_ID` is no tenant.
    #[error("AZURE_TENANT_ID is not a tenant")]
    Tenant(#[source] TenantSegmentError),
    /// `AZURE_ADDITIONALLY_ALLOWED_TENANTS` is no list of tenants.
    #[error("AZURE_ADDITIONALLY_ALLOWED_TENANTS is not a list of tenants, separated by semicolons")]
    AllowedTenants(#[source] TenantSegmentError),
    /// `AZURE_CLIENT_ID` is no client id.
    #[error("AZURE_CLIENT_ID is not a client id")]
    ClientId(#[source] IdError),
    /// `AZURE_AUTHORITY_HOST` is no https origin.
    #[error("AZURE_AUTHORITY_HOST is not the https origin of an authority")]
    AuthorityHost(#[source] AuthorityHostError),
}

/// What the environment asks for.
#[derive(Debug)]
#[non_exhaustive]
pub enum EnvironmentCredential {
    /// An application with a credential of its own.
    Application(Box<ConfidentialClientBuilder>),
    /// A user, by name and password: deprecated, for tests. The application is a public client; tokens come by
    /// [`ConfidentialClient::acquire_token_by_password`].
    User {
        /// The application that the user signs in to.
        application: Box<ConfidentialClientBuilder>,
        /// `AZURE_USERNAME`.
        username: String,
        /// `AZURE_PASSWORD`.
        password: SecretString,
    },
    /// The managed identity of whatever this runs on.
    ManagedIdentity(Box<ManagedIdentityBuilder>),
}

const DEFAULT_AUTHORITY: &str = "https://login.microsoftonline.com";

impl EnvironmentCredential {
    /// Reads the variables through `variable`; empty ones count as not set.
    ///
    /// # Errors
    /// [`EnvironmentError`].
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        if let Some(credential) = application(&set)? {
            return Ok(credential);
        }
        let mut identity = ManagedIdentityClient::builder(&variable);
        if let Some(id) = set("AZURE_CLIENT_ID") {
            identity = identity.user_assigned(UserAssigned::ClientId(id.parse().map_err(EnvironmentError::ClientId)?));
        }
        Ok(Self::ManagedIdentity(Box::new(identity)))
    }
}

/// Lets the client ask in the tenants that the list names beside its own; `*` lets it ask everywhere.
fn with_allowed_tenants(
    builder: ConfidentialClientBuilder,
    list: Option<String>,
) -> Result<ConfidentialClientBuilder, EnvironmentError> {
    let list = list.unwrap_or_default();
    let names: Vec<&str> = list.split(';').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.contains(&"*") {
        return Ok(builder);
    }
    let tenants: Result<Vec<_>, _> = names.into_iter().map(TenantSegment::parse).collect();
    Ok(builder.additionally_allowed_tenants(tenants.map_err(EnvironmentError::AllowedTenants)?))
}

/// A credential, if the variables name one of an application or a user.
fn application(set: &dyn Fn(&str) -> Option<String>) -> Result<Option<EnvironmentCredential>, EnvironmentError> {
    let (secret, certificate) = (set("AZURE_CLIENT_SECRET"), set("AZURE_CLIENT_CERTIFICATE_PATH"));
    let federated = set("AZURE_FEDERATED_TOKEN_FILE");
    let (username, password) = (set("AZURE_USERNAME"), set("AZURE_PASSWORD"));
    let is_user = username.is_some() || password.is_some();
    if secret.is_none() && certificate.is_none() && federated.is_none() && !is_user {
        return Ok(None);
    }
    let required = |name: &'static str| set(name).ok_or(EnvironmentError::Missing(name));
    let tenant = TenantSegment::parse(&required("AZURE_TENANT_ID")?).map_err(EnvironmentError::Tenant)?;
    let client_id: ClientId = required("AZURE_CLIENT_ID")?.parse().map_err(EnvironmentError::ClientId)?;
    let host = set("AZURE_AUTHORITY_HOST").unwrap_or_else(|| DEFAULT_AUTHORITY.to_owned());
    let host = AuthorityHost::parse(host.trim()).map_err(EnvironmentError::AuthorityHost)?;
    let builder = ConfidentialClient::builder(host, tenant, client_id);
    let builder = match set("AZURE_REGIONAL_AUTHORITY_NAME") {
        Some(region) if Region::parse(&region) == Some(Region::Detect) => builder.detect_region(set),
        Some(region) => builder.region(region),
        None => builder,
    };
    let builder = with_allowed_tenants(builder, set("AZURE_ADDITIONALLY_ALLOWED_TENANTS"))?;
    let builder = match (secret, certificate, federated) {
        (Some(secret), _, _) => builder.secret(secret),
        (None, Some(path), _) => {
            let send_x5c = set("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN")
                .is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"));
            let password = set("AZURE_CLIENT_CERTIFICATE_PASSWORD").map(SecretString::from);
            let options = CertificateOptions { send_x5c, ..CertificateOptions::default() };
            builder.certificate_file(PathBuf::from(path), password, options)
        }
        (None, None, _) if is_user => {
            let username = username.ok_or(EnvironmentError::Missing("AZURE_USERNAME"))?;
            let password = password.ok_or(EnvironmentError::Missing("AZURE_PASSWORD"))?.into();
            tracing::warn!(
                "AZURE_USERNAME and AZURE_PASSWORD are deprecated: a password fails wherever a second factor is asked \
                 for; use a managed identity, a federated credential or a certificate"
            );
            let application = Box::new(builder.public_client());
            return Ok(Some(EnvironmentCredential::User { application, username, password }));
        }
        (None, None, Some(path)) => builder.federated_token_file(path),
        (None, None, None) => return Ok(None),
    };
    Ok(Some(EnvironmentCredential::Application(Box::new(builder))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::managed_identity::ManagedIdentityHost;

    const TENANT: (&str, &str) = ("AZURE_TENANT_ID", "6babcaad-604b-40ac-a9d7-9fd97c0b779f");
    const CLIENT: (&str, &str) = ("AZURE_CLIENT_ID", "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11");

    fn read(variables: &[(&str, &str)]) -> Result<EnvironmentCredential, EnvironmentError> {
        EnvironmentCredential::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_is_half_made_is_an_error_and_what_is_empty_is_not_there() {
        let error = |variables: &[(&str, &str)]| read(variables).unwrap_err();
        let secret = ("AZURE_CLIENT_SECRET", "s3cret");
        assert_eq!(error(&[secret, CLIENT]), EnvironmentError::Missing("AZURE_TENANT_ID"));
        assert_eq!(error(&[secret, TENANT]), EnvironmentError::Missing("AZURE_CLIENT_ID"));
        assert!(matches!(error(&[secret, TENANT, ("AZURE_CLIENT_ID", "x")]), EnvironmentError::ClientId(_)));
        assert!(matches!(error(&[secret, CLIENT, ("AZURE_TENANT_ID", "a/b")]), EnvironmentError::Tenant(_)));
        let http = ("AZURE_AUTHORITY_HOST", "http://login.microsoftonline.com");
        assert!(matches!(error(&[secret, CLIENT, TENANT, http]), EnvironmentError::AuthorityHost(_)));
        let (username, password) = (("AZURE_USERNAME", "erika@contoso.com"), ("AZURE_PASSWORD", "p4ss"));
        assert_eq!(error(&[username, CLIENT, TENANT]), EnvironmentError::Missing("AZURE_PASSWORD"));
        assert_eq!(error(&[password, CLIENT, TENANT]), EnvironmentError::Missing("AZURE_USERNAME"));
        assert_eq!(error(&[username, password, TENANT]), EnvironmentError::Missing("AZURE_CLIENT_ID"));
        let tenants = ("AZURE_ADDITIONALLY_ALLOWED_TENANTS", "fabrikam.com;a/b");
        assert!(matches!(error(&[secret, CLIENT, TENANT, tenants]), EnvironmentError::AllowedTenants(_)));
        let empty = read(&[("AZURE_CLIENT_SECRET", " "), TENANT]).unwrap();
        assert!(matches!(empty, EnvironmentCredential::ManagedIdentity(_)));
    }

    #[test]
    fn each_credential_makes_its_client() {
        for credential in [("AZURE_CLIENT_SECRET", "s3cret"), ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/t")] {
            let EnvironmentCredential::Application(builder) = read(&[TENANT, CLIENT, credential]).unwrap() else {
                panic!("{credential:?}")
            };
            assert!(!format!("{builder:?}").contains("s3cret"));
        }
        let certificate = ("AZURE_CLIENT_CERTIFICATE_PATH", "/no/such/file.pem");
        let EnvironmentCredential::Application(builder) = read(&[TENANT, CLIENT, certificate]).unwrap() else {
            panic!()
        };
        assert!(matches!(builder.build().unwrap_err(), crate::BuildError::CredentialFile { .. }));
    }

    #[test]
    fn the_managed_identitys_host_is_told_by_its_variables() {
        let host = |variables: &[(&str, &str)]| match read(variables).unwrap() {
            EnvironmentCredential::ManagedIdentity(builder) => builder.host(),
            _ => panic!("{variables:?}"),
        };
        let (endpoint, header) = (("IDENTITY_ENDPOINT", "http://127.0.0.1/msi"), ("IDENTITY_HEADER", "h"));
        let (msi, secret) = (("MSI_ENDPOINT", "http://127.0.0.1/msi"), ("MSI_SECRET", "s"));
        assert_eq!(host(&[endpoint, header]), ManagedIdentityHost::AppService);
        let thumbprint = ("IDENTITY_SERVER_THUMBPRINT", "AB");
        assert_eq!(host(&[endpoint, header, thumbprint]), ManagedIdentityHost::ServiceFabric);
        assert_eq!(host(&[msi, secret]), ManagedIdentityHost::AzureMl);
        assert_eq!(host(&[msi]), ManagedIdentityHost::CloudShell);
        assert_eq!(host(&[endpoint, ("IMDS_ENDPOINT", "http://127.0.0.1")]), ManagedIdentityHost::AzureArc);
        assert_eq!(host(&[]), ManagedIdentityHost::Imds);
    }
}
