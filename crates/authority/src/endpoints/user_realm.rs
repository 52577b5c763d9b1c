//! `/{tenant}/userrealm/{upn}?api-version=1.0`: who keeps a user's password, asked before a password flow.
//!
//! The answer depends on the domain alone, so that it tells nobody which users exist (pitfalls B86).

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use countersign_directory::Directory;
use countersign_protocol::headers::USER_REALM_DISPOSITION;
use countersign_protocol::{AadSts, TenantSegment, UserRealm};
use http::{HeaderName, HeaderValue};

use super::{exchange, place};
use crate::core::Core;
use crate::exchange::{AnswerKind, Exchange};
use crate::refused::Refused;

/// The longest name that is looked at, in bytes.
const MAX_NAME_BYTES: usize = 320;

/// Tenant and user of the path.
pub(super) type RealmPath = Result<Path<(String, String)>, PathRejection>;

pub(super) async fn user_realm<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    path: RealmPath,
    request: Request,
) -> Response {
    let exchange = exchange(&core, &request, AnswerKind::Token);
    let mut response = match steps(&core, path, request.uri().query().unwrap_or_default(), &exchange).await {
        Ok(realm) => exchange.answer(realm.to_json()),
        Err(refused) => return exchange.refuse(&refused),
    };
    let (name, value) = USER_REALM_DISPOSITION;
    response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    // Recorded without it, telemetry or not.
    response.headers_mut().remove(countersign_protocol::headers::X_MS_CLITELEM);
    response
}

async fn steps<D: Directory>(
    core: &Core<D>,
    path: RealmPath,
    query: &str,
    exchange: &Exchange<'_>,
) -> Result<UserRealm, Refused> {
    let malformed = |detail: &'static str| Refused::new(AadSts::MALFORMED_REQUEST).because(detail);
    let Path((tenant, name)) = path.map_err(|_| malformed("the path is no text"))?;
    place(core, &tenant, false).await?;
    let version = query.split('&').find_map(|pair| pair.strip_prefix("api-version="));
    if version.is_some_and(|version| version != "1.0") {
        return Err(malformed("only api-version 1.0 of the user realm is spoken here"));
    }
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(malformed("the user's name is empty or too long"));
    }
    let domain = name.rsplit_once('@').map_or(name.as_str(), |(_, domain)| domain);
    let cloud = &exchange.origin.cloud;
    let keeper = match TenantSegment::parse(domain) {
        Ok(segment @ TenantSegment::Domain(_)) => core.registry.tenant(&segment).await?,
        _ => None,
    };
    Ok(match keeper {
        Some(_) => UserRealm::managed(domain, cloud),
        None => UserRealm::unknown(domain, cloud),
    })
}
