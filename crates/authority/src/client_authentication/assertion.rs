//! A client assertion against the registered certificates (RFC 7523 §3; Microsoft, "Certificate credentials").
//!
//! The certificate is found by thumbprint among those the application registered; nothing in the header is trusted. An
//! application may instead name the subject that its certificates carry (subject name and issuer, AADSTS700030): then
//! `x5c` must lead from a root that the tenant trusts to a certificate of that subject.
//!
//! A strict tenant takes an assertion once, for its own token endpoint or issuer spelled exactly, with a `jti`, and not for
//! longer than an hour (RFC 7523 §3; RFC 9700 §2.5). Entra wants none of that.

use countersign_directory::{Directory, Purpose, Tenant};
use countersign_protocol::token_request::JWT_BEARER_ASSERTION;
use countersign_protocol::{AadSts, EndpointVersion};
use countersign_token::assertion::{AssertionError, ClientAssertion};
use countersign_token::{Timestamp, sha256, verify_certificate_chain};
use secrecy::{ExposeSecret, SecretString};

use crate::core::Core;
use crate::origin::Origin;
use crate::refused::Refused;
use crate::registry::{Client, RegisteredCertificate};

/// How far clocks may differ, in seconds.
pub(super) const SKEW: i64 = 300;

/// The longest that an assertion may be valid in a strict tenant, in seconds.
const STRICT_LIFE: i64 = 3600;

pub(super) fn type_is_right(assertion_type: Option<&str>) -> bool {
    assertion_type == Some(JWT_BEARER_ASSERTION)
}

/// Takes an assertion apart, with Entra's answer to each way in which it can be none.
pub(super) fn parse(raw: &SecretString) -> Result<ClientAssertion, Refused> {
    ClientAssertion::parse(raw.expose_secret()).map_err(|error| match error {
        AssertionError::Type => Refused::new(AadSts::ASSERTION_TYPE_HEADER_INVALID),
        AssertionError::Algorithm => {
            Refused::new(AadSts::ASSERTION_ALGORITHM_UNSUPPORTED).with("algorithm", algorithm_of(raw))
        }
        AssertionError::NoThumbprint => Refused::new(AadSts::ASSERTION_WITHOUT_THUMBPRINT),
        AssertionError::Claim(name) => Refused::new(AadSts::MISSING_CREDENTIAL_FIELD).with("name", name),
        _ => Refused::new(AadSts::MALFORMED_JWT),
    })
}

/// What the header calls its algorithm, for the error text.
pub(super) fn algorithm_of(raw: &SecretString) -> String {
    raw.expose_secret()
        .split('.')
        .next()
        .and_then(|header| countersign_token::base64_decode_lenient(header).ok())
        .and_then(|header| serde_json::from_slice::<serde_json::Value>(&header).ok())
        .and_then(|header| Some(header.get("alg")?.as_str()?.to_owned()))
        .unwrap_or_default()
}

/// Proves that the assertion was signed with a certificate of this client, for this authority, and is valid now.
pub(super) async fn prove<D: Directory>(
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
    if let Some(registered) = registered_certificate(client, assertion, now) {
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
    } else if subjects(client).next().is_some() && !assertion.certificate_chain().is_empty() {
        by_subject(tenant, client, assertion, now)?;
    } else {
        return Err(Refused::new(AadSts::CERTIFICATE_NOT_REGISTERED)
            .with("thumbprint", thumbprint())
            .with("app_id", app_id));
    }
    // All of them: one that was meant for somebody else too could have been asked for by them (CVE-2025-27370).
    if !assertion.audiences().iter().all(|audience| is_own_audience(core, tenant, audience)) {
        return Err(Refused::new(AadSts::ASSERTION_AUDIENCE_MISMATCH));
    }
    time_range(assertion.not_before(), assertion.expires(), now)?;
    if tenant.strict { strictly(core, tenant, client, assertion, now).await } else { Ok(()) }
}

/// AADSTS700024 for what is not valid now.
pub(super) fn time_range(not_before: Option<i64>, expires: i64, now: Timestamp) -> Result<(), Refused> {
    let seconds = now.as_unix_seconds();
    let not_before = not_before.unwrap_or(seconds);
    if seconds < expires.saturating_add(SKEW) && seconds >= not_before.saturating_sub(SKEW) {
        return Ok(());
    }
    Err(Refused::new(AadSts::ASSERTION_TIME_RANGE)
        .with("now", iso(now))
        .with("not_before", iso(Timestamp::from_unix_seconds(not_before)))
        .with("expires", iso(Timestamp::from_unix_seconds(expires))))
}

/// What a strict tenant wants beyond.
async fn strictly<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    client: &Client,
    assertion: &ClientAssertion,
    now: Timestamp,
) -> Result<(), Refused> {
    let [audience] = assertion.audiences() else { return Err(Refused::new(AadSts::ASSERTION_AUDIENCE_MISMATCH)) };
    let exactly = core.origins.all().any(|Origin { host, .. }| {
        let (v1, v2) = (EndpointVersion::V1, EndpointVersion::V2);
        [host.token_endpoint(tenant.id, v2), host.token_endpoint(tenant.id, v1), host.issuer_v2(tenant.id)]
            .contains(audience)
    });
    if !exactly {
        return Err(Refused::new(AadSts::ASSERTION_AUDIENCE_MISMATCH));
    }
    let jti = assertion.jti().filter(|jti| !jti.is_empty());
    let jti = jti.ok_or_else(|| Refused::new(AadSts::MISSING_CREDENTIAL_FIELD).with("name", "jti"))?;
    if assertion.expires() > now.as_unix_seconds().saturating_add(STRICT_LIFE + SKEW) {
        return time_range(None, i64::MIN, now);
    }
    let digest = sha256(format!("{}:{}:{jti}", tenant.id, client.application.app_id()).as_bytes());
    let until = Timestamp::from_unix_seconds(assertion.expires().saturating_add(SKEW));
    if core.registry.directory().spend(Purpose::ClientAssertion, &digest, until).await? {
        Ok(())
    } else {
        Err(super::replayed())
    }
}

/// The subjects that the application's certificates may carry: `trustedCertificateSubjects[].subjectName`.
fn subjects(client: &Client) -> impl Iterator<Item = &str> {
    let listed = client.application.document().get("trustedCertificateSubjects").and_then(|listed| listed.as_array());
    listed.into_iter().flatten().filter_map(|subject| subject.get("subjectName")?.as_str())
}

/// Proves the client by the subject of its certificate, which a root of the tenant vouches for.
fn by_subject(tenant: &Tenant, client: &Client, assertion: &ClientAssertion, now: Timestamp) -> Result<(), Refused> {
    let refused = |why: String| Refused::new(AadSts::CERTIFICATE_SUBJECT_NOT_AUTHORIZED).because(why);
    let roots = &tenant.trusted_certificate_authorities;
    let certificate = verify_certificate_chain(assertion.certificate_chain(), roots, now)
        .map_err(|error| refused(error.to_string()))?;
    if !subjects(client).any(|subject| same_subject(subject, certificate.subject())) {
        return Err(refused(format!("the certificate's subject is {}", certificate.subject())));
    }
    // The header must name the certificate that it brings, and that one's key must have signed.
    let names = assertion.names(&certificate.sha1_thumbprint(), &certificate.sha256_thumbprint());
    if !names || !assertion.is_signed_by(certificate.public_key()) {
        return Err(Refused::new(AadSts::ASSERTION_SIGNATURE_MISMATCH));
    }
    Ok(())
}

/// Compared without regard to case and to blanks behind commas, which tools write differently.
fn same_subject(registered: &str, found: &str) -> bool {
    let compact = |text: &str| text.split(',').map(|part| part.trim().to_ascii_lowercase()).collect::<Vec<_>>();
    compact(registered) == compact(found)
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
