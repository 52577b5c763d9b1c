//! `urn:ietf:params:oauth:grant-type:jwt-bearer` with `requested_token_use=on_behalf_of`: an API that was called in a
//! user's name calls the next one in the same name.
//!
//! The assertion is the access token that the API was called with: issued here, for this API, for a user, and not expired.
//! What the API may do at the next one is a matter of consent to the API, not to whoever called it.
//!
//! Source: "Microsoft identity platform and OAuth 2.0 On-Behalf-Of flow", Microsoft.

use countersign_directory::{Directory, Tenant};
use countersign_protocol::token_request::ON_BEHALF_OF;
use countersign_protocol::{AadSts, TokenResponse, UserScopes};
use countersign_token::{Timestamp, base64url_decode_strict};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::admission::{Stage, iso};
use super::user_grant::{Lineage, UserGrant, answer, scope_refused};
use crate::call::TokenCall;
use crate::client_authentication::{AuthenticatedClient, WithoutProof, authenticate_or_public};
use crate::core::Core;
use crate::issue::{OwnToken, OwnTokenFault, read_own_token};
use crate::refused::Refused;
use crate::subject::{SessionFacts, Subject};

/// `iat` lies so far before the issuance, in seconds.
const BACKDATED: i64 = 300;

pub(crate) async fn grant<D: Directory>(core: &Core<D>, call: &TokenCall<'_>) -> Result<TokenResponse, Refused> {
    let form = call.form;
    let tenant = call.directory()?;
    let client = authenticate_or_public(core, &tenant, call, WithoutProof::Nobody).await?;
    match form.requested_token_use.as_deref() {
        Some(ON_BEHALF_OF) => {}
        None => return Err(Refused::missing("requested_token_use")),
        Some(_) => return Err(Refused::new(AadSts::INVALID_PARAMETER).with("name", "requested_token_use")),
    }
    let assertion = form.assertion.as_ref().ok_or_else(|| Refused::missing("assertion"))?;
    let (scope, resource) = (form.scope.as_deref(), form.resource.as_deref());
    let wanted = UserScopes::parse(call.version, scope, resource).map_err(|error| scope_refused(&error, &tenant))?;
    let token =
        read_own_token(core, assertion.expose_secret()).await.map_err(|fault| refused(core, assertion, fault))?;
    refuse_unfit(core, &tenant, &client, &token, call.exchange.now).await?;
    let user = match token.oid {
        Some(id) => core.registry.user(tenant.id, id).await?,
        None => None,
    };
    let user = user.ok_or_else(|| {
        Refused::new(AadSts::USER_NOT_FOUND).with("user", token.sub.clone()).with("tenant", tenant.id.to_string())
    })?;
    let session = SessionFacts {
        id: token.sid.unwrap_or_else(|| core.randomness.uuid_v4()),
        // The issuance of the assertion is not before the sign-in: what was revoked in between is revoked.
        auth_time: token.auth_time.unwrap_or(token.iat + BACKDATED),
        methods: if token.amr.is_empty() { vec!["pwd".to_owned()] } else { token.amr },
        contexts: token.acrs,
    };
    let grant = UserGrant {
        tenant: &tenant,
        client: &client,
        subject: Subject { user, session },
        wanted,
        stage: Stage::OnBehalfOf,
        claims: form.claims.as_deref(),
        nonce: None,
        lineage: Lineage::First { family: core.randomness.uuid_v4(), scope, resource, spa: false },
    };
    answer(core, call, grant).await
}

/// Entra's answers to a text that is no token of this authority.
fn refused<D: Directory>(core: &Core<D>, assertion: &SecretString, fault: OwnTokenFault) -> Refused {
    let text = assertion.expose_secret();
    match fault {
        OwnTokenFault::Malformed(rejection) => Refused::new(AadSts::MALFORMED_JWT).because(rejection.to_string()),
        OwnTokenFault::Unavailable(refused) => refused,
        OwnTokenFault::NotOurs | OwnTokenFault::ForeignIssuer => {
            let claimed = |index: usize, name: &str| -> Option<Value> {
                let bytes = base64url_decode_strict(text.split('.').nth(index)?).ok()?;
                serde_json::from_slice::<Value>(&bytes).ok()?.get_mut(name).map(Value::take)
            };
            let text_of = |value: Option<Value>| value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
            let (issuer, tid) = (text_of(claimed(1, "iss")), text_of(claimed(1, "tid")));
            if core.origins.issues_v1(&tid, &issuer) || core.origins.issues_v2(&tid, &issuer) {
                return Refused::new(AadSts::ASSERTION_SIGNATURE_FAILED).with("thumbprint", text_of(claimed(0, "kid")));
            }
            Refused::new(AadSts::FOREIGN_ASSERTION_ISSUER).with("issuer", issuer)
        }
    }
}

/// Refuses a token of this authority that is no user's access token for this client.
async fn refuse_unfit<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    client: &AuthenticatedClient,
    token: &OwnToken,
    now: Timestamp,
) -> Result<(), Refused> {
    let application = &client.record.application;
    let named = |aadsts| {
        Refused::new(aadsts)
            .with("app_id", application.app_id().to_string())
            .with("app_name", application.display_name().to_owned())
    };
    if token.tid != tenant.id {
        return Err(Refused::new(AadSts::GRANT_FOR_ANOTHER_TENANT));
    }
    if token.is_id_token() {
        return Err(Refused::new(AadSts::ID_TOKEN_AS_ASSERTION));
    }
    if !token.is_delegated() {
        return Err(named(AadSts::ON_BEHALF_OF_NOT_ALLOWED));
    }
    let audience = core.registry.resource(tenant.id, &token.aud).await?;
    if audience.is_none_or(|resource| resource.application.app_id() != application.app_id()) {
        let expected = application.identifier_uris().first().cloned();
        return Err(named(AadSts::ASSERTION_AUDIENCE_NOT_CLIENT)
            .with("audience", token.aud.clone())
            .with("expected", expected.unwrap_or_else(|| application.app_id().to_string())));
    }
    if token.is_expired(now) || now.as_unix_seconds() < token.nbf {
        return Err(Refused::new(AadSts::ASSERTION_EXPIRED)
            .with("now", iso(now))
            .with("expires", iso(Timestamp::from_unix_seconds(token.exp))));
    }
    Ok(())
}
