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

/// `requested_token_use` of Entra's on-behalf-of grant.
pub const ON_BEHALF_OF: &str = "on_behalf_of";

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
    "login_hint",
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
/// `Debug` shows nothing that could be redeemed, and no user's name: only whether it was there.
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
    /// `claims`, JSON text; see [`crate::ClaimsRequest`].
    pub claims: Option<String>,
    /// `code`: an authorization code; with v1.0's `grant_type=device_code` the device code, see
    /// [`device_code`](Self::device_code).
    pub code: Option<SecretString>,
    /// `code_verifier` (RFC 7636 §4.5); see [`crate::CodeChallenge::verify`].
    pub code_verifier: Option<SecretString>,
    /// `redirect_uri`: the one of the authorization request.
    pub redirect_uri: Option<String>,
    /// `refresh_token`
    pub refresh_token: Option<SecretString>,
    /// `device_code`, or `code` when the grant is the device code's: v1.0 names it so.
    pub device_code: Option<SecretString>,
    /// `username`, for the password grant.
    pub username: Option<String>,
    /// `password`
    pub password: Option<SecretString>,
    /// `assertion`: the user's access token, for on-behalf-of.
    pub assertion: Option<SecretString>,
    /// `requested_token_use`; on-behalf-of needs [`ON_BEHALF_OF`].
    pub requested_token_use: Option<String>,
    /// `login_hint`
    pub login_hint: Option<String>,
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
        let secret = |name| form.secret(name).cloned();
        let grant_type = text("grant_type");
        // v1.0 polls with `grant_type=device_code&code=…`.
        let is_device = grant_type.as_deref().and_then(GrantType::parse) == Some(GrantType::DeviceCode);
        Self {
            grant_type,
            client_id: text("client_id"),
            client_secret: secret("client_secret"),
            client_assertion: secret("client_assertion"),
            client_assertion_type: text("client_assertion_type"),
            scope: text("scope"),
            resource: text("resource"),
            claims: text("claims"),
            code: secret("code"),
            code_verifier: secret("code_verifier"),
            redirect_uri: text("redirect_uri"),
            refresh_token: secret("refresh_token"),
            device_code: secret("device_code").or_else(|| if is_device { secret("code") } else { None }),
            username: text("username"),
            password: secret("password"),
            assertion: secret("assertion"),
            requested_token_use: text("requested_token_use"),
            login_hint: text("login_hint"),
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
            .field("code", &self.code.is_some())
            .field("code_verifier", &self.code_verifier.is_some())
            .field("redirect_uri", &self.redirect_uri)
            .field("refresh_token", &self.refresh_token.is_some())
            .field("device_code", &self.device_code.is_some())
            .field("username", &self.username.is_some())
            .field("password", &self.password.is_some())
            .field("assertion", &self.assertion.is_some())
            .field("requested_token_use", &self.requested_token_use)
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
    fn every_grants_parameters_are_read_and_none_is_shown() {
        let body = b"grant_type=x&client_assertion=hunter01&code=hunter02&code_verifier=hunter03\
            &redirect_uri=https%3A%2F%2Fa.example&refresh_token=hunter04&device_code=hunter05&username=hunter06\
            &password=hunter07&assertion=hunter08&requested_token_use=on_behalf_of&login_hint=hunter09&claims=hunter10";
        let read = TokenRequest::parse(body).unwrap();
        let secrets = [
            (&read.client_assertion, "hunter01"),
            (&read.code, "hunter02"),
            (&read.code_verifier, "hunter03"),
            (&read.refresh_token, "hunter04"),
            (&read.device_code, "hunter05"),
            (&read.password, "hunter07"),
            (&read.assertion, "hunter08"),
        ];
        for (member, expected) in secrets {
            assert_eq!(member.as_ref().map(ExposeSecret::expose_secret), Some(expected));
        }
        assert_eq!((read.username.as_deref(), read.login_hint.as_deref()), (Some("hunter06"), Some("hunter09")));
        assert_eq!(read.redirect_uri.as_deref(), Some("https://a.example"));
        assert_eq!(read.requested_token_use.as_deref(), Some(ON_BEHALF_OF));
        assert!(!format!("{read:?}").contains("hunter"), "{read:?}");
    }

    #[test]
    fn v1_calls_the_device_code_code() {
        let device_code =
            |body: &[u8]| TokenRequest::parse(body).unwrap().device_code.map(|code| code.expose_secret().to_owned());
        assert_eq!(device_code(b"grant_type=device_code&code=abc").as_deref(), Some("abc"));
        assert_eq!(device_code(b"grant_type=device_code&code=abc&device_code=def").as_deref(), Some("def"));
        assert_eq!(device_code(b"grant_type=authorization_code&code=abc"), None);
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
