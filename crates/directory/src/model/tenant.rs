//! A tenant: one directory, its domains and its temper.

use countersign_token::TenantId;

/// One directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The GUID: claim `tid`.
    pub id: TenantId,
    /// Name for people.
    pub display_name: String,
    /// Verified domains, the initial one first. Compared without regard to ASCII case, each belongs to one tenant.
    pub domains: Vec<String>,
    /// `tenant_region_scope` of the metadata document: `WW`, `NA`, `EU` …
    pub region_scope: String,
    /// Whether anybody gets anything here; a disabled tenant is refused in every flow.
    pub enabled: bool,
    /// Whether users may consent for themselves; otherwise only administrators consent.
    pub user_consent_allowed: bool,
    /// Certificates, DER, of the authorities that vouch for clients by subject name and issuer (`x5c` in an assertion).
    pub trusted_certificate_authorities: Vec<Vec<u8>>,
    /// Whether tokens are signed with keys of the tenant's own instead of those that everybody shares.
    pub own_signing_keys: bool,
    /// Whether the authority refuses, in this tenant, what Entra lets pass for compatibility's sake.
    pub strict: bool,
}

impl Tenant {
    /// The region of a tenant that says nothing else.
    pub const DEFAULT_REGION_SCOPE: &str = "WW";

    /// An enabled tenant of the worldwide region, as tolerant as Entra, with the keys that everybody shares: a key of its
    /// own takes time to make.
    #[must_use]
    pub fn new(id: TenantId, display_name: impl Into<String>) -> Self {
        Self {
            id,
            display_name: display_name.into(),
            domains: Vec::new(),
            region_scope: Self::DEFAULT_REGION_SCOPE.to_owned(),
            enabled: true,
            user_consent_allowed: true,
            trusted_certificate_authorities: Vec::new(),
            own_signing_keys: false,
            strict: false,
        }
    }

    /// Adds a domain.
    #[must_use]
    pub fn with_domain(mut self, domain: impl Into<String>) -> Self {
        self.domains.push(domain.into());
        self
    }
}
