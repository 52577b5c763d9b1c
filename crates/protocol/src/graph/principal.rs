//! Who acts in a tenant: `servicePrincipal` and `user`.

use countersign_token::{ClientId, ObjectId, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::wire::{enabled, null_as_default, optional_guid};
use super::{AppRole, DateTime, InformationalUrl, KeyCredential, PasswordCredential, PermissionScope, SignInAudience};

/// What a service principal stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ServicePrincipalType {
    /// An application registration.
    #[default]
    Application,
    /// A managed identity.
    ManagedIdentity,
    /// From before registrations.
    Legacy,
    /// Internal to Entra.
    SocialIdp,
}

/// An application's instance in one tenant: the typed view of Graph's document, members in Graph's order.
///
/// `appRoles`, `oauth2PermissionScopes`, `servicePrincipalNames` and `replyUrls` follow the registration in its home
/// tenant.
///
/// Source: Graph resource type `servicePrincipal`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "a wire shape: the members that mean something here are described, the others are Graph's"
)]
pub struct ServicePrincipal {
    /// The object id in this tenant: claims `oid` and `sub` of app-only tokens.
    #[serde(default)]
    pub id: Option<ObjectId>,
    #[serde(default)]
    pub deleted_date_time: Option<DateTime>,
    /// Whether it may get tokens.
    #[serde(default = "enabled")]
    pub account_enabled: bool,
    #[serde(default, deserialize_with = "null_as_default")]
    pub alternative_names: Vec<String>,
    #[serde(default)]
    pub app_description: Option<String>,
    #[serde(default)]
    pub app_display_name: Option<String>,
    /// The registration's client id.
    pub app_id: ClientId,
    #[serde(default)]
    pub application_template_id: Option<String>,
    /// The registration's home tenant.
    #[serde(default)]
    pub app_owner_organization_id: Option<TenantId>,
    /// Whether a client without an assignment is refused (AADSTS501051).
    #[serde(default, deserialize_with = "null_as_default")]
    pub app_role_assignment_required: bool,
    #[serde(default)]
    pub created_date_time: Option<DateTime>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub disabled_by_microsoft_status: Option<String>,
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(default)]
    pub homepage: Option<String>,
    #[serde(default)]
    pub login_url: Option<String>,
    #[serde(default)]
    pub logout_url: Option<String>,
    #[serde(default)]
    pub notes: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub notification_email_addresses: Vec<String>,
    #[serde(default)]
    pub preferred_single_sign_on_mode: Option<String>,
    #[serde(default)]
    pub preferred_token_signing_key_thumbprint: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub reply_urls: Vec<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub resource_specific_application_permissions: Vec<Value>,
    /// Identifier URIs and the client id: the names under which a token to it may be asked for.
    #[serde(default, deserialize_with = "null_as_default")]
    pub service_principal_names: Vec<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub service_principal_type: ServicePrincipalType,
    #[serde(default)]
    pub sign_in_audience: Option<SignInAudience>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
    #[serde(default, with = "optional_guid")]
    pub token_encryption_key_id: Option<Uuid>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub add_ins: Vec<Value>,
    /// Copy of the registration's.
    #[serde(default, deserialize_with = "null_as_default")]
    pub app_roles: Vec<AppRole>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub info: InformationalUrl,
    #[serde(default, deserialize_with = "null_as_default")]
    pub key_credentials: Vec<KeyCredential>,
    /// Copy of the registration's.
    #[serde(default, deserialize_with = "null_as_default")]
    pub oauth2_permission_scopes: Vec<PermissionScope>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub password_credentials: Vec<PasswordCredential>,
    #[serde(default)]
    pub saml_single_sign_on_settings: Option<Value>,
    #[serde(default)]
    pub verified_publisher: Option<Value>,
}

/// A user, with the members that Graph sends unasked, and `accountEnabled`, which it sends on `$select`.
///
/// Source: Graph resource type `user`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "a wire shape: the members that mean something here are described, the others are Graph's"
)]
pub struct User {
    #[serde(default, deserialize_with = "null_as_default")]
    pub business_phones: Vec<String>,
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(default)]
    pub given_name: Option<String>,
    #[serde(default)]
    pub job_title: Option<String>,
    #[serde(default)]
    pub mail: Option<String>,
    #[serde(default)]
    pub mobile_phone: Option<String>,
    #[serde(default)]
    pub office_location: Option<String>,
    #[serde(default)]
    pub preferred_language: Option<String>,
    #[serde(default)]
    pub surname: Option<String>,
    /// The sign-in name, unique in the tenant without regard to case; it may change, so it identifies nobody.
    pub user_principal_name: String,
    /// The object id: claim `oid`.
    #[serde(default)]
    pub id: Option<ObjectId>,
    /// Whether the user may sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_enabled: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_principal_is_written_as_graph_writes_it() {
        let json = r#"{"id":"33333333-3333-4333-8333-333333333333","deletedDateTime":null,"accountEnabled":true,"alternativeNames":[],"appDescription":null,"appDisplayName":"orders-api","appId":"a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11","applicationTemplateId":null,"appOwnerOrganizationId":"6babcaad-604b-40ac-a9d7-9fd97c0b779f","appRoleAssignmentRequired":false,"createdDateTime":"2026-01-31T10:00:00Z","description":null,"disabledByMicrosoftStatus":null,"displayName":"orders-api","homepage":null,"loginUrl":null,"logoutUrl":null,"notes":null,"notificationEmailAddresses":[],"preferredSingleSignOnMode":null,"preferredTokenSigningKeyThumbprint":null,"replyUrls":[],"resourceSpecificApplicationPermissions":[],"servicePrincipalNames":["api://orders","a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"],"servicePrincipalType":"Application","signInAudience":"AzureADMyOrg","tags":[],"tokenEncryptionKeyId":null,"addIns":[],"appRoles":[],"info":{"logoUrl":null,"marketingUrl":null,"privacyStatementUrl":null,"supportUrl":null,"termsOfServiceUrl":null},"keyCredentials":[],"oauth2PermissionScopes":[],"passwordCredentials":[],"samlSingleSignOnSettings":null,"verifiedPublisher":null}"#;
        let principal: ServicePrincipal = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&principal).unwrap(), json);
    }

    #[test]
    fn a_created_service_principal_needs_no_more_than_the_client_id() {
        let principal: ServicePrincipal =
            serde_json::from_str(r#"{"appId":"a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"}"#).unwrap();
        assert!(principal.account_enabled && !principal.app_role_assignment_required);
    }

    #[test]
    fn a_user_is_written_as_graph_writes_it() {
        let json = r#"{"businessPhones":[],"displayName":"Alice","givenName":null,"jobTitle":null,"mail":null,"mobilePhone":null,"officeLocation":null,"preferredLanguage":null,"surname":null,"userPrincipalName":"alice@contoso.com","id":"11111111-1111-4111-8111-111111111111"}"#;
        let user: User = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&user).unwrap(), json);
    }
}
