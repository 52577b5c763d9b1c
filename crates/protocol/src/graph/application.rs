//! `application`: the registration, one per client id.

use countersign_token::{ClientId, ObjectId, TokenVersion};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::wire::{guids, null_as_default, optional_guid};
use super::{AppRole, DateTime, KeyCredential, PasswordCredential, PermissionScope, RequiredResourceAccess};

/// Which accounts may use an application.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SignInAudience {
    /// Work accounts of the home tenant.
    #[default]
    #[serde(rename = "AzureADMyOrg")]
    MyOrganization,
    /// Work accounts of any tenant.
    #[serde(rename = "AzureADMultipleOrgs")]
    AnyOrganization,
    /// Work accounts of any tenant, and personal ones.
    #[serde(rename = "AzureADandPersonalMicrosoftAccount")]
    AnyOrganizationAndPersonal,
    /// Personal accounts only.
    #[serde(rename = "PersonalMicrosoftAccount")]
    Personal,
}

impl SignInAudience {
    /// Whether other tenants than the home tenant may use the application.
    #[must_use]
    pub const fn is_multi_tenant(self) -> bool {
        matches!(self, Self::AnyOrganization | Self::AnyOrganizationAndPersonal)
    }
}

/// An application registration: the typed view of Graph's document, members in Graph's order.
///
/// Members that this project never acts on are kept as they came, in `Value`s; members it does not name are passed over,
/// so a store that must lose nothing keeps the document beside this view. A missing `signInAudience` reads as
/// `AzureADMyOrg`: the portal, the CLI and Terraform all send that, and it is the narrower choice.
///
/// Source: Graph resource type `application`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "a wire shape: the members that mean something here are described, the others are Graph's"
)]
pub struct Application {
    /// The registration's object id; read-only.
    #[serde(default)]
    pub id: Option<ObjectId>,
    #[serde(default)]
    pub deleted_date_time: Option<DateTime>,
    /// The client id; read-only.
    #[serde(default)]
    pub app_id: Option<ClientId>,
    #[serde(default)]
    pub application_template_id: Option<String>,
    #[serde(default)]
    pub disabled_by_microsoft_status: Option<String>,
    #[serde(default)]
    pub created_date_time: Option<DateTime>,
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    /// `None`, `SecurityGroup`, `DirectoryRole`, `ApplicationGroup` or `All`: what the claim `groups` carries.
    #[serde(default)]
    pub group_membership_claims: Option<String>,
    /// App ID URIs, unique in the tenant, no trailing slash, at most 255 characters each.
    #[serde(default, deserialize_with = "null_as_default")]
    pub identifier_uris: Vec<String>,
    #[serde(default)]
    pub is_device_only_auth_supported: Option<bool>,
    /// A switched-off registration: no new tokens for it (AADSTS7000112).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_disabled: Option<bool>,
    /// Whether flows without a client credential (device code, password) are allowed.
    #[serde(default)]
    pub is_fallback_public_client: Option<bool>,
    #[serde(default)]
    pub native_authentication_apis_enabled: Option<String>,
    #[serde(default)]
    pub notes: Option<String>,
    #[serde(default)]
    pub publisher_domain: Option<String>,
    #[serde(default)]
    pub service_management_reference: Option<String>,
    /// Which accounts may use it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub sign_in_audience: SignInAudience,
    #[serde(default, deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
    #[serde(default, with = "optional_guid")]
    pub token_encryption_key_id: Option<Uuid>,
    #[serde(default)]
    pub unique_name: Option<String>,
    #[serde(default)]
    pub saml_metadata_url: Option<String>,
    #[serde(default)]
    pub default_redirect_uri: Option<String>,
    #[serde(default)]
    pub certification: Option<Value>,
    /// Claims that tokens carry on request of the registration.
    #[serde(default)]
    pub optional_claims: Option<OptionalClaims>,
    #[serde(default)]
    pub service_principal_lock_configuration: Option<Value>,
    #[serde(default)]
    pub request_signature_verification: Option<Value>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub add_ins: Vec<Value>,
    /// What makes it a resource.
    #[serde(default, deserialize_with = "null_as_default")]
    pub api: Api,
    /// Application permissions and user roles it declares.
    #[serde(default, deserialize_with = "null_as_default")]
    pub app_roles: Vec<AppRole>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub info: InformationalUrl,
    /// Certificates.
    #[serde(default, deserialize_with = "null_as_default")]
    pub key_credentials: Vec<KeyCredential>,
    #[serde(default)]
    pub parental_control_settings: Option<Value>,
    /// Client secrets, without their text.
    #[serde(default, deserialize_with = "null_as_default")]
    pub password_credentials: Vec<PasswordCredential>,
    /// Redirect URIs of installed clients.
    #[serde(default, deserialize_with = "null_as_default")]
    pub public_client: RedirectUris,
    /// Permissions it asks for.
    #[serde(default, deserialize_with = "null_as_default")]
    pub required_resource_access: Vec<RequiredResourceAccess>,
    #[serde(default)]
    pub verified_publisher: Option<Value>,
    /// Redirect URIs of server-side clients, and the implicit flow's switches.
    #[serde(default, deserialize_with = "null_as_default")]
    pub web: Web,
    /// Redirect URIs of browser clients, which redeem codes cross-origin.
    #[serde(default, deserialize_with = "null_as_default")]
    pub spa: RedirectUris,
}

/// What makes an application a resource. Source: Graph resource type `apiApplication`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Api {
    /// Whether claims mapping works without an own signing key.
    #[serde(default)]
    pub accept_mapped_claims: Option<bool>,
    /// Clients whose consent covers this resource too.
    #[serde(default, deserialize_with = "null_as_default")]
    pub known_client_applications: Vec<ClientId>,
    /// The version of access tokens for this resource; `null` is 1.
    #[serde(default, with = "access_token_version")]
    pub requested_access_token_version: Option<TokenVersion>,
    /// Delegated permissions it declares.
    #[serde(default, deserialize_with = "null_as_default")]
    pub oauth2_permission_scopes: Vec<PermissionScope>,
    /// Clients that need no consent.
    #[serde(default, deserialize_with = "null_as_default")]
    pub pre_authorized_applications: Vec<PreAuthorizedApplication>,
}

/// A JSON number, 1 or 2, or `null`.
mod access_token_version {
    use countersign_token::TokenVersion;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TokenVersion>, D::Error> {
        match Option::<u64>::deserialize(deserializer)? {
            None => Ok(None),
            Some(1) => Ok(Some(TokenVersion::V1)),
            Some(2) => Ok(Some(TokenVersion::V2)),
            Some(_) => Err(serde::de::Error::custom("not an access token version: 1, 2 or null")),
        }
    }

    pub(super) fn serialize<S: Serializer>(version: &Option<TokenVersion>, serializer: S) -> Result<S::Ok, S::Error> {
        match version {
            None => serializer.serialize_none(),
            Some(TokenVersion::V1) => serializer.serialize_u8(1),
            Some(TokenVersion::V2) => serializer.serialize_u8(2),
        }
    }
}

/// A client that needs no consent for some scopes. Source: Graph resource type `preAuthorizedApplication`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreAuthorizedApplication {
    /// The client.
    pub app_id: ClientId,
    /// Ids of the scopes; the portal's manifest and Graph's beta call them `permissionIds`.
    #[serde(default, alias = "permissionIds", with = "guids")]
    pub delegated_permission_ids: Vec<Uuid>,
}

/// Links for the consent page. Source: Graph resource type `informationalUrl`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InformationalUrl {
    /// Logo.
    #[serde(default)]
    pub logo_url: Option<String>,
    /// Home page for the public.
    #[serde(default)]
    pub marketing_url: Option<String>,
    /// Privacy statement.
    #[serde(default)]
    pub privacy_statement_url: Option<String>,
    /// Support.
    #[serde(default)]
    pub support_url: Option<String>,
    /// Terms of service.
    #[serde(default)]
    pub terms_of_service_url: Option<String>,
}

/// Redirect URIs. Source: Graph resource types `publicClientApplication` and `spaApplication`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedirectUris {
    /// Compared exactly, except for the port of loopback addresses.
    #[serde(default, deserialize_with = "null_as_default")]
    pub redirect_uris: Vec<String>,
}

/// Server-side clients. Source: Graph resource type `webApplication`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Web {
    /// The application's home page.
    #[serde(default)]
    pub home_page_url: Option<String>,
    /// Front-channel logout.
    #[serde(default)]
    pub logout_url: Option<String>,
    /// Compared exactly.
    #[serde(default, deserialize_with = "null_as_default")]
    pub redirect_uris: Vec<String>,
    /// The same URIs with an index; kept as it came.
    #[serde(default, deserialize_with = "null_as_default")]
    pub redirect_uri_settings: Vec<Value>,
    /// Switches of the implicit and hybrid flows.
    #[serde(default, deserialize_with = "null_as_default")]
    pub implicit_grant_settings: ImplicitGrantSettings,
}

/// Switches of the implicit and hybrid flows. Source: Graph resource type `implicitGrantSettings`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImplicitGrantSettings {
    /// Whether the authorize endpoint issues access tokens.
    #[serde(default, deserialize_with = "null_as_default")]
    pub enable_access_token_issuance: bool,
    /// Whether the authorize endpoint issues id_tokens.
    #[serde(default, deserialize_with = "null_as_default")]
    pub enable_id_token_issuance: bool,
}

/// Claims that tokens carry on request. Source: Graph resource type `optionalClaims`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OptionalClaims {
    /// In id_tokens.
    #[serde(default, deserialize_with = "null_as_default")]
    pub id_token: Vec<OptionalClaim>,
    /// In access tokens, by wish of the resource.
    #[serde(default, deserialize_with = "null_as_default")]
    pub access_token: Vec<OptionalClaim>,
    /// In SAML tokens; kept, never used here.
    #[serde(default, deserialize_with = "null_as_default")]
    pub saml2_token: Vec<OptionalClaim>,
}

/// One optional claim. Source: Graph resource type `optionalClaim`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OptionalClaim {
    /// The claim's name, for example `idtyp` or `xms_cc`.
    pub name: String,
    /// `user` for directory extensions, otherwise `null`.
    #[serde(default)]
    pub source: Option<String>,
    /// Whether the client needs it; changes nothing in access tokens.
    #[serde(default, deserialize_with = "null_as_default")]
    pub essential: bool,
    /// For example `include_user_token` or `use_guid`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub additional_properties: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Graph's answer to a GET of a fresh registration, 2026-01, names and ids ours.
    const FRESH: &str = r#"{"id":"0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11","deletedDateTime":null,"appId":"a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11","applicationTemplateId":null,"disabledByMicrosoftStatus":null,"createdDateTime":"2026-01-31T10:00:00.1234567Z","displayName":"orders-api","description":null,"groupMembershipClaims":null,"identifierUris":["api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"],"isDeviceOnlyAuthSupported":null,"isFallbackPublicClient":null,"nativeAuthenticationApisEnabled":null,"notes":null,"publisherDomain":"contoso.onmicrosoft.com","serviceManagementReference":null,"signInAudience":"AzureADMyOrg","tags":[],"tokenEncryptionKeyId":null,"uniqueName":null,"samlMetadataUrl":null,"defaultRedirectUri":null,"certification":null,"optionalClaims":{"idToken":[],"accessToken":[{"name":"idtyp","source":null,"essential":false,"additionalProperties":["include_user_token"]}],"saml2Token":[]},"servicePrincipalLockConfiguration":null,"requestSignatureVerification":null,"addIns":[],"api":{"acceptMappedClaims":null,"knownClientApplications":[],"requestedAccessTokenVersion":2,"oauth2PermissionScopes":[],"preAuthorizedApplications":[{"appId":"04b07795-8ddb-461a-bbee-02f9e1bf7b46","delegatedPermissionIds":["e1fe6dd8-ba31-4d61-89e7-88639da4683d"]}]},"appRoles":[],"info":{"logoUrl":null,"marketingUrl":null,"privacyStatementUrl":null,"supportUrl":null,"termsOfServiceUrl":null},"keyCredentials":[],"parentalControlSettings":{"countriesBlockedForMinors":[],"legalAgeGroupRule":"Allow"},"passwordCredentials":[],"publicClient":{"redirectUris":[]},"requiredResourceAccess":[],"verifiedPublisher":{"addedDateTime":null,"displayName":null,"verifiedPublisherId":null},"web":{"homePageUrl":null,"logoutUrl":null,"redirectUris":["https://localhost:3000/callback"],"redirectUriSettings":[{"index":null,"uri":"https://localhost:3000/callback"}],"implicitGrantSettings":{"enableAccessTokenIssuance":false,"enableIdTokenIssuance":false}},"spa":{"redirectUris":[]}}"#;

    #[test]
    fn a_registration_is_written_as_graph_writes_it() {
        let application: Application = serde_json::from_str(FRESH).unwrap();
        assert_eq!(serde_json::to_string(&application).unwrap(), FRESH);
        assert_eq!(application.api.requested_access_token_version, Some(TokenVersion::V2));
    }

    #[test]
    fn null_is_as_good_as_absent_and_the_unknown_is_passed_over() {
        let all_null = r#"{"appId":"a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11","identifierUris":null,"api":null,"appRoles":null,"web":null,
            "signInAudience":null,"@odata.context":"x","newerThanUs":{"a":1}}"#;
        let application: Application = serde_json::from_str(all_null).unwrap();
        assert_eq!(application.sign_in_audience, SignInAudience::MyOrganization);
        assert_eq!(application.api, Api::default());
        assert!(application.identifier_uris.is_empty());
    }

    #[test]
    fn an_unknown_audience_or_token_version_is_refused() {
        let refused = serde_json::from_str::<Application>(r#"{"signInAudience":"Everybody"}"#).unwrap_err().to_string();
        assert!(refused.starts_with("unknown variant `Everybody`, expected one of `AzureADMyOrg`"), "{refused}");
        let refused = serde_json::from_str::<Application>(r#"{"api":{"requestedAccessTokenVersion":3}}"#).unwrap_err();
        assert!(refused.to_string().starts_with("not an access token version: 1, 2 or null"), "{refused}");
    }

    #[test]
    fn the_manifests_name_of_delegated_permission_ids_is_read() {
        let api: Api = serde_json::from_str(
            r#"{"preAuthorizedApplications":[{"appId":"04b07795-8ddb-461a-bbee-02f9e1bf7b46","permissionIds":["e1fe6dd8-ba31-4d61-89e7-88639da4683d"]}]}"#,
        )
        .unwrap();
        assert_eq!(api.pre_authorized_applications[0].delegated_permission_ids.len(), 1);
    }
}
