//! Another issuer's token as an application's proof (Microsoft, "Workload identity federation").
//!
//! The application registered issuer, subject and audience; all three are compared exactly, case and trailing slash
//! included (pitfalls B18), before anybody is asked for a key. The keys come from the issuer's own metadata, by way of
//! [`ExternalIssuers`](countersign_discovery::ExternalIssuers); those of this authority from its key ring.

use countersign_directory::{Directory, FederatedCredential, Purpose, TOKEN_EXCHANGE, Tenant};
use countersign_discovery::ExternalIssuerError;
use countersign_protocol::{AadSts, TenantSegment};
use countersign_token::{FederatedAssertion, FederatedAssertionError, Timestamp, sha256};
use secrecy::{ExposeSecret, SecretString};

use super::assertion::{SKEW, time_range};
use crate::core::Core;
use crate::issue::{OwnTokenFault, read_own_token};
use crate::origin::Origin;
use crate::refused::Refused;
use crate::registry::Client;

/// Takes an assertion apart, with Entra's answer to each way in which it can be none.
pub(super) fn parse(raw: &SecretString) -> Result<FederatedAssertion, Refused> {
    FederatedAssertion::parse(raw.expose_secret()).map_err(|error| match error {
        FederatedAssertionError::Algorithm => {
            Refused::new(AadSts::ASSERTION_ALGORITHM_UNSUPPORTED).with("algorithm", super::assertion::algorithm_of(raw))
        }
        FederatedAssertionError::Claim(name) => Refused::new(AadSts::MISSING_CREDENTIAL_FIELD).with("name", name),
        _ => Refused::new(AadSts::MALFORMED_JWT).because(error.to_string()),
    })
}

/// Proves that the assertion is of a workload that this client trusts, is genuine, and is valid now.
pub(super) async fn prove<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    client: &Client,
    raw: &SecretString,
    now: Timestamp,
) -> Result<(), Refused> {
    let assertion = parse(raw)?;
    let issued_here = issued_here(core, assertion.issuer()).await?;
    registered(client, &assertion, audience(&assertion, issued_here))?;
    let genuine = if issued_here.is_some() {
        is_own_app_token(core, tenant, raw).await?
    } else {
        match core.external_issuers()?.key(assertion.issuer(), assertion.key_id()).await {
            Ok(key) => assertion.is_signed_by(&key),
            Err(ExternalIssuerError::UnknownKey) => false,
            Err(error @ (ExternalIssuerError::Address | ExternalIssuerError::OtherIssuer)) => {
                return Err(Refused::new(AadSts::FEDERATED_ISSUER_MISMATCH)
                    .with("issuer", assertion.issuer().to_owned())
                    .because(error.to_string()));
            }
            Err(error) => return Err(Refused::new(AadSts::TRANSIENT_ERROR).because(detail(&error)).status(503)),
        }
    };
    if !genuine {
        return Err(Refused::new(AadSts::ASSERTION_SIGNATURE_MISMATCH));
    }
    time_range(assertion.not_before(), assertion.expires(), now)?;
    if tenant.strict {
        // Once per signature: an issuer that writes no jti has no other name for it.
        let digest = sha256(raw.expose_secret().as_bytes());
        let until = Timestamp::from_unix_seconds(assertion.expires().saturating_add(SKEW));
        if !core.registry.directory().spend(Purpose::FederatedAssertion, &digest, until).await? {
            return Err(super::replayed());
        }
    }
    Ok(())
}

/// This authority under the name that the issuer has, if it is one of its own: nobody else is asked for its keys then.
async fn issued_here<'a, D: Directory>(core: &'a Core<D>, issuer: &str) -> Result<Option<&'a Origin>, Refused> {
    for origin in core.origins.all() {
        if issuer.strip_prefix(origin.host.origin()).is_some_and(|path| path.starts_with('/')) {
            return Ok(Some(origin));
        }
        // The v1.0 issuer is Entra's own name: it is ours for the tenants that are here, and Entra's for all others.
        if let Some(Ok(tid)) =
            issuer.strip_prefix(origin.cloud.issuer_v1_base).map(|tid| tid.trim_end_matches('/').parse())
        {
            return Ok(core.registry.tenant(&TenantSegment::Id(tid)).await?.map(|_| origin));
        }
    }
    Ok(None)
}

/// The audience as registrations name it. A token of our own for the token exchange says the endpoint's client id, as every
/// v2.0 token says its resource's, and stands for the name that the cloud has for it.
fn audience<'a>(assertion: &'a FederatedAssertion, issued_here: Option<&Origin>) -> &'a str {
    match issued_here {
        Some(origin) if assertion.audience().parse() == Ok(TOKEN_EXCHANGE) => origin.cloud.token_exchange_audience,
        _ => assertion.audience(),
    }
}

/// Which of the three does not fit, if one does not: issuer, then audience, then subject.
fn registered(client: &Client, assertion: &FederatedAssertion, audience: &str) -> Result<(), Refused> {
    let application = &client.application;
    if client.federated.is_empty() {
        return Err(Refused::new(AadSts::NO_FEDERATED_CREDENTIAL)
            .with("app_id", application.app_id().to_string())
            .with("app_name", application.display_name().to_owned()));
    }
    let narrowed = |among: Vec<&FederatedCredential>, fits: &dyn Fn(&FederatedCredential) -> bool| -> Vec<_> {
        among.into_iter().filter(|credential| fits(credential)).cloned().collect()
    };
    let all: Vec<_> = client.federated.iter().collect();
    let of_issuer = narrowed(all, &|credential| credential.issuer == assertion.issuer());
    if of_issuer.is_empty() {
        return Err(Refused::new(AadSts::FEDERATED_ISSUER_MISMATCH).with("issuer", assertion.issuer().to_owned()));
    }
    let for_audience = narrowed(of_issuer.iter().collect(), &|credential| credential.audience == audience);
    if for_audience.is_empty() {
        return Err(Refused::new(AadSts::FEDERATED_AUDIENCE_MISMATCH).with("audience", assertion.audience().to_owned()));
    }
    if !for_audience.iter().any(|credential| credential.subject == assertion.subject()) {
        return Err(Refused::new(AadSts::FEDERATED_SUBJECT_MISMATCH).with("subject", assertion.subject().to_owned()));
    }
    Ok(())
}

/// Whether the assertion is a token of this authority for an application or a managed identity of this tenant. Tokens of
/// users are refused by name (AADSTS700229).
async fn is_own_app_token<D: Directory>(core: &Core<D>, tenant: &Tenant, raw: &SecretString) -> Result<bool, Refused> {
    match read_own_token(core, raw.expose_secret()).await {
        Ok(token) if !token.is_app_only() => Err(Refused::new(AadSts::ONLY_APP_TOKENS_AS_ASSERTION)),
        Ok(token) => Ok(token.tid == tenant.id),
        Err(OwnTokenFault::Unavailable(refused)) => Err(refused),
        Err(_) => Ok(false),
    }
}

fn detail(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
