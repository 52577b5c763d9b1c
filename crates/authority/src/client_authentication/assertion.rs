//! A client assertion against the registered certificates (RFC 7523 §3; Microsoft, "Certificate credentials").
//!
//! The certificate is found by thumbprint among those the application registered; nothing in the header is trusted.

use countersign_directory::{Directory, Tenant};
use countersign_protocol::token_request::JWT_BEARER_ASSERTION;
use countersign_protocol::{AadSts, EndpointVersion};
use countersign_token::Timestamp;
use countersign_token::assertion::{AssertionError, ClientAssertion};
use secrecy::{ExposeSecret, SecretString};

use crate::core::Core;
use crate::origin::Origin;
use crate::refused::Refused;
use crate::registry::{Client, RegisteredCertificate};

/// How far clocks may differ, in seconds.
const SKEW: i64 = 300;

pub(super) fn type_is_right(assertion_type: Option<&str>) -> bool {
    assertion_type == Some(JWT_BEARER_ASSERTION)
}

/// Takes an assertion apart, with Entra's answer to each way in which it can be none.
pub(super) fn parse(raw: &SecretString) -> Result<ClientAssertion, Refused> {
    ClientAssertion::parse(raw.expose_secret()).map_err(|error| match error {
        AssertionError::Type => Refused::new(AadSts::ASSERTION_TYPE_HEADER_INVALID),
        AssertionError::Algorithm => Refused::new(AadSts::ASSERTION_ALGORITHM_UNSUPPORTED)
            .with("algorithm", algorithm_named_in(raw.expose_secret())),
        AssertionError::NoThumbprint => Refused::new(AadSts::ASSERTION_WITHOUT_THUMBPRINT),
        AssertionError::Claim(name) => Refused::new(AadSts::MISSING_CREDENTIAL_FIELD).with("name", name),
        _ => Refused::new(AadSts::MALFORMED_JWT),
    })
}

/// What the header calls its algorithm, for the error text.
fn algorithm_named_in(raw: &str) -> String {
    raw.split('.')
        .next()
        .and_then(|header| countersign_token::base64_decode_lenient(header).ok())
        .and_then(|header| serde_json::from_slice::<serde_json::Value>(&header).ok())
        .and_then(|header| Some(header.get("alg")?.as_str()?.to_owned()))
        .unwrap_or_default()
}

/// Proves that the assertion was signed with a certificate of this client, for this authority, and is valid now.
pub(super) fn prove<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    client: &Client,
    assertion: &ClientAssertion,
    now: Timestamp,
) -> Result<(), Refused> {
    let app_id = client.application.app_id().to_string();
    if !assertion.issuer().eq_ignore_ascii_case(&app_id) {
        return Err(Refused::new(AadSts::ASSERTION_CLIENT_MISMATCH));
    }
    if assertion.subject() != assertion.issuer() {
        return Err(Refused::new(AadSts::ASSERTION_SUBJECT_MISMATCH));
    }
    let thumbprint = || assertion.thumbprints().next().map(hex_upper).unwrap_or_default();
    let registered = registered_certificate(client, assertion, now).ok_or_else(|| {
        Refused::new(AadSts::CERTIFICATE_NOT_REGISTERED).with("thumbprint", thumbprint()).with("app_id", app_id.clone())
    })?;
    let describe = |aadsts| {
        Refused::new(aadsts)
            .with("thumbprint", thumbprint())
            .with("start", us_date(registered.credential.starts_at))
            .with("end", us_date(registered.credential.ends_at))
            .with("app_id", app_id.clone())
    };
    if !assertion.is_signed_by(registered.certificate.public_key()) {
        return Err(describe(AadSts::ASSERTION_SIGNATURE_INVALID));
    }
    if !registered.credential.is_valid_at(now) {
        return Err(describe(AadSts::CERTIFICATE_EXPIRED));
    }
    // All of them: one that was meant for somebody else too could have been asked for by them (CVE-2025-27370).
    if !assertion.audiences().iter().all(|audience| is_own_audience(core, tenant, audience)) {
        return Err(Refused::new(AadSts::ASSERTION_AUDIENCE_MISMATCH));
    }
    let seconds = now.as_unix_seconds();
    let not_before = assertion.not_before().unwrap_or(seconds);
    if seconds >= assertion.expires() + SKEW || seconds < not_before - SKEW {
        return Err(Refused::new(AadSts::ASSERTION_TIME_RANGE)
            .with("now", iso(now))
            .with("not_before", iso(Timestamp::from_unix_seconds(not_before)))
            .with("expires", iso(Timestamp::from_unix_seconds(assertion.expires()))));
    }
    Ok(())
}

/// The certificate that the header names, by the first of its thumbprints that fits any. Of several registrations of one
/// certificate, one that is valid now.
fn registered_certificate<'c>(
    client: &'c Client,
    assertion: &ClientAssertion,
    now: Timestamp,
) -> Option<&'c RegisteredCertificate> {
    assertion.thumbprints().find_map(|named| {
        let fits = |entry: &&RegisteredCertificate| {
            entry.certificate.sha256_thumbprint() == named || entry.certificate.sha1_thumbprint() == named
        };
        client.certificates.iter().filter(fits).max_by_key(|entry| entry.credential.is_valid_at(now))
    })
}

/// Whether `audience` is one of the spellings of this tenant's authority that real clients use: the token endpoints of
/// both versions and the v2.0 issuer, with the tenant's id or one of its domains, in any case, with or without a slash at
/// the end.
fn is_own_audience<D: Directory>(core: &Core<D>, tenant: &Tenant, audience: &str) -> bool {
    let asked = audience.strip_suffix('/').unwrap_or(audience);
    let id = tenant.id.to_string();
    std::iter::once(id.as_str()).chain(tenant.domains.iter().map(String::as_str)).any(|name| {
        core.origins.all().any(|Origin { host, .. }| {
            asked.eq_ignore_ascii_case(&host.token_endpoint(name, EndpointVersion::V2))
                || asked.eq_ignore_ascii_case(&host.token_endpoint(name, EndpointVersion::V1))
                || asked.eq_ignore_ascii_case(&host.issuer_v2(name))
        })
    })
}

fn hex_upper(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn jiff(timestamp: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(timestamp.as_nanos())).unwrap_or_default()
}

/// `2026-01-31T10:00:00.1234567Z`
fn iso(timestamp: Timestamp) -> String {
    format!("{:.7}", jiff(timestamp))
}

/// `01/31/2026 10:00:00`
fn us_date(timestamp: Timestamp) -> String {
    jiff(timestamp).strftime("%m/%d/%Y %H:%M:%S").to_string()
}
