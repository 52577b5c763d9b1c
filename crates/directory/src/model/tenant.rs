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
    /// Whether the authority refuses, in this tenant, what Entra lets pass for compatibility's sake.
    pub strict: bool,
}

impl Tenant {
    /// The region of a tenant that says nothing else.
    pub const DEFAULT_REGION_SCOPE: &str = "WW";

    /// A tenant of the worldwide region, as tolerant as Entra.
    #[must_use]
    pub fn new(id: TenantId, display_name: impl Into<String>) -> Self {
        Self {
            id,
            display_name: display_name.into(),
            domains: Vec::new(),
            region_scope: Self::DEFAULT_REGION_SCOPE.to_owned(),
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
