//! Tokens to order: what no honest authority issues, for APIs that must refuse it.
//!
//! ```json
//! {"claims": {"aud": "api://orders", "roles": ["Resource.Read"]}, "version": "2.0", "fill": true, "fault": "expired"}
//! ```
//!
//! `claims` go in as they are. With `fill`, members that an app-only token has and the order does not name are added. A
//! fault is applied last.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_directory::Directory;
use countersign_protocol::TenantSegment;
use countersign_token::{Algorithm, JwsSigner, SigningKey, TenantId, TokenVersion, base64url_encode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Lab, Order, bad_request, failed};
use crate::StartError;
use crate::core::Core;
use crate::issue::owner_in;
use crate::key_ring::LoadedKey;

/// What is wrong with the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TokenFault {
    /// Expired an hour ago.
    Expired,
    /// Valid in an hour.
    NotYetValid,
    /// Signed with a key that nobody publishes, under the `kid` of one that is.
    WrongKey,
    /// Signed with a key that nobody publishes, under a `kid` that nobody knows.
    UnknownKey,
    /// Without a `kid`.
    NoKeyId,
    /// Another authority's issuer.
    WrongIssuer,
    /// For another resource.
    WrongAudience,
    /// Of another tenant, the issuer as it should be.
    WrongTenant,
    /// `alg: none`, no signature.
    Unsigned,
    /// `alg: HS256`.
    Symmetric,
    /// One bit of the signature turned over.
    BadSignature,
    /// The last part missing.
    Truncated,
}

/// A token to order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenOrder {
    claims: Option<Map<String, Value>>,
    version: Option<TokenVersion>,
    #[serde(default)]
    fill: bool,
    fault: Option<TokenFault>,
}

pub(super) async fn order<D: Directory>(State(lab): State<Arc<Lab<D>>>, Order(order): Order<TokenOrder>) -> Response {
    let version = order.version.unwrap_or(TokenVersion::V2);
    let mut claims = match order.claims {
        Some(claims) => claims,
        None if order.fill => Map::new(),
        None => return bad_request("send {\"claims\": {…}}, or {\"fill\": true} for made-up ones"),
    };
    if order.fill {
        fill(&lab, &mut claims, version);
    }
    // Before anything is spoilt: a fault is to be the only one.
    let tenant = claims.get("tid").and_then(Value::as_str).and_then(|tid| tid.parse().ok());
    if let Some(fault) = order.fault {
        spoil(&mut claims, fault, lab.core.clock.now().as_unix_seconds());
    }
    match sign(&lab, tenant, &claims, version, order.fault).await {
        Ok(Some(token)) => Json(json!({"access_token": token})).into_response(),
        Ok(None) => bad_request("no signing key is active"),
        Err(error) => failed(&error),
    }
}

/// Adds what an app-only token of the administrator's tenant would have.
fn fill<D: Directory>(lab: &Lab<D>, claims: &mut Map<String, Value>, version: TokenVersion) {
    let (core, now) = (&lab.core, lab.core.clock.now().as_unix_seconds());
    let origin = core.origins.own();
    let id = |name: &str| core.randomness.uuid_v4().to_string() + name;
    let tid = claims.get("tid").and_then(Value::as_str).map_or_else(|| id(""), str::to_owned);
    let oid = claims.get("oid").and_then(Value::as_str).map_or_else(|| id(""), str::to_owned);
    let (issuer, caller, proof) = match version {
        TokenVersion::V1 => (origin.cloud.issuer_v1(&tid), "appid", "appidacr"),
        TokenVersion::V2 => (origin.host.issuer_v2(&tid), "azp", "azpacr"),
    };
    for (name, value) in [
        ("aud", json!(id(""))),
        ("iss", json!(issuer)),
        ("iat", json!(now - 300)),
        ("nbf", json!(now - 300)),
        ("exp", json!(now + 3600)),
        (caller, json!(id(""))),
        (proof, json!("1")),
        ("oid", json!(oid)),
        ("sub", json!(oid)),
        ("tid", json!(tid)),
        ("uti", json!(core.randomness.base64url(16))),
        ("ver", json!(version.as_str())),
    ] {
        claims.entry(name).or_insert(value);
    }
}

fn spoil(claims: &mut Map<String, Value>, fault: TokenFault, now: i64) {
    const ELSEWHERE: &str = "00000000-0000-4000-8000-00000000dead";
    let mut put = |name: &str, value: Value| {
        claims.insert(name.to_owned(), value);
    };
    match fault {
        TokenFault::Expired => {
            put("iat", json!(now - 7500));
            put("nbf", json!(now - 7500));
            put("exp", json!(now - 3600));
        }
        TokenFault::NotYetValid => {
            put("iat", json!(now + 3600));
            put("nbf", json!(now + 3600));
            put("exp", json!(now + 7200));
        }
        TokenFault::WrongIssuer => put("iss", json!(format!("https://login.example.com/{ELSEWHERE}/v2.0"))),
        TokenFault::WrongAudience => put("aud", json!(ELSEWHERE)),
        TokenFault::WrongTenant => put("tid", json!(ELSEWHERE)),
        _ => {}
    }
}

async fn sign<D: Directory>(
    lab: &Lab<D>,
    tenant: Option<TenantId>,
    claims: &Map<String, Value>,
    version: TokenVersion,
    fault: Option<TokenFault>,
) -> Result<Option<String>, StartError> {
    let core = &lab.core;
    let Some(key) = key_of(core, tenant).await? else { return Ok(None) };
    let forged = |header: Value| {
        let part = |value: &Value| base64url_encode(value.to_string().as_bytes());
        format!("{}.{}", part(&header), part(&Value::Object(claims.clone())))
    };
    let foreign = |header: Value| async move {
        let signer = foreign_key(lab).await?.signer(Algorithm::Rs256, &header)?;
        Ok::<JwsSigner, StartError>(signer)
    };
    let id = key.key_id().to_owned();
    let token = match fault {
        Some(TokenFault::WrongKey) => foreign(json!({"typ": "JWT", "alg": "RS256", "kid": id})).await?.sign(claims)?,
        Some(TokenFault::UnknownKey) => {
            let unknown = core.randomness.base64url(20);
            foreign(json!({"typ": "JWT", "alg": "RS256", "kid": unknown})).await?.sign(claims)?
        }
        Some(TokenFault::NoKeyId) => foreign(json!({"typ": "JWT", "alg": "RS256"})).await?.sign(claims)?,
        Some(TokenFault::Unsigned) => forged(json!({"typ": "JWT", "alg": "none"})) + ".",
        Some(TokenFault::Symmetric) => {
            format!("{}.{}", forged(json!({"typ": "JWT", "alg": "HS256", "kid": id})), core.randomness.base64url(32))
        }
        _ => key.signer(version).sign(claims)?,
    };
    Ok(Some(match fault {
        Some(TokenFault::BadSignature) => turned_over(token),
        Some(TokenFault::Truncated) => token.rsplit_once('.').map_or_else(String::new, |(head, _)| head.to_owned()),
        _ => token,
    }))
}

/// The key that signs for the tenant that an order names; the first owner's, where it names none that is here.
async fn key_of<D: Directory>(core: &Core<D>, tenant: Option<TenantId>) -> Result<Option<Arc<LoadedKey>>, StartError> {
    let now = core.clock.now();
    let tenant = match tenant {
        Some(id) => core.registry.tenant(&TenantSegment::Id(id)).await?,
        None => None,
    };
    match tenant {
        Some(tenant) => core.keys.signing(owner_in(&tenant), now).await.map(Some),
        None => Ok(core.keys.ring().await?.signing(now).cloned()),
    }
}

async fn foreign_key<D: Directory>(lab: &Lab<D>) -> Result<Arc<SigningKey>, StartError> {
    let making = || async {
        let key = tokio::task::spawn_blocking(|| {
            let pkcs8 = SigningKey::generate_pkcs8()?;
            Ok::<_, StartError>(SigningKey::from_pkcs8_der("foreign", &pkcs8)?)
        });
        Ok::<_, StartError>(Arc::new(key.await.map_err(|_| StartError::Task)??))
    };
    lab.foreign_key.get_or_try_init(making).await.cloned()
}

/// The first character of the signature exchanged for another of the alphabet.
fn turned_over(token: String) -> String {
    let Some((head, signature)) = token.rsplit_once('.') else { return token };
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{head}.{other}{}", signature.get(1..).unwrap_or_default())
}
