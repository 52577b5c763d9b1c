//! The id_token of a sign-in, read for this client's own use: is it the answer to this sign-in, and who is it about.
//!
//! Its signature is not checked: it came straight from the token endpoint over TLS, which takes the signature's place
//! (OpenID Connect Core §3.1.3.7, item 6). Audience, issuer, nonce and time are. Refused: an id_token for anybody else.

use std::fmt;

use countersign_protocol::{AuthorityHost, CloudProfile, EndpointVersion, TenantSegment};
use countersign_token::{ClientId, TenantId, Timestamp, base64url_decode_strict, parse_strict_object};
use serde_json::{Map, Value};

use crate::builder::CLOCK_SKEW;

/// Why an id_token is refused. `Display` reads on after "the id_token is not accepted: it".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdTokenFault {
    /// The answer has none, and nothing else says who signed in.
    Missing,
    /// Not a compact JWS with JSON claims.
    Malformed,
    /// `aud` is another application.
    Audience,
    /// `iss` is not this authority with the token's own `tid`.
    Issuer,
    /// `tid` is not the tenant that was asked, or no GUID.
    Tenant,
    /// `nonce` is not the one of this sign-in.
    Nonce,
    /// `exp` has passed.
    Expired,
}

impl fmt::Display for IdTokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Malformed => "is not a token",
            Self::Audience => "is for another application",
            Self::Issuer => "is from another issuer",
            Self::Tenant => "is from another tenant",
            Self::Nonce => "belongs to another sign-in",
            Self::Expired => "has expired",
        })
    }
}

/// What an id_token must fit.
pub(crate) struct Expected<'a> {
    pub(crate) host: &'a AuthorityHost,
    pub(crate) version: EndpointVersion,
    pub(crate) client_id: ClientId,
    pub(crate) tenant: &'a TenantSegment,
    /// None where no nonce was sent.
    pub(crate) nonce: Option<&'a str>,
    pub(crate) now: Timestamp,
}

/// An id_token's claims.
pub(crate) struct IdClaims(Map<String, Value>);

impl IdClaims {
    /// Reads and checks.
    pub(crate) fn read(token: &str, expected: &Expected<'_>) -> Result<Self, IdTokenFault> {
        let claims = Self(parse(token).ok_or(IdTokenFault::Malformed)?);
        let is_for_us = claims.text("aud").and_then(|aud| aud.parse::<ClientId>().ok()) == Some(expected.client_id);
        if !is_for_us {
            return Err(IdTokenFault::Audience);
        }
        let tid = claims.text("tid").ok_or(IdTokenFault::Tenant)?;
        // At an alias, whoever's tenant it is; but a tenant.
        tid.parse::<TenantId>().map_err(|_| IdTokenFault::Tenant)?;
        if let TenantSegment::Id(id) = expected.tenant
            && !tid.eq_ignore_ascii_case(&id.to_string())
        {
            return Err(IdTokenFault::Tenant);
        }
        if !claims.text("iss").is_some_and(|iss| is_issuer(iss, tid, expected)) {
            return Err(IdTokenFault::Issuer);
        }
        if expected.nonce.is_some() && claims.text("nonce") != expected.nonce {
            return Err(IdTokenFault::Nonce);
        }
        let exp = claims.0.get("exp").and_then(|exp| exp.as_i64().or_else(|| exp.as_str()?.parse().ok()));
        let now = expected.now.as_unix_seconds();
        if exp.is_none_or(|exp| now.saturating_sub(CLOCK_SKEW) >= exp) {
            return Err(IdTokenFault::Expired);
        }
        Ok(claims)
    }

    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.0.get(claim)?.as_str()
    }
}

/// v2.0 tokens name the authority's own host, those of the public cloud always its first name; v1.0 tokens have an issuer
/// of their own in each cloud.
fn is_issuer(iss: &str, tid: &str, expected: &Expected<'_>) -> bool {
    match expected.version {
        EndpointVersion::V1 => CloudProfile::ALL.iter().any(|cloud| iss == cloud.issuer_v1(tid)),
        EndpointVersion::V2 => {
            let public = crate::authority::PUBLIC_HOSTS;
            iss == expected.host.issuer_v2(tid)
                || (public.contains(&expected.host.host_and_port())
                    && iss.strip_prefix("https://").and_then(|rest| rest.strip_prefix(public[0]))
                        == Some(&format!("/{tid}/v2.0")))
        }
    }
}

fn parse(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    parse_strict_object(std::str::from_utf8(&base64url_decode_strict(claims).ok()?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::base64url_encode;
    use serde_json::json;

    const TID: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
    const CLIENT: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";

    fn check(change: &Value) -> Result<IdClaims, IdTokenFault> {
        let mut claims = json!({
            "aud": CLIENT, "iss": format!("https://login.contoso.test/{TID}/v2.0"), "tid": TID, "nonce": "n", "exp": 1000,
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let token = format!("e30.{}.", base64url_encode(claims.to_string().as_bytes()));
        let (host, tenant) =
            (AuthorityHost::parse("https://login.contoso.test").unwrap(), TenantSegment::parse(TID).unwrap());
        let now = Timestamp::from_unix_seconds(500);
        let (client_id, version) = (CLIENT.parse().unwrap(), EndpointVersion::V2);
        IdClaims::read(&token, &Expected { host: &host, version, client_id, tenant: &tenant, nonce: Some("n"), now })
    }

    #[test]
    fn c26_each_claim_that_does_not_fit_is_named() {
        assert!(check(&json!({})).is_ok());
        let fault = |change| check(&change).err().unwrap();
        assert_eq!(fault(json!({"aud": TID})), IdTokenFault::Audience);
        assert_eq!(fault(json!({"aud": [CLIENT]})), IdTokenFault::Audience);
        assert_eq!(fault(json!({"tid": CLIENT})), IdTokenFault::Tenant);
        assert_eq!(fault(json!({"tid": null})), IdTokenFault::Tenant);
        assert_eq!(fault(json!({"iss": format!("https://evil.test/{TID}/v2.0")})), IdTokenFault::Issuer);
        assert_eq!(fault(json!({"iss": format!("https://login.contoso.test/{TID}/v2.0/")})), IdTokenFault::Issuer);
        assert_eq!(fault(json!({"nonce": "m"})), IdTokenFault::Nonce);
        assert_eq!(fault(json!({"nonce": null})), IdTokenFault::Nonce);
        assert_eq!(fault(json!({"exp": 200})), IdTokenFault::Expired);
        assert_eq!(fault(json!({"exp": null})), IdTokenFault::Expired);
    }
}
