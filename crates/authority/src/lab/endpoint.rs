//! What a path is for, in one word: by it faults are aimed and calls are listed.

use serde::{Deserialize, Serialize};

/// The kinds of endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Endpoint {
    /// `/oauth2/token`, `/oauth2/v2.0/token`
    Token,
    /// `/oauth2/devicecode`, `/oauth2/v2.0/devicecode`
    DeviceCode,
    /// `/oauth2/authorize`, `/oauth2/v2.0/authorize` and the pages behind them
    Authorize,
    /// `/.well-known/openid-configuration`
    Metadata,
    /// `/discovery/keys`, `/discovery/v2.0/keys`
    Keys,
    /// `/discovery/instance`
    Instance,
    /// `/userrealm/…`
    UserRealm,
    /// `/v1.0/…`, `/oidc/userinfo`
    Graph,
    /// `/metadata/identity/…`, `/msi/…`
    ManagedIdentity,
    /// Everything else.
    Other,
}

impl Endpoint {
    /// The endpoint of a canonical path.
    pub(super) fn of(path: &str) -> Self {
        let ends = |tails: &[&str]| tails.iter().any(|tail| path.ends_with(tail));
        match path {
            _ if path.starts_with("/v1.0/") || path.starts_with("/beta/") || path == "/oidc/userinfo" => Self::Graph,
            _ if path.starts_with("/metadata/identity/") || path.starts_with("/msi/") => Self::ManagedIdentity,
            _ if ends(&["/oauth2/token", "/oauth2/v2.0/token"]) => Self::Token,
            _ if ends(&["/oauth2/devicecode", "/oauth2/v2.0/devicecode"]) => Self::DeviceCode,
            _ if ends(&["/oauth2/authorize", "/oauth2/v2.0/authorize"]) => Self::Authorize,
            _ if ends(&["/.well-known/openid-configuration"]) => Self::Metadata,
            _ if ends(&["/discovery/keys", "/discovery/v2.0/keys"]) => Self::Keys,
            _ if ends(&["/discovery/instance"]) => Self::Instance,
            _ if path.contains("/userrealm/") => Self::UserRealm,
            _ => Self::Other,
        }
    }
}

/// The tenant's segment of a path, where it has one.
pub(super) fn tenant_of(path: &str) -> Option<&str> {
    match Endpoint::of(path) {
        Endpoint::Graph | Endpoint::ManagedIdentity | Endpoint::Other => None,
        _ => path.split('/').nth(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_known_by_what_they_are_for() {
        for (path, endpoint) in [
            ("/contoso.com/oauth2/v2.0/token", Endpoint::Token),
            ("/common/oauth2/token", Endpoint::Token),
            ("/t/oauth2/v2.0/devicecode", Endpoint::DeviceCode),
            ("/t/oauth2/v2.0/authorize", Endpoint::Authorize),
            ("/t/v2.0/.well-known/openid-configuration", Endpoint::Metadata),
            ("/t/discovery/keys", Endpoint::Keys),
            ("/common/discovery/instance", Endpoint::Instance),
            ("/common/userrealm/a@b", Endpoint::UserRealm),
            ("/v1.0/me", Endpoint::Graph),
            ("/metadata/identity/oauth2/token", Endpoint::ManagedIdentity),
            ("/portal", Endpoint::Other),
        ] {
            assert_eq!(Endpoint::of(path), endpoint, "{path}");
        }
        assert_eq!(tenant_of("/contoso.com/oauth2/token"), Some("contoso.com"));
        assert_eq!(tenant_of("/v1.0/me"), None);
    }
}
