//! The body of a token request, by grant and endpoint version.
//!
//! The v1.0 endpoint is asked for one `resource`, the v2.0 endpoint for scopes, to which user grants add the OIDC ones:
//! `openid profile` for the id_token, `offline_access` where a refresh token is wanted. Source: Microsoft identity
//! platform and OAuth 2.0 (authorization code, on-behalf-of, device authorization grant, resource owner password).

use countersign_protocol::scope::OIDC_SCOPES;
use countersign_protocol::token_request::JWT_BEARER_ASSERTION;
use countersign_protocol::{
    ClientAuthentication, ClientCredentialsRequest, EndpointVersion, FormEncoder, ResourceIdentifier, ScopeSet,
};
use countersign_token::ClientId;
use secrecy::{ExposeSecret, SecretString};

use crate::bound::MTLS_POP;
use crate::error::AcquireError;
use crate::question::{Grant, Question};

/// Which OIDC scopes a grant asks for beside the caller's own.
const WITH_REFRESH_TOKEN: &[&str] = &["openid", "profile", "offline_access"];

/// The caller's scopes and the OIDC ones, each once.
pub(crate) fn scope_text(scopes: &ScopeSet, more: &[&str]) -> String {
    let mut text = scopes.to_string();
    for scope in more.iter().filter(|more| !scopes.iter().any(|scope| scope.as_str() == **more)) {
        text.push(' ');
        text.push_str(scope);
    }
    text
}

/// The one resource that a set of scopes names, for the v1.0 endpoint: that of `{resource}/.default`.
///
/// # Errors
/// [`AcquireError::Scopes`].
pub(crate) fn resource(scopes: &ScopeSet) -> Result<ResourceIdentifier, AcquireError> {
    scopes.client_credentials_resource().map_err(AcquireError::Scopes)
}

/// The body. `refresh_token` goes with [`Grant::RefreshToken`]; `bound` asks for a certificate-bound token.
///
/// # Errors
/// [`AcquireError::Scopes`] for scopes that this grant and endpoint cannot ask for.
pub(crate) fn token_form(
    client_id: &ClientId,
    version: EndpointVersion,
    question: &Question,
    authentication: Option<ClientAuthentication<'_>>,
    refresh_token: Option<&SecretString>,
    claims: Option<&str>,
    bound: bool,
) -> Result<Vec<u8>, AcquireError> {
    let form = FormEncoder::new().field("client_id", &client_id.to_string());
    let kind = bound.then_some(MTLS_POP);
    let form = match &question.grant {
        Grant::ClientCredentials => {
            let resource = resource(&question.scopes)?;
            let Some(authentication) = authentication else {
                // The certificate of the TLS connection is the proof (RFC 8705 §2).
                let kind = kind.ok_or(AcquireError::NoCredential)?;
                let form = asked(form, version, &question.scopes, &[])?.field("grant_type", "client_credentials");
                return Ok(form.optional("claims", claims).field("token_type", kind).finish());
            };
            let request = ClientCredentialsRequest::new(client_id, &resource, authentication).with_claims(claims);
            let mut form = request.to_form(version);
            if let Some(kind) = kind {
                form.extend_from_slice(format!("&token_type={kind}").as_bytes());
            }
            return Ok(form);
        }
        Grant::OnBehalfOf { assertion, session } => {
            let form = form
                .field("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
                .field("assertion", assertion.secret())
                .field("requested_token_use", "on_behalf_of");
            // Without a session nothing would be done with an id_token or a refresh token.
            let more = if session.is_some() { WITH_REFRESH_TOKEN } else { &[] };
            asked(form, version, &question.scopes, more)?
        }
        Grant::RefreshToken { .. } => {
            let refresh_token = refresh_token.ok_or(AcquireError::NotSignedIn)?;
            let form = form.field("grant_type", "refresh_token").field("refresh_token", refresh_token.expose_secret());
            asked(form, version, &question.scopes, WITH_REFRESH_TOKEN)?
        }
        Grant::AuthorizationCode { code, redirect_uri, verifier } => {
            let form = form
                .field("grant_type", "authorization_code")
                .field("code", code.expose_secret())
                .field("redirect_uri", redirect_uri)
                .field("code_verifier", verifier.expose_secret());
            asked(form, version, &question.scopes, WITH_REFRESH_TOKEN)?
        }
        Grant::DeviceCode { code } => {
            let form = form
                .field("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
                // v1.0 reads the second name, v2.0 the first; MSAL Python sends both as well.
                .field("device_code", code.expose_secret())
                .optional("code", (version == EndpointVersion::V1).then(|| code.expose_secret()));
            asked(form, version, &question.scopes, WITH_REFRESH_TOKEN)?
        }
        Grant::Password { username, password } => {
            let form = form
                .field("grant_type", "password")
                .field("username", username)
                .field("password", password.expose_secret());
            asked(form, version, &question.scopes, WITH_REFRESH_TOKEN)?
        }
    };
    let form = match authentication {
        Some(ClientAuthentication::Secret(secret)) => form.field("client_secret", secret.expose_secret()),
        Some(ClientAuthentication::Assertion(assertion)) => form
            .field("client_assertion_type", JWT_BEARER_ASSERTION)
            .field("client_assertion", assertion.expose_secret()),
        None => form,
    };
    Ok(form.field("client_info", "1").optional("claims", claims).optional("token_type", kind).finish())
}

/// What is asked for: `scope` at v2.0; at v1.0 `resource`, and `scope=openid` where somebody signs in.
pub(crate) fn asked(
    form: FormEncoder,
    version: EndpointVersion,
    scopes: &ScopeSet,
    more: &[&str],
) -> Result<FormEncoder, AcquireError> {
    Ok(match version {
        EndpointVersion::V2 => form.field("scope", &scope_text(scopes, more)),
        EndpointVersion::V1 => {
            let form = form.field("resource", resource(scopes)?.as_str());
            form.optional("scope", (!more.is_empty()).then_some(OIDC_SCOPES[0]))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scope_is_sent_twice() {
        let scopes = ScopeSet::parse("User.Read openid").unwrap();
        assert_eq!(scope_text(&scopes, WITH_REFRESH_TOKEN), "openid User.Read profile offline_access");
    }
}
