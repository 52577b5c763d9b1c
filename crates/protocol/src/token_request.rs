//! The token request: what an authority reads, and what a client writes.
//!
//! Read on in [`crate::form`] for what the body may be, in [`crate::scope`] for what may be asked.

use std::fmt;

use countersign_token::ClientId;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::form::{Form, FormEncoder, FormError};
use crate::scope::ResourceIdentifier;
use crate::version::EndpointVersion;

/// `client_assertion_type` of a JWT (RFC 7523 §2.2).
pub const JWT_BEARER_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The claims request by which a client says that it understands claims challenges.
pub const CLIENT_CAPABILITY_CP1: &str = r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#;

/// Every parameter of a token request that means something at Entra. One that stands in a body twice is an error.
pub const TOKEN_PARAMETERS: &[&str] = &[
    "assertion",
    "claims",
    "client-request-id",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_info",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "grant_type",
    "password",
    "redirect_uri",
    "refresh_token",
    "req_cnf",
    "requested_token_use",
    "resource",
    "scope",
    "token_type",
    "username",
];

/// The grants Entra's token endpoint knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GrantType {
    /// `client_credentials` (RFC 6749 §4.4).
    ClientCredentials,
    /// `authorization_code` (RFC 6749 §4.1).
    AuthorizationCode,
    /// `refresh_token` (RFC 6749 §6).
    RefreshToken,
    /// `password` (RFC 6749 §4.3).
    Password,
    /// `urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523 §2.1), Entra's on-behalf-of.
    JwtBearer,
    /// `urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 §3.4), or the bare word that msal-node and MSAL Go send.
    DeviceCode,
}

impl GrantType {
    /// Reads `grant_type`; the text is compared exactly.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "client_credentials" => Some(Self::ClientCredentials),
            "authorization_code" => Some(Self::AuthorizationCode),
            "refresh_token" => Some(Self::RefreshToken),
            "password" => Some(Self::Password),
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => Some(Self::JwtBearer),
            "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => Some(Self::DeviceCode),
            _ => None,
        }
    }
}

/// A token request as it came in: typed where the type is certain, text where the authority must answer for it.
///
/// `Debug` shows neither secret nor assertion. What only other grants use stays in the [`Form`].
#[derive(Default)]
#[non_exhaustive]
pub struct TokenRequest {
    /// `grant_type`; see [`GrantType::parse`].
    pub grant_type: Option<String>,
    /// `client_id`. Absent in Basic requests and in Authlib's private_key_jwt, where the assertion's `sub` says it.
    pub client_id: Option<String>,
    /// `client_secret`
    pub client_secret: Option<SecretString>,
    /// `client_assertion`, a compact JWS.
    pub client_assertion: Option<SecretString>,
    /// `client_assertion_type`; must be [`JWT_BEARER_ASSERTION`].
    pub client_assertion_type: Option<String>,
    /// `scope`, the v2.0 endpoint's question; see [`crate::scope::client_credentials_resource`].
    pub scope: Option<String>,
    /// `resource`, the v1.0 endpoint's question.
    pub resource: Option<String>,
    /// `claims`, JSON text.
    pub claims: Option<String>,
    /// Whether `client_info=1` was sent.
    pub client_info: bool,
    /// `client-request-id` in the body (msal-node). Only a GUID is taken, so that nothing else reaches a log as one.
    pub client_request_id: Option<Uuid>,
    /// Whether the body carries `x-client-*` telemetry; the headers may carry it instead.
    pub telemetry: bool,
}

impl TokenRequest {
    /// Reads a request's body.
    ///
    /// # Errors
    /// [`FormError`], to all of which Entra answers AADSTS9002313.
    pub fn parse(body: &[u8]) -> Result<Self, FormError> {
        Form::parse(body, TOKEN_PARAMETERS).map(|form| Self::from_form(&form))
    }

    /// Takes the members out of a form that was parsed with [`TOKEN_PARAMETERS`].
    #[must_use]
    pub fn from_form(form: &Form) -> Self {
        let text = |name| form.get(name).map(str::to_owned);
        Self {
            grant_type: text("grant_type"),
            client_id: text("client_id"),
            client_secret: form.secret("client_secret").cloned(),
            client_assertion: form.secret("client_assertion").cloned(),
            client_assertion_type: text("client_assertion_type"),
            scope: text("scope"),
            resource: text("resource"),
            claims: text("claims"),
            client_info: form.get("client_info") == Some("1"),
            client_request_id: form.get("client-request-id").and_then(|id| Uuid::try_parse(id).ok()),
            telemetry: form.has_telemetry(),
        }
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest")
            .field("grant_type", &self.grant_type)
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret.is_some())
            .field("client_assertion", &self.client_assertion.is_some())
            .field("scope", &self.scope)
            .field("resource", &self.resource)
            .field("client_request_id", &self.client_request_id)
            .finish_non_exhaustive()
    }
}

/// How a client proves itself in the body.
#[derive(Debug, Clone, Copy)]
pub enum ClientAuthentication<'a> {
    /// `client_secret`
    Secret(&'a SecretString),
    /// `client_assertion`: a JWT signed with a certificate's key, or one of a federated issuer.
    Assertion(&'a SecretString),
}

/// A client-credentials request, ready to be written for either endpoint. `Debug` shows no credential.
///
/// ```
/// use countersign_protocol::token_request::{ClientAuthentication, ClientCredentialsRequest};
/// use countersign_protocol::{EndpointVersion, ResourceIdentifier};
/// use secrecy::SecretString;
///
/// let client_id = "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse()?;
/// let resource = ResourceIdentifier::parse("api://orders")?;
/// let secret = SecretString::from("s3cret");
/// let request = ClientCredentialsRequest::new(&client_id, &resource, ClientAuthentication::Secret(&secret));
/// assert_eq!(
///     request.to_form(EndpointVersion::V2),
///     b"client_id=6babcaad-604b-40ac-a9d7-9fd97c0b779f&scope=api%3A%2F%2Forders%2F.default\
///       &client_secret=s3cret&grant_type=client_credentials"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ClientCredentialsRequest<'a> {
    /// Who asks.
    pub client_id: &'a ClientId,
    /// For what.
    pub resource: &'a ResourceIdentifier,
    /// With what proof.
    pub authentication: ClientAuthentication<'a>,
    /// A claims request, JSON text: a challenge's claims, or [`CLIENT_CAPABILITY_CP1`].
    pub claims: Option<&'a str>,
}

impl<'a> ClientCredentialsRequest<'a> {
    /// A request without claims.
    #[must_use]
    pub const fn new(
        client_id: &'a ClientId,
        resource: &'a ResourceIdentifier,
        authentication: ClientAuthentication<'a>,
    ) -> Self {
        Self { client_id, resource, authentication, claims: None }
    }

    /// Adds a claims request, JSON text.
    #[must_use]
    pub const fn with_claims(mut self, claims: Option<&'a str>) -> Self {
        self.claims = claims;
        self
    }

    /// The body: `scope={resource}/.default` for v2.0, `resource={resource}` for v1.0.
    ///
    /// The bytes hold the credential. They are not zeroised when dropped; a connection copies them anyway.
    ///
    /// Source: Microsoft identity platform and the OAuth 2.0 client credentials flow; RFC 6749 §4.4.2; RFC 7523 §2.2.
    #[must_use]
    pub fn to_form(&self, version: EndpointVersion) -> Vec<u8> {
        let form = FormEncoder::new().field("client_id", &self.client_id.to_string());
        let form = match version {
            EndpointVersion::V1 => form.field("resource", self.resource.as_str()),
            EndpointVersion::V2 => form.field("scope", self.resource.default_scope().as_str()),
        };
        let form = match self.authentication {
            ClientAuthentication::Secret(secret) => form.field("client_secret", secret.expose_secret()),
            ClientAuthentication::Assertion(assertion) => form
                .field("client_assertion_type", JWT_BEARER_ASSERTION)
                .field("client_assertion", assertion.expose_secret()),
        };
        form.field("grant_type", "client_credentials").optional("claims", self.claims).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn msal_nodes_form_is_understood() {
        let body = b"client_id=abc&scope=api%3A%2F%2Fx%2F.default%20openid&grant_type=client_credentials&client_info=1\
            &x-client-SKU=msal.js.node&x-client-VER=3&x-ms-lib-capability=retry-after%2C%20h429\
            &client-request-id=0A1B2C3D-0000-4000-8000-000000000001&client_secret=hunter2";
        let request = TokenRequest::parse(body).unwrap();
        assert_eq!(request.grant_type.as_deref().and_then(GrantType::parse), Some(GrantType::ClientCredentials));
        assert_eq!(request.client_id.as_deref(), Some("abc"));
        assert_eq!(request.scope.as_deref(), Some("api://x/.default openid"));
        assert!(request.client_info && request.telemetry);
        assert_eq!(request.client_request_id, Some(Uuid::from_u128(0x0a1b_2c3d_0000_4000_8000_0000_0000_0001)));
        assert!(!format!("{request:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_no_guid_is_no_request_id() {
        let request = TokenRequest::parse(b"client-request-id=%0d%0aSet-Cookie").unwrap();
        assert_eq!(request.client_request_id, None);
    }

    #[test]
    fn a_repeated_parameter_is_named() {
        let fault = TokenRequest::parse(b"grant_type=client_credentials&client_id=a&client_id=b").unwrap_err();
        assert_eq!(fault, FormError::Duplicate("client_id"));
    }

    #[test]
    fn a_request_reads_as_it_was_written() {
        let client_id = "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse().unwrap();
        let resource = ResourceIdentifier::parse("https://management.azure.com/").unwrap();
        let secret = SecretString::from("a+b%c d&e=ö");
        let assertion = SecretString::from("aa.bb.cc");
        let by_secret = ClientCredentialsRequest::new(&client_id, &resource, ClientAuthentication::Secret(&secret))
            .with_claims(Some(CLIENT_CAPABILITY_CP1));
        let read = TokenRequest::parse(&by_secret.to_form(EndpointVersion::V1)).unwrap();
        assert_eq!(read.client_secret.unwrap().expose_secret(), "a+b%c d&e=ö");
        assert_eq!(read.resource.as_deref(), Some("https://management.azure.com/"));
        assert_eq!((read.scope, read.claims.as_deref()), (None, Some(CLIENT_CAPABILITY_CP1)));
        let by_assertion =
            ClientCredentialsRequest::new(&client_id, &resource, ClientAuthentication::Assertion(&assertion));
        let read = TokenRequest::parse(&by_assertion.to_form(EndpointVersion::V2)).unwrap();
        assert_eq!(read.client_assertion.unwrap().expose_secret(), "aa.bb.cc");
        assert_eq!(read.client_assertion_type.as_deref(), Some(JWT_BEARER_ASSERTION));
        assert_eq!(read.scope.as_deref(), Some("https://management.azure.com//.default"));
        assert!(!format!("{by_assertion:?}").contains("aa.bb"));
    }

    #[test]
    fn both_spellings_of_the_device_code_grant_are_known() {
        assert_eq!(GrantType::parse("device_code"), Some(GrantType::DeviceCode));
        assert_eq!(GrantType::parse("urn:ietf:params:oauth:grant-type:device_code"), Some(GrantType::DeviceCode));
        assert_eq!(GrantType::parse("Client_Credentials"), None);
    }
}
