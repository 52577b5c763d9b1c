//! The authority that a client asks: host, version, application, proof, and what goes with each request.

use countersign_protocol::{AuthorityHost, AuthorityHostError, EndpointVersion, TenantSegment};
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

    /// Where a request of this grant is sent. Regional endpoints know client credentials only.
    pub(crate) fn endpoint(&self, tenant: &TenantSegment, grant: &Grant) -> String {
        match (&self.regional, grant) {
            (Some(regional), Grant::ClientCredentials) => regional.token_endpoint(tenant, self.version),
            _ => self.bound.as_ref().map_or(&self.host, |bound| &bound.host).token_endpoint(tenant, self.version),
        }
    }

    /// Refuses a tenant that is not to be asked, before anything is sent there.
    pub(crate) fn admit(&self, tenant: &TenantSegment) -> Result<(), AcquireError> {
        match &self.tenants {
            Some(tenants) if !tenants.contains(tenant) => Err(AcquireError::TenantNotAllowed),
            _ => Ok(()),
        }
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

/// The regional host: `{region}.login.microsoft.com` in the public cloud, `{region}.{host}` elsewhere. None for a region
/// that is no name (`pitfalls` 36): letters, digits and hyphens, at most 63 of them.
pub(crate) fn regional_host(host: &AuthorityHost, region: &str) -> Option<AuthorityHost> {
    let region = region_name(region)?;
    let regional: Result<AuthorityHost, AuthorityHostError> = if PUBLIC_HOSTS.contains(&host.host_and_port()) {
        AuthorityHost::parse(&format!("https://{region}.login.microsoft.com"))
    } else {
        AuthorityHost::parse(&format!("https://{region}.{}", host.host_and_port()))
    };
    regional.ok()
}

/// The region's name as a host carries it, if it is one.
pub(crate) fn region_name(region: &str) -> Option<String> {
    let region: String = region.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_lowercase()).collect();
    let is_name = (1..=63).contains(&region.len())
        && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !region.starts_with('-')
        && !region.ends_with('-');
    is_name.then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b36_only_a_name_makes_a_regional_host() {
        let host = |text: &str| AuthorityHost::parse(text).unwrap();
        let public = host("https://login.microsoftonline.com");
        assert_eq!(regional_host(&public, "West Europe").unwrap().origin(), "https://westeurope.login.microsoft.com");
        let china = host("https://login.partner.microsoftonline.cn");
        let regional = regional_host(&china, "chinaeast2").unwrap();
        assert_eq!(regional.origin(), "https://chinaeast2.login.partner.microsoftonline.cn");
        let local = regional_host(&host("https://localhost:8443"), "r1").unwrap();
        assert_eq!(local.origin(), "https://r1.localhost:8443");
        for evil in ["", "evil.com/", "a.b", "evil.com#", "a@b", "-a", "a-", "ä", "a\u{0}", &"a".repeat(64)] {
            assert_eq!(regional_host(&public, evil), None, "{evil:?}");
        }
    }
}
