//! The authority that a client asks: host, version, application, proof, and what goes with each request.

use countersign_protocol::{AuthorityHost, EndpointVersion, TenantSegment};
use countersign_token::ClientId;

use crate::bound::Bound;
use crate::credential::Credential;
use crate::error::AcquireError;
use crate::question::Grant;

/// What is fixed of every request of one client.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) host: AuthorityHost,
    /// Where client credentials are asked for instead; tokens are kept under the global host.
    pub(crate) regional: Option<AuthorityHost>,
    pub(crate) client_id: ClientId,
    pub(crate) version: EndpointVersion,
    pub(crate) credential: Credential,
    /// Whether the client says that it understands claims challenges (`cp1`).
    pub(crate) capable: bool,
    pub(crate) query: Vec<(String, String)>,
    /// The only tenants that are asked, if that is limited; the client's own is among them.
    pub(crate) tenants: Option<Vec<TenantSegment>>,
    /// Set if every token must be bound to the client's certificate.
    pub(crate) bound: Option<Bound>,
}

impl Authority {
    /// The token endpoint of the configured host: the audience of assertions, wherever the request is sent (`pitfalls`
    /// C16).
    pub(crate) fn audience(&self, tenant: &TenantSegment) -> String {
        self.host.token_endpoint(tenant, self.version)
    }

    /// Where a request of this grant is sent.
    pub(crate) fn endpoint(&self, tenant: &TenantSegment, grant: &Grant) -> String {
        self.asked(grant).token_endpoint(tenant, self.version)
    }

    /// Who is asked for a token by this grant. Regional endpoints know client credentials only.
    pub(crate) fn asked(&self, grant: &Grant) -> &AuthorityHost {
        match (&self.regional, grant) {
            (Some(regional), Grant::ClientCredentials) => regional,
            _ => self.bound.as_ref().map_or(&self.host, |bound| &bound.host),
        }
    }

    /// Whoever is asked for something beside the global host.
    pub(crate) fn other_hosts(&self) -> impl Iterator<Item = &AuthorityHost> {
        self.regional.iter().chain(self.bound.as_ref().map(|bound| &bound.host))
    }

    /// Refuses a tenant that is not to be asked, before anything is sent there.
    pub(crate) fn admit(&self, tenant: &TenantSegment) -> Result<(), AcquireError> {
        match &self.tenants {
            Some(tenants) if !tenants.contains(tenant) => Err(AcquireError::TenantNotAllowed),
            _ => Ok(()),
        }
    }

    /// Whether a question to `asked` may be sent to `known` instead: only an alias stands for another tenant, and only for
    /// one that this client may ask.
    pub(crate) fn may_narrow(&self, asked: &TenantSegment, known: &TenantSegment) -> bool {
        asked.alias().is_some() && known.alias().is_none() && self.admit(known).is_ok()
    }

    /// What a refresh token is bound to, beside its user: the application at its host. Not the credential, which is
    /// replaced while users stay signed in.
    pub(crate) fn application(&self) -> String {
        let mut text = format!("{}\n{}", self.host.origin(), self.client_id);
        for (name, value) in &self.query {
            text.push_str(&format!("\n{name:?}={value:?}"));
        }
        text
    }

    /// The parts of the cache's key that this client never changes.
    pub(crate) fn identity_parts(&self) -> Vec<String> {
        let version = if self.version == EndpointVersion::V1 { "1" } else { "2" };
        let mut parts = vec![
            self.host.origin().to_owned(),
            version.to_owned(),
            self.client_id.to_string(),
            if self.capable { "cp1" } else { "" }.to_owned(),
            self.credential.fingerprint(),
        ];
        // A client that may not ask in a tenant is not served what another client got there.
        parts.extend(self.tenants.iter().flatten().map(|tenant| format!("tenant {tenant}")));
        parts.extend(self.bound.iter().map(|bound| format!("bound {}", bound.thumbprint())));
        parts.extend(self.query.iter().map(|(name, value)| format!("{name:?}={value:?}")));
        parts
    }
}

/// Hosts of the public cloud, which share one family of regional names.
pub(crate) const PUBLIC_HOSTS: [&str; 4] =
    ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"];
