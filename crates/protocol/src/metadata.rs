//! The OpenID Connect metadata document, v1.0 and v2.0.
//!
//! Written member by member in Entra's order, because strict clients compare issuers as text and careless ones scan.
//! Documents of `common` and `organizations` keep the alias in every endpoint and carry the literal `{tenantid}` in their
//! issuer; a document asked for by domain is that of the GUID. The two mTLS members of newer captures are left out: at
//! least one client crashes on them, and no mTLS endpoint is served.
//! Read leniently: regional documents lack half of the members and say `unsupported` for the authorize endpoint.

use countersign_token::ClientId;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::authority::AuthorityHost;
use crate::cloud::CloudProfile;
use crate::decode::{DecodeError, Members};
use crate::instance::is_public_cloud_host;
use crate::tenant::ServedTenant;
use crate::token_response::text;
use crate::version::EndpointVersion;

const AUTH_METHODS: [&str; 3] = ["client_secret_post", "private_key_jwt", "client_secret_basic"];
const RESPONSE_MODES: [&str; 3] = ["query", "fragment", "form_post"];
const RESPONSE_TYPES_V1: [&str; 5] = ["code", "id_token", "code id_token", "token id_token", "token"];
const RESPONSE_TYPES_V2: [&str; 4] = ["code", "id_token", "code id_token", "id_token token"];
const SCOPES_V2: [&str; 4] = ["openid", "profile", "email", "offline_access"];
const CLAIMS_V1: [&str; 17] = [
    "sub",
    "iss",
    "cloud_instance_name",
    "cloud_instance_host_name",
    "cloud_graph_host_name",
    "msgraph_host",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "amr",
    "nonce",
    "email",
    "given_name",
    "family_name",
    "nickname",
];
const CLAIMS_V2: [&str; 19] = [
    "sub",
    "iss",
    "cloud_instance_name",
    "cloud_instance_host_name",
    "cloud_graph_host_name",
    "msgraph_host",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "nonce",
    "preferred_username",
    "name",
    "tid",
    "ver",
    "at_hash",
    "c_hash",
    "email",
];

/// A metadata document. Members that only others lack are optional; what every validator needs is not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// `issuer`: exactly the `iss` of tokens, or a template with `{tenantid}`.
    pub issuer: String,
    /// `jwks_uri`
    pub jwks_uri: String,
    /// `token_endpoint`
    pub token_endpoint: String,
    /// `authorization_endpoint`; `unsupported` in regional documents.
    pub authorization_endpoint: Option<String>,
    /// `device_authorization_endpoint`
    pub device_authorization_endpoint: Option<String>,
    /// `end_session_endpoint`
    pub end_session_endpoint: Option<String>,
    /// `userinfo_endpoint`
    pub userinfo_endpoint: Option<String>,
    /// `check_session_iframe`, v1.0 only.
    pub check_session_iframe: Option<String>,
    /// `kerberos_endpoint`
    pub kerberos_endpoint: Option<String>,
    /// `microsoft_multi_refresh_token`, v1.0 only.
    pub microsoft_multi_refresh_token: Option<bool>,
    /// `request_uri_parameter_supported`, v2.0 only.
    pub request_uri_parameter_supported: Option<bool>,
    /// `http_logout_supported`
    pub http_logout_supported: Option<bool>,
    /// `frontchannel_logout_supported`
    pub frontchannel_logout_supported: Option<bool>,
    /// `token_endpoint_auth_methods_supported`
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// `response_modes_supported`
    pub response_modes_supported: Vec<String>,
    /// `subject_types_supported`
    pub subject_types_supported: Vec<String>,
    /// `id_token_signing_alg_values_supported`
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// `response_types_supported`
    pub response_types_supported: Vec<String>,
    /// `scopes_supported`
    pub scopes_supported: Vec<String>,
    /// `claims_supported`
    pub claims_supported: Vec<String>,
    /// `tenant_region_scope`: `WW`, `EU`, …; written as `null` when there is none, as for the aliases.
    pub tenant_region_scope: Option<String>,
    /// `cloud_instance_name`
    pub cloud_instance_name: Option<String>,
    /// `cloud_graph_host_name`
    pub cloud_graph_host_name: Option<String>,
    /// `msgraph_host`
    pub msgraph_host: Option<String>,
    /// `rbac_url`
    pub rbac_url: Option<String>,
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

impl Metadata {
    /// The document that an authority serves for a tenant.
    ///
    /// The region of a directory is `WW`; change [`tenant_region_scope`](Self::tenant_region_scope) for another.
    #[must_use]
    pub fn new(
        authority: &AuthorityHost,
        cloud: &CloudProfile,
        tenant: ServedTenant,
        version: EndpointVersion,
    ) -> Self {
        let is_v1 = version == EndpointVersion::V1;
        let issuer = match version {
            EndpointVersion::V1 => cloud.issuer_v1(tenant.in_issuer()),
            EndpointVersion::V2 => authority.issuer_v2(tenant.in_issuer()),
        };
        let userinfo = match version {
            EndpointVersion::V1 => authority.userinfo_endpoint_v1(tenant),
            EndpointVersion::V2 if is_public_cloud_host(authority.host()) => cloud.userinfo_endpoint_v2(),
            // Elsewhere Graph's part is played here, and no token leaves for Microsoft's hosts.
            EndpointVersion::V2 => format!("{}/oidc/userinfo", authority.origin()),
        };
        Self {
            issuer,
            jwks_uri: authority.jwks_uri(tenant, version),
            token_endpoint: authority.token_endpoint(tenant, version),
            authorization_endpoint: Some(authority.authorization_endpoint(tenant, version)),
            device_authorization_endpoint: Some(authority.device_authorization_endpoint(tenant, version)),
            end_session_endpoint: Some(authority.end_session_endpoint(tenant, version)),
            userinfo_endpoint: Some(userinfo),
            check_session_iframe: is_v1.then(|| authority.check_session_iframe(tenant)),
            kerberos_endpoint: Some(authority.kerberos_endpoint(tenant)),
            microsoft_multi_refresh_token: is_v1.then_some(true),
            request_uri_parameter_supported: (!is_v1).then_some(false),
            http_logout_supported: Some(true),
            frontchannel_logout_supported: Some(true),
            token_endpoint_auth_methods_supported: owned(&AUTH_METHODS),
            response_modes_supported: owned(&RESPONSE_MODES),
            subject_types_supported: owned(&["pairwise"]),
            id_token_signing_alg_values_supported: owned(&["RS256"]),
            response_types_supported: owned(if is_v1 { &RESPONSE_TYPES_V1 } else { &RESPONSE_TYPES_V2 }),
            scopes_supported: owned(if is_v1 { &["openid"] } else { &SCOPES_V2 }),
            claims_supported: owned(if is_v1 { &CLAIMS_V1 } else { &CLAIMS_V2 }),
            tenant_region_scope: (!tenant.is_alias()).then(|| "WW".to_owned()),
            cloud_instance_name: Some(cloud.cloud_instance_name.to_owned()),
            cloud_graph_host_name: Some(cloud.cloud_graph_host_name.to_owned()),
            msgraph_host: Some(cloud.msgraph_host.to_owned()),
            rbac_url: Some(cloud.rbac_url.to_owned()),
        }
    }

    /// Points `jwks_uri` at the keys of one application, as a request with `?appid=` asks for.
    #[must_use]
    pub fn for_application(mut self, app_id: &ClientId) -> Self {
        self.jwks_uri = format!("{}?appid={app_id}", self.jwks_uri);
        self
    }

    /// The JSON document. It is a v1.0 one when `microsoft_multi_refresh_token` is there.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Serialising strings into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a document of any issuer.
    ///
    /// Nothing is compared here: whether the issuer is the expected one and the URLs are on the expected host is for the
    /// caller to decide (pitfalls C07, C16).
    ///
    /// # Errors
    /// [`DecodeError`]; `issuer`, `jwks_uri` and `token_endpoint` must be there.
    pub fn from_json(json: &[u8]) -> Result<Self, DecodeError> {
        let members = Members::parse(json)?;
        let strings = |member| Ok(members.strings(member)?.unwrap_or_default());
        Ok(Self {
            issuer: members.required("issuer")?,
            jwks_uri: members.required("jwks_uri")?,
            token_endpoint: members.required("token_endpoint")?,
            authorization_endpoint: members.string("authorization_endpoint")?,
            device_authorization_endpoint: members.string("device_authorization_endpoint")?,
            end_session_endpoint: members.string("end_session_endpoint")?,
            userinfo_endpoint: members.string("userinfo_endpoint")?,
            check_session_iframe: members.string("check_session_iframe")?,
            kerberos_endpoint: members.string("kerberos_endpoint")?,
            microsoft_multi_refresh_token: members.boolean("microsoft_multi_refresh_token")?,
            request_uri_parameter_supported: members.boolean("request_uri_parameter_supported")?,
            http_logout_supported: members.boolean("http_logout_supported")?,
            frontchannel_logout_supported: members.boolean("frontchannel_logout_supported")?,
            token_endpoint_auth_methods_supported: strings("token_endpoint_auth_methods_supported")?,
            response_modes_supported: strings("response_modes_supported")?,
            subject_types_supported: strings("subject_types_supported")?,
            id_token_signing_alg_values_supported: strings("id_token_signing_alg_values_supported")?,
            response_types_supported: strings("response_types_supported")?,
            scopes_supported: strings("scopes_supported")?,
            claims_supported: strings("claims_supported")?,
            tenant_region_scope: members.string("tenant_region_scope")?,
            cloud_instance_name: members.string("cloud_instance_name")?,
            cloud_graph_host_name: members.string("cloud_graph_host_name")?,
            msgraph_host: members.string("msgraph_host")?,
            rbac_url: members.string("rbac_url")?,
        })
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn flag<M: SerializeMap>(map: &mut M, name: &'static str, value: Option<bool>) -> Result<(), M::Error> {
            value.map_or(Ok(()), |value| map.serialize_entry(name, &value))
        }
        let is_v1 = self.microsoft_multi_refresh_token.is_some();
        let userinfo = self.userinfo_endpoint.as_deref();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("token_endpoint", &self.token_endpoint)?;
        map.serialize_entry("token_endpoint_auth_methods_supported", &self.token_endpoint_auth_methods_supported)?;
        map.serialize_entry("jwks_uri", &self.jwks_uri)?;
        map.serialize_entry("response_modes_supported", &self.response_modes_supported)?;
        map.serialize_entry("subject_types_supported", &self.subject_types_supported)?;
        map.serialize_entry("id_token_signing_alg_values_supported", &self.id_token_signing_alg_values_supported)?;
        map.serialize_entry("response_types_supported", &self.response_types_supported)?;
        map.serialize_entry("scopes_supported", &self.scopes_supported)?;
        map.serialize_entry("issuer", &self.issuer)?;
        flag(&mut map, "microsoft_multi_refresh_token", self.microsoft_multi_refresh_token)?;
        flag(&mut map, "request_uri_parameter_supported", self.request_uri_parameter_supported)?;
        if !is_v1 {
            text(&mut map, "userinfo_endpoint", userinfo)?;
        }
        text(&mut map, "authorization_endpoint", self.authorization_endpoint.as_deref())?;
        text(&mut map, "device_authorization_endpoint", self.device_authorization_endpoint.as_deref())?;
        flag(&mut map, "http_logout_supported", self.http_logout_supported)?;
        flag(&mut map, "frontchannel_logout_supported", self.frontchannel_logout_supported)?;
        text(&mut map, "end_session_endpoint", self.end_session_endpoint.as_deref())?;
        map.serialize_entry("claims_supported", &self.claims_supported)?;
        text(&mut map, "check_session_iframe", self.check_session_iframe.as_deref())?;
        if is_v1 {
            text(&mut map, "userinfo_endpoint", userinfo)?;
        }
        text(&mut map, "kerberos_endpoint", self.kerberos_endpoint.as_deref())?;
        map.serialize_entry("tenant_region_scope", &self.tenant_region_scope)?;
        text(&mut map, "cloud_instance_name", self.cloud_instance_name.as_deref())?;
        text(&mut map, "cloud_graph_host_name", self.cloud_graph_host_name.as_deref())?;
        text(&mut map, "msgraph_host", self.msgraph_host.as_deref())?;
        text(&mut map, "rbac_url", self.rbac_url.as_deref())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(tenant: ServedTenant, version: EndpointVersion) -> Metadata {
        let authority = AuthorityHost::parse("https://localhost:8443").unwrap();
        Metadata::new(&authority, &CloudProfile::GLOBAL, tenant, version)
    }

    #[test]
    fn aliases_keep_their_name_and_template_their_issuer() {
        let common = document(ServedTenant::Common, EndpointVersion::V2);
        assert_eq!(common.issuer, "https://localhost:8443/{tenantid}/v2.0");
        assert_eq!(common.token_endpoint, "https://localhost:8443/common/oauth2/v2.0/token");
        assert_eq!(common.tenant_region_scope, None);
        let consumers = document(ServedTenant::Consumers, EndpointVersion::V1);
        assert_eq!(consumers.issuer, "https://sts.windows.net/9188040d-6c67-4c5b-b112-36a304b66dad/");
    }

    #[test]
    fn an_application_has_its_own_keys() {
        let app_id = "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse().unwrap();
        let document = document(ServedTenant::Common, EndpointVersion::V1).for_application(&app_id);
        assert_eq!(
            document.jwks_uri,
            "https://localhost:8443/common/discovery/keys?appid=6babcaad-604b-40ac-a9d7-9fd97c0b779f"
        );
    }

    #[test]
    fn every_document_reads_as_it_was_written() {
        for version in [EndpointVersion::V1, EndpointVersion::V2] {
            for tenant in [ServedTenant::Organizations, ServedTenant::Tenant(crate::MSA_TENANT)] {
                let document = document(tenant, version);
                assert_eq!(Metadata::from_json(&document.to_json()).unwrap(), document);
            }
        }
    }

    #[test]
    fn the_needed_members_are_named() {
        for (json, member) in [
            (r#"{"jwks_uri":"a","token_endpoint":"b"}"#, "issuer"),
            (r#"{"issuer":"a","token_endpoint":"b"}"#, "jwks_uri"),
            (r#"{"issuer":"a","jwks_uri":"b","token_endpoint":""}"#, "token_endpoint"),
        ] {
            let fault = Metadata::from_json(json.as_bytes()).unwrap_err();
            assert!(matches!(fault, DecodeError::MissingMember(name) if name == member), "{fault}");
        }
    }
}
