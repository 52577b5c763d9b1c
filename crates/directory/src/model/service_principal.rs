//! An application's instance in a tenant.

use countersign_token::{ClientId, ObjectId, TenantId};

use super::{Application, derived_object_id};

/// An application's instance in one tenant: what is granted, is granted to it, and its object id is the `oid` of app-only
/// tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// Its object id: claims `oid` and `sub`.
    pub object_id: ObjectId,
    /// The tenant it lives in; not always the application's home.
    pub tenant: TenantId,
    /// The application.
    pub app_id: ClientId,
    /// Name for people.
    pub display_name: String,
    /// What it stands for.
    pub kind: ServicePrincipalKind,
    /// A disabled one gets no tokens, and none are issued to it.
    pub account_enabled: bool,
    /// As a resource: whether clients without any assignment are refused (AADSTS501051).
    pub app_role_assignment_required: bool,
    /// Whether its tokens, as those of a resource, are signed with a key of the application's own, published at `?appid=`.
    pub own_signing_key: bool,
    /// Names of its own, beyond the client id and the application's identifier URIs, which it has anyway.
    pub names: Vec<String>,
}

impl ServicePrincipal {
    /// The instance of an application in a tenant, enabled, under a derived object id.
    #[must_use]
    pub fn of(application: &Application, tenant: TenantId) -> Self {
        let app_id = application.app_id();
        Self {
            object_id: derived_object_id(tenant, "servicePrincipal", &app_id.to_string()),
            tenant,
            app_id,
            display_name: application.display_name().to_owned(),
            kind: ServicePrincipalKind::Application,
            account_enabled: true,
            app_role_assignment_required: false,
            own_signing_key: false,
            names: Vec::new(),
        }
    }
}

/// What a service principal stands for: Graph's `servicePrincipalType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ServicePrincipalKind {
    /// An application that proves itself with credentials of its own.
    #[default]
    Application,
    /// An identity that the platform lends to whatever runs on it.
    ManagedIdentity,
}

impl ServicePrincipalKind {
    /// Graph's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "Application",
            Self::ManagedIdentity => "ManagedIdentity",
        }
    }

    /// Reads Graph's word, exactly.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Application, Self::ManagedIdentity].into_iter().find(|kind| kind.as_str() == name)
    }
}
