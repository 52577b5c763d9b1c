//! Certificate-bound access tokens (RFC 8705): asked for, recognised, and never taken for granted.
//!
//! A bound token is of use only to who has the private key of one certificate: the client shows it to the authority in the
//! TLS handshake, and to the API again. Entra takes such requests at a host of its own (`mtls_endpoint_aliases` of its
//! metadata), wants `token_type=mtls_pop` in the form, and says the same in its answer; the token then goes out under that
//! scheme. An authority that follows RFC 8705 to the letter says `Bearer`, and only `cnf` in the token shows the binding
//! (§3.1): that claim, and nothing else, is looked at then. Refused: a client without certificate, when it is built, and
//! an answer that shows no binding, when it comes.

use std::collections::BTreeMap;

use countersign_discovery::ClientIdentity;
use countersign_protocol::{AuthorityHost, DecodeError, TokenResponse};
use countersign_token::{base64url_decode_strict, base64url_encode, parse_strict_object};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::authority::PUBLIC_HOSTS;
use crate::region::region_name;

/// The kind of token, as the form, the answer and the `Authorization` header name it.
pub(crate) const MTLS_POP: &str = "mtls_pop";

const PUBLIC_MTLS_HOST: &str = "mtlsauth.microsoft.com";

/// What a client of bound tokens has beside everything else.
#[derive(Debug)]
pub(crate) struct Bound {
    /// Whose key the tokens are bound to.
    pub(crate) identity: ClientIdentity,
    /// Where certificates are asked for: a host of its own in the public cloud, elsewhere the authority's.
    pub(crate) host: AuthorityHost,
}

impl Bound {
    pub(crate) fn new(identity: ClientIdentity, authority: &AuthorityHost) -> Self {
        let host = mtls_host(authority, None).unwrap_or_else(|| authority.clone());
        Self { identity, host }
    }

    /// The certificate's `x5t#S256`.
    pub(crate) fn thumbprint(&self) -> String {
        base64url_encode(&self.identity.certificate().sha256_thumbprint())
    }

    /// Whether a token names our certificate (RFC 8705 §3.1). Of its content nothing else is looked at.
    fn is_named_in(&self, token: &SecretString) -> bool {
        let confirmed = || {
            let claims = token.expose_secret().split('.').nth(1)?;
            let claims = Zeroizing::new(base64url_decode_strict(claims).ok()?);
            let claims = parse_strict_object(std::str::from_utf8(&claims).ok()?).ok()?;
            Some(claims.get("cnf")?.get("x5t#S256")?.as_str()? == self.thumbprint())
        };
        confirmed().unwrap_or(false)
    }

    /// Under which scheme the token of an answer goes out; None if nothing shows that it is bound to our certificate.
    pub(crate) fn scheme(&self, answer: &TokenResponse, kind: Kind) -> Option<&'static str> {
        match kind {
            Kind::MtlsPop => Some(MTLS_POP),
            Kind::Bearer => self.is_named_in(&answer.access_token).then_some("Bearer"),
        }
    }
}

/// The host in the public cloud that asks for client certificates, in a region if one is given. None for every other
/// cloud, which has none that is known, and for what is no region.
pub(crate) fn mtls_host(authority: &AuthorityHost, region: Option<&str>) -> Option<AuthorityHost> {
    if !PUBLIC_HOSTS.contains(&authority.host_and_port()) {
        return None;
    }
    let origin = match region {
        Some(region) => format!("https://{}.{PUBLIC_MTLS_HOST}", region_name(region)?),
        None => format!("https://{PUBLIC_MTLS_HOST}"),
    };
    AuthorityHost::parse(&origin).ok()
}

/// What `token_type` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bearer,
    MtlsPop,
}

/// Reads an answer that may say `mtls_pop` where all others say `Bearer`.
///
/// # Errors
/// As [`TokenResponse::from_json`], for every other kind too.
pub(crate) fn read_answer(body: &[u8]) -> Result<(TokenResponse, Kind), DecodeError> {
    match as_bearer(body) {
        Some(body) => TokenResponse::from_json(&body).map(|answer| (answer, Kind::MtlsPop)),
        None => TokenResponse::from_json(body).map(|answer| (answer, Kind::Bearer)),
    }
}

/// The body with the other token type, if this one's is `mtls_pop`; the members are moved as they are written.
fn as_bearer(body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_slice(body).ok()?;
    let kind: Value = serde_json::from_str(members.get("token_type")?.get()).ok()?;
    if !kind.as_str()?.eq_ignore_ascii_case(MTLS_POP) {
        return None;
    }
    let bearer: &RawValue = serde_json::from_str("\"Bearer\"").ok()?;
    members.insert("token_type".to_owned(), bearer);
    serde_json::to_vec(&members).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mtls_pop_and_bearer_are_token_types() {
        let read = |kind: &str| {
            read_answer(format!(r#"{{"token_type":{kind},"expires_in":"10","access_token":"a\u002eb"}}"#).as_bytes())
        };
        let (answer, kind) = read(r#""mTLS_PoP""#).unwrap();
        assert_eq!((answer.access_token.expose_secret(), answer.expires_in, kind), ("a.b", 10, Kind::MtlsPop));
        assert_eq!(read(r#""Bearer""#).unwrap().1, Kind::Bearer);
        for other in [r#""pop""#, "1", "null", r#""""#] {
            assert!(read(other).is_err(), "{other}");
        }
        assert!(read_answer(b"<html>").is_err());
    }

    #[test]
    fn the_public_cloud_has_a_host_for_certificates() {
        let host = |text: &str| AuthorityHost::parse(text).unwrap();
        for public in ["https://login.microsoftonline.com", "https://login.windows.net"] {
            assert_eq!(mtls_host(&host(public), None).unwrap().origin(), "https://mtlsauth.microsoft.com");
        }
        let public = host("https://login.microsoftonline.com");
        let regional = mtls_host(&public, Some("West US 2")).unwrap();
        assert_eq!(regional.origin(), "https://westus2.mtlsauth.microsoft.com");
        assert_eq!(mtls_host(&public, Some("evil.com/")), None);
        assert_eq!(mtls_host(&host("https://login.microsoftonline.us"), None), None);
    }
}
