//! Names that are not Graph's but look it: the portal's old manifest, and members of Graph that no table here needs.
//!
//! Source: Microsoft Graph resource type `application`, v1.0 and beta; "Understand the app manifest (Azure AD Graph
//! format)".

/// Members of `application` and its parts that Graph knows and this project keeps without looking at them.
const GRAPHS_OWN: [&str; 27] = [
    "api.tokenEncryptionSetting",
    "appManagementPolicies",
    "authenticationBehaviors",
    "connectorGroup",
    "createdByAppId",
    "createdOnBehalfOf",
    "extensionProperties",
    "homeRealmDiscoveryPolicies",
    "logo",
    "managerApplications",
    "migrationStatus",
    "oauth2RequirePostResponse",
    "onPremisesPublishing",
    "orgRestrictions",
    "owners",
    "parentalControlSettings",
    "publicClient.redirectUriSettings",
    "samlSingleSignOnSettings",
    "spa.redirectUriSettings",
    "synchronization",
    "tokenIssuancePolicies",
    "tokenLifetimePolicies",
    "tokenRevocations",
    "trustedCertificateSubjects",
    "trustedSubjectNameAndIssuers",
    "web.oauth2AllowImplicitFlow",
    "windows",
];

/// Members of list items, whatever the index.
const GRAPHS_OWN_IN_LISTS: [&str; 4] = [
    "appRoles.lang",
    "appRoles.isPreAuthorizationRequired",
    "api.oauth2PermissionScopes.lang",
    "api.oauth2PermissionScopes.origin",
];

/// The old manifest's name, and Graph's.
const MANIFEST: [(&str, &str); 15] = [
    ("accessTokenAcceptedVersion", "api.requestedAccessTokenVersion"),
    ("allowPublicClient", "isFallbackPublicClient"),
    ("acceptMappedClaims", "api.acceptMappedClaims"),
    ("informationalUrls", "info"),
    ("knownClientApplications", "api.knownClientApplications"),
    ("logoUrl", "info.logoUrl"),
    ("logoutUrl", "web.logoutUrl"),
    ("name", "displayName"),
    ("oauth2AllowIdTokenImplicitFlow", "web.implicitGrantSettings.enableIdTokenIssuance"),
    ("oauth2AllowImplicitFlow", "web.implicitGrantSettings.enableAccessTokenIssuance"),
    ("oauth2Permissions", "api.oauth2PermissionScopes"),
    ("objectId", "id"),
    ("preAuthorizedApplications", "api.preAuthorizedApplications"),
    ("replyUrlsWithType", "web, spa and publicClient.redirectUris"),
    ("signInUrl", "web.homePageUrl"),
];

/// Whether Graph knows the member at this path, which the typed view has no place for.
pub(super) fn is_graphs_own(path: &str) -> bool {
    // OData's annotations (`owners@odata.context`) say something about the answer they came in.
    if path.contains('@') || GRAPHS_OWN.contains(&path) {
        return true;
    }
    let without_indices: String =
        path.split('.').map(|step| step.split('[').next().unwrap_or(step)).collect::<Vec<_>>().join(".");
    GRAPHS_OWN_IN_LISTS.contains(&without_indices.as_str())
}

/// What Graph calls a member of the old manifest.
pub(super) fn graphs_name(path: &str) -> Option<&'static str> {
    MANIFEST.iter().find(|(old, _)| *old == path).map(|(_, graph)| *graph)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_own_members_are_known_at_their_place_only() {
        assert!(
            is_graphs_own("windows") && is_graphs_own("appRoles[12].lang") && is_graphs_own("owners@odata.context")
        );
        assert!(!is_graphs_own("web.windows") && !is_graphs_own("lang") && !is_graphs_own("appRoles[0].valu"));
    }

    #[test]
    fn the_manifests_names_are_translated() {
        assert_eq!(graphs_name("oauth2Permissions"), Some("api.oauth2PermissionScopes"));
        assert_eq!(graphs_name("displayName"), None);
    }
}
